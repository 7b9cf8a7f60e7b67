import { compression, type Inflate, isUnreadable } from "@hstream/proto";
import { limits } from "../limits.js";
import type { BatchId, ShardId, StoredBatch } from "../log/log-store.js";
import { walkFrames } from "./record-frames.js";

/** One answer to a consumer: records of one stored batch. */
export interface Delivery {
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  /** Append time in ms since 1970. */
  readonly timeMs: number;
  readonly compression: number;
  readonly payload: Uint8Array;
  /** The records' places in the stored batch, ascending. */
  readonly indexes: readonly number[];
}

/**
 * What to send of a batch: the stored bytes, if all of it is wanted and every client can read them.
 * Else the wanted records uncompressed, in as many parts as the size of an answer demands. A batch
 * that cannot be taken apart goes as it is, since a repeated record is better than a lost one.
 */
export function deliveriesOf(
  batch: StoredBatch,
  missing: readonly number[] | undefined,
  inflate: Inflate,
): Delivery[] {
  if (missing === undefined && !needsRecoding(batch)) return [asStored(batch)];
  const inflated = inflate(batch.payload, batch.compression);
  if (isUnreadable(inflated)) return [asStored(batch)];
  return regroup(batch, inflated, missing) ?? [asStored(batch)];
}

/**
 * The ids of very many records can make an answer too large. Some clients read no zstd. An unterminated gzip ends with the empty block of a flush, 00 00 ff ff,
 * which at the place of the size is a number that no batch of ours can have.
 */
function needsRecoding({ compression: type, payload, recordCount }: StoredBatch): boolean {
  if (payload.length + recordCount * idBytesMax > limits.responseBytesMax) return true;
  if (type === compression.zstd) return true;
  if (type !== compression.gzip) return false;
  const { length } = payload;
  const size =
    (payload[length - 4] ?? 0) +
    (payload[length - 3] ?? 0) * 2 ** 8 +
    (payload[length - 2] ?? 0) * 2 ** 16 +
    (payload[length - 1] ?? 0) * 2 ** 24;
  return size > limits.inflatedBytesMax;
}

function asStored(batch: StoredBatch): Delivery {
  const { shardId, batchId, timeMs, compression, payload, recordCount } = batch;
  const indexes = firstIndexes(recordCount);
  return { shardId, batchId, timeMs, compression, payload, indexes };
}

/** 0 … count − 1. Producers make batches of few sizes, whose lists are shared. */
export function firstIndexes(count: number): readonly number[] {
  const known = indexLists.get(count);
  if (known !== undefined) return known;
  const made = Array.from({ length: count }, (_, index) => index);
  if (indexLists.size >= indexListsMax) indexLists.clear();
  indexLists.set(count, made);
  return made;
}

const indexLists = new Map<number, readonly number[]>();
/** At most 32 lists of 65,536 numbers. */
const indexListsMax = 32;

/** Undefined if the payload is not framed as records, or one of them is too large uncompressed. */
function regroup(
  batch: StoredBatch,
  payload: Uint8Array,
  missing: readonly number[] | undefined,
): Delivery[] | undefined {
  const { shardId, batchId, timeMs } = batch;
  const wanted = missing === undefined ? undefined : new Set(missing);
  const deliveries: Delivery[] = [];
  let frames: Uint8Array[] = [];
  let indexes: number[] = [];
  let bytes = 0;
  const finish = () => {
    if (frames.length === 0) return;
    const joined = Buffer.concat(frames, bytes);
    deliveries.push({ shardId, batchId, timeMs, compression: compression.none, payload: joined, indexes });
    frames = [];
    indexes = [];
    bytes = 0;
  };
  let index = 0;
  let largest = 0;
  const framed = walkFrames(payload, (start, end) => {
    const place = index++;
    if (place >= batch.recordCount || wanted?.has(place) === false) return;
    largest = Math.max(largest, recordCost(end - start));
    const before = bytes + indexes.length * idBytesMax;
    if (before + recordCost(end - start) > limits.responseBytesMax) finish();
    frames.push(payload.subarray(start, end));
    indexes.push(place);
    bytes += end - start;
  });
  finish();
  return framed && largest <= limits.responseBytesMax ? deliveries : undefined;
}

/** A record id beside its record: tags, lengths and three numbers. */
const idBytesMax = 24;

function recordCost(bytes: number): number {
  return bytes + idBytesMax;
}
