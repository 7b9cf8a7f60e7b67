import type { SqlValue } from "../types/sql-value.js";
import { FLOAT } from "../types/types.js";
import { float } from "../values/numbers.js";
import { implement, savedArray, savedFloat, savedNumber } from "./aggregates.js";
import { aggregate, numberOf } from "./define-aggregate.js";
import type { AggregateFunction, AggregateImplementation } from "./function.js";

/** Count, means and comoments of x and y, updated and taken back as Welford (1962) has it. */
class Moments {
  rows = 0;
  meanX = 0;
  meanY = 0;
  xx = 0;
  yy = 0;
  xy = 0;

  add(x: number, y: number, weight: number): void {
    const times = Math.abs(weight);
    const sign = weight < 0 ? -1 : 1;
    for (let i = 0; i < times; i++) this.#one(x, y, sign);
  }

  #one(x: number, y: number, sign: 1 | -1): void {
    const rows = this.rows + sign;
    if (rows <= 0) {
      Object.assign(this, new Moments());
      return;
    }
    const [dx, dy] = [x - this.meanX, y - this.meanY];
    this.meanX += (sign * dx) / rows;
    this.meanY += (sign * dy) / rows;
    this.xx = Math.max(0, this.xx + sign * dx * (x - this.meanX));
    this.yy = Math.max(0, this.yy + sign * dy * (y - this.meanY));
    this.xy += sign * dx * (y - this.meanY);
    this.rows = rows;
  }

  save(): SqlValue {
    return [this.rows, ...[this.meanX, this.meanY, this.xx, this.yy, this.xy].map(savedFloat)];
  }

  static load(saved: SqlValue): Moments {
    const state = new Moments();
    const [rows = 0, meanX = 0, meanY = 0, xx = 0, yy = 0, xy = 0] = savedArray(saved).map(savedNumber);
    return Object.assign(state, { rows, meanX, meanY, xx, yy, xy });
  }
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
      const value = state.rows === 0 ? null : result(state);
      return value === null ? null : (float(value) ?? context.error(`${name} is out of range`));
    },
    stateBytes: () => 80,
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
