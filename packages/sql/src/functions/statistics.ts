import type { SqlValue } from "../types/sql-value.js";
import { FLOAT } from "../types/types.js";
import { float } from "../values/numbers.js";
import { implement, savedArray, savedNumber } from "./aggregate-state.js";
import { ExactSum } from "./exact-sum.js";
import { aggregate, numberOf } from "./define-aggregate.js";
import type { AggregateFunction, AggregateImplementation } from "./function.js";

/** Beyond it squares would leave the doubles. */
const valueMax = 2 ** 400;

/**
 * The sums of x, y and their products, all without rounding, so that taking back leaves nothing behind; the
 * moments about the mean are then differences of which some hundred bits are known.
 */
class Moments {
  rows = 0;
  /** Rows with a number beyond valueMax: with any of them there is no answer. */
  outside = 0;
  readonly #sums: readonly ExactSum[];

  constructor(sums = Array.from({ length: 5 }, () => new ExactSum())) {
    this.#sums = sums;
  }

  add(x: number, y: number, weight: number): void {
    this.rows += weight;
    if (Math.abs(x) > valueMax || Math.abs(y) > valueMax) {
      this.outside += weight;
      return;
    }
    const [sumX, sumY, squaresX, squaresY, products] = this.#sums as Sums;
    sumX.add(x, weight);
    addProduct(squaresX, x, x, weight);
    if (y === 0) return;
    sumY.add(y, weight);
    addProduct(squaresY, y, y, weight);
    addProduct(products, x, y, weight);
  }

