/** What is kept for the next batch; a larger one than usual is given up. */
const keptBytesMax = 8 * 1_048_576;
const alignment = 8;

/**
 * Memory for the parts of a batch that are copied into it at once: given out piece by piece, not filled with zeros,
 * and all taken back by `reset`, after which it is used again. (Buffers that live for one batch only would make the
 * garbage collector look for them at every few batches.)
 */
export class Scratch {
  #buffer: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(0);
  #used = 0;
  #last = 0;

  /** Begins at a multiple of 8 bytes. */
  bytes(length: number): Buffer<ArrayBuffer> {
    this.#last = Math.ceil(this.#used / alignment) * alignment;
    this.#used = this.#last + length;
    // Too small this time: the next batch will find enough.
    if (this.#used > this.#buffer.length) return Buffer.allocUnsafeSlow(length);
    return this.#buffer.subarray(this.#last, this.#used);
  }

  offsets(count: number): Uint32Array<ArrayBuffer> {
    const { buffer, byteOffset } = this.bytes(count * Uint32Array.BYTES_PER_ELEMENT);
    return new Uint32Array(buffer, byteOffset, count);
  }

  /** Of what was given out last, only so much is needed. */
  keep(bytes: Buffer<ArrayBuffer>, length: number): Buffer<ArrayBuffer> {
    this.#used = this.#last + length;
    return bytes.subarray(0, length);
  }

  /** What was given out is not used any more. */
  reset(): void {
    if (this.#used > this.#buffer.length && this.#used <= keptBytesMax) {
      this.#buffer = Buffer.allocUnsafeSlow(Math.min(keptBytesMax, 2 * this.#used));
    }
    this.#used = 0;
    this.#last = 0;
  }
}
