import { must, varintLength, writeVarint } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import { firstIndexes } from "../streams/delivery.js";
import { recordIdsBytes, writeRecordIds } from "./record-ids-codec.js";

/** The ids of all records of a batch of some size, as they were written last. */
interface Block {
  readonly bytes: Uint8Array;
  /** What is the same in all of them: the shard and the batch, with their tags. */
  readonly common: Uint8Array;
  readonly shardLength: number;
  /** Where it stands in each. */
  readonly at: Uint32Array;
}

/** Blocks are kept of batches of at most so many records: 32 KiB each, and of so many sizes. */
const recordsMax = 1_024;
const blocksMax = 32;

/** A tag and a length stand before each id. */
const headLength = 2;

/**
 * The ids of all records of a batch. Batches come in few sizes, and those of a shard follow each other: then
 * their ids differ in one or two bytes, which are changed in the block that was written last.
 */
export class WholeBatchIds {
  readonly #tag: number;
  readonly #blocks = new Map<number, Block>();

  /** `tag` is that of the field whose elements the ids are. */
  constructor(tag: number) {
    this.#tag = tag;
  }

  /** The ids of records 0 … count − 1, valid until the next call; undefined if there are too many. */
  of(shardId: ShardId, batchId: BatchId, count: number): Uint8Array | undefined {
    if (count === 0 || count > recordsMax) return undefined;
    const known = this.#blocks.get(count);
    const shardLength = varintLength(shardId);
    if (
      known?.shardLength === shardLength &&
      known.common.length === commonLength(shardLength, varintLength(batchId))
    ) {
      rewrite(known, shardId, batchId);
      return known.bytes;
    }
    if (this.#blocks.size >= blocksMax) this.#blocks.clear();
    const block = this.#make(shardId, batchId, count);
    this.#blocks.set(count, block);
    return block.bytes;
  }

  #make(shardId: ShardId, batchId: BatchId, count: number): Block {
    const indexes = firstIndexes(count);
    const bytes = new Uint8Array(recordIdsBytes(shardId, batchId, indexes));
    writeRecordIds(bytes, 0, this.#tag, shardId, batchId, indexes);
    const at = new Uint32Array(count);
    let next = 0;
    for (let i = 0; i < count; i++) {
      at[i] = next + headLength;
      next += headLength + must(bytes[next + 1], "an id has a length");
    }
    const shardLength = varintLength(shardId);
    const length = commonLength(shardLength, varintLength(batchId));
    return { bytes, common: bytes.slice(headLength, headLength + length), shardLength, at };
  }
}

/** A tag before each of the two. */
function commonLength(shardLength: number, batchLength: number): number {
  return 2 + shardLength + batchLength;
}

function rewrite({ bytes, common, shardLength, at }: Block, shardId: ShardId, batchId: BatchId): void {
  const wanted = scratch;
  writeVarint(wanted, 1, shardId);
  writeVarint(wanted, shardLength + 2, batchId);
  for (let place = 1; place < common.length; place++) {
    const byte = wanted[place] as number;
    if (common[place] === byte || place === shardLength + 1) continue;
    common[place] = byte;
    for (let i = 0; i < at.length; i++) bytes[(at[i] as number) + place] = byte;
  }
}

/** Two varints of at most ten bytes, and their tags. */
const scratch = new Uint8Array(22);
