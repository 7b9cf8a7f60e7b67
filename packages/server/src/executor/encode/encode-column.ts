import { type Column as WireColumn, utf8Length, writeUtf8 } from "@hstream/proto";
import { isInteger, type SqlType, type SqlValue, toStoredJson } from "@hstream/sql/runtime";
import { copySpan, viewOf } from "../copy-span.js";
import {
  type Column,
  type DecimalColumn,
  type TextColumn,
  type TimestampColumn,
  valueAt,
} from "../columns.js";
import { Scratch } from "./scratch.js";

/**
 * Chooses how a column travels: INTEGER as int64, numbers, booleans and texts packed, all else (also a
 * column of mixed types) as JSON with `$` wrappers. A dynamic column of one kind of value travels as
 * that kind. What is made lies in `scratch`, until that is reset.
 */
export function wireColumn(
  column: Column,
  rowCount: number,
  type: SqlType,
  scratch = new Scratch(),
): WireColumn {
  switch (column.kind) {
    case "float64":
      if (type.kind === "string") return wireJson(column, rowCount);
      return type.kind === "integer" && isIntegers(column.values, column.nulls)
        ? withNulls({ kind: "int64", values: column.values }, column.nulls)
        : withNulls({ kind: "float64", values: column.values }, column.nulls);
    case "boolean":
      return withNulls({ kind: "boolean", values: column.values }, column.nulls);
    case "text":
      return wireText(column, rowCount, scratch);
    case "any":
      return wireAny(column.values, column, rowCount, type);
    case "timestamp":
      return wireTimestamps(column, rowCount, scratch);
    case "decimal":
      return wireDecimals(column, rowCount, scratch);
    case "textList":
    case "record":
      return wireJson(column, rowCount);
  }
}

function isIntegers(values: Float64Array, nulls: Uint8Array | undefined): boolean {
  for (let row = 0; row < values.length; row++) {
    if (!Number.isSafeInteger(values[row]) && nulls?.[row] !== 1) return false;
  }
  return true;
}

function wireAny(values: readonly SqlValue[], column: Column, rowCount: number, type: SqlType): WireColumn {
  let present = 0;
  let texts = 0;
  for (const value of values) {
    if (value === null) continue;
    present += 1;
    if (typeof value === "string") texts += 1;
  }
  if (present === 0) return { kind: "allNull" };
  if (texts === present) return { kind: "text", values: values as readonly (string | null)[] };
  if (type.kind === "integer" && values.every((value) => value === null || isInteger(value))) {
    const integers = BigInt64Array.from(values, (value) => (isInteger(value) ? BigInt(value) : 0n));
    const nulls = Uint8Array.from(values, (value) => (value === null ? 1 : 0));
    return withNulls({ kind: "int64", values: integers }, present === rowCount ? undefined : nulls);
  }
  return wireJson(column, rowCount);
}

function wireText(column: TextColumn, rowCount: number, scratch: Scratch): WireColumn {
  const { starts, ends, nulls } = column;
  const offsets = scratch.offsets(rowCount + 1);
  let length = 0;
  offsets[0] = 0;
  for (let row = 0; row < rowCount; row++) {
    if (nulls?.[row] !== 1) length += (ends[row] as number) - (starts[row] as number);
    offsets[row + 1] = length;
  }
  const bytes = scratch.bytes(length);
  const [from, to] = [viewOf(column.bytes), viewOf(bytes)];
  let at = 0;
  for (let row = 0; row < rowCount; row++) {
    if (nulls?.[row] !== 1) at = copySpan(from, starts[row] as number, ends[row] as number, to, at);
  }
  return withNulls({ kind: "encoded", as: "text", offsets, bytes }, nulls);
}

