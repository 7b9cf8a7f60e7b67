import type { SqlValue } from "../types/sql-value.js";
import { FLOAT, INTERVAL, TIMESTAMP } from "../types/types.js";
import { addInterval, dayMs, interval } from "../values/calendar.js";
import {
  arithmetic,
  compareNumbers,
  decimal,
  exactDecimal,
  float,
  integer,
  isInteger,
  toFloat,
} from "../values/numbers.js";
import { toText } from "../values/text.js";
import { msOf, numberArg } from "./arguments.js";
import { type EvaluationContext, numericResult, type ScalarFunction, type Signature } from "./function.js";

function monthsOf(value: SqlValue | undefined): number {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "interval"
    ? value.months
    : 0;
}

function outOfRange(operation: string, args: readonly SqlValue[], context: EvaluationContext): null {
  const [a, b] = args.map(toText);
  return context.error(`${a} ${operation} ${b} is out of range`);
}

function arithmeticSignature(operation: "+" | "-" | "*"): Signature {
  return {
    parameters: ["number", "number"],
    result: numericResult,
    evaluate: (args, context) =>
      arithmetic(operation, numberArg(args, 0), numberArg(args, 1)) ?? outOfRange(operation, args, context),
    evaluateFloat: (args, context) => {
      const [a, b] = [toFloat(numberArg(args, 0)), toFloat(numberArg(args, 1))];
      const result = operation === "+" ? a + b : operation === "-" ? a - b : a * b;
      return float(result) ?? outOfRange(operation, args, context);
    },
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
    evaluateFloat: (args, context) => {
      const [a, b] = [toFloat(numberArg(args, 0)), toFloat(numberArg(args, 1))];
      if (b === 0) return context.error("division by zero");
      return float(name === "%" ? a % b : Math.trunc(a / b)) ?? context.error("FLOAT out of range");
    },
  };
}

export const arithmeticOperators: readonly ScalarFunction[] = [
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
];
