import type { SqlValue } from "../types/sql-value.js";
import { float } from "../values/numbers.js";
import { encodeRowKey } from "../values/row-key.js";
import { implement, savedArray, savedNumber } from "./aggregate-state.js";
import { fraction, numberOf } from "./define-aggregate.js";
import { Multiset } from "./multiset.js";

const registerBits = 12;

/** 32 bits of a key, by MurmurHash3's mixing (Appleby 2011). */
function hash(bytes: Uint8Array, seed: number): number {
  let h = seed;
  for (let i = 0; i < bytes.length; i += 4) {
    let k =
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    k = Math.imul(k, 0xcc9e2d51);
    k = Math.imul((k << 15) | (k >>> 17), 0x1b873593);
    h ^= k;
    h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64;
  }
  h ^= bytes.length;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * HyperLogLog (Flajolet et al. 2007) with 4,096 registers, small counts by linear counting; about 1.6 % off. It
 * cannot forget, so where rows can be taken back all different values are counted.
 */
export const approximateCount = implement({
  create: (appendOnly) => ({
    registers: appendOnly ? new Uint8Array(1 << registerBits) : undefined,
    exact: new Multiset(),
  }),
  add(state, [value = null], weight) {
    if (value === null) return;
    if (state.registers === undefined) {
      state.exact.add(value, weight);
      return;
    }
    const key = encodeRowKey([value]);
    const register = hash(key, 0x9747b28c) >>> (32 - registerBits);
    const rank = Math.clz32(hash(key, 0x3c6ef372)) + 1;
    if (rank > (state.registers[register] ?? 0)) state.registers[register] = rank;
  },
  result({ registers, exact }) {
    if (registers === undefined) return exact.different;
    const size = registers.length;
    let sum = 0;
    let empty = 0;
    for (const rank of registers) {
      sum += 2 ** -rank;
      if (rank === 0) empty += 1;
    }
    const raw = ((0.7213 / (1 + 1.079 / size)) * size * size) / sum;
    return Math.round(raw <= 2.5 * size && empty > 0 ? size * Math.log(size / empty) : raw);
  },
  stateBytes: ({ registers, exact }) => (registers === undefined ? exact.bytes : registers.length + 64),
  save: ({ registers, exact }) => (registers === undefined ? exact.save() : Uint8Array.from(registers)),
  load: (saved) =>
    saved instanceof Uint8Array
      ? { registers: Uint8Array.from(saved), exact: new Multiset() }
      : { registers: undefined, exact: Multiset.load(saved) },
});

const accuracy = 0.01;
const gamma = (1 + accuracy) / (1 - accuracy);

/**
 * DDSketch (Masson, Rim and Lee 2019): counts of numbers in buckets that grow by a factor, so that any quantile is
 * within 1 % of a value that has it. Rows can be taken back.
 */
class Sketch {
  readonly buckets = new Map<number, number>();
  rows = 0;
  q: SqlValue = null;

  /** Negative numbers stand below zero in the order of their bucket, mirrored. */
  static bucketOf(value: number): number {
    if (Math.abs(value) < 1e-300) return 0;
    const bucket = Math.ceil(Math.log(Math.abs(value)) / Math.log(gamma)) + 100_000;
    return value < 0 ? -bucket : bucket;
  }

  static valueOf(bucket: number): number {
    if (bucket === 0) return 0;
    const value = (2 * gamma ** (Math.abs(bucket) - 100_000)) / (gamma + 1);
    return bucket < 0 ? -value : value;
  }

  add(bucket: number, weight: number): void {
    this.rows += weight;
    const count = (this.buckets.get(bucket) ?? 0) + weight;
    if (count === 0) this.buckets.delete(bucket);
    else this.buckets.set(bucket, count);
  }

  quantile(q: number): SqlValue {
    let left = Math.floor(q * (this.rows - 1));
    for (const [bucket, count] of [...this.buckets].sort(([a], [b]) => a - b)) {
      if (left < count) return float(Sketch.valueOf(bucket));
      left -= count;
    }
    return null;
  }
}

export const approximateQuantile = implement({
  create: () => new Sketch(),
  add(state, [value = null, q = null], weight, context) {
    if (q !== null) state.q = q;
    const number = numberOf("APPROX_QUANTILE", value, weight, context);
    if (number !== undefined) state.add(Sketch.bucketOf(number), weight);
  },
  result(state, context) {
    if (state.rows === 0) return null;
    const q = fraction(state.q);
    return q === undefined ? context.error("APPROX_QUANTILE takes a fraction of 0 to 1") : state.quantile(q);
  },
  stateBytes: (state) => 64 + 40 * state.buckets.size,
  save: (state) => [state.q, [...state.buckets].map(([bucket, count]) => [bucket, count])],
  load(saved) {
    const state = new Sketch();
    const [q = null, buckets] = savedArray(saved);
    state.q = q;
    for (const pair of savedArray(buckets)) {
      const [bucket, count] = savedArray(pair);
      state.add(savedNumber(bucket), savedNumber(count));
    }
    return state;
  },
});
