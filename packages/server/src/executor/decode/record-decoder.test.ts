import assert from "node:assert/strict";
import {
  decodeHRecord,
  encodeRecordBatch,
  type HValue,
  isMalformed,
  must,
  RecordBatchReader,
  type RecordParts,
} from "@hstream/proto";
import { DYNAMIC, fromStored, type ScanColumn, type SqlValue } from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { rowAt } from "../columns.js";
import { hrecord } from "../plans.test.helper.js";
import { DivertedCounter } from "./diverted.js";
import { RecordDecoder } from "./record-decoder.js";

const fieldNames = ["a", "b", "ab", "price", "text", "x".repeat(130), "é", "date_time", ""];
/** Of the same lengths, or as many of the same bytes. */
const otherNames = ["other", "pride", "grace", "date_tame", "date_time2", "c", "text_text"];
const columns: ScanColumn[] = [
  ...fieldNames.slice(0, 8).map((name): ScanColumn => ({ kind: "field", name, type: DYNAMIC })),
  { kind: "field", name: "a", type: DYNAMIC },
  { kind: "append-time" },
  { kind: "record", without: [] },
];

const { value } = fc.letrec<{ value: HValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.constant(null),
    fc.boolean(),
    fc.oneof(fc.integer({ min: -5, max: 5 }), fc.double({ noNaN: true, noDefaultInfinity: true })),
    fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 5 }),
      fc.constantFrom("y".repeat(127), "z".repeat(20_000)),
    ),
    fc.array(tie("value"), { maxLength: 3 }),
    fc
      .dictionary(fc.constantFrom(...fieldNames, "$numberLong", "$date"), tie("value"), { maxKeys: 3 })
      .map((fields) => new Map(Object.entries(fields))),
    fc.constantFrom<HValue>(
      new Map([["$numberLong", "9007199254740993"]]),
      new Map([["$timestamp", "2024-01-01T00:00:00Z"]]),
    ),
  ),
}));
const plainRecord = fc
  .array(fc.tuple(fc.constantFrom(...fieldNames, ...otherNames), value), { maxLength: 6 })
  .map((fields) => hrecord(new Map(fields)));
const record: fc.Arbitrary<RecordParts> = fc.oneof(
  { weight: 6, arbitrary: plainRecord },
  {
    weight: 1,
    arbitrary: plainRecord.map((parts) => ({ ...parts, key: "k", attributes: new Map([["n", "v"]]) })),
  },
  {
    weight: 1,
    arbitrary: plainRecord.map((parts) => ({ ...parts, attributes: new Map([["hstream.op", "delete"]]) })),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }).map((payload) => ({ flag: 1, key: "", payload })) },
  {
    weight: 1,
    arbitrary: fc.uint8Array({ maxLength: 20 }).map((payload) => ({ flag: 0, key: "", payload })),
  },
);

/** The same by the plain decoders: a row for each record that is one, and the number of others. */
function plainly(
  bytes: Uint8Array,
  recordCount: number,
  timeMs: number,
): { rows: SqlValue[][]; diverted: number } {
  const rows: SqlValue[][] = [];
  let diverted = 0;
  let count = 0;
  const reader = new RecordBatchReader(bytes);
  while (reader.next()) {
    count += 1;
    const fields = decodeHRecord(bytes, reader.payloadStart, reader.payloadEnd);
    if (reader.flag === 1 || reader.attributes().get("hstream.op") === "delete" || isMalformed(fields)) {
      diverted += 1;
      continue;
    }
    const finite = (stored: HValue | undefined): SqlValue =>
      stored === undefined ? null : fromStored(stored);
    const record = new Map([...fields].map(([name, stored]) => [name, finite(stored)]));
    rows.push([
      ...fieldNames.slice(0, 8).map((name) => record.get(name) ?? null),
      record.get("a") ?? null,
      { kind: "timestamp", ms: timeMs },
      record,
    ]);
  }
  if (reader.failure !== null || count !== recordCount) diverted += Math.max(1, recordCount - count);
  return { rows, diverted };
}

