import { varintLength, writeVarint } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";

/**
 * RecordId, and many of one batch in a row:
 *
 *   ids := { tag length 08 shardId 10 batchId [18 index] }*     the index is absent if 0
 */
export const recordIdField = { shardId: 0x08, batchId: 0x10, index: 0x18 } as const;
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
  common[0] = recordIdField.shardId;
  let commonLength = writeVarint(common, 1, shardId);
  common[commonLength++] = recordIdField.batchId;
  commonLength = writeVarint(common, commonLength, batchId);
  let at = offset;
  for (const index of indexes) {
    target[at++] = tag;
    target[at++] = commonLength + (index === 0 ? 0 : 1 + varintLength(index));
    for (let i = 0; i < commonLength; i++) target[at++] = common[i] as number;
    if (index !== 0) {
      target[at++] = recordIdField.index;
      at = writeVarint(target, at, index);
    }
  }
  return at;
}
