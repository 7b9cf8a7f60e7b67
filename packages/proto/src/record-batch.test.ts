import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "./testing/runs.js";
import { concat, embedded, hostile, text, unknownFields } from "./arbitrary-bytes.test.helper.js";
import { BatchHStreamRecords, HStreamRecord, HStreamRecordHeader } from "./generated/hstream.js";
import { encodeRecordBatch, RecordBatchReader, type RecordParts, walkRecordBatch } from "./record-batch.js";

const anyRecord: fc.Arbitrary<Required<RecordParts>> = fc.record({
  flag: fc.constantFrom(0, 1),
  key: text,
  attributes: fc.array(fc.tuple(text, text), { maxLength: 3 }).map((entries) => new Map(entries)),
  payload: fc.uint8Array({ maxLength: 200 }),
});
/** As most are: without key and attributes; with lengths of one, two and three bytes. */
const plainRecord: fc.Arbitrary<Required<RecordParts>> = fc
  .oneof(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(new Uint8Array(16_378), new Uint8Array(20_000)))
  .map((payload) => ({ flag: 0, key: "", attributes: new Map<string, string>(), payload }));
const record = fc.oneof(anyRecord, plainRecord);
const records = fc.array(record, { maxLength: 8 });

function message(list: readonly Required<RecordParts>[]): BatchHStreamRecords {
  return {
    records: list.map(({ flag, key, attributes, payload }) => ({
      header: { flag: flag as HStreamRecordHeader["flag"], key, attributes: new Map(attributes) },
      payload,
    })),
  };
}

function readAll(bytes: Uint8Array): { records: RecordParts[]; reader: RecordBatchReader } {
  const reader = new RecordBatchReader(bytes);
  const found: RecordParts[] = [];
  while (reader.next()) found.push({ ...reader.record(), payload: new Uint8Array(reader.payload()) });
  return { records: found, reader };
}

const delimited = (tag: number, bytes: Uint8Array) => {
  assert.ok(bytes.length < 0x80);
  return concat(Uint8Array.of(tag, bytes.length), bytes);
};

