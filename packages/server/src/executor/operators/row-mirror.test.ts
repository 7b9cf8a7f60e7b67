import assert from "node:assert/strict";
import * as fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { batchOfRows, rowAt, weightAt } from "../columns.js";
import { StateReader } from "../state/state-reader.js";
import { StateWriter } from "../state/state-writer.js";
import { RowMirror } from "./row-mirror.js";

type Counts = Map<string, number>;

const rowArbitrary = fc.tuple(fc.constantFrom("a", "b", "c", null), fc.integer({ min: 0, max: 3 }));
type Row = readonly [string | null, number];

const actionArbitrary = fc.oneof(
  fc.record({ kind: fc.constant("insert" as const), row: rowArbitrary }),
  fc.record({ kind: fc.constant("delete" as const), nth: fc.nat() }),
  fc.record({ kind: fc.constant("replace" as const), rows: fc.array(rowArbitrary, { maxLength: 8 }) }),
  fc.record({ kind: fc.constant("reopen" as const) }),
);

const batchOf = (rows: readonly Row[], weight: number) =>
  batchOfRows(rows, 2, new Int32Array(rows.length).fill(weight));

function add(counts: Counts, row: readonly unknown[], weight: number): void {
  const key = JSON.stringify(row);
  const count = (counts.get(key) ?? 0) + weight;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}

describe("a mirror of a view's rows", () => {
  it("passes on what makes the rows before into those that are there", () => {
    fc.assert(
      fc.property(
        fc.array(actionArbitrary, { maxLength: 20 }),
        fc.integer({ min: 1, max: 3 }),
        (actions, rowsMax) => {
          let mirror = new RowMirror(2);
          let present: Row[] = [];
          const passed: Counts = new Map();
          for (const action of actions) {
            switch (action.kind) {
              case "insert":
                mirror.apply(batchOf([action.row], 1));
                present.push(action.row);
                add(passed, action.row, 1);
                break;
              case "delete": {
                const [gone] = present.splice(action.nth % Math.max(1, present.length), 1);
                if (gone === undefined) break;
                mirror.apply(batchOf([gone], -1));
                add(passed, gone, -1);
                break;
              }
              case "replace":
                mirror.begin();
                for (const row of action.rows) mirror.add(batchOf([row], 1));
                for (
                  let part = mirror.difference(rowsMax);
                  part !== undefined;
                  part = mirror.difference(rowsMax)
                ) {
                  assert.ok(part.rowCount <= rowsMax);
                  for (let i = 0; i < part.rowCount; i++) add(passed, rowAt(part, i), weightAt(part, i));
                }
                present = [...action.rows];
                break;
              case "reopen": {
                const writer = new StateWriter();
                mirror.save(writer);
                mirror = new RowMirror(2);
                mirror.load(new StateReader(writer.chunks()));
              }
            }
            const expected: Counts = new Map();
            for (const row of present) add(expected, row, 1);
            assert.deepEqual(passed, expected);
          }
        },
      ),
      { numRuns: runs(200) },
    );
  });

  it("counts rows of which no column is wanted", () => {
    const mirror = new RowMirror(0);
    mirror.apply(batchOfRows([[], []], 0));
    mirror.begin();
    mirror.add(batchOfRows([[], [], []], 0));
    const difference = mirror.difference(10);
    assert.deepEqual([difference?.rowCount, difference?.weights?.[0]], [1, 1]);
    assert.equal(mirror.difference(10), undefined);
  });
});
