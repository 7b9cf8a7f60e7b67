import type { SqlDecimal, SqlValue } from "../types/sql-value.js";
import { decimalDigitsMax } from "../limits.js";

/** The numeric values: see SqlValue for which form stands for what. */
export type SqlNumber = number | bigint | SqlDecimal;

export const integerMax = 2n ** 63n - 1n;
export const integerMin = -(2n ** 63n);
const safeMax = 9_007_199_254_740_991n;

export function isDecimal(value: SqlValue): value is SqlDecimal {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "decimal";
}

export function isNumber(value: SqlValue): value is SqlNumber {
  return typeof value === "number" || typeof value === "bigint" || isDecimal(value);
}

/** Whether the value is an INTEGER: whole and, as a `number`, at most 2^53. */
export function isInteger(value: SqlValue): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value));
}

/** The one form of a 64-bit integer, or null beyond 64 bits. */
export function integer(value: bigint): number | bigint | null {
  if (value >= -safeMax && value <= safeMax) return Number(value);
  return value > integerMax || value < integerMin ? null : value;
}

/** The double, or null where there is none. -0 becomes 0, so that equal values have one form. */
export function float(value: number): number | null {
  return Number.isFinite(value) ? value + 0 : null;
}

/** The one form of a decimal: no zeros at the end. Null when it has too many digits. */
export function decimal(unscaled: bigint, scale: number): SqlDecimal | null {
  while (scale > 0 && unscaled % 10n === 0n) {
    unscaled /= 10n;
    scale -= 1;
  }
  if (scale > decimalDigitsMax || unscaled.toString().length > decimalDigitsMax) return null;
  return { kind: "decimal", unscaled, scale };
}

/** Parses 12, -1.50, 1e3 exactly; null when the text is no number or is too long. */
export function parseDecimal(text: string): SqlDecimal | null {
  const match = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?\s*$/.exec(text);
  if (match === null) return null;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return null;
  if (whole.length + fraction.length > decimalDigitsMax) return null;
  const unscaled = BigInt(`${sign === "-" ? "-" : ""}${whole}${fraction}`);
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > decimalDigitsMax) return null;
  return scale >= 0 ? decimal(unscaled, scale) : decimal(unscaled * 10n ** BigInt(-scale), 0);
}

/** Every finite double is a finite decimal: the exact one. */
export function exactDecimal(value: SqlNumber): { readonly unscaled: bigint; readonly scale: number } {
  if (typeof value === "bigint") return { unscaled: value, scale: 0 };
  if (typeof value !== "number") return value;
  if (Number.isSafeInteger(value)) return { unscaled: BigInt(value), scale: 0 };
  const bits = doubleBits(value);
  const exponentBits = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xf_ffff_ffff_ffffn;
  const mantissa = exponentBits === 0 ? fraction : fraction | 0x10_0000_0000_0000n;
  const signed = value < 0 ? -mantissa : mantissa;
  const exponent = (exponentBits === 0 ? 1 : exponentBits) - 1075;
  // m / 2^k = m * 5^k / 10^k
  return exponent >= 0
    ? { unscaled: signed << BigInt(exponent), scale: 0 }
    : { unscaled: signed * 5n ** BigInt(-exponent), scale: -exponent };
}

const bitsView = new DataView(new ArrayBuffer(8));

export function doubleBits(value: number): bigint {
  bitsView.setFloat64(0, value);
  return bitsView.getBigUint64(0);
}

export function doubleFromBits(bits: bigint): number {
  bitsView.setBigUint64(0, bits);
  return bitsView.getFloat64(0);
}

/** The nearest double. */
export function toFloat(value: SqlNumber): number {
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  return Number(decimalText(value));
}

/** The decimal of a number as it is printed: 0.1 is one tenth, not the double next to it. */
export function toDecimal(value: SqlNumber): SqlDecimal | null {
  if (typeof value === "bigint") return decimal(value, 0);
  if (typeof value === "number") return parseDecimal(String(value));
  return value;
}

export function decimalText(value: SqlDecimal): string {
  if (value.scale === 0) return value.unscaled.toString();
  const negative = value.unscaled < 0n;
  const digits = (negative ? -value.unscaled : value.unscaled).toString().padStart(value.scale + 1, "0");
  const cut = digits.length - value.scale;
  return `${negative ? "-" : ""}${digits.slice(0, cut)}.${digits.slice(cut)}`;
}

/** Exact order of numbers of any form. */
export function compareNumbers(a: SqlNumber, b: SqlNumber): number {
  if (typeof a === "object" || typeof b === "object") {
    const left = exactDecimal(a);
    const right = exactDecimal(b);
    const scale = Math.max(left.scale, right.scale);
    const x = left.unscaled * 10n ** BigInt(scale - left.scale);
    const y = right.unscaled * 10n ** BigInt(scale - right.scale);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  // JavaScript compares number with bigint exactly.
  return a < b ? -1 : a > b ? 1 : 0;
}

type Operation = "+" | "-" | "*";

function onBigints(operation: Operation, a: bigint, b: bigint): bigint {
  return operation === "+" ? a + b : operation === "-" ? a - b : a * b;
}

/** a + b, a - b, a * b. Null: out of range (INTEGER beyond 64 bits, FLOAT beyond the doubles). */
export function arithmetic(operation: Operation, a: SqlNumber, b: SqlNumber): SqlNumber | null {
  if (typeof a === "number" && typeof b === "number") {
    const result = operation === "+" ? a + b : operation === "-" ? a - b : a * b;
    if (Number.isSafeInteger(result)) return result + 0;
    if (!Number.isSafeInteger(a) || !Number.isSafeInteger(b)) return float(result);
    return integer(onBigints(operation, BigInt(a), BigInt(b)));
  }
  if (isInteger(a) && isInteger(b)) return integer(onBigints(operation, BigInt(a), BigInt(b)));
  if ((typeof a === "number" && !isInteger(a)) || (typeof b === "number" && !isInteger(b))) {
    const x = toFloat(a);
    const y = toFloat(b);
    return float(operation === "+" ? x + y : operation === "-" ? x - y : x * y);
  }
  const x = exactDecimal(a);
  const y = exactDecimal(b);
  if (operation === "*") return decimal(x.unscaled * y.unscaled, x.scale + y.scale);
  const scale = Math.max(x.scale, y.scale);
  const left = x.unscaled * 10n ** BigInt(scale - x.scale);
  const right = y.unscaled * 10n ** BigInt(scale - y.scale);
  return decimal(onBigints(operation, left, right), scale);
}
