import assert from "node:assert/strict";
import { decodeHRecord, isMalformed, RecordBatchReader } from "@hstream/proto";
import type { PhysicalPlan, SqlValue } from "@hstream/sql/runtime";
import { batchOfRows } from "./columns.js";
import { decodeKeyedBatch } from "./encode/keyed-batch.js";
import { outputColumns, streamPlan } from "./plans.test.helper.js";
import { partitionKey, RecordEmitter, type RecordSinkOptions } from "./record-emitter.js";

const limits = { recordBytesMax: 1_000, batchRecordsMax: 4, stepErrorsKeptMax: 10 };
const plan: PhysicalPlan = streamPlan(["k", "n"], (source) => source, {
  emit: { kind: "changes" },
  output: outputColumns("k", "n"),
});

function recordsOf(output: readonly Uint8Array[]) {
  return output.map((bytes) => {
    const { key, recordCount, payload } = decodeKeyedBatch(bytes);
    const reader = new RecordBatchReader(payload);
    const records = [];
    while (reader.next()) {
      const fields = decodeHRecord(reader.payload());
      assert(!isMalformed(fields));
      records.push({
        key: reader.key(),
        attributes: Object.fromEntries(reader.attributes()),
        fields: Object.fromEntries(fields),
      });
    }
    assert.equal(records.length, recordCount);
    return { key, records };
  });
}

const emit = (
  options: Partial<RecordSinkOptions>,
  rows: SqlValue[][],
  weights?: number[],
  updates?: number[],
) =>
  new RecordEmitter(plan, { key: [0], byKey: false, ...options }, limits).take([
    batchOfRows(rows, 2, weights && Int32Array.from(weights), updates && Int32Array.from(updates)),
  ]);

describe("changes as records of a stream", () => {
  it("are the new state of an update, and a deletion of what is gone", () => {
    const rows = [
      ["a", 1],
      ["a", 2],
      ["b", 7],
    ];
    const { output, rowsOut } = emit({}, rows, [-1, 1, -1], [0, 0, 1]);
    assert.equal(rowsOut, 2);
    assert.deepEqual(recordsOf(output), [
      {
        key: "",
        records: [
          { key: "a", attributes: {}, fields: { k: "a", n: 2 } },
          { key: "b", attributes: { "hstream.op": "delete", "hstream.key": "b" }, fields: { k: "b", n: 7 } },
        ],
      },
    ]);
  });

  it("are divided by key where the stream has several shards, in batches of bounded size", () => {
    const rows = Array.from({ length: 12 }, (_, i): SqlValue[] => [i % 2 === 0 ? "even" : "odd", i]);
    const batches = recordsOf(emit({ byKey: true }, rows).output);
    assert.deepEqual(
      batches.map(({ key, records }) => [key, records.map(({ fields }) => fields["n"])]),
      [
        ["even", [0, 2, 4, 6]],
        ["even", [8, 10]],
        ["odd", [1, 3, 5, 7]],
        ["odd", [9, 11]],
      ],
    );
  });

  it("have the names that INSERT INTO gives, and leave out what is too large, with an error", () => {
    const { output, errors, rowsOut } = emit({ names: ["id", "value"] }, [
      ["x".repeat(2_000), 1],
      ["a", null],
    ]);
    assert.deepEqual(recordsOf(output)[0]?.records[0]?.fields, { id: "a", value: null });
    assert.equal(rowsOut, 1);
    assert.match(errors?.first[0]?.message ?? "", /too large for a record/);
  });

  it("have a text as its own key, and JSON of what is no text, or of several", () => {
    assert.equal(partitionKey([]), "");
    assert.equal(partitionKey([null]), "");
    assert.equal(partitionKey(["ada"]), "ada");
    assert.equal(partitionKey([7]), "7");
    assert.equal(partitionKey(["a", null, 1]), '["a",null,1]');
  });
});
