import { must } from "@hstream/proto";
import type { SqlValue } from "../types/sql-value.js";
import { BOOLEAN, DYNAMIC, FLOAT, INTERVAL, STRING, TIMESTAMP } from "../types/types.js";
import { addInterval, dayMs, interval } from "../values/calendar.js";
import { compareSql, equalSql } from "../values/compare.js";
import {
  arithmetic,
  compareNumbers,
  exactDecimal,
  float,
  integer,
  isInteger,
  isNumber,
  type SqlNumber,
  toFloat,
  decimal,
} from "../values/numbers.js";
import { toText } from "../values/text.js";
import { isArray, valueKind } from "../values/value-kind.js";
import { type EvaluationContext, numericResult, type ScalarFunction, type Signature } from "./function.js";
import { likeMatches } from "./like.js";

/** Narrows what the signature has already promised. */
export function numberArg(args: readonly SqlValue[], position: number): SqlNumber {
  const value = args[position] ?? null;
  return must(isNumber(value) ? value : undefined, "a number parameter is given a number");
}

export function textArg(args: readonly SqlValue[], position: number): string {
  const value = args[position];
  return must(typeof value === "string" ? value : undefined, "a string parameter is given a string");
}

export function msOf(value: SqlValue | undefined): number {
  if (typeof value === "object" && value !== null && "kind" in value) {
    if (value.kind === "timestamp" || value.kind === "time" || value.kind === "interval") return value.ms;
    if (value.kind === "date") return value.days * dayMs;
  }
  return must<number>(undefined, "a time parameter is given a time");
}

function monthsOf(value: SqlValue | undefined): number {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "interval"
    ? value.months
    : 0;
}

function arithmeticSignature(operation: "+" | "-" | "*"): Signature {
  return {
    parameters: ["number", "number"],
    result: numericResult,
    evaluate: (args, context) =>
      arithmetic(operation, numberArg(args, 0), numberArg(args, 1)) ??
      context.error(`${toText(args[0] ?? null)} ${operation} ${toText(args[1] ?? null)} is out of range`),
  };
}

function momentPlus(moment: number, length: SqlValue, sign: 1 | -1, context: EvaluationContext): SqlValue {
  const result = addInterval(moment, { kind: "interval", months: monthsOf(length), ms: msOf(length) }, sign);
  return result ?? context.error("timestamp out of range");
}

function shift(family: "timestamp" | "date", sign: 1 | -1, swapped = false): Signature {
  return {
    parameters: swapped ? ["interval", family] : [family, "interval"],
    result: TIMESTAMP,
    evaluate: (args, context) =>
      momentPlus(msOf(args[swapped ? 1 : 0]), args[swapped ? 0 : 1] ?? null, sign, context),
  };
}

function intervalSum(sign: 1 | -1): Signature {
  return {
    parameters: ["interval", "interval"],
    result: INTERVAL,
    evaluate: ([a, b], context) =>
      interval(monthsOf(a) + sign * monthsOf(b), msOf(a) + sign * msOf(b)) ??
      context.error("interval out of range"),
  };
}

function distance(left: "timestamp" | "date", right: "timestamp" | "date"): Signature {
  return {
    parameters: [left, right],
    result: INTERVAL,
    evaluate: ([a, b], context) => interval(0, msOf(a) - msOf(b)) ?? context.error("interval out of range"),
  };
}

function scaled(swapped: boolean): Signature {
  return {
    parameters: swapped ? ["number", "interval"] : ["interval", "number"],
    result: INTERVAL,
    evaluate: (args, context) => {
      const length = args[swapped ? 1 : 0];
      const factor = toFloat(numberArg(args, swapped ? 0 : 1));
      const months = Math.trunc(monthsOf(length) * factor);
      const rest = (monthsOf(length) * factor - months) * 30 * dayMs;
      return interval(months, msOf(length) * factor + rest) ?? context.error("interval out of range");
    },
  };
}

function integerDivision(name: "DIV" | "%"): Signature {
  return {
    parameters: ["number", "number"],
    result: numericResult,
    evaluate: (args, context) => {
      const a = numberArg(args, 0);
      const b = numberArg(args, 1);
      if (compareNumbers(b, 0) === 0) return context.error("division by zero");
      if (typeof a === "number" && typeof b === "number") {
        return float(name === "%" ? a % b : Math.trunc(a / b)) ?? context.error("number out of range");
      }
      if (isInteger(a) && isInteger(b)) {
        const [x, y] = [BigInt(a), BigInt(b)];
        return integer(name === "%" ? x % y : x / y) ?? context.error("INTEGER out of range");
      }
      const x = exactDecimal(a);
      const y = exactDecimal(b);
      const scale = Math.max(x.scale, y.scale);
      const left = x.unscaled * 10n ** BigInt(scale - x.scale);
      const right = y.unscaled * 10n ** BigInt(scale - y.scale);
      const result = name === "%" ? decimal(left % right, scale) : decimal(left / right, 0);
      return result ?? context.error("DECIMAL out of range");
    },
  };
}

