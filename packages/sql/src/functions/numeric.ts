import { FLOAT, INTEGER } from "../types/types.js";
import { roundDecimal } from "../values/cast.js";
import {
  arithmetic,
  compareNumbers,
  decimal,
  exactDecimal,
  float,
  integer,
  isInteger,
  isNumber,
  type SqlNumber,
  toDecimal,
  toFloat,
} from "../values/numbers.js";
import type { SqlDecimal, SqlValue } from "../types/sql-value.js";
import {
  type EvaluationContext,
  type Example,
  firstResult,
  numericResult,
  type ScalarFunction,
} from "./function.js";
import { numberArg } from "./arguments.js";

function real(
  name: string,
  compute: (x: number) => number,
  help: string,
  examples: readonly Example[],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    nulls: "strict",
    help,
    examples,
    signatures: [
      {
        parameters: ["number"],
        result: FLOAT,
        evaluate: (args, context) =>
          float(compute(toFloat(numberArg(args, 0)))) ?? context.error(`${name}: argument out of its domain`),
      },
    ],
  };
}

/** The integer below, exactly. */
function floor(value: SqlNumber): number | bigint | null {
  const { unscaled, scale } = exactDecimal(value);
  const unit = 10n ** BigInt(scale);
  const quotient = unscaled / unit;
  return integer(unscaled < 0n && quotient * unit !== unscaled ? quotient - 1n : quotient);
}

function negate(value: SqlNumber | null): SqlNumber | null {
  return value === null ? null : arithmetic("-", 0, value);
}

function toInteger(
  name: string,
  compute: (x: SqlNumber) => SqlValue,
  help: string,
  examples: readonly Example[],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    nulls: "strict",
    help,
    examples,
    signatures: [
      {
        parameters: ["number"],
        result: INTEGER,
        evaluate: (args, context) =>
          compute(numberArg(args, 0)) ?? context.error(`${name}: INTEGER out of range`),
      },
    ],
  };
}

/**
 * Half away from zero, on the decimal text of the number: 2.675 to two digits is 2.68. Below zero digits, to tens,
 * hundreds …
 */
function round(value: SqlNumber, digits: number, context: EvaluationContext): SqlValue {
  const exact = toDecimal(value);
  if (exact === null) return value;
  const rounded =
    digits < 0
      ? roundToPower(exact, Math.min(-digits, 400))
      : roundDecimal(exact.unscaled, exact.scale, Math.min(digits, 400));
  if (typeof value === "object" || !isNumber(rounded)) return rounded;
  if (!isInteger(value)) return float(toFloat(rounded));
  const whole = exactDecimal(rounded);
  return integer(whole.unscaled) ?? context.error("ROUND: INTEGER out of range");
}

/** To a multiple of 10^power. */
function roundToPower({ unscaled, scale }: SqlDecimal, power: number): SqlValue {
  const whole = roundDecimal(unscaled, scale + power, 0);
  return isNumber(whole) ? decimal(exactDecimal(whole).unscaled * 10n ** BigInt(power), 0) : null;
}

function roundToInteger(value: SqlNumber): SqlValue {
  const exact = toDecimal(value) ?? exactDecimal(value);
  const unit = 10n ** BigInt(exact.scale);
  const half = exact.scale === 0 ? 0n : unit / 2n;
  return integer((exact.unscaled < 0n ? exact.unscaled - half : exact.unscaled + half) / unit);
}