function decoded(
  payloads: readonly { bytes: Uint8Array; recordCount: number }[],
  rowsMax: number,
): { rows: SqlValue[][]; diverted: number } {
  const diverted = new DivertedCounter();
  const decoder = new RecordDecoder(columns, diverted);
  const arena = Buffer.concat(payloads.map(({ bytes }) => bytes));
  let start = 0;
  for (const [i, { bytes, recordCount }] of payloads.entries()) {
    decoder.add({ bytes: arena, start, end: start + bytes.length, recordCount, timeMs: i });
    start += bytes.length;
  }
  const rows: SqlValue[][] = [];
  for (let batch = decoder.next(rowsMax); batch !== undefined; batch = decoder.next(rowsMax)) {
    assert.ok(batch.rowCount <= rowsMax);
    for (let row = 0; row < batch.rowCount; row++) rows.push(rowAt(batch, row));
  }
  return { rows, diverted: diverted.total };
}

describe("record decoder", () => {
  const batch = fc
    .record({ records: fc.array(record, { maxLength: 5 }), miscount: fc.constantFrom(0, 0, 0, 1, -1) })
    .map(({ records, miscount }) => ({
      bytes: encodeRecordBatch(records),
      recordCount: Math.max(1, records.length + miscount),
    }));

  it("gives what the plain decoders give, whatever the batches and the size of pieces", () => {
    fc.assert(
      fc.property(fc.array(batch, { maxLength: 4 }), fc.integer({ min: 1, max: 12 }), (batches, rowsMax) => {
        const expected = batches.map(({ bytes, recordCount }, i) => plainly(bytes, recordCount, i));
        const actual = decoded(batches, rowsMax);
        assert.deepEqual(
          actual.rows,
          expected.flatMap(({ rows }) => rows),
        );
        assert.equal(
          actual.diverted,
          expected.reduce((total, { diverted }) => total + diverted, 0),
        );
      }),
      { numRuns: runs(1000) },
    );
  });

  it("accounts for every record of a batch with broken bytes", () => {
    const broken = fc.tuple(batch, fc.nat(), fc.nat(255)).map(([{ bytes, recordCount }, at, byte]) => {
      const copy = Uint8Array.from(bytes);
      if (copy.length > 0) copy[at % copy.length] = byte;
      return { bytes: copy, recordCount };
    });
    fc.assert(
      fc.property(broken, ({ bytes, recordCount }) => {
        const actual = decoded([{ bytes, recordCount }], 100);
        const expected = plainly(bytes, recordCount, 0);
        // All fields are wanted, as whole records, so no value goes unchecked.
        assert.deepEqual(actual.rows, expected.rows);
        assert.equal(actual.diverted, expected.diverted);
      }),
      { numRuns: runs(2000) },
    );
  });

  it("counts what is diverted by its reason", () => {
    const counter = new DivertedCounter();
    const decoder = new RecordDecoder([], counter);
    const bytes = Buffer.from(
      encodeRecordBatch([
        hrecord({ a: 1 }),
        { flag: 1, key: "", payload: Buffer.from("raw") },
        { flag: 0, key: "", payload: Buffer.from("text") },
        { ...hrecord({}), attributes: new Map([["hstream.op", "delete"]]) },
      ]),
    );
    decoder.add({ bytes, start: 0, end: bytes.length, recordCount: 6, timeMs: 0 });
    assert.equal(decoder.next(10)?.rowCount, 1);
    assert.deepEqual(counter.counts(), { raw: 1, malformed: 1, deletion: 1, "count-mismatch": 2 });
  });

  it("gives whole records with their fields in order, also when there are very many different ones", () => {
    for (const different of [3, 40, 300]) {
      const records = Array.from({ length: 60 }, (_, row) =>
        Array.from({ length: 7 }, (_, i): [string, HValue] => [`f${(row * 7 + i * i) % different}`, row + i]),
      ).map((fields) => new Map(fields));
      const bytes = Buffer.from(encodeRecordBatch(records.map((fields) => hrecord(fields))));
      const decoder = new RecordDecoder([{ kind: "record", without: [] }], new DivertedCounter());
      decoder.add({ bytes, start: 0, end: bytes.length, recordCount: records.length, timeMs: 0 });
      const batch = must(decoder.next(1000), "there are records");
      const given = records.map((_, row) => [...(rowAt(batch, row)[0] as Map<string, SqlValue>)]);
      assert.deepEqual(
        given,
        records.map((fields) => [...fields]),
      );
    }
  });
});
