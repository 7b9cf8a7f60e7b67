import type { BatchId, StoredBatch } from "./log-store.js";

/** Assumed size of a typical batch: sets how many slots a cache of a given size has. */
const typicalBatchBytes = 1024;
const slotsMax = 65_536;

/**
 * The newest batches of all shards, for readers at the tail. Ids are handed out one after the other,
 * so the slot of a batch is its id modulo the number of slots: no hashing, no list to keep in order.
 */
export class TailCache {
  readonly #bytesMax: number;
  readonly #slots: (StoredBatch | undefined)[];
  #bytes = 0;
  /** Everything older than this has left. */
  #oldest: BatchId = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    const wanted = Math.min(slotsMax, Math.ceil(bytesMax / typicalBatchBytes));
    this.#slots = new Array<StoredBatch | undefined>(wanted).fill(undefined);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Batches are added with rising ids. */
  add(batch: StoredBatch): void {
    if (batch.payload.byteLength > this.#bytesMax || this.#slots.length === 0) return;
    const slot = batch.batchId % this.#slots.length;
    this.#drop(slot);
    this.#slots[slot] = batch;
    this.#bytes += batch.payload.byteLength;
    // After a jump of the ids (a new epoch) everything within one turn of the slots may be occupied.
    if (batch.batchId - this.#oldest >= this.#slots.length) {
      this.#oldest = Math.max(this.#oldest, batch.batchId - this.#slots.length + 1);
    }
    while (this.#bytes > this.#bytesMax) this.#drop(this.#oldest++ % this.#slots.length);
  }

  get(id: BatchId): StoredBatch | undefined {
    const batch = this.#slots[id % this.#slots.length];
    return batch?.batchId === id ? batch : undefined;
  }

  #drop(slot: number): void {
    const batch = this.#slots[slot];
    if (batch === undefined) return;
    this.#bytes -= batch.payload.byteLength;
    this.#slots[slot] = undefined;
  }
}
