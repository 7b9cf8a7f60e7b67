import { aggregateElementsMax } from "../limits.js";
import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { arrayOf, BOOLEAN, DYNAMIC, FLOAT, INTEGER, STRING } from "../types/types.js";
import { compareTotal } from "../values/compare.js";
import { float, isNumber, toFloat } from "../values/numbers.js";
import { encodeRowKey, rowKeyText } from "../values/row-key.js";
import { toText } from "../values/text.js";
import { isArray, valueKind } from "../values/value-kind.js";
import { type Counted, extreme, implement, savedArray, savedFloat, savedNumber } from "./aggregates.js";
import {
  type AggregateFunction,
  type AggregateImplementation,
  type EvaluationContext,
  type Family,
  firstResult,
} from "./function.js";

const exampleRows = "3, 1, NULL, 1, 2.5";

/** A number, or an error for the row that brings something else. */
function numberOf(
  name: string,
  value: SqlValue,
  weight: number,
  context: EvaluationContext,
): number | undefined {
  if (value === null) return undefined;
  if (isNumber(value)) return toFloat(value);
  if (weight > 0) context.error(`${name} cannot work on ${valueKind(value).toUpperCase()}`);
  return undefined;
}

// ---- moments ----------------------------------------------------------------------------------------------

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

// ---- values that are kept ---------------------------------------------------------------------------------

/** Each different value with its number of copies. */
class Multiset {
  readonly counts = new Map<string, Counted>();
  rows = 0;
  bytes = 64;
  /** The last further argument that came: k of TOPK, q of QUANTILE. */
  parameter: SqlValue = null;
  #sorted: readonly Counted[] | undefined;

  add(value: SqlValue, weight: number): void {
    this.#sorted = undefined;
    this.rows += weight;
    const key = rowKeyText([value]);
    const known = this.counts.get(key);
    if (known === undefined) {
      this.counts.set(key, { value, count: weight });
      this.bytes += 2 * key.length + 96;
      return;
    }
    known.count += weight;
    if (known.count !== 0) return;
    this.counts.delete(key);
    this.bytes -= 2 * key.length + 96;
  }

  sorted(): readonly Counted[] {
    this.#sorted ??= [...this.counts.values()].sort((a, b) => compareTotal(a.value, b.value));
    return this.#sorted;
  }

  /** The value at that position in order. */
  at(position: number): SqlValue {
    let left = position;
    for (const { value, count } of this.sorted()) {
      if (left < count) return value;
      left -= count;
    }
    return null;
  }

  save(): SqlValue {
    return [this.parameter, [...this.counts.values()].map(({ value, count }) => [value, count])];
  }

  static load(saved: SqlValue): Multiset {
    const state = new Multiset();
    const [parameter = null, pairs] = savedArray(saved);
    state.parameter = parameter;
    for (const pair of savedArray(pairs)) {
      const [value = null, count] = savedArray(pair);
      state.add(value, savedNumber(count));
    }
    return state;
  }
}

function multiset(
  result: (state: Multiset, context: EvaluationContext) => SqlValue,
  numbers?: string,
): AggregateImplementation {
  return implement({
    create: () => new Multiset(),
    add(state, [value = null, parameter = null], weight, context) {
      if (parameter !== null) state.parameter = parameter;
      if (value === null) return;
      if (numbers !== undefined && numberOf(numbers, value, weight, context) === undefined) return;
      state.add(value, weight);
    },
    result,
    stateBytes: (state) => state.bytes,
    save: (state) => state.save(),
    load: Multiset.load,
  });
}

function top(distinct: boolean): AggregateImplementation {
  return multiset((state, context) => {
    const { parameter } = state;
    if (state.rows === 0) return [];
    const k = isNumber(parameter) ? Math.trunc(toFloat(parameter)) : -1;
    if (k < 0) return context.error("TOPK takes a number that is not negative");
    const found: SqlValue[] = [];
    for (const { value, count } of state.sorted().toReversed()) {
      for (let i = 0; i < (distinct ? 1 : count) && found.length < k; i++) found.push(value);
      if (found.length >= k) break;
    }
    return found;
  });
}

function fraction(value: SqlValue): number | undefined {
  const q = isNumber(value) ? toFloat(value) : Number.NaN;
  return q >= 0 && q <= 1 ? q : undefined;
}

function quantile(state: Multiset, q: number): SqlValue {
  if (state.rows === 0) return null;
  const at = q * (state.rows - 1);
  const [low, high] = [state.at(Math.floor(at)), state.at(Math.ceil(at))];
  if (!isNumber(low) || !isNumber(high)) return null;
  const [a, b] = [toFloat(low), toFloat(high)];
  return float(a + (b - a) * (at - Math.floor(at)));
}