function comparison(
  name: "<" | "<=" | ">" | ">=",
  holds: (order: number) => boolean,
  help: string,
  examples: ScalarFunction["examples"],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    operator: true,
    nulls: "strict",
    help,
    examples,
    signatures: [
      {
        parameters: ["any", "any"],
        result: BOOLEAN,
        evaluate: ([a = null, b = null], context) => {
          const order = compareSql(a, b);
          if (order === null) return null;
          if (order !== undefined) return holds(order);
          return context.error(
            `cannot compare ${valueKind(a).toUpperCase()} with ${valueKind(b).toUpperCase()}`,
          );
        },
      },
    ],
  };
}

/** An operator over anything, evaluated without regard to families. */
function anyOperator(
  name: string,
  arity: number,
  nulls: "strict" | "called",
  help: string,
  examples: ScalarFunction["examples"],
  evaluate: Signature["evaluate"],
): ScalarFunction {
  const parameters = Array.from({ length: arity }, () => "any" as const);
  return {
    kind: "scalar",
    name,
    operator: true,
    nulls,
    help,
    examples,
    signatures: [{ parameters, result: BOOLEAN, evaluate }],
  };
}

/** x IN (…): TRUE when one equals, NULL when none does but one is NULL. */
function isIn(args: readonly SqlValue[]): boolean | null {
  const value = args[0] ?? null;
  let unknown = false;
  for (const candidate of args.slice(1)) {
    const equal = equalSql(value, candidate);
    if (equal === true) return true;
    unknown ||= equal === null;
  }
  return unknown ? null : false;
}

/** x BETWEEN low AND high, in three-valued logic. */
function between(args: readonly SqlValue[], context: EvaluationContext): boolean | null {
  const [value = null, low = null, high = null] = args;
  const above = compareSql(value, low);
  const below = compareSql(value, high);
  if (above === undefined || below === undefined) {
    return context.error(
      `BETWEEN cannot compare ${args.map((arg) => valueKind(arg).toUpperCase()).join(", ")}`,
    );
  }
  if ((above !== null && above < 0) || (below !== null && below > 0)) return false;
  return above === null || below === null ? null : true;
}

function not(value: boolean | null): boolean | null {
  return value === null ? null : !value;
}

function distinct([a = null, b = null]: readonly SqlValue[]): boolean {
  return a === null || b === null ? a !== b : equalSql(a, b) === false;
}

function like(
  name: string,
  caseInsensitive: boolean,
  help: string,
  examples: ScalarFunction["examples"],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    operator: true,
    nulls: "strict",
    help,
    examples,
    signatures: [
      {
        parameters: ["string", "string", "string"],
        optional: 1,
        result: BOOLEAN,
        evaluate: (args, context) => {
          const escape = args.length > 2 ? textArg(args, 2) : "\\";
          if ([...escape].length > 1) return context.error("ESCAPE must be one character");
          return likeMatches(textArg(args, 0), textArg(args, 1), escape, caseInsensitive);
        },
      },
    ],
  };
}

