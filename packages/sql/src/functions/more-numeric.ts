import type { SqlValue } from "../types/sql-value.js";
import { FLOAT, INTEGER } from "../types/types.js";
import { float, integer, toDecimal, toFloat } from "../values/numbers.js";
import { must } from "@hstream/proto";
import { numberArg } from "./arguments.js";
import { define } from "./define.js";
import type { EvaluationContext, ScalarFunction } from "./function.js";

const x = (args: readonly SqlValue[], position = 0): number => toFloat(numberArg(args, position));

function whole(args: readonly SqlValue[], position: number): bigint {
  const value = args[position];
  const found = typeof value === "bigint" ? value : typeof value === "number" ? BigInt(value) : undefined;
  return must(found, "an integer parameter is given an integer");
}

function real(
  name: string,
  compute: (...args: number[]) => number,
  help: string,
  sql: string,
  result: string,
  count = 1,
): ScalarFunction {
  return define({
    name,
    parameters: Array.from({ length: count }, () => "number" as const),
    result: FLOAT,
    evaluate: (args, context) =>
      float(compute(...args.map((_, i) => x(args, i)))) ??
      context.error(`${name}: argument out of its domain`),
    help,
    examples: [[sql, result]],
  });
}

function bits(
  name: string,
  compute: (a: bigint, b: bigint) => bigint,
  help: string,
  sql: string,
  result: string,
): ScalarFunction {
  return define({
    name,
    parameters: ["integer", "integer"],
    result: INTEGER,
    evaluate: (args, context) => {
      const [a, b] = [whole(args, 0), whole(args, 1)];
      if (name.includes("SHIFT") && (b < 0n || b > 63n)) return context.error(`${name} takes 0 to 63 places`);
      return integer(BigInt.asIntN(64, compute(a, b)));
    },
    help,
    examples: [[sql, result]],
  });
}

function divisor(a: bigint, b: bigint): bigint {
  let [at, rest] = [a < 0n ? -a : a, b < 0n ? -b : b];
  while (rest !== 0n) [at, rest] = [rest, at % rest];
  return at;
}

function factorial(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const n = whole(args, 0);
  if (n < 0n || n > 20n) return context.error("FACTORIAL takes 0 to 20");
  let product = 1n;
  for (let i = 2n; i <= n; i++) product *= i;
  return integer(product);
}

function bucket(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const [value, low, high, count] = [x(args, 0), x(args, 1), x(args, 2), Math.trunc(x(args, 3))];
  if (count < 1 || low === high)
    return context.error("WIDTH_BUCKET takes two bounds and a number of buckets");
  const at = Math.floor(((value - low) / (high - low)) * count) + 1;
  return Math.min(count + 1, Math.max(0, at));
}

export const moreNumericFunctions: readonly ScalarFunction[] = [
  real("LN", Math.log, "Natural logarithm, above 0.", "LN(1)", "0"),
  real("CBRT", Math.cbrt, "Cube root.", "CBRT(27)", "3"),
  real("COT", (a) => 1 / Math.tan(a), "Cotangent of radians.", "ROUND(COT(1), 3)", "0.642"),
  real("ATAN2", Math.atan2, "ATAN2(y, x): the angle of a point, in radians.", "ATAN2(0, 1)", "0", 2),
  real("DEGREES", (a) => (a * 180) / Math.PI, "Degrees of radians.", "DEGREES(PI())", "180"),
  real("RADIANS", (a) => (a * Math.PI) / 180, "Radians of degrees.", "RADIANS(180) = PI()", "TRUE"),
  define({
    name: "PI",
    parameters: [],
    result: FLOAT,
    evaluate: () => Math.PI,
    help: "The number π.",
    examples: [["PI()", "3.141592653589793"]],
  }),
  define({
    name: "MOD",
    parameters: ["integer", "integer"],
    result: INTEGER,
    evaluate: (args, context) =>
      whole(args, 1) === 0n
        ? context.error("MOD: division by zero")
        : integer(whole(args, 0) % whole(args, 1)),
    help: "MOD(a, b): the rest of a DIV b, with the sign of a.",
    examples: [
      ["MOD(-7, 3)", "-1"],
      ["MOD(1, 0)", "error"],
    ],
  }),
  define({
    name: "TRUNC",
    aliases: ["TRUNCATE"],
    parameters: ["number", "integer"],
    optional: 1,
    result: FLOAT,
    evaluate: (args, context) => {
      // On the decimal text: 4.35 to two digits is 4.35, though the double is a little below.
      const exact = toDecimal(numberArg(args, 0));
      if (exact === null) return context.error("TRUNC: out of range");
      const cut = exact.scale - Math.min(400, Math.max(-400, args.length > 1 ? x(args, 1) : 0));
      if (cut <= 0) return float(x(args));
      const unit = 10n ** BigInt(cut);
      return float(Number(`${(exact.unscaled / unit) * unit}e-${exact.scale}`));
    },
    help: "TRUNC(x): towards zero; TRUNC(x, n): n digits after the point.",
    examples: [
      ["TRUNC(-2.7)", "-2"],
      ["TRUNC(2.789, 2)", "2.78"],
    ],
  }),
  define({
    name: "GCD",
    parameters: ["integer", "integer"],
    result: INTEGER,
    evaluate: (args, context) =>
      integer(divisor(whole(args, 0), whole(args, 1))) ?? context.error("GCD out of range"),
    help: "Greatest common divisor.",
    examples: [["GCD(12, 18)", "6"]],
  }),
  define({
    name: "LCM",
    parameters: ["integer", "integer"],
    result: INTEGER,
    evaluate: (args, context) => {
      const [a, b] = [whole(args, 0), whole(args, 1)];
      if (a === 0n || b === 0n) return 0;
      const product = (a / divisor(a, b)) * b;
      return integer(product < 0n ? -product : product) ?? context.error("LCM out of range");
    },
    help: "Least common multiple.",
    examples: [["LCM(4, 6)", "12"]],
  }),
  define({
    name: "FACTORIAL",
    parameters: ["integer"],
    result: INTEGER,
    evaluate: factorial,
    help: "The product of the numbers up to n, of 0 to 20.",
    examples: [
      ["FACTORIAL(5)", "120"],
      ["FACTORIAL(21)", "error"],
    ],
  }),
  define({
    name: "WIDTH_BUCKET",
    parameters: ["number", "number", "number", "integer"],
    result: INTEGER,
    evaluate: bucket,
    help: "WIDTH_BUCKET(x, low, high, n): which of n equal parts x is in, from 1; 0 and n + 1 outside.",
    examples: [["WIDTH_BUCKET(5, 0, 10, 4)", "3"]],
  }),
  bits("BIT_AND_OF", (a, b) => a & b, "Bits that both numbers have.", "BIT_AND_OF(12, 10)", "8"),
  bits("BIT_OR_OF", (a, b) => a | b, "Bits that one of the numbers has.", "BIT_OR_OF(12, 10)", "14"),
  bits("XOR", (a, b) => a ^ b, "Bits that just one of the numbers has.", "XOR(12, 10)", "6"),
  bits(
    "BIT_SHIFT_LEFT",
    (a, b) => a << b,
    "Bits moved up; what leaves 64 bits is lost.",
    "BIT_SHIFT_LEFT(1, 4)",
    "16",
  ),
  bits(
    "BIT_SHIFT_RIGHT",
    (a, b) => a >> b,
    "Bits moved down; the sign stays.",
    "BIT_SHIFT_RIGHT(16, 2)",
    "4",
  ),
];