describe("record batch codec", () => {
  it("encodes to the bytes of the generated code", () => {
    fc.assert(
      fc.property(records, (list) => {
        assert.deepEqual(
          new Uint8Array(encodeRecordBatch(list)),
          BatchHStreamRecords.encode(message(list)).finish(),
        );
      }),
    );
  });

  it("encodes lengths of several bytes", () => {
    const list = [
      {
        flag: 1,
        key: "k".repeat(200),
        attributes: new Map([["a".repeat(20_000), "ä".repeat(20_000)]]),
        payload: new Uint8Array(3_000_000),
      },
    ];
    assert.ok(
      Buffer.from(BatchHStreamRecords.encode(message(list)).finish()).equals(encodeRecordBatch(list)),
    );
  });

  it("reads what the generated code encoded, with unknown fields between", () => {
    fc.assert(
      fc.property(records, unknownFields, (list, unknown) => {
        const bytes = concat(
          ...message(list).records.flatMap((one) => {
            const header = concat(
              unknown,
              HStreamRecordHeader.encode(one.header ?? assert.fail()).finish(),
              unknown,
            );
            const whole = HStreamRecord.encode({ payload: one.payload }).finish();
            const length = BatchHStreamRecords.encode({ records: [] })
              .uint32(0x0a)
              .bytes(
                concat(
                  unknown,
                  BatchHStreamRecords.encode({ records: [] }).uint32(0x0a).bytes(header).finish(),
                  whole,
                  unknown,
                ),
              );
            return [length.finish(), unknown];
          }),
        );
        const read = readAll(embedded(bytes));
        assert.equal(read.reader.failure, null);
        assert.deepEqual(
          read.records,
          list.map((one) => ({ ...one, payload: new Uint8Array(one.payload) })),
        );
        assert.deepEqual(walkRecordBatch(bytes), { kind: "records", count: list.length });
      }),
    );
  });

  it("tells a missing header from an empty one", () => {
    const { reader: empty } = readAll(Uint8Array.of(0x0a, 2, 0x0a, 0));
    assert.deepEqual([empty.hasHeader, empty.flag, empty.key()], [true, 0, ""]);
    const { reader: missing } = readAll(Uint8Array.of(0x0a, 0));
    assert.deepEqual([missing.hasHeader, missing.flag, missing.key()], [false, 0, ""]);
  });

  it("carries nothing over from one record to the next", () => {
    const full = { flag: 1, key: "k", attributes: new Map([["a", "b"]]), payload: Uint8Array.of(1) };
    const bytes = concat(encodeRecordBatch([full]), Uint8Array.of(0x0a, 0));
    assert.deepEqual(readAll(bytes).records, [
      full,
      { flag: 0, key: "", attributes: new Map(), payload: new Uint8Array(0) },
    ]);
    const reader = new RecordBatchReader(bytes);
    const counts: number[] = [];
    while (reader.next()) counts.push(reader.attributeCount);
    assert.deepEqual(counts, [1, 0]);
  });

  it("merges repeated headers and takes the last payload", () => {
    fc.assert(
      fc.property(record, record, (first, second) => {
        const [a, b] = message([first, second]).records;
        const headers = [a, b].map((one) =>
          HStreamRecordHeader.encode(one?.header ?? assert.fail()).finish(),
        );
        const once = HStreamRecordHeader.decode(concat(...headers));
        const twice = HStreamRecord.encode(a ?? assert.fail()).finish();
        const whole = concat(twice, HStreamRecord.encode({ ...b, payload: Uint8Array.of(5) }).finish());
        const bytes = BatchHStreamRecords.encode({ records: [] }).uint32(0x0a).bytes(whole).finish();
        assert.deepEqual(readAll(bytes).records, [
          { flag: once.flag, key: once.key, attributes: once.attributes, payload: Uint8Array.of(5) },
        ]);
      }),
    );
  });

  it("passes over known fields of another wire type", () => {
    const bytes = delimited(0x0a, Uint8Array.of(0x08, 1, 0x15, 1, 2, 3, 4, 0x12, 1, 9));
    assert.deepEqual(readAll(bytes).records, [
      { flag: 0, key: "", attributes: new Map(), payload: Uint8Array.of(9) },
    ]);
    assert.deepEqual(walkRecordBatch(Uint8Array.of(0x08, 1)), { kind: "records", count: 0 });
  });

  it("keeps a flag that it does not know", () => {
    const bytes = delimited(0x0a, delimited(0x0a, Uint8Array.of(0x08, 77)));
    assert.equal(readAll(bytes).records[0]?.flag, 77);
  });

  it("stops at malformed bytes and says where", () => {
    const bytes = concat(Uint8Array.of(0x0a, 0), Uint8Array.of(0x0a, 5, 0x0a));
    assert.deepEqual(walkRecordBatch(bytes), {
      kind: "malformed",
      offset: 3,
      reason: "a length reaches beyond the end of its message",
    });
    assert.equal(readAll(bytes).records.length, 1);
  });

  it("finds what is malformed within an attribute", () => {
    const attribute = delimited(0x12, Uint8Array.of(0x0a, 9));
    assert.equal(walkRecordBatch(delimited(0x0a, delimited(0x0a, attribute))).kind, "malformed");
  });

  it("never throws, and agrees with the generated code where it accepts", () => {
    const valid = records.map((list) => BatchHStreamRecords.encode(message(list)).finish());
    let accepted = 0;
    fc.assert(
      fc.property(hostile(valid), (bytes) => {
        const walked = walkRecordBatch(bytes);
        const read = readAll(bytes);
        if (walked.kind === "malformed") {
          assert.deepEqual(read.reader.failure, walked);
          assert.ok(walked.offset >= 0 && walked.offset <= bytes.length);
          return;
        }
        accepted += 1;
        const expected = BatchHStreamRecords.decode(bytes).records;
        assert.equal(walked.count, expected.length);
        assert.deepEqual(
          read.records.map((one) => [...one.payload]),
          expected.map((one) => [...one.payload]),
        );
      }),
      { numRuns: runs(2_000) },
    );
    assert.ok(accepted > 0);
  });
});