/** As wireJson, with the text of each second made once. */
function wireTimestamps({ values, nulls }: TimestampColumn, rowCount: number, scratch: Scratch): WireColumn {
  const offsets = scratch.offsets(rowCount + 1);
  offsets[0] = 0;
  const bytes = scratch.bytes(rowCount * timestampBytesMax);
  const view = viewOf(bytes);
  let at = 0;
  let second = Number.NaN;
  /** The JSON up to the fraction; where the last row's text stands. */
  let prefix = Buffer.alloc(0);
  let viewOfPrefix = viewOf(prefix);
  let last = Number.NaN;
  let lastAt = 0;
  for (let row = 0; row < rowCount; row++) {
    if (nulls?.[row] !== 1) {
      const ms = values[row] as number;
      if (ms === last) {
        const end = at;
        at = copySpan(view, lastAt, end, view, end);
        lastAt = end;
      } else {
        const start = Math.floor(ms / 1000);
        if (start !== second) {
          second = start;
          prefix = Buffer.from(
            toStoredJson({ kind: "timestamp", ms: start * 1000 }).slice(0, -timestampEnd.length),
          );
          viewOfPrefix = viewOf(prefix);
        }
        last = ms;
        lastAt = at;
        at = copySpan(viewOfPrefix, 0, prefix.length, view, at);
        const fraction = ms - start * 1000;
        if (fraction > 0) {
          bytes[at++] = 0x2e;
          bytes[at++] = 0x30 + Math.floor(fraction / 100);
          bytes[at++] = 0x30 + (Math.floor(fraction / 10) % 10);
          bytes[at++] = 0x30 + (fraction % 10);
        }
        for (let i = 0; i < timestampEnd.length; i++) bytes[at++] = timestampEnd.charCodeAt(i);
      }
    }
    offsets[row + 1] = at;
  }
  return withNulls({ kind: "encoded", as: "json", offsets, bytes: scratch.keep(bytes, at) }, nulls);
}

/** As wireJson: {"$numberDecimal":"1.5"}. */
function wireDecimals(
  { values, scale, nulls }: DecimalColumn,
  rowCount: number,
  scratch: Scratch,
): WireColumn {
  const offsets = scratch.offsets(rowCount + 1);
  offsets[0] = 0;
  // A digit for each power of ten, the point, the sign, a zero before the point.
  const digitsMax = Math.max(16, scale) + 3;
  const bytes = scratch.bytes(rowCount * (decimalBegin.length + digitsMax + decimalEnd.length));
  const digits = new Uint8Array(digitsMax);
  let at = 0;
  for (let row = 0; row < rowCount; row++) {
    if (nulls?.[row] !== 1) {
      let units = Math.abs(values[row] as number);
      let left = scale;
      // Zeros behind the last digit are not written.
      while (left > 0 && units % 10 === 0) {
        units /= 10;
        left -= 1;
      }
      let count = 0;
      do {
        if (count === left && left > 0) digits[count++] = 0x2e;
        const rest = Math.floor(units / 10);
        digits[count++] = 0x30 + (units - rest * 10);
        units = rest;
      } while (units > 0 || count <= left);
      for (let i = 0; i < decimalBegin.length; i++) bytes[at++] = decimalBegin[i] as number;
      if ((values[row] as number) < 0) bytes[at++] = 0x2d;
      while (count > 0) bytes[at++] = digits[--count] as number;
      for (let i = 0; i < decimalEnd.length; i++) bytes[at++] = decimalEnd[i] as number;
    }
    offsets[row + 1] = at;
  }
  return withNulls({ kind: "encoded", as: "json", offsets, bytes: scratch.keep(bytes, at) }, nulls);
}

const decimalBegin = Buffer.from('{"$numberDecimal":"');
const decimalEnd = Buffer.from('"}');

const timestampEnd = 'Z"}';
/** {"$timestamp":"+275760-09-13T00:00:00.000Z"} */
const timestampBytesMax = 48;

function wireJson(column: Column, rowCount: number): WireColumn {
  const texts: string[] = [];
  const nulls = new Uint8Array(rowCount);
  const offsets = new Uint32Array(rowCount + 1);
  let length = 0;
  for (let row = 0; row < rowCount; row++) {
    const value = valueAt(column, row);
    if (value === null) nulls[row] = 1;
    const text = value === null ? "" : toStoredJson(value);
    texts.push(text);
    length += utf8Length(text);
    offsets[row + 1] = length;
  }
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let row = 0; row < rowCount; row++) {
    const start = offsets[row] as number;
    writeUtf8(bytes, start, texts[row] as string, (offsets[row + 1] as number) - start);
  }
  return withNulls({ kind: "encoded", as: "json", offsets, bytes }, nulls);
}

/** A byte a row to a bit a row, when there are any. */
function withNulls(
  column: Extract<WireColumn, { readonly nulls?: Uint8Array }>,
  nulls: Uint8Array | undefined,
): WireColumn {
  if (nulls === undefined || !nulls.includes(1)) return column;
  const bits = new Uint8Array((nulls.length + 7) >> 3);
  for (let row = 0; row < nulls.length; row++) {
    if (nulls[row] === 1) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
  }
  return { ...column, nulls: bits };
}
