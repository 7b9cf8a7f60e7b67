import type { SqlTypeKind } from "../types/sql-type.js";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
import { dayMs, intervalMs } from "./calendar.js";
import { compareNumbers, isNumber } from "./numbers.js";
import { isArray, isObject, valueKind } from "./value-kind.js";

/** Order of the types among each other; numbers of all forms rank as one, NULL is greatest. */
export const typeRank: Readonly<Record<Exclude<SqlTypeKind, "dynamic">, number>> = {
  jsonb: 1,
  array: 2,
  string: 3,
  bytea: 4,
  date: 5,
  time: 6,
  timestamp: 7,
  interval: 8,
  integer: 9,
  float: 9,
  decimal: 9,
  boolean: 10,
  null: 11,
};

/** By code point, which is also the order of UTF-8 bytes. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    let x = a.charCodeAt(i);
    let y = b.charCodeAt(i);
    if (x === y) continue;
    // Surrogates stand for code points above all others: lift them over U+E000–U+FFFF.
    if (x >= 0xd800 && y >= 0xd800) {
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
    }
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Fields by name: the order of a record's fields is no part of its value. */
export function sortedFields(value: SqlObject): (readonly [string, SqlValue])[] {
  return [...value].sort((a, b) => compareText(a[0], b[0]));
}

/**
 * The total order that sorts and that row keys keep: by type rank, then by value; arrays and objects
 * element by element; NULL equals NULL. Intervals of equal length but other months are told apart.
 */
export function compareTotal(a: SqlValue, b: SqlValue): number {
  if (a === b) return 0;
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : 1;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  const rank = typeRank[valueKind(a)] - typeRank[valueKind(b)];
  if (rank !== 0) return rank;
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (isArray(a) && isArray(b)) {
    const length = Math.min(a.length, b.length);
    for (let i = 0; i < length; i++) {
      const order = compareTotal(a[i] ?? null, b[i] ?? null);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  if (isObject(a) && isObject(b)) return compareObjects(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return compareBytes(a, b);
  return compareMoments(a, b);
}

function compareObjects(a: SqlObject, b: SqlObject): number {
  const left = sortedFields(a);
  const right = sortedFields(b);
  for (const [i, [name, value]] of left.entries()) {
    const other = right[i];
    if (other === undefined) return 1;
    const order = compareText(name, other[0]) || compareTotal(value, other[1]);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareMoments(a: SqlValue, b: SqlValue): number {
  if (a === null || b === null || typeof a !== "object" || typeof b !== "object") return 0;
  if (!("kind" in a) || !("kind" in b)) return 0;
  if (a.kind === "date" && b.kind === "date") return a.days - b.days;
  if (a.kind === "time" && b.kind === "time") return a.ms - b.ms;
  if (a.kind === "timestamp" && b.kind === "timestamp") return a.ms - b.ms;
  if (a.kind === "interval" && b.kind === "interval") {
    return intervalMs(a) - intervalMs(b) || a.months - b.months;
  }
  return 0;
}

/**
 * SQL's `=`: null when an operand is NULL. Values of different types are unequal (numbers of all forms
 * are one type). NULLs inside arrays and objects equal each other.
 */
export function equalSql(a: SqlValue, b: SqlValue): boolean | null {
  if (a === null || b === null) return null;
  if (typeof a === typeof b && typeof a !== "object") return a === b;
  const order = compareSql(a, b);
  return order === undefined ? false : order === 0;
}

/**
 * SQL's `<`, `=`, `>`: null when an operand is NULL, undefined when the types cannot be ordered with
 * each other. A DATE beside a TIMESTAMP is its midnight.
 */
export function compareSql(a: SqlValue, b: SqlValue): number | null | undefined {
  if (a === null || b === null) return null;
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  if (isNumber(a) && isNumber(b)) return compareNumbers(a, b);
  const left = valueKind(a);
  const right = valueKind(b);
  if (left === right) return compareTotal(a, b);
  if (left === "date" && right === "timestamp") return midnight(a) - midnight(b);
  if (left === "timestamp" && right === "date") return midnight(a) - midnight(b);
  return undefined;
}

function midnight(value: SqlValue): number {
  if (value === null || typeof value !== "object" || !("kind" in value)) return 0;
  if (value.kind === "date") return value.days * dayMs;
  return value.kind === "timestamp" ? value.ms : 0;
}
