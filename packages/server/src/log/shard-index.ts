import { assert, must } from "@hstream/proto";
import type { BatchId } from "./log-store.js";

const fieldsPerEntry = 4;
const storedEntryBytes = 24;
/** What an index takes besides its numbers, roughly. */
const overheadBytes = 256;

/** Where one batch's frame is in its segment. */
export interface IndexEntry {
  readonly batchId: BatchId;
  readonly timeMs: number;
  readonly offset: number;
  readonly length: number;
}

/** The batches of one shard in one segment, in order. Packed: four numbers for each. */
export class ShardIndex {
  #numbers: Float64Array;
  #count = 0;

  constructor(capacity = 2) {
    this.#numbers = new Float64Array(capacity * fieldsPerEntry);
  }

  get count(): number {
    return this.#count;
  }

  get memoryBytes(): number {
    return this.#numbers.byteLength + overheadBytes;
  }

  push(batchId: BatchId, timeMs: number, offset: number, length: number): void {
    const at = this.#count * fieldsPerEntry;
    if (at === this.#numbers.length) {
      const grown = new Float64Array(this.#numbers.length * 2);
      grown.set(this.#numbers);
      this.#numbers = grown;
    }
    this.#numbers[at] = batchId;
    this.#numbers[at + 1] = timeMs;
    this.#numbers[at + 2] = offset;
    this.#numbers[at + 3] = length;
    this.#count++;
  }

  id(position: number): BatchId {
    return this.#number(position * fieldsPerEntry);
  }

  offset(position: number): number {
    return this.#number(position * fieldsPerEntry + 2);
  }

  length(position: number): number {
    return this.#number(position * fieldsPerEntry + 3);
  }

  entry(position: number): IndexEntry {
    assert(position >= 0 && position < this.#count, "an index position is within the index");
    const at = position * fieldsPerEntry;
    return {
      batchId: this.#number(at),
      timeMs: this.#number(at + 1),
      offset: this.#number(at + 2),
      length: this.#number(at + 3),
    };
  }

  /** Position of the first batch with an id ≥ `from`; `count` when there is none. */
  seekId(from: BatchId): number {
    return this.#seek(0, from);
  }

  /** Position of the first batch with an append time ≥ `timeMs`; `count` when there is none. */
  seekTime(timeMs: number): number {
    return this.#seek(1, timeMs);
  }

  #seek(field: number, least: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#number(middle * fieldsPerEntry + field) < least) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #number(at: number): number {
    return must(this.#numbers[at], "an index is packed");
  }

  /** One entry, at `at` of `target`: f64 batch id, f64 time, u32 offset, u32 length; little endian. */
  static encodeEntry(
    target: Buffer,
    at: number,
    batchId: BatchId,
    timeMs: number,
    offset: number,
    length: number,
  ): void {
    target.writeDoubleLE(batchId, at);
    target.writeDoubleLE(timeMs, at + 8);
    target.writeUInt32LE(offset, at + 16);
    target.writeUInt32LE(length, at + 20);
  }

  static decode(bytes: Uint8Array): ShardIndex {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const index = new ShardIndex(Math.max(1, bytes.byteLength / storedEntryBytes));
    for (let at = 0; at < bytes.byteLength; at += storedEntryBytes) {
      index.push(
        view.getFloat64(at, true),
        view.getFloat64(at + 8, true),
        view.getUint32(at + 16, true),
        view.getUint32(at + 20, true),
      );
    }
    return index;
  }

  static storedBytes(count: number): number {
    return count * storedEntryBytes;
  }
}
