import type { SqlValue } from "../types/sql-value.js";
import {
  decimal,
  exactDecimal,
  float,
  integer,
  isNumber,
  type SqlNumber,
  toFloat,
} from "../values/numbers.js";
import { valueKind } from "../values/value-kind.js";
import { implement, savedArray, savedNumber } from "./aggregate-state.js";
import { ExactSum } from "./exact-sum.js";
import type { EvaluationContext } from "./function.js";

/**
 * A sum of numbers of all forms without any rounding, integers, decimals and floats apart. Numbers that are
 * equal are one value to a relation, so that a row may be taken back in another form than it came in: the
 * parts make the sum together, and how many there are of a form only says in which form the result is given.
 */
class SumState {
  rows = 0;
  /** The integers: exact while it is safe; what does not fit goes to `large`. */
  #small = 0;
  #large = 0n;
  #floats = 0;
  #floatSum = new ExactSum();
  #decimals = 0;
  /** The decimals: unscaled / 10^scale. It has no limit, the result has. */
  #unscaled = 0n;
  #scale = 0;

  add(value: SqlNumber, weight: number): void {
    this.rows += weight;
    if (typeof value === "number") {
      if (Number.isSafeInteger(value)) {
        const sum = this.#small + value * weight;
        if (Number.isSafeInteger(sum) && Number.isSafeInteger(value * weight)) this.#small = sum;
        else this.#large += BigInt(value) * BigInt(weight);
        return;
      }
      this.#floats += weight;
      this.#floatSum.add(value, weight);
    } else if (typeof value === "bigint") {
      this.#large += value * BigInt(weight);
    } else {
      this.#decimals += weight;
      if (value.scale > this.#scale) {
        this.#unscaled *= 10n ** BigInt(value.scale - this.#scale);
        this.#scale = value.scale;
      }
      this.#unscaled += value.unscaled * 10n ** BigInt(this.#scale - value.scale) * BigInt(weight);
    }
  }

  save(): SqlValue {
    return [
      this.rows,
      this.#small,
      this.#large.toString(),
      this.#floats,
      this.#floatSum.save(),
      this.#decimals,
      this.#unscaled.toString(),
      this.#scale,
    ];
  }

  static load(saved: SqlValue): SumState {
    const state = new SumState();
    const [rows, small, large, floats, floatSum, decimals, unscaled, scale] = savedArray(saved);
    state.rows = savedNumber(rows);
    state.#small = savedNumber(small);
    state.#large = savedBigint(large);
    state.#floats = savedNumber(floats);
    state.#floatSum = ExactSum.load(floatSum);
    state.#decimals = savedNumber(decimals);
    state.#unscaled = savedBigint(unscaled);
    state.#scale = savedNumber(scale);
    return state;
  }

  /** The nearest double; infinite when there is none. */
  nearest(): number {
    if (this.#large === 0n && this.#unscaled === 0n && this.#floatSum.isZero()) return this.#small;
    const parts = this.#large === 0n ? [this.#small] : doublesOf(this.#large + BigInt(this.#small), 0);
    return this.#floatSum.nearest([...parts, ...doublesOf(this.#unscaled, this.#scale)]);
  }

  /** The sum, null when it is out of range. */
  total(): SqlNumber | null {
    if (this.#floats !== 0) return float(this.nearest());
    const hasDecimals = this.#decimals !== 0 || this.#unscaled !== 0n;
    if (this.#floatSum.isZero() && !hasDecimals) {
      return this.#large === 0n ? this.#small : integer(this.#large + BigInt(this.#small));
    }
    let [unscaled, scale] = [this.#unscaled, this.#scale];
    for (const part of [this.#large + BigInt(this.#small), ...(this.#floatSum.parts() ?? [])]) {
      const exact = exactDecimal(part);
      const common = Math.max(scale, exact.scale);
      unscaled =
        unscaled * 10n ** BigInt(common - scale) + exact.unscaled * 10n ** BigInt(common - exact.scale);
      scale = common;
    }
    return decimal(unscaled, scale) ?? (this.#floatSum.isZero() ? null : float(this.nearest()));
  }
}

function savedBigint(saved: SqlValue | undefined): bigint {
  return BigInt(typeof saved === "string" ? saved : 0);
}

/** unscaled / 10^scale as a few doubles, the error less than that of a double in 2^-100. */
function doublesOf(unscaled: bigint, scale: number): number[] {
  const parts: number[] = [];
  let [rest, digits] = [unscaled, scale];
  for (let i = 0; i < 2 && rest !== 0n; i++) {
    const part = toFloat({ kind: "decimal", unscaled: rest, scale: digits });
    if (part === 0 || !Number.isFinite(part)) return part === 0 ? parts : [part];
    parts.push(part);
    const exact = exactDecimal(part);
    const common = Math.max(digits, exact.scale);
    rest = rest * 10n ** BigInt(common - digits) - exact.unscaled * 10n ** BigInt(common - exact.scale);
    digits = common;
  }
  return parts;
}

function addNumber(
  name: string,
  state: SumState,
  args: readonly SqlValue[],
  weight: number,
  context: EvaluationContext,
): void {
  const value = args[0] ?? null;
  if (value === null) return;
  if (isNumber(value)) state.add(value, weight);
  // For the +1 only: the same row was refused when it came.
  else if (weight > 0) context.error(`${name} cannot work on ${valueKind(value).toUpperCase()}`);
}

/** About: a sum of floats has one or two parts as a rule. */
const stateBytes = 200;

export const sum = implement({
  create: () => new SumState(),
  add: (state, args, weight, context) => addNumber("SUM", state, args, weight, context),
  result: (state, context) =>
    state.rows === 0 ? null : (state.total() ?? context.error("SUM is out of range")),
  stateBytes: () => stateBytes,
  save: (state) => state.save(),
  load: SumState.load,
});

/** Of FLOATs only: whole ones are no integers, so the sum cannot leave 64 bits. */
export const floatSum = implement({
  create: () => new SumState(),
  add: (state, args, weight, context) => addNumber("SUM", state, args, weight, context),
  result: (state, context) =>
    state.rows === 0 ? null : (float(state.nearest()) ?? context.error("SUM is out of range")),
  stateBytes: () => stateBytes,
  save: (state) => state.save(),
  load: SumState.load,
});

export const average = implement({
  create: () => new SumState(),
  add: (state, args, weight, context) => addNumber("AVG", state, args, weight, context),
  result(state, context) {
    if (state.rows === 0) return null;
    // Of the nearest double, since an INTEGER sum beyond 64 bits still has a mean.
    return float(state.nearest() / state.rows) ?? context.error("AVG is out of range");
  },
  stateBytes: () => stateBytes,
  save: (state) => state.save(),
  load: SumState.load,
});
