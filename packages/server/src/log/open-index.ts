import { must } from "@hstream/proto";
import type { BatchId, ShardId } from "./log-store.js";
import { IndexPacker, type PackedIndex } from "./packed-index.js";
import { ShardIndex } from "./shard-index.js";

/** The batches of one shard in an OpenIndex: positions of its first and last, −1 while there is none. */
export interface ShardSlot {
  /** The serial number of the index. No reference: it would outlive the segment. */
  readonly owner: number;
  readonly shardId: ShardId;
  first: number;
  last: number;
}

const entriesAtFirst = 1024;
const noNext = 0xffffffff;
let indexesMade = 0;

/**
 * The batches of a segment that has no footer yet, in the order of the file. Columns and not objects:
 * every append comes through here. The batches of one shard are linked from the first to the last.
 */
export class OpenIndex {
  readonly serial = ++indexesMade;
  #ids = new Float64Array(entriesAtFirst);
  #previousIds = new Float64Array(entriesAtFirst);
  #times = new Float64Array(entriesAtFirst);
  #shardIds = new Float64Array(entriesAtFirst);
  #offsets = new Uint32Array(entriesAtFirst);
  #lengths = new Uint32Array(entriesAtFirst);
  #next = new Uint32Array(entriesAtFirst);
  #count = 0;
  #bytes = 0;
  readonly #slots = new Map<ShardId, ShardSlot>();

  get count(): number {
    return this.#count;
  }

  /** Bytes of all frames. */
  get bytes(): number {
    return this.#bytes;
  }

  get firstId(): BatchId {
    return this.#ids[0] ?? 0;
  }

  get lastId(): BatchId {
    return this.#count === 0 ? 0 : this.id(this.#count - 1);
  }

  slot(shardId: ShardId): ShardSlot {
    let slot = this.#slots.get(shardId);
    if (slot === undefined) {
      slot = { owner: this.serial, shardId, first: -1, last: -1 };
      this.#slots.set(shardId, slot);
    }
    return slot;
  }

  push(
    slot: ShardSlot,
    batchId: BatchId,
    previousId: BatchId,
    timeMs: number,
    offset: number,
    length: number,
  ): void {
    const at = this.#count;
    if (at === this.#ids.length) this.#grow();
    this.#ids[at] = batchId;
    this.#previousIds[at] = previousId;
    this.#times[at] = timeMs;
    this.#shardIds[at] = slot.shardId;
    this.#offsets[at] = offset;
    this.#lengths[at] = length;
    this.#next[at] = noNext;
    if (slot.first < 0) slot.first = at;
    else this.#next[slot.last] = at;
    slot.last = at;
    this.#bytes += length;
    this.#count++;
  }

  id(position: number): BatchId {
    return must(this.#ids[position], "a position is within the index");
  }

  previousId(position: number): BatchId {
    return must(this.#previousIds[position], "a position is within the index");
  }

  timeMs(position: number): number {
    return must(this.#times[position], "a position is within the index");
  }

  offset(position: number): number {
    return must(this.#offsets[position], "a position is within the index");
  }

  length(position: number): number {
    return must(this.#lengths[position], "a position is within the index");
  }

  /** The shard's next batch; undefined after its last. */
  next(position: number): number | undefined {
    const next = this.#next[position];
    return next === noNext ? undefined : next;
  }

  /** Slots that have batches, by shard. */
  slots(): ShardSlot[] {
    return [...this.#slots.values()].sort((a, b) => a.shardId - b.shardId);
  }

  /** An index of at most `countMax` of the shard's batches with ids from `from` on. */
  slice(shardId: ShardId, from: BatchId, countMax: number): ShardIndex {
    const index = new ShardIndex();
    for (
      let at = this.#seek(this.#slots.get(shardId), from);
      at !== undefined && index.count < countMax;
      at = this.next(at)
    ) {
      index.push(this.id(at), this.timeMs(at), this.offset(at), this.length(at));
    }
    return index;
  }

  #seek(slot: ShardSlot | undefined, from: BatchId): number | undefined {
    if (slot === undefined || slot.first < 0 || this.id(slot.last) < from) return undefined;
    if (this.id(slot.first) >= from) return slot.first;
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.id(middle) < from) low = middle + 1;
      else high = middle;
    }
    // Ids rise in a segment that is being written: the shard's next batch is not far.
    while (this.#shardIds[low] !== slot.shardId) low++;
    return low;
  }

  /** The index, for a footer that has it at `indexOffset`. */
  pack(indexOffset: number): PackedIndex {
    const packer = new IndexPacker();
    for (const { shardId, first } of this.slots()) {
      for (let at: number | undefined = first; at !== undefined; at = this.next(at)) {
        const [id, previousId] = [this.id(at), this.previousId(at)];
        packer.add(shardId, id, previousId, this.timeMs(at), this.offset(at), this.length(at));
      }
    }
    return packer.pack(indexOffset);
  }

  #grow(): void {
    this.#ids = larger(this.#ids, Float64Array);
    this.#previousIds = larger(this.#previousIds, Float64Array);
    this.#times = larger(this.#times, Float64Array);
    this.#shardIds = larger(this.#shardIds, Float64Array);
    this.#offsets = larger(this.#offsets, Uint32Array);
    this.#lengths = larger(this.#lengths, Uint32Array);
    this.#next = larger(this.#next, Uint32Array);
  }
}

function larger<T extends Float64Array | Uint32Array>(column: T, kind: new (length: number) => T): T {
  const grown = new kind(column.length * 2);
  grown.set(column);
  return grown;
}