/** In order of arrival; the youngest equal one is taken back. */
class Arrived {
  readonly values: SqlValue[] = [];
  readonly keys: string[] = [];
  separator = ",";
  bytes = 64;
  full = false;

  add(value: SqlValue, weight: number, context: EvaluationContext): void {
    const key = rowKeyText([value]);
    for (let i = 0; i < weight; i++) {
      if (this.values.length >= aggregateElementsMax) {
        context.error(`A group collects at most ${aggregateElementsMax} values`);
        return;
      }
      this.values.push(value);
      this.keys.push(key);
      this.bytes += 2 * key.length + 64;
    }
    for (let i = 0; i > weight; i--) {
      const at = this.keys.lastIndexOf(key);
      if (at < 0) return;
      this.values.splice(at, 1);
      this.keys.splice(at, 1);
      this.bytes -= 2 * key.length + 64;
    }
  }

  static load(saved: SqlValue): Arrived {
    const state = new Arrived();
    const [separator, values] = savedArray(saved);
    if (typeof separator === "string") state.separator = separator;
    for (const value of savedArray(values)) state.add(value, 1, { nowMs: 0, error: () => null });
    return state;
  }
}

function collected(texts: boolean): AggregateImplementation {
  return implement({
    create: () => new Arrived(),
    add(state, [value = null, separator = null], weight, context) {
      if (texts && value === null) return;
      if (texts && typeof separator === "string") state.separator = separator;
      state.add(value, weight, context);
    },
    result(state) {
      if (state.values.length === 0) return null;
      return texts ? state.values.map(toText).join(state.separator) : [...state.values];
    },
    stateBytes: (state) => state.bytes,
    save: (state) => [state.separator, [...state.values]],
    load: Arrived.load,
  });
}

// ---- logic ------------------------------------------------------------------------------------------------

function logical(name: string, result: (yes: number, no: number) => SqlValue): AggregateImplementation {
  return implement({
    create: () => ({ yes: 0, no: 0 }),
    add(state, [value = null], weight, context) {
      if (value === true) state.yes += weight;
      else if (value === false) state.no += weight;
      else if (value !== null && weight > 0)
        context.error(`${name} cannot work on ${valueKind(value).toUpperCase()}`);
    },
    result: (state) => result(state.yes, state.no),
    stateBytes: () => 32,
    save: (state) => [state.yes, state.no],
    load(saved) {
      const [yes = 0, no = 0] = savedArray(saved).map(savedNumber);
      return { yes, no };
    },
  });
}