  get meanX(): number {
    return (this.#sums as Sums)[0].nearest() / this.rows;
  }

  get meanY(): number {
    return (this.#sums as Sums)[1].nearest() / this.rows;
  }

  /** The sums of (x - mean)², (y - mean)², and of their products. */
  get xx(): number {
    const [sumX, , squaresX] = this.#sums as Sums;
    return this.#aboutMean(squaresX, sumX, sumX);
  }

  get yy(): number {
    const [, sumY, , squaresY] = this.#sums as Sums;
    return this.#aboutMean(squaresY, sumY, sumY);
  }

  get xy(): number {
    const [sumX, sumY, , , products] = this.#sums as Sums;
    return this.#aboutMean(products, sumX, sumY);
  }

  /** products - a b / rows */
  #aboutMean(products: ExactSum, a: ExactSum, b: ExactSum): number {
    const difference = new ExactSum();
    for (const part of twoDoubles(products)) difference.add(part, this.rows);
    for (const x of twoDoubles(a)) for (const y of twoDoubles(b)) addProduct(difference, x, y, -1);
    return difference.nearest() / this.rows;
  }

  save(): SqlValue {
    return [this.rows, this.outside, this.#sums.map((sum) => sum.save())];
  }

  static load(saved: SqlValue): Moments {
    const [rows, outside, sums] = savedArray(saved);
    const state = new Moments(savedArray(sums).map(ExactSum.load));
    state.rows = savedNumber(rows);
    state.outside = savedNumber(outside);
    return state;
  }
}

/** Of x, y, x², y² and xy. */
type Sums = readonly [ExactSum, ExactSum, ExactSum, ExactSum, ExactSum];

function twoDoubles(sum: ExactSum): readonly [number, number] {
  const high = sum.nearest();
  return [high, sum.nearest([-high])];
}

/** Adds x y as two doubles that do not overlap (Dekker 1971). */
function addProduct(sum: ExactSum, x: number, y: number, weight: number): void {
  const product = x * y;
  if (product === 0) return;
  const [xHigh, yHigh] = [upperHalf(x), upperHalf(y)];
  const [xLow, yLow] = [x - xHigh, y - yHigh];
  sum.add(product, weight);
  sum.add(xLow * yLow - (product - xHigh * yHigh - xLow * yHigh - xHigh * yLow), weight);
}

/** The upper 26 bits (Veltkamp 1968). */
function upperHalf(value: number): number {
  const scaled = value * 134_217_729;
  return scaled - (scaled - value);
}

function moments(
  name: string,
  two: boolean,
  result: (state: Moments) => number | null,
): AggregateImplementation {
  return implement({
    create: () => new Moments(),
    add(state, [x = null, y = null], weight, context) {
      if (two && (x === null || y === null)) return;
      const first = numberOf(name, x, weight, context);
      const second = two ? numberOf(name, y, weight, context) : 0;
      if (first !== undefined && second !== undefined) state.add(first, second, weight);
    },
    result(state, context) {
      if (state.outside !== 0) return context.error(`${name} is out of range`);
      const value = state.rows <= 0 ? null : result(state);
      return value === null ? null : (float(value) ?? context.error(`${name} is out of range`));
    },
    stateBytes: () => 400,
    save: (state) => state.save(),
    load: Moments.load,
  });
}

/** Undefined of one row: a sample of one has no spread. */
const sample = (value: number, rows: number): number | null => (rows < 2 ? null : value / (rows - 1));
const root = (value: number | null): number | null => (value === null ? null : Math.sqrt(value));

export const statistics: readonly AggregateFunction[] = [
  aggregate(
    "VAR_POP",
    ["number"],
    FLOAT,
    moments("VAR_POP", false, (m) => m.xx / m.rows),
    "Variance of all rows.",
    "VAR_POP(x)",
    "0.796875",
  ),
  aggregate(
    "VAR_SAMP",
    ["number"],
    FLOAT,
    moments("VAR_SAMP", false, (m) => sample(m.xx, m.rows)),
    "Variance of a sample; NULL of one row.",
    "VAR_SAMP(x)",
    "1.0625",
    { aliases: ["VARIANCE"] },
  ),
  aggregate(
    "STDDEV_POP",
    ["number"],
    FLOAT,
    moments("STDDEV_POP", false, (m) => Math.sqrt(m.xx / m.rows)),
    "Standard deviation of all rows.",
    "ROUND(STDDEV_POP(x), 3)",
    "0.893",
  ),
  aggregate(
    "STDDEV_SAMP",
    ["number"],
    FLOAT,
    moments("STDDEV_SAMP", false, (m) => root(sample(m.xx, m.rows))),
    "Standard deviation of a sample; NULL of one row.",
    "ROUND(STDDEV_SAMP(x), 3)",
    "1.031",
    { aliases: ["STDDEV"] },
  ),
  aggregate(
    "COVAR_POP",
    ["number", "number"],
    FLOAT,
    moments("COVAR_POP", true, (m) => m.xy / m.rows),
    "Covariance of all rows in which neither is NULL.",
    "COVAR_POP(x, 2 * x)",
    "1.59375",
  ),
  aggregate(
    "COVAR_SAMP",
    ["number", "number"],
    FLOAT,
    moments("COVAR_SAMP", true, (m) => sample(m.xy, m.rows)),
    "Covariance of a sample.",
    "COVAR_SAMP(x, 2 * x)",
    "2.125",
  ),
  aggregate(
    "CORR",
    ["number", "number"],
    FLOAT,
    moments("CORR", true, (m) => (m.xx === 0 || m.yy === 0 ? null : m.xy / Math.sqrt(m.xx * m.yy))),
    "Correlation of two numbers, -1 to 1.",
    "ROUND(CORR(x, 1 - x), 6)",
    "-1",
  ),
  aggregate(
    "REGR_SLOPE",
    ["number", "number"],
    FLOAT,
    moments("REGR_SLOPE", true, (m) => (m.yy === 0 ? null : m.xy / m.yy)),
    "REGR_SLOPE(y, x): the slope of the line that fits best.",
    "ROUND(REGR_SLOPE(2 * x + 1, x), 6)",
    "2",
  ),
  aggregate(
    "REGR_INTERCEPT",
    ["number", "number"],
    FLOAT,
    moments("REGR_INTERCEPT", true, (m) => (m.yy === 0 ? null : m.meanX - (m.xy / m.yy) * m.meanY)),
    "REGR_INTERCEPT(y, x): where that line meets x = 0.",
    "ROUND(REGR_INTERCEPT(2 * x + 1, x), 6)",
    "1",
  ),
];
