import { limits } from "../limits.js";
import { type PreparedRecord, prepareRecord, type RecordOptions } from "../records/record.js";
import { recordOf, type RecordType } from "../records/record-type.js";
import type { ShardMap } from "./shard-map.js";

/** Records that go into one shard together. */
export interface PlannedBatch {
  readonly shardId: bigint;
  readonly records: readonly PreparedRecord[];
  /** Where the records stood among the values. */
  readonly places: readonly number[];
}

/** A value as the record that is sent. Throws HStreamClientError (reason "usage"). */
export function prepare<T>(
  type: RecordType<T>,
  value: T,
  options: RecordOptions | undefined,
): PreparedRecord {
  const { record, key } = recordOf(type, value);
  return prepareRecord(record, { key, ...options });
}

/** Sorts values by the shards of their keys, in order, and cuts what is too much for one batch. */
export function planBatches<T>(
  values: readonly T[],
  type: RecordType<T>,
  options: RecordOptions,
  shards: ShardMap,
): readonly PlannedBatch[] {
  const { attributes, key } = options;
  const recordOptions = {
    ...(key === undefined ? {} : { key }),
    ...(attributes === undefined ? {} : { attributes }),
  };
  const batches: PlannedBatch[] = [];
  const open = new Map<bigint, { records: PreparedRecord[]; places: number[]; bytes: number }>();
  values.forEach((value, place) => {
    const record = prepare(type, value, recordOptions);
    const shardId = shards.shardOf(record.key);
    let batch = open.get(shardId);
    const isFull =
      batch === undefined ||
      batch.bytes + record.bytes > limits.batchBytesMax ||
      batch.records.length === limits.batchRecordsMax;
    if (batch === undefined || isFull) {
      batch = { records: [], places: [], bytes: 0 };
      open.set(shardId, batch);
      batches.push({ shardId, records: batch.records, places: batch.places });
    }
    batch.records.push(record);
    batch.places.push(place);
    batch.bytes += record.bytes;
  });
  return batches;
}
