import assert from "node:assert/strict";
import { runs } from "@hstream/proto/testing";
import type { SqlValue } from "@hstream/sql/runtime";
import * as fc from "fast-check";
import type { Column } from "../columns.js";
import { ValueIndex } from "./key-index.js";

/** Texts that share beginnings, ends and lengths, and lie at any place in their memory. */
const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 }),
  fc.nat({ max: 9_999 }).map((n) => `channel-${n}`),
);

function textColumn(values: readonly (string | null)[], shift: number): Column {
  const bytes = Buffer.alloc(
    shift + values.reduce((sum, one) => sum + Buffer.byteLength(one ?? "") + 1, 0),
    0x61,
  );
  const starts = new Int32Array(values.length);
  const ends = new Int32Array(values.length);
  const nulls = Uint8Array.from(values, (one) => (one === null ? 1 : 0));
  let at = shift;
  for (const [row, one] of values.entries()) {
    starts[row] = at;
    at += bytes.write(one ?? "", at);
    ends[row] = at++;
  }
  return { kind: "text", bytes, starts, ends, nulls };
}

describe("value index", () => {
  it("numbers texts in the order in which they are met first, in whatever batches they come", () => {
    const batches = fc.array(fc.tuple(fc.array(fc.option(text), { maxLength: 60 }), fc.nat({ max: 5 })), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(batches, (list) => {
        const index = new ValueIndex();
        const expected = new Map<SqlValue, number>();
        for (const [values, shift] of list) {
          const ids = new Int32Array(values.length);
          index.idsOf(textColumn(values, shift), values.length, ids);
          for (const [row, value] of values.entries()) {
            if (!expected.has(value)) expected.set(value, expected.size);
            assert.equal(ids[row], expected.get(value));
          }
        }
        assert.equal(index.count, expected.size);
        for (const [value, id] of expected) {
          assert.equal(index.find(value), id);
          assert.equal(index.idOf(value), id);
        }
        assert.equal(index.find("not among them"), undefined);
      }),
      { numRuns: runs(200) },
    );
  });

  it("keeps its numbers as it grows", () => {
    const index = new ValueIndex();
    const values = Array.from({ length: 5_000 }, (_, i) => (i % 3 === 0 ? i : `key ${i}`));
    for (const [id, value] of values.entries()) assert.equal(index.idOf(value), id);
    for (const [id, value] of values.entries()) assert.equal(index.find(value), id);
  });
});
