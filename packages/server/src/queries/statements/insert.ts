import { encodeHRecord, encodeRecordBatch, HStreamRecordHeader_Flag, type RecordParts } from "@hstream/proto";
import { type BoundStatement, toStored } from "@hstream/sql";
import { HStreamError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { StreamAppender } from "../../streams/stream-appender.js";

type Insert = Extract<BoundStatement, { kind: "insert" }>;

/**
 * Appends the rows, in as few batches as recordBytesMax allows, to the shard of the empty key. Several
 * batches are not atomic: an error tells how many rows came before it.
 */
export async function insert(appender: StreamAppender, { stream, rows }: Insert): Promise<number> {
  let inserted = 0;
  for (const records of batchesOf(rows.map(recordOf))) {
    const payload = encodeRecordBatch(records);
    await appender.appendByKey(stream.name, "", { recordCount: records.length, compression: 0, payload });
    inserted += records.length;
  }
  return inserted;
}

function recordOf(row: Insert["rows"][number]): RecordParts {
  if (row.kind === "raw") return { flag: HStreamRecordHeader_Flag.RAW, key: "", payload: row.bytes };
  const payload = encodeHRecord(toStored(row.fields) as Parameters<typeof encodeHRecord>[0]);
  if (payload instanceof Uint8Array) return { flag: HStreamRecordHeader_Flag.JSON, key: "", payload };
  throw new HStreamError("InvalidBatch", { reason: `A row cannot be stored: ${payload.reason}.` });
}

/** Room for what a batch and a record add to their payloads. */
const framingBytes = 64;

function* batchesOf(records: readonly RecordParts[]): Generator<RecordParts[]> {
  let batch: RecordParts[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = record.payload.length + framingBytes;
    const full =
      bytes + size > limits.recordBytesMax - framingBytes || batch.length === limits.batchRecordsMax;
    if (full && batch.length > 0) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(record);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
