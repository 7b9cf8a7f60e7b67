import assert from "node:assert/strict";
import * as fc from "fast-check";
import { type ColumnData, RowBatch } from "./generated/hstream_ext.js";
import { encodeRowBatch } from "./row-batch.js";
import { runs } from "./testing/index.js";

const bytes = fc.uint8Array({ maxLength: 300 });
const values: fc.Arbitrary<ColumnData["values"]> = fc.oneof(
  fc.record({
    $case: fc.constantFrom("float64" as const, "int64" as const, "booleans" as const),
    value: bytes,
  }),
  fc.record({
    $case: fc.constantFrom("text" as const, "json" as const),
    value: fc.record({ offsets: bytes, bytes }),
  }),
  fc.record({ $case: fc.constant("allNull" as const), value: fc.boolean() }),
  fc.constant(undefined),
);
const batches = fc.record({
  rowCount: fc.oneof(fc.nat(300), fc.constant(4_294_967_295)),
  addedColumns: fc.array(fc.record({ name: fc.string({ unit: "binary" }), type: fc.string() }), {
    maxLength: 3,
  }),
  columns: fc.array(fc.record({ nulls: bytes, values }), { maxLength: 4 }),
  operations: bytes,
});

describe("row batches", () => {
  it("are the bytes that the generated code writes", () => {
    fc.assert(
      fc.property(batches, (batch) => {
        assert.deepEqual(Buffer.from(encodeRowBatch(batch)), Buffer.from(RowBatch.encode(batch).finish()));
      }),
      { numRuns: runs(500) },
    );
  });
});
