import { crc32 } from "node:zlib";
import { Directory, directoryEntryBytes, type Extent, encodeDirectoryEntry } from "./directory.js";
import type { BatchId, ShardId } from "./log-store.js";
import { ShardIndex } from "./shard-index.js";

/** An index as it goes into a footer. */
export interface PackedIndex {
  readonly directory: Directory;
  /** The indexes of all extents, one after the other. */
  readonly indexes: Buffer;
}

const entriesAtFirst = 256;

/** Packs the index of batches that come in the order of the shards, and of each shard in the order of ids. */
export class IndexPacker {
  #indexes = Buffer.allocUnsafeSlow(ShardIndex.storedBytes(entriesAtFirst));
  #used = 0;
  readonly #extents: Extent[] = [];
  #begin = 0;
  #shardId: ShardId = 0;
  #firstId: BatchId = 0;
  #lastId: BatchId = 0;
  #previousId: BatchId = 0;
  #lastTimeMs = 0;
  #bytes = 0;

  /** Extents so far, the unfinished one not counted. */
  get extentCount(): number {
    return this.#extents.length;
  }

  add(
    shardId: ShardId,
    batchId: BatchId,
    previousId: BatchId,
    timeMs: number,
    offset: number,
    length: number,
  ): void {
    // An extent ends where a batch is missing.
    if (this.#used === this.#begin || shardId !== this.#shardId || previousId !== this.#lastId) {
      this.#endExtent();
      this.#shardId = shardId;
      this.#firstId = batchId;
      this.#previousId = previousId;
    }
    if (this.#used === this.#indexes.byteLength) this.#grow();
    ShardIndex.encodeEntry(this.#indexes, this.#used, batchId, timeMs, offset, length);
    this.#used += ShardIndex.storedBytes(1);
    this.#bytes += length;
    this.#lastId = batchId;
    this.#lastTimeMs = timeMs;
  }

  /** The index, for a footer that has it at `indexOffset`. */
  pack(indexOffset: number): PackedIndex {
    this.#endExtent();
    const entries = Buffer.alloc(this.#extents.length * directoryEntryBytes);
    for (const [i, extent] of this.#extents.entries()) {
      const entry = entries.subarray(i * directoryEntryBytes);
      encodeDirectoryEntry(entry, { ...extent, indexOffset: indexOffset + extent.indexOffset });
    }
    return { directory: new Directory(entries), indexes: this.#indexes.subarray(0, this.#used) };
  }

  #endExtent(): void {
    const index = this.#indexes.subarray(this.#begin, this.#used);
    if (index.byteLength > 0) {
      this.#extents.push({
        shardId: this.#shardId,
        count: index.byteLength / ShardIndex.storedBytes(1),
        firstId: this.#firstId,
        lastId: this.#lastId,
        previousId: this.#previousId,
        lastTimeMs: this.#lastTimeMs,
        bytes: this.#bytes,
        indexOffset: this.#begin,
        indexChecksum: crc32(index),
      });
    }
    this.#begin = this.#used;
    this.#bytes = 0;
  }

  #grow(): void {
    const grown = Buffer.allocUnsafeSlow(this.#indexes.byteLength * 2);
    grown.set(this.#indexes);
    this.#indexes = grown;
  }
}
