import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "./testing/runs.js";
import { concat, embedded, hostile, unknownFields } from "./arbitrary-bytes.test.helper.js";
import {
  type BatchedRecordParts,
  decodeBatchedRecord,
  encodeBatchedRecord,
  encodeBatchedRecordHead,
} from "./batched-record.js";
import { BatchedRecord } from "./generated/hstream.js";
import { isMalformed } from "./malformed.js";

const parts: fc.Arbitrary<BatchedRecordParts> = fc.record({
  compressionType: fc.oneof(fc.constantFrom(0, 1, 2), fc.nat()),
  publishTimeMs: fc.option(fc.oneof(fc.maxSafeNat(), fc.nat(2_000)), { nil: undefined }),
  batchSize: fc.nat(0xffff_ffff),
  payload: fc.uint8Array({ maxLength: 300 }),
});

function message(record: BatchedRecordParts): BatchedRecord {
  const ms = record.publishTimeMs;
  return {
    compressionType: record.compressionType as BatchedRecord["compressionType"],
    publishTime:
      ms === undefined
        ? undefined
        : { seconds: BigInt(Math.floor(ms / 1_000)), nanos: (ms % 1_000) * 1_000_000 },
    batchSize: record.batchSize,
    payload: record.payload,
  };
}

const valid = parts.map((record) => BatchedRecord.encode(message(record)).finish());

describe("BatchedRecord codec", () => {
  it("encodes to the bytes of the generated code", () => {
    fc.assert(
      fc.property(parts, (record) => {
        const expected = BatchedRecord.encode(message(record)).finish();
        assert.deepEqual(encodeBatchedRecord(record), expected);
        assert.deepEqual(concat(encodeBatchedRecordHead(record), record.payload), expected);
      }),
    );
  });

  it("decodes what the generated code encoded, with unknown fields around it", () => {
    fc.assert(
      fc.property(parts, unknownFields, unknownFields, (record, before, after) => {
        const bytes = embedded(concat(before, BatchedRecord.encode(message(record)).finish(), after));
        const decoded = decodeBatchedRecord(bytes);
        assert.ok(!isMalformed(decoded));
        assert.deepEqual(
          { ...decoded, payload: [...decoded.payload] },
          { ...record, payload: [...record.payload] },
        );
      }),
    );
  });

  it("gives the payload as a view of the input", () => {
    const bytes = encodeBatchedRecord({
      compressionType: 1,
      publishTimeMs: 5,
      batchSize: 1,
      payload: Uint8Array.of(7, 8, 9),
    });
    const decoded = decodeBatchedRecord(bytes);
    assert.ok(!isMalformed(decoded));
    assert.equal(decoded.payload.buffer, bytes.buffer);
  });

  it("rounds times before 1970 and fractions down", () => {
    const bytes = BatchedRecord.encode(
      BatchedRecord.create({ publishTime: { seconds: -2n, nanos: 999_999_999 } }),
    ).finish();
    assert.deepEqual(decodeBatchedRecord(bytes), {
      compressionType: 0,
      publishTimeMs: -1_001,
      batchSize: 0,
      payload: new Uint8Array(0),
    });
  });

  it("never throws, and agrees with the generated code where it accepts", () => {
    fc.assert(
      fc.property(hostile(valid), (bytes) => {
        const decoded = decodeBatchedRecord(bytes);
        if (isMalformed(decoded)) {
          assert.ok(decoded.offset >= 0 && decoded.offset <= bytes.length);
          return;
        }
        const expected = BatchedRecord.decode(bytes);
        assert.equal(decoded.compressionType, expected.compressionType);
        assert.equal(decoded.batchSize, expected.batchSize);
        assert.deepEqual([...decoded.payload], [...expected.payload]);
        assert.equal(decoded.publishTimeMs === undefined, expected.publishTime === undefined);
      }),
      { numRuns: runs(2_000) },
    );
  });
});
