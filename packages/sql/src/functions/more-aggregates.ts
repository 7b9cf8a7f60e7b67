import { aggregateElementsMax } from "../limits.js";
import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { arrayOf, BOOLEAN, DYNAMIC, FLOAT, INTEGER, STRING } from "../types/types.js";
import { float, isNumber, toFloat } from "../values/numbers.js";
import { rowKeyText } from "../values/row-key.js";
import { toText } from "../values/text.js";
import { isArray, valueKind } from "../values/value-kind.js";
import { implement, savedArray, savedNumber } from "./aggregate-state.js";
import { type Counted, extreme } from "./aggregates.js";
import { approximateCount, approximateQuantile } from "./approximations.js";
import { aggregate, fraction, numberOf } from "./define-aggregate.js";
import {
  type AggregateFunction,
  type AggregateImplementation,
  type EvaluationContext,
  firstResult,
} from "./function.js";
import { Multiset } from "./multiset.js";
import { statistics } from "./statistics.js";

// ---- values that are kept ---------------------------------------------------------------------------------

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

const listOf = (args: readonly SqlType[]): SqlType => arrayOf(args[0] ?? DYNAMIC);

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
    "All values in order of arrival or by ORDER BY, NULLs too; NULL of no row.",
    "ARRAY_AGG(x)",
    "[3,1,NULL,1,2.5]",
    { aliases: ["LIST"], also: [{ sql: "ARRAY_AGG(x ORDER BY x DESC)", result: "[3,2.5,1,1,NULL]" }] },
  ),
  aggregate(
    "STRING_AGG",
    ["any", "string"],
    STRING,
    collected(true),
    "The texts in order of arrival or by ORDER BY, with a separator (,) between them.",
    "STRING_AGG(x, '-')",
    "3-1-1-2.5",
    {
      aliases: ["GROUP_CONCAT", "LISTAGG"],
      optional: 1,
      also: [{ sql: "STRING_AGG(x, '-' ORDER BY x)", result: "1-1-2.5-3" }],
    },
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
