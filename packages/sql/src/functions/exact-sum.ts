import type { SqlValue } from "../types/sql-value.js";
import { savedArray, savedFloat, savedNumber } from "./aggregate-state.js";

/** From here on numbers are kept smaller by `shrink`, so that no sum of them leaves the doubles. */
const hugeFrom = 2 ** 900;
const shrink = 2 ** -200;

/**
 * A sum of doubles without any rounding: whatever is added and taken back, in whichever order, the sum is that
 * of what is left. It is kept as partial sums that do not overlap (Shewchuk 1997), one or two as a rule.
 */
export class ExactSum {
  readonly #partials: number[] = [];
  readonly #huge: number[] = [];

  /** Adds the value that many times; both finite, `times` whole. */
  add(value: number, times: number): void {
    if (times === 1 && Math.abs(value) < hugeFrom) {
      grow(this.#partials, value);
      return;
    }
    if (value === 0) return;
    const isHuge = Math.abs(value) >= hugeFrom;
    const partials = isHuge ? this.#huge : this.#partials;
    let term = (isHuge ? value * shrink : value) * Math.sign(times);
    // Products by powers of two are exact.
    for (let left = Math.abs(times); left > 0; left = Math.floor(left / 2)) {
      if (left % 2 === 1) grow(partials, term);
      term *= 2;
    }
  }

  isZero(): boolean {
    return this.#partials.length === 0 && this.#huge.length === 0;
  }

  /** The sum as doubles that do not overlap, the greatest last; undefined beyond the doubles. */
  parts(): readonly number[] | undefined {
    if (this.#huge.length === 0) return this.#partials;
    const parts = [...this.#partials];
    for (const part of this.#huge) {
      const whole = part / shrink;
      if (!Number.isFinite(whole)) return undefined;
      grow(parts, whole);
    }
    return parts.every(Number.isFinite) ? parts : undefined;
  }

  /** The double next to the sum with `more` added; infinite when there is none. */
  nearest(more: readonly number[] = []): number {
    const parts = this.parts();
    if (parts === undefined) return (this.#huge.at(-1) ?? 0) * Number.POSITIVE_INFINITY;
    if (more.length === 0) return rounded(parts);
    const all = [...parts];
    for (const value of more) grow(all, value);
    return rounded(all);
  }

  save(): SqlValue {
    return [this.#partials.map(savedFloat), this.#huge.map(savedFloat)];
  }

  static load(saved: SqlValue | undefined): ExactSum {
    const sum = new ExactSum();
    const [partials, huge] = savedArray(saved);
    sum.#partials.push(...savedArray(partials).map(savedNumber));
    sum.#huge.push(...savedArray(huge).map(savedNumber));
    return sum;
  }
}

/** Adds to a sum of partial sums in ascending order, none of them zero. */
function grow(partials: number[], value: number): void {
  let sum = value;
  let kept = 0;
  for (let i = 0; i < partials.length; i++) {
    const partial = partials[i] as number;
    const high = sum + partial;
    const low = Math.abs(sum) < Math.abs(partial) ? sum - (high - partial) : partial - (high - sum);
    if (low !== 0) partials[kept++] = low;
    sum = high;
  }
  if (sum !== 0) partials[kept++] = sum;
  partials.length = kept;
}

/** The double next to the sum of the partial sums, halves to even. */
function rounded(partials: readonly number[]): number {
  let at = partials.length - 1;
  let sum = partials[at] ?? 0;
  let low = 0;
  while (at > 0 && low === 0) {
    const before = sum;
    const partial = partials[--at] as number;
    sum = before + partial;
    low = partial - (sum - before);
  }
  // What lies below decides where the rest is just half of the last place.
  const below = at > 0 ? (partials[at - 1] as number) : 0;
  if (Math.sign(low) * Math.sign(below) > 0) {
    const twice = low * 2;
    const next = sum + twice;
    if (next - sum === twice) return next;
  }
  return sum;
}
