import { must, varintLength, writeVarint } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import { recordIdsBytes, writeRecordIds } from "./record-ids-codec.js";

/** Ids of so many records, as they were written last. */
interface Block {
  readonly shardId: ShardId;
  readonly bytes: Uint8Array;
  /** The batch's number as a varint, and where it stands in each id. */
  readonly batch: Uint8Array;
  readonly batchAt: Uint32Array;
}

/** Blocks are kept of batches of at most so many records: 32 KiB each, and of so many sizes. */
const recordsMax = 1_024;
const blocksMax = 32;

/** A tag, a length, and the tags before the shard's and the batch's number. */
const beforeShard = 3;
const beforeBatch = 1;

/**
 * The ids of all records of a batch. Batches of a shard follow each other in the same sizes, and then
 * their ids differ in one or two bytes: those are changed in the block that was written last.
 */
export class WholeBatchIds {
  readonly #tag: number;
  readonly #blocks = new Map<number, Block>();

  /** `tag` is that of the field whose elements the ids are. */
  constructor(tag: number) {
    this.#tag = tag;
  }

  /** The ids of records 0 … count − 1. They are valid until the next call. */
  of(shardId: ShardId, batchId: BatchId, indexes: readonly number[]): Uint8Array | undefined {
    const count = indexes.length;
    // They ascend, so the last one tells whether any is missing.
    if (count === 0 || count > recordsMax || indexes[count - 1] !== count - 1) return undefined;
    const known = this.#blocks.get(count);
    if (known?.shardId === shardId && known.batch.length === varintLength(batchId)) {
      renumber(known, batchId);
      return known.bytes;
    }
    if (this.#blocks.size >= blocksMax) this.#blocks.clear();
    const block = this.#make(shardId, batchId, indexes);
    this.#blocks.set(count, block);
    return block.bytes;
  }

  #make(shardId: ShardId, batchId: BatchId, indexes: readonly number[]): Block {
    const bytes = new Uint8Array(recordIdsBytes(shardId, batchId, indexes));
    writeRecordIds(bytes, 0, this.#tag, shardId, batchId, indexes);
    const batch = new Uint8Array(varintLength(batchId));
    writeVarint(batch, 0, batchId);
    const batchAt = new Uint32Array(indexes.length);
    let at = 0;
    for (let i = 0; i < indexes.length; i++) {
      batchAt[i] = at + beforeShard + varintLength(shardId) + beforeBatch;
      at += 2 + must(bytes[at + 1], "an id has a length");
    }
    return { shardId, bytes, batch, batchAt };
  }
}

function renumber({ bytes, batch, batchAt }: Block, batchId: BatchId): void {
  const wanted = new Uint8Array(batch.length);
  writeVarint(wanted, 0, batchId);
  for (let place = 0; place < batch.length; place++) {
    const byte = wanted[place] as number;
    if (batch[place] === byte) continue;
    batch[place] = byte;
    for (let i = 0; i < batchAt.length; i++) bytes[(batchAt[i] as number) + place] = byte;
  }
}
