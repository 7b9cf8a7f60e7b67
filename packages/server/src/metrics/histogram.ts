import { Moment } from "./moment.js";

/**
 * Durations in buckets whose width grows with the value, as HdrHistogram has them
 * (Tene, hdrhistogram.org): 16 linear buckets in every power of two of microseconds, so a quantile is
 * right within 1/16. Memory is fixed, whatever is recorded.
 */
const subBits = 4;
const sub = 1 << subBits;
/** Longest duration told apart: 2^32 µs, over an hour. */
const exponents = 32 - subBits + 1;

const start = new Moment(0);

export class Histogram {
  readonly #counts = new Float64Array(sub * exponents);
  #count = 0;
  #sumMs = 0;
  /** The newest span of time, and how many it was told for: of the appends of one commit most are alike. */
  #from = start;
  #to = start;
  #run = 0;

  /** Notes a duration in ms. */
  record(ms: number): void {
    this.#add(ms, 1);
  }

  /** Notes a duration by its ends: cheap while they are the same. */
  recordFrom(from: Moment, to: Moment): void {
    if (from !== this.#from || to !== this.#to) this.#begin(from, to);
    this.#run += 1;
  }

  get count(): number {
    this.#endRun();
    return this.#count;
  }

  get sumMs(): number {
    this.#endRun();
    return this.#sumMs;
  }

  /** The duration in ms that a share `q` (0 … 1) of all is not above; 0 when nothing was recorded. */
  quantile(q: number): number {
    this.#endRun();
    const wanted = Math.max(1, Math.ceil(q * this.#count));
    let seen = 0;
    for (let index = 0; index < this.#counts.length; index++) {
      seen += this.#counts[index] as number;
      if (this.#count > 0 && seen >= wanted) return (startOf(index) + startOf(index + 1)) / 2_000;
    }
    return 0;
  }

  /** How many were shorter than 2^k µs, for k from `first` to `last`. */
  below(first: number, last: number): { readonly ms: number; readonly count: number }[] {
    this.#endRun();
    const result: { ms: number; count: number }[] = [];
    let index = 0;
    let seen = 0;
    for (let k = first; k <= last; k++) {
      for (const end = indexOf(2 ** k); index < end; index++) seen += this.#counts[index] as number;
      result.push({ ms: 2 ** k / 1_000, count: seen });
    }
    return result;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sumMs = 0;
    this.#run = 0;
  }

  #begin(from: Moment, to: Moment): void {
    this.#endRun();
    this.#from = from;
    this.#to = to;
  }

  #endRun(): void {
    if (this.#run > 0) this.#add(this.#to.ms - this.#from.ms, this.#run);
    this.#run = 0;
  }

  #add(ms: number, times: number): void {
    const us = ms <= 0 ? 0 : Math.min(0xffff_ffff, Math.floor(ms * 1_000));
    const index = indexOf(us);
    this.#counts[index] = (this.#counts[index] as number) + times;
    this.#count += times;
    this.#sumMs += ms * times;
  }
}

function indexOf(us: number): number {
  if (us < sub) return us;
  const exponent = 31 - Math.clz32(us) - subBits;
  return (exponent + 1) * sub + ((us >>> exponent) & (sub - 1));
}

/** The least number of microseconds of a bucket. */
function startOf(index: number): number {
  if (index < sub) return index;
  const exponent = Math.floor(index / sub) - 1;
  return (sub + (index % sub)) * 2 ** exponent;
}
