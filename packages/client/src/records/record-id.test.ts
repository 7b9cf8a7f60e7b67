import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { formatRecordId, parseRecordId } from "./record-id.js";

describe("a record id", () => {
  it("reads back as it was written", () => {
    const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const id = fc.record(
      { shardId: uint64, batchId: uint64, batchIndex: fc.nat(2 ** 32 - 1) },
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(id, (one) => assert.deepEqual(parseRecordId(formatRecordId(one)), one)),
      { numRuns: runs(100) },
    );
  });

  it("is refused in any other form", () => {
    for (const text of [
      "",
      "1-2",
      "1-2-3-4",
      "a-1-1",
      "1-1--1",
      " 1-1-1",
      `${2n ** 64n}-1-1`,
      "1-1-4294967296",
    ]) {
      assert.throws(() => parseRecordId(text), { reason: "usage" }, text);
    }
  });
});