// ---- approximations ---------------------------------------------------------------------------------------

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
const approximateCount = implement({
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
    if (registers === undefined) return exact.counts.size;
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

const approximateQuantile = implement({
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

// ---- the value beside the extreme -------------------------------------------------------------------------

/** x of the row with the least or greatest y: the extreme of the pairs [y, x]. */
function beside(sign: 1 | -1): AggregateImplementation {
  const pairs = extreme(sign);
  return {
    ...pairs,
    add(state, [x = null, y = null], weight, context) {
      if (y !== null) pairs.add(state, [[y, x]], weight, context);
    },
    result(state, context) {
      const pair = pairs.result(state, context);
      return isArray(pair) ? (pair[1] ?? null) : null;
    },
  };
}

// ---- the table --------------------------------------------------------------------------------------------

function aggregate(
  name: string,
  parameters: readonly Family[],
  result: SqlType | ((args: readonly SqlType[]) => SqlType),
  implementation: AggregateImplementation,
  help: string,
  sql: string,
  expected: string,
  more: { readonly aliases?: readonly string[]; readonly optional?: number } = {},
): AggregateFunction {
  const { aliases = [], optional = 0 } = more;
  const examples = [{ sql, result: expected }];
  return {
    kind: "aggregate",
    name,
    aliases,
    parameters,
    optional,
    result,
    implementation,
    help,
    exampleRows,
    examples,
  };
}

const listOf = (args: readonly SqlType[]): SqlType => arrayOf(args[0] ?? DYNAMIC);

const statistics: readonly AggregateFunction[] = [
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

export const moreAggregates: readonly AggregateFunction[] = [
  aggregate(
    "TOPK",
    ["any", "integer"],
    listOf,
    top(false),
    "TOPK(x, k): the k greatest values, greatest first.",
    "TOPK(x, 2)",
    "[3,2.5]",
  ),
  aggregate(
    "TOPKDISTINCT",
    ["any", "integer"],
    listOf,
    top(true),
    "TOPKDISTINCT(x, k): the k greatest different values.",
    "TOPKDISTINCT(x, 3)",
    "[3,2.5,1]",
  ),
  aggregate(
    "COUNT_IF",
    ["boolean"],
    INTEGER,
    logical("COUNT_IF", (yes) => yes),
    "Rows in which the condition is TRUE.",
    "COUNT_IF(x > 1)",
    "2",
  ),
  aggregate(
    "BOOL_AND",
    ["boolean"],
    BOOLEAN,
    logical("BOOL_AND", (yes, no) => (no > 0 ? false : yes > 0 ? true : null)),
    "Whether it is TRUE in all rows, without the NULLs.",
    "BOOL_AND(x > 0)",
    "TRUE",
  ),
  aggregate(
    "BOOL_OR",
    ["boolean"],
    BOOLEAN,
    logical("BOOL_OR", (yes, no) => (yes > 0 ? true : no > 0 ? false : null)),
    "Whether it is TRUE in some row, without the NULLs.",
    "BOOL_OR(x > 5)",
    "FALSE",
  ),
  aggregate(
    "ANY_VALUE",
    ["any"],
    firstResult,
    extreme(1),
    "Some value that is not NULL: the least one.",
    "ANY_VALUE(x)",
    "1",
  ),
  aggregate(
    "ARG_MIN",
    ["any", "any"],
    firstResult,
    beside(1),
    "ARG_MIN(x, y): x of the row with the least y.",
    "ARG_MIN(x, 0 - x)",
    "3",
    { aliases: ["MIN_BY"] },
  ),
  aggregate(
    "ARG_MAX",
    ["any", "any"],
    firstResult,
    beside(-1),
    "ARG_MAX(x, y): x of the row with the greatest y.",
    "ARG_MAX(x, 0 - x)",
    "1",
    { aliases: ["MAX_BY"] },
  ),
  aggregate(
    "ARRAY_AGG",
    ["any"],
    listOf,
    collected(false),
    "All values in order of arrival, NULLs too; NULL of no row.",
    "ARRAY_AGG(x)",
    "[3,1,NULL,1,2.5]",
    { aliases: ["LIST"] },
  ),
  aggregate(
    "STRING_AGG",
    ["any", "string"],
    STRING,
    collected(true),
    "The texts in order of arrival, with a separator (,) between them.",
    "STRING_AGG(x, '-')",
    "3-1-1-2.5",
    { aliases: ["GROUP_CONCAT", "LISTAGG"], optional: 1 },
  ),
  aggregate(
    "MODE",
    ["any"],
    firstResult,
    multiset((state) => {
      let best: Counted | undefined;
      for (const entry of state.sorted()) if (best === undefined || entry.count > best.count) best = entry;
      return best?.value ?? null;
    }),
    "The most frequent value, of several the least.",
    "MODE(x)",
    "1",
  ),
  aggregate(
    "MEDIAN",
    ["number"],
    FLOAT,
    multiset((state) => quantile(state, 0.5), "MEDIAN"),
    "The number in the middle, or the mean of the two there.",
    "MEDIAN(x)",
    "1.75",
  ),
  aggregate(
    "QUANTILE",
    ["number", "number"],
    FLOAT,
    multiset((state, context) => {
      const q = fraction(state.parameter);
      if (state.rows === 0) return null;
      return q === undefined ? context.error("QUANTILE takes a fraction of 0 to 1") : quantile(state, q);
    }, "QUANTILE"),
    "QUANTILE(x, q): the number below which the part q lies, between two as far as q is.",
    "QUANTILE(x, 0.5)",
    "1.75",
    { aliases: ["QUANTILE_CONT", "PERCENTILE_CONT"] },
  ),
  aggregate(
    "QUANTILE_DISC",
    ["any", "number"],
    firstResult,
    multiset((state, context) => {
      const q = fraction(state.parameter);
      if (state.rows === 0) return null;
      if (q === undefined) return context.error("QUANTILE_DISC takes a fraction of 0 to 1");
      return state.at(Math.max(0, Math.ceil(q * state.rows) - 1));
    }),
    "QUANTILE_DISC(x, q): the first value with the part q up to it.",
    "QUANTILE_DISC(x, 0.5)",
    "1",
    { aliases: ["PERCENTILE_DISC"] },
  ),
  ...statistics,
  aggregate(
    "APPROX_COUNT_DISTINCT",
    ["any"],
    INTEGER,
    approximateCount,
    "About how many different values there are, in 4 KB: within some 2 %.",
    "APPROX_COUNT_DISTINCT(x)",
    "3",
  ),
  aggregate(
    "APPROX_QUANTILE",
    ["number", "number"],
    FLOAT,
    approximateQuantile,
    "About QUANTILE(x, q), in little memory: within 1 % of the value.",
    "ROUND(APPROX_QUANTILE(x, 1))",
    "3",
    { aliases: ["APPROX_PERCENTILE"] },
  ),
];
