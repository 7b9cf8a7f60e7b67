import { limits } from "../limits.js";

const slabBytesMin = 1_048_576;

/**
 * Memory in which records go to the workers: shared with them, and used again once the worker has read all of it.
 * (Buffers of their own that are handed over cost the kernel a page fault for every 4 KB, and the garbage collector
 * of both threads a run for every few of them.)
 */
export class InputMemory {
  #free: SharedArrayBuffer[] = [];
  #freeBytes = 0;

  /** At least so many bytes, with anything in them. */
  take(bytes: number): SharedArrayBuffer {
    const fitting = this.#free.filter((slab) => slab.byteLength >= bytes);
    const smallest = fitting.toSorted((a, b) => a.byteLength - b.byteLength)[0];
    if (smallest === undefined) return new SharedArrayBuffer(sizeOf(bytes));
    this.#free = this.#free.filter((slab) => slab !== smallest);
    this.#freeBytes -= smallest.byteLength;
    return smallest;
  }

  /** Nobody reads it any more. */
  give(slab: SharedArrayBuffer): void {
    if (this.#freeBytes + slab.byteLength > limits.inputMemoryKeptBytesMax) return;
    this.#free.push(slab);
    this.#freeBytes += slab.byteLength;
  }
}

/** A power of two, so that slabs fit again. */
function sizeOf(bytes: number): number {
  let size = slabBytesMin;
  while (size < bytes) size *= 2;
  return size;
}
