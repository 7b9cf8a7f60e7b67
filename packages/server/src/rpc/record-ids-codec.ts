import type { WireCursor } from "@hstream/proto";
import { varintLength, writeVarint } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { RecordRun } from "../subscription/subscription-driver.js";

/**
 * RecordId, and many of one batch in a row:
 *
 *   ids := { tag length 08 shardId 10 batchId [18 index] }*     the index is absent if 0
 */
const field = { shardId: 0x08, batchId: 0x10, index: 0x18 } as const;
/** A record id takes at most a tag, a length, and three tags with varints of 10, 10 and 5 bytes. */
const idBytesMax = 2 + 3 + 10 + 10 + 5;

/** An upper bound of what `writeRecordIds` writes. */
export function recordIdsBytesMax(count: number): number {
  return count * idBytesMax;
}

/** Exactly what `writeRecordIds` writes. */
export function recordIdsBytes(shardId: ShardId, batchId: BatchId, indexes: Iterable<number>): number {
  const common = 2 + 2 + varintLength(shardId) + varintLength(batchId);
  let bytes = 0;
  for (const index of indexes) bytes += common + (index === 0 ? 0 : 1 + varintLength(index));
  return bytes;
}

/** Writes the ids of records of one batch; where the next byte goes. */
export function writeRecordIds(
  target: Uint8Array,
  offset: number,
  tag: number,
  shardId: ShardId,
  batchId: BatchId,
  indexes: Iterable<number>,
): number {
  // The same in every id: made once.
  const common = new Uint8Array(idBytesMax);
  common[0] = field.shardId;
  let commonLength = writeVarint(common, 1, shardId);
  common[commonLength++] = field.batchId;
  commonLength = writeVarint(common, commonLength, batchId);
  let at = offset;
  for (const index of indexes) {
    target[at++] = tag;
    target[at++] = commonLength + (index === 0 ? 0 : 1 + varintLength(index));
    for (let i = 0; i < commonLength; i++) target[at++] = common[i] as number;
    if (index !== 0) {
      target[at++] = field.index;
      at = writeVarint(target, at, index);
    }
  }
  return at;
}

/**
 * Reads ids one after the other into runs of one batch each. Ids of a batch begin with the same bytes, which
 * are compared, not read again.
 */
export class RecordIdReader {
  readonly runs: RecordRun[] = [];
  count = 0;
  #run: { shardId: number; batchId: number; indexes: number[] } | undefined;
  /** Where the shard and the batch of the run stand, if they came first and in this order. */
  #prefixStart = 0;
  #prefixLength = 0;

  /** Reads the id that the cursor stands before. One that cannot be ours becomes shard 0. */
  read(cursor: WireCursor): void {
    if (this.#readAsBefore(cursor)) return;
    const outer = cursor.enter();
    const start = cursor.position;
    let shardId: number | bigint = 0;
    let batchId: number | bigint = 0;
    let index = 0;
    let prefixLength = 0;
    let isOrdinary = cursor.bytes[start] === field.shardId;
    for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
      if (tag === field.index) {
        index = cursor.uint32();
        // What comes behind it does not belong to the beginning.
        isOrdinary = false;
      } else if (tag === field.shardId) shardId = cursor.uint64();
      else if (tag === field.batchId) {
        batchId = cursor.uint64();
        if (isOrdinary) prefixLength = cursor.position - start;
      } else cursor.skip(tag);
    }
    cursor.leave(outer);
    this.count += 1;
    if (typeof shardId === "bigint" || typeof batchId === "bigint") shardId = batchId = 0;
    if (this.#run?.shardId === shardId && this.#run.batchId === batchId) {
      this.#run.indexes.push(index);
      return;
    }
    this.#run = { shardId, batchId, indexes: [index] };
    this.runs.push(this.#run);
    this.#prefixStart = start;
    this.#prefixLength = prefixLength;
  }

  /** Reads an id of the same batch as the one before, if it has the usual form. */
  #readAsBefore(cursor: WireCursor): boolean {
    const { bytes } = cursor;
    const prefixLength = this.#prefixLength;
    const start = cursor.position + 1;
    // An id is shorter than what a second byte of the length is for.
    const end = start + (bytes[cursor.position] as number);
    if (this.#run === undefined || prefixLength === 0 || end > cursor.end) return false;
    let at = start;
    for (let i = this.#prefixStart; at < start + prefixLength; at++, i++) {
      if (bytes[at] !== bytes[i]) return false;
    }
    let index = 0;
    if (at < end) {
      if (bytes[at++] !== field.index) return false;
      let byte = bytes[at++] as number;
      index = byte & 0x7f;
      for (let shift = 7; byte >= 0x80 && shift < 28; shift += 7) {
        byte = bytes[at++] as number;
        index |= (byte & 0x7f) << shift;
      }
      if (byte >= 0x80) return false;
    }
    if (at !== end) return false;
    cursor.position = end;
    this.count += 1;
    this.#run.indexes.push(index);
    return true;
  }
}