export const operators: readonly ScalarFunction[] = [
  {
    kind: "scalar",
    name: "+",
    operator: true,
    nulls: "strict",
    help: "Sum; an INTEGER beyond 64 bits is an error. Also moves a DATE or TIMESTAMP by an INTERVAL.",
    examples: [
      { sql: "1 + 2", result: "3" },
      { sql: "1 + 0.5", result: "1.5" },
      { sql: "9223372036854775807 + 1", result: "error" },
      { sql: "DATE '2024-01-31' + INTERVAL 1 MONTH", result: "2024-02-29T00:00:00Z" },
    ],
    signatures: [
      arithmeticSignature("+"),
      shift("timestamp", 1),
      shift("date", 1),
      shift("timestamp", 1, true),
      shift("date", 1, true),
      intervalSum(1),
    ],
  },
  {
    kind: "scalar",
    name: "-",
    operator: true,
    nulls: "strict",
    help: "Difference; of two moments an INTERVAL.",
    examples: [
      { sql: "1 - 3", result: "-2" },
      { sql: "DATE '2024-01-02' - DATE '2024-01-01'", result: "P1D" },
    ],
    signatures: [
      arithmeticSignature("-"),
      shift("timestamp", -1),
      shift("date", -1),
      intervalSum(-1),
      distance("timestamp", "timestamp"),
      distance("date", "date"),
      distance("timestamp", "date"),
      distance("date", "timestamp"),
    ],
  },
  {
    kind: "scalar",
    name: "*",
    operator: true,
    nulls: "strict",
    help: "Product; of a number and an INTERVAL an INTERVAL.",
    examples: [
      { sql: "3 * 4", result: "12" },
      { sql: "INTERVAL 5 SECOND * 2", result: "PT10S" },
    ],
    signatures: [arithmeticSignature("*"), scaled(false), scaled(true)],
  },
  {
    kind: "scalar",
    name: "/",
    operator: true,
    nulls: "strict",
    help: "Quotient. Between two INTEGER literals or columns it is DIV, otherwise a FLOAT. x / 0 is an error.",
    examples: [
      { sql: "7 / 2", result: "3" },
      { sql: "7 / 2.0", result: "3.5" },
      { sql: "1 / 0", result: "error" },
    ],
    signatures: [
      {
        parameters: ["number", "number"],
        result: FLOAT,
        evaluate: (args, context) => {
          const divisor = toFloat(numberArg(args, 1));
          if (divisor === 0) return context.error("division by zero");
          return float(toFloat(numberArg(args, 0)) / divisor) ?? context.error("FLOAT out of range");
        },
      },
    ],
  },
  {
    kind: "scalar",
    name: "DIV",
    operator: true,
    nulls: "strict",
    help: "Quotient without its fraction, cut towards zero.",
    examples: [
      { sql: "7 DIV 2", result: "3" },
      { sql: "-7 DIV 2", result: "-3" },
      { sql: "1 DIV 0", result: "error" },
    ],
    signatures: [integerDivision("DIV")],
  },
  {
    kind: "scalar",
    name: "%",
    operator: true,
    nulls: "strict",
    help: "Rest of a division, with the sign of the dividend.",
    examples: [
      { sql: "7 % 4", result: "3" },
      { sql: "-7 % 4", result: "-3" },
    ],
    signatures: [integerDivision("%")],
  },
  {
    kind: "scalar",
    name: "NEGATE",
    operator: true,
    nulls: "strict",
    help: "The minus sign before an operand.",
    examples: [
      { sql: "-(1 + 2)", result: "-3" },
      { sql: "-INTERVAL 5 SECOND", result: "PT-5S" },
    ],
    signatures: [
      {
        parameters: ["number"],
        result: numericResult,
        evaluate: (args, context) =>
          arithmetic("-", 0, numberArg(args, 0)) ?? context.error("INTEGER out of range"),
      },
      {
        parameters: ["interval"],
        result: INTERVAL,
        evaluate: ([value], context) =>
          interval(-monthsOf(value), -msOf(value)) ?? context.error("out of range"),
      },
    ],
  },
  anyOperator(
    "=",
    2,
    "strict",
    "Equality; values of different types are unequal, numbers of all forms are one type.",
    [
      { sql: "1 = 1.0", result: "TRUE" },
      { sql: "NULL = NULL", result: "NULL" },
    ],
    ([a = null, b = null]) => equalSql(a, b),
  ),
  anyOperator(
    "<>",
    2,
    "strict",
    "Inequality; != is the same.",
    [
      { sql: "'a' <> 'b'", result: "TRUE" },
      { sql: "1 != 1", result: "FALSE" },
    ],
    ([a = null, b = null]) => not(equalSql(a, b)),
  ),
  comparison("<", (order) => order < 0, "Less: numbers, text by code point, FALSE < TRUE, moments, arrays.", [
    { sql: "1 < 1.5", result: "TRUE" },
    { sql: "'a' < 'B'", result: "FALSE" },
  ]),
  comparison("<=", (order) => order <= 0, "Less or equal.", [{ sql: "2 <= 2", result: "TRUE" }]),
  comparison(">", (order) => order > 0, "Greater.", [{ sql: "'b' > 'a'", result: "TRUE" }]),
  comparison(">=", (order) => order >= 0, "Greater or equal.", [{ sql: "1 >= NULL", result: "NULL" }]),
  {
    kind: "scalar",
    name: "NOT",
    operator: true,
    nulls: "strict",
    help: "The opposite; of NULL, NULL.",
    examples: [
      { sql: "NOT TRUE", result: "FALSE" },
      { sql: "NOT NULL", result: "NULL" },
    ],
    signatures: [{ parameters: ["boolean"], result: BOOLEAN, evaluate: ([value]) => value === false }],
  },
  anyOperator(
    "IS NULL",
    1,
    "called",
    "Whether there is no value.",
    [{ sql: "NULL IS NULL", result: "TRUE" }],
    ([a]) => a === null,
  ),
  anyOperator(
    "IS NOT NULL",
    1,
    "called",
    "Whether there is a value.",
    [{ sql: "1 IS NOT NULL", result: "TRUE" }],
    ([a]) => a !== null,
  ),
  anyOperator(
    "IS TRUE",
    1,
    "called",
    "TRUE for TRUE, else FALSE.",
    [{ sql: "NULL IS TRUE", result: "FALSE" }],
    ([a]) => a === true,
  ),
  anyOperator(
    "IS NOT TRUE",
    1,
    "called",
    "FALSE for TRUE, else TRUE.",
    [{ sql: "NULL IS NOT TRUE", result: "TRUE" }],
    ([a]) => a !== true,
  ),
  anyOperator(
    "IS FALSE",
    1,
    "called",
    "TRUE for FALSE, else FALSE.",
    [{ sql: "FALSE IS FALSE", result: "TRUE" }],
    ([a]) => a === false,
  ),
  anyOperator(
    "IS NOT FALSE",
    1,
    "called",
    "FALSE for FALSE, else TRUE.",
    [{ sql: "NULL IS NOT FALSE", result: "TRUE" }],
    ([a]) => a !== false,
  ),
  anyOperator(
    "IS DISTINCT FROM",
    2,
    "called",
    "Inequality in which NULL equals NULL.",
    [{ sql: "1 IS DISTINCT FROM NULL", result: "TRUE" }],
    distinct,
  ),
  anyOperator(
    "IS NOT DISTINCT FROM",
    2,
    "called",
    "Equality in which NULL equals NULL.",
    [{ sql: "NULL IS NOT DISTINCT FROM NULL", result: "TRUE" }],
    (args) => !distinct(args),
  ),
  anyOperator(
    "BETWEEN",
    3,
    "called",
    "Whether low <= x and x <= high. SYMMETRIC takes the bounds in either order.",
    [
      { sql: "2 BETWEEN 1 AND 3", result: "TRUE" },
      { sql: "2 BETWEEN SYMMETRIC 3 AND 1", result: "TRUE" },
      { sql: "5 NOT BETWEEN 1 AND NULL", result: "NULL" },
    ],
    between,
  ),
  {
    kind: "scalar",
    name: "IN",
    operator: true,
    nulls: "called",
    help: "Whether one of the list equals x; NULL when none does but one is NULL.",
    examples: [
      { sql: "2 IN (1, 2)", result: "TRUE" },
      { sql: "3 IN (1, NULL)", result: "NULL" },
      { sql: "3 NOT IN (1, 2)", result: "TRUE" },
    ],
    signatures: [{ parameters: ["any"], rest: "any", result: BOOLEAN, evaluate: isIn }],
  },
  like(
    "LIKE",
    false,
    "Whether the text has the pattern: % any characters, _ one, \\ before either is the character itself.",
    [
      { sql: "'stream' LIKE 'str%m'", result: "TRUE" },
      { sql: "'100%' LIKE '100!%' ESCAPE '!'", result: "TRUE" },
      { sql: "'abc' NOT LIKE '_b'", result: "TRUE" },
    ],
  ),
  like("ILIKE", true, "LIKE without regard to case.", [{ sql: "'Stream' ILIKE 's%'", result: "TRUE" }]),
  {
    kind: "scalar",
    name: "||",
    operator: true,
    nulls: "strict",
    help: "Concatenation of texts, or of arrays; numbers and the like are written as text.",
    examples: [
      { sql: "'a' || 'b'", result: "ab" },
      { sql: "'n' || 1", result: "n1" },
      { sql: "[1] || [2]", result: "[1,2]" },
    ],
    signatures: [
      {
        parameters: ["array", "array"],
        result: (args) => (args[0]?.kind === "array" ? args[0] : DYNAMIC),
        evaluate: ([a = null, b = null]) => [...(isArray(a) ? a : []), ...(isArray(b) ? b : [])],
      },
      {
        parameters: ["string", "any"],
        result: STRING,
        evaluate: ([a = null, b = null]) => toText(a) + toText(b),
      },
      {
        parameters: ["any", "string"],
        result: STRING,
        evaluate: ([a = null, b = null]) => toText(a) + toText(b),
      },
    ],
  },
];
