import type { WireCursor } from "@hstream/proto";
import { varintLength, writeVarint } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { RecordId } from "../subscription/subscription-driver.js";

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

/** Reads the id that the cursor stands before. One that cannot be ours becomes shard 0. */
export function readRecordId(cursor: WireCursor): RecordId {
  const outer = cursor.enter();
  let shardId: number | bigint = 0;
  let batchId: number | bigint = 0;
  let index = 0;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === field.shardId) shardId = cursor.uint64();
    else if (tag === field.batchId) batchId = cursor.uint64();
    else if (tag === field.index) index = cursor.uint32();
    else cursor.skip(tag);
  }
  cursor.leave(outer);
  if (typeof shardId === "bigint" || typeof batchId === "bigint") return { shardId: 0, batchId: 0, index };
  return { shardId, batchId, index };
}