export const numericFunctions: readonly ScalarFunction[] = [
  real("SIN", Math.sin, "Sine of radians.", [{ sql: "SIN(0)", result: "0" }]),
  real("SINH", Math.sinh, "Hyperbolic sine.", [{ sql: "SINH(0)", result: "0" }]),
  real("ASIN", Math.asin, "Arc sine, of -1 to 1.", [{ sql: "ASIN(2)", result: "error" }]),
  real("ASINH", Math.asinh, "Inverse hyperbolic sine.", [{ sql: "ASINH(0)", result: "0" }]),
  real("COS", Math.cos, "Cosine of radians.", [{ sql: "COS(0)", result: "1" }]),
  real("COSH", Math.cosh, "Hyperbolic cosine.", [{ sql: "COSH(0)", result: "1" }]),
  real("ACOS", Math.acos, "Arc cosine, of -1 to 1.", [{ sql: "ACOS(1)", result: "0" }]),
  real("ACOSH", Math.acosh, "Inverse hyperbolic cosine, from 1.", [{ sql: "ACOSH(0)", result: "error" }]),
  real("TAN", Math.tan, "Tangent of radians.", [{ sql: "TAN(0)", result: "0" }]),
  real("TANH", Math.tanh, "Hyperbolic tangent.", [{ sql: "TANH(0)", result: "0" }]),
  real("ATAN", Math.atan, "Arc tangent.", [{ sql: "ATAN(0)", result: "0" }]),
  real("ATANH", Math.atanh, "Inverse hyperbolic tangent, between -1 and 1.", [
    { sql: "ATANH(1)", result: "error" },
  ]),
  real("EXP", Math.exp, "e to the power of x.", [{ sql: "EXP(0)", result: "1" }]),
  real("SQRT", Math.sqrt, "Square root, from 0.", [
    { sql: "SQRT(9)", result: "3" },
    { sql: "SQRT(-1)", result: "error" },
  ]),
  real("LOG", Math.log, "Natural logarithm, above 0.", [{ sql: "LOG(0)", result: "error" }]),
  real("LOG2", Math.log2, "Logarithm to base 2, above 0.", [{ sql: "LOG2(8)", result: "3" }]),
  real("LOG10", Math.log10, "Logarithm to base 10, above 0.", [{ sql: "LOG10(1000)", result: "3" }]),
  {
    kind: "scalar",
    name: "ABS",
    nulls: "strict",
    help: "The number without its sign.",
    examples: [{ sql: "ABS(-2)", result: "2" }],
    signatures: [
      {
        parameters: ["number"],
        result: firstResult,
        evaluate: (args, context) => {
          const value = numberArg(args, 0);
          if (compareNumbers(value, 0) >= 0) return value;
          return negate(value) ?? context.error("ABS: INTEGER out of range");
        },
      },
    ],
  },
  toInteger("CEIL", (x) => negate(floor(negate(x) ?? x)), "The least integer that is not below x.", [
    { sql: "CEIL(1.2)", result: "2" },
    { sql: "CEIL(-1.2)", result: "-1" },
  ]),
  toInteger("FLOOR", floor, "The greatest integer that is not above x.", [
    { sql: "FLOOR(-1.5)", result: "-2" },
  ]),
  {
    kind: "scalar",
    name: "ROUND",
    nulls: "strict",
    help: "ROUND(x): the nearest INTEGER; ROUND(x, n): n digits after the point. Half goes away from zero.",
    examples: [
      { sql: "ROUND(2.5)", result: "3" },
      { sql: "ROUND(-2.5)", result: "-3" },
      { sql: "ROUND(2.675, 2)", result: "2.68" },
      { sql: "ROUND(1234.5, -2)", result: "1200" },
    ],
    signatures: [
      {
        parameters: ["number"],
        result: INTEGER,
        evaluate: (args, context) =>
          roundToInteger(numberArg(args, 0)) ?? context.error("ROUND: INTEGER out of range"),
      },
      {
        parameters: ["number", "integer"],
        result: (args) => numericResult(args.slice(0, 1)),
        evaluate: (args, context) => round(numberArg(args, 0), toFloat(numberArg(args, 1)), context),
      },
    ],
  },
  toInteger("SIGN", (x) => Math.sign(compareNumbers(x, 0)), "-1, 0 or 1.", [
    { sql: "SIGN(-0.5)", result: "-1" },
  ]),
  {
    kind: "scalar",
    name: "POWER",
    aliases: ["POW"],
    nulls: "strict",
    help: "x to the power of y.",
    examples: [{ sql: "POWER(2, 10)", result: "1024" }],
    signatures: [
      {
        parameters: ["number", "number"],
        result: FLOAT,
        evaluate: (args, context) =>
          float(toFloat(numberArg(args, 0)) ** toFloat(numberArg(args, 1))) ??
          context.error("POWER is out of range"),
      },
    ],
  },
];
