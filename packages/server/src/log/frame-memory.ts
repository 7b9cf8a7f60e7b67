import { must } from "@hstream/proto";
import { type FrameBuffer, frameBuffer, recentBatch } from "./frame.js";
import type { BatchId, StoredBatch } from "./log-store.js";

/** Assumed size of a typical batch: sets how many batches a memory of a given size knows. */
const typicalBatchBytes = 1024;
const slotsMax = 65_536;
/** Chunks that wait to be filled anew. */
const freeChunksMax = 8;

/** A piece of memory that frames are encoded into, one behind the other. */
export interface FrameChunk extends FrameBuffer {
  /** One more for each that is begun. */
  serial: number;
  used: number;
  /** Groups that have frames here and are neither durable nor refused yet. */
  groups: number;
}

/**
 * The newest frames of all shards: encoded here, written to the disk from here, and read from here by readers at
 * the tail. Its chunks are filled again and again, so neither a batch nor its payload is garbage after the
 * append, and a collector that has nothing to collect costs nothing. What is read is therefore a copy.
 *
 * Ids are handed out one after the other, so what is known of a batch is at its id modulo the number of slots: no
 * hashing, no list to keep in order.
 */
export class FrameMemory {
  readonly #chunkBytes: number;
  readonly #keptBytesMax: number;
  /** Oldest first; the last is being filled. */
  readonly #chunks: FrameChunk[] = [];
  readonly #free: FrameChunk[] = [];
  readonly #ids: Float64Array;
  readonly #serials: Uint32Array;
  readonly #offsets: Uint32Array;
  #bytes = 0;
  #nextSerial = 1;

  /** `keptBytesMax`: of chunks that are kept for readers only; 0: nothing is read from here. */
  constructor(chunkBytes: number, keptBytesMax: number) {
    this.#chunkBytes = chunkBytes;
    this.#keptBytesMax = keptBytesMax;
    const slots = Math.min(slotsMax, Math.ceil(keptBytesMax / typicalBatchBytes));
    this.#ids = new Float64Array(slots);
    this.#serials = new Uint32Array(slots);
    this.#offsets = new Uint32Array(slots);
  }

  /** Of all chunks but the one that is being filled. */
  get filledBytes(): number {
    return this.#bytes - (this.#chunks.at(-1)?.bytes.byteLength ?? 0);
  }

  /** The chunk that the next frame, of so many bytes, is encoded into, at `used`. */
  chunkFor(frameBytes: number): FrameChunk {
    const newest = this.#chunks.at(-1);
    if (newest !== undefined && newest.used + frameBytes <= newest.bytes.byteLength) return newest;
    const chunk = (frameBytes <= this.#chunkBytes ? this.#free.pop() : undefined) ?? {
      ...frameBuffer(Math.max(this.#chunkBytes, frameBytes)),
      serial: 0,
      used: 0,
      groups: 0,
    };
    chunk.serial = this.#nextSerial++;
    chunk.used = 0;
    this.#chunks.push(chunk);
    this.#bytes += chunk.bytes.byteLength;
    this.trim();
    return chunk;
  }

  /** Lets readers have the durable batch whose frame is at `at` of a chunk. Called with rising ids. */
  show(batchId: BatchId, chunk: FrameChunk, at: number): void {
    if (this.#ids.length === 0) return;
    const slot = batchId % this.#ids.length;
    this.#ids[slot] = batchId;
    this.#serials[slot] = chunk.serial;
    this.#offsets[slot] = at;
  }

  has(batchId: BatchId): boolean {
    return this.#chunkOf(batchId) !== undefined;
  }

  /** A copy of the batch, if it is still here. */
  get(batchId: BatchId): StoredBatch | undefined {
    const chunk = this.#chunkOf(batchId);
    return chunk && recentBatch(chunk, must(this.#offsets[batchId % this.#ids.length], "it has a slot"));
  }

  #chunkOf(batchId: BatchId): FrameChunk | undefined {
    const slot = batchId % this.#ids.length;
    if (this.#ids[slot] !== batchId) return undefined;
    // Serials have no holes, so what has left is before the first.
    return this.#chunks[must(this.#serials[slot], "it has a slot") - (this.#chunks[0]?.serial ?? 0)];
  }

  /** Lets the oldest chunks go that are more than is kept, as far as nothing in them waits for the disk. */
  trim(): void {
    while (this.filledBytes > this.#keptBytesMax && this.#chunks[0]?.groups === 0) {
      const chunk = must(this.#chunks.shift(), "there is a first");
      const { byteLength } = chunk.bytes;
      this.#bytes -= byteLength;
      if (byteLength === this.#chunkBytes && this.#free.length < freeChunksMax) this.#free.push(chunk);
    }
  }
}
