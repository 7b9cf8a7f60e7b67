/**
 * A 32-bit generator that is seeded anew for each event, so that any range of events can be made by itself
 * (splitmix32 for the seed, mulberry32 for the draws; both in the public domain).
 */
export class Draws {
  #state = 0;

  /** The draws of one event, or of one channel: `kind` keeps the two apart. */
  seed(seed, kind, id) {
    let h = (seed ^ Math.imul(kind + 1, 0x9e3779b9) ^ Math.imul(id + 1, 0x85ebca6b)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    this.#state = h ^ (h >>> 15);
  }

  /** 0 … 2^32 − 1. */
  next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** Uniform on [0, 1). */
  unit() {
    return this.next() / 4294967296;
  }

  /** Uniform on 0 … count − 1. */
  below(count) {
    return Math.floor(this.unit() * count);
  }
}
