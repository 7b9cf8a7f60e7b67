import assert from "node:assert/strict";
import type { SqlValue } from "@hstream/sql/runtime";
import { runs } from "@hstream/proto/testing";
import * as fc from "fast-check";
import { limits } from "../../limits.js";
import { Execution } from "../execution.js";
import { planOf, queries } from "../queries.test.helper.js";
import { StateReader } from "./state-reader.js";
import { stateChunkBytes, StateWriter } from "./state-writer.js";

const leaf: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  fc.string({ unit: "grapheme" }),
  fc.uint8Array(),
  fc.integer().map((days) => ({ kind: "date" as const, days })),
  fc.nat(86_399_999).map((ms) => ({ kind: "time" as const, ms })),
  fc.integer().map((ms) => ({ kind: "timestamp" as const, ms })),
  fc.tuple(fc.integer(), fc.integer()).map(([months, ms]) => ({ kind: "interval" as const, months, ms })),
  fc
    .tuple(fc.bigInt(), fc.nat(30))
    .map(([unscaled, scale]) => ({ kind: "decimal" as const, unscaled, scale })),
);

const { value } = fc.letrec<{ value: SqlValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    leaf,
    fc.array(tie("value")),
    fc.array(fc.tuple(fc.string(), tie("value"))).map((fields) => new Map(fields)),
  ),
}));

function chunksOf(write: (writer: StateWriter) => void): Uint8Array[] {
  const writer = new StateWriter();
  write(writer);
  return writer.chunks();
}

describe("a saved state", () => {
  it("gives back every value exactly as it was", () => {
    fc.assert(
      fc.property(fc.array(value), fc.array(fc.double()), fc.array(fc.string()), (all, floats, texts) => {
        const chunks = chunksOf((writer) => {
          writer.values(all);
          for (const one of all) writer.value(one);
          writer.floats(Float64Array.from(floats), floats.length);
          writer.values(texts);
          writer.flag(true);
        });
        const reader = new StateReader(chunks);
        assert.deepEqual(reader.values(), all);
        for (const one of all) assert.deepEqual(reader.value(), one);
        assert.deepEqual([...reader.floats()], floats);
        assert.deepEqual(reader.values(), texts);
        assert.equal(reader.flag(), true);
        reader.end();
      }),
      { numRuns: runs(300) },
    );
  });

  it("comes in chunks of bounded size, of which the order matters and the cuts do not", () => {
    const numbers = Float64Array.from({ length: 400_000 }, (_, i) => i / 3);
    const chunks = chunksOf((writer) => {
      writer.flag(true);
      writer.floats(numbers, numbers.length);
      writer.text("end");
    });
    assert.ok(chunks.length > 3);
    for (const chunk of chunks) assert.ok(chunk.length <= stateChunkBytes);
    const whole = Buffer.concat(chunks);
    const reader = new StateReader([whole.subarray(0, 7), whole.subarray(7)]);
    assert.equal(reader.flag(), true);
    assert.deepEqual(reader.floats(), numbers);
    assert.equal(reader.text(), "end");
  });

  it("is refused when it is cut off at any byte, or of another plan", () => {
    const inflate = () => assert.fail("nothing is compressed");
    const all = Object.values(queries({ appendOnly: false, emission: "per-step" }));
    const open = (i: number) => {
      const query = all[i];
      assert(query !== undefined);
      return new Execution(
        planOf(query, { kind: "coalesced" }, false),
        { kind: "materialize" },
        0,
        inflate,
        limits,
      );
    };
    const execution = open(1);
    execution.step(0);
    const state = Buffer.concat(execution.save());
    open(1).load([state]);
    const refused = { kind: "QueryStateUnreadable" };
    for (let length = 0; length < state.length; length++) {
      assert.throws(() => open(1).load([state.subarray(0, length)]), refused, `cut at ${length}`);
    }
    assert.throws(() => open(1).load([state, Buffer.alloc(1)]), refused);
    assert.throws(() => open(2).load([state]), refused);
  });
});
