import type { BatchId, ShardId } from "./log-store.js";

/** Consecutive batches of one shard in one segment. */
export interface Extent {
  readonly shardId: ShardId;
  readonly count: number;
  readonly firstId: BatchId;
  readonly lastId: BatchId;
  /** The shard's batch before `firstId`. Where it is not the end of the extent before: a damage. */
  readonly previousId: BatchId;
  readonly lastTimeMs: number;
  /** Of its frames. */
  readonly bytes: number;
  /** Where its index is in the footer. */
  readonly indexOffset: number;
  readonly indexChecksum: number;
}

/*
 * One entry of a directory, little endian:
 *    0  f64 shard id        8  f64 batches        16  f64 first id     24  f64 last id
 *   32  f64 previous id    40  f64 last time      48  f64 bytes        56  f64 offset of the index
 *   64  u32 CRC-32 of the index                   68  u32 zero
 */
export const directoryEntryBytes = 72;

export function encodeDirectoryEntry(target: Buffer, extent: Extent): void {
  target.writeDoubleLE(extent.shardId, 0);
  target.writeDoubleLE(extent.count, 8);
  target.writeDoubleLE(extent.firstId, 16);
  target.writeDoubleLE(extent.lastId, 24);
  target.writeDoubleLE(extent.previousId, 32);
  target.writeDoubleLE(extent.lastTimeMs, 40);
  target.writeDoubleLE(extent.bytes, 48);
  target.writeDoubleLE(extent.indexOffset, 56);
  target.writeUInt32LE(extent.indexChecksum, 64);
}

/** What a segment has of which shards, ascending by shard, then by id. Stays packed: there may be many. */
export class Directory {
  readonly bytes: Buffer;
  readonly count: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.count = Math.floor(bytes.byteLength / directoryEntryBytes);
  }

  shardId(position: number): ShardId {
    return this.bytes.readDoubleLE(position * directoryEntryBytes);
  }

  firstId(position: number): BatchId {
    return this.bytes.readDoubleLE(position * directoryEntryBytes + 16);
  }

  lastId(position: number): BatchId {
    return this.bytes.readDoubleLE(position * directoryEntryBytes + 24);
  }

  batchCount(position: number): number {
    return this.bytes.readDoubleLE(position * directoryEntryBytes + 8);
  }

  extentBytes(position: number): number {
    return this.bytes.readDoubleLE(position * directoryEntryBytes + 48);
  }

  extent(position: number): Extent {
    const at = position * directoryEntryBytes;
    return {
      shardId: this.shardId(position),
      count: this.batchCount(position),
      firstId: this.firstId(position),
      lastId: this.lastId(position),
      previousId: this.bytes.readDoubleLE(at + 32),
      lastTimeMs: this.bytes.readDoubleLE(at + 40),
      bytes: this.extentBytes(position),
      indexOffset: this.bytes.readDoubleLE(at + 56),
      indexChecksum: this.bytes.readUInt32LE(at + 64),
    };
  }

  /** The shard's first extent that has a batch ≥ `from`. */
  find(shardId: ShardId, from: BatchId): Extent | undefined {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const order = this.shardId(middle) - shardId;
      if (order < 0 || (order === 0 && this.lastId(middle) < from)) low = middle + 1;
      else high = middle;
    }
    return low < this.count && this.shardId(low) === shardId ? this.extent(low) : undefined;
  }
}
