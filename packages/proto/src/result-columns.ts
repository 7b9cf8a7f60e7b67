import { assert, unreachable } from "./assert.js";
import type { ColumnData, RowBatch } from "./generated/hstream_ext.js";
import { codecLimits } from "./limits.js";
import { type Malformed, isMalformed, malformed } from "./malformed.js";
import { asBuffer, readUtf8, utf8Length, writeUtf8 } from "./utf8.js";

/**
 * The columns of a RowBatch. Numbers are packed little-endian, with a slot for NULL rows too:
 *
 *   nulls              bit i % 8 of byte i / 8 is set where row i is NULL; empty when none is
 *   float64, int64     8 bytes a row
 *   booleans           1 byte a row, 0 or 1
 *   text, json         offsets: rows + 1 times 4 bytes; bytes: UTF-8; row i is offset i up to offset i + 1
 */
export type Column =
  | { readonly kind: "float64"; readonly values: Float64Array; readonly nulls?: Uint8Array }
  /** As doubles, only safe integers; the slots of NULL rows may hold anything. */
  | { readonly kind: "int64"; readonly values: BigInt64Array | Float64Array; readonly nulls?: Uint8Array }
  /** 0 or 1 in each byte. */
  | { readonly kind: "boolean"; readonly values: Uint8Array; readonly nulls?: Uint8Array }
  | { readonly kind: "text"; readonly values: readonly (string | null)[] }
  /** `undefined` is SQL's NULL, `null` the JSON value of that name. */
  | { readonly kind: "json"; readonly values: readonly (JsonValue | undefined)[] }
  /** Text that is encoded already, of a `text` or a `json` column. */
  | {
      readonly kind: "encoded";
      readonly as: "text" | "json";
      readonly offsets: Uint32Array;
      readonly bytes: Uint8Array;
      readonly nulls?: Uint8Array;
    }
  | { readonly kind: "allNull" };

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** A value of a row. NULL is `null`; in a json column so is JSON's null, and `isNull` tells them apart. */
export type Cell = JsonValue | bigint;

/** A decoded column. Values are made when they are asked for, except those of json columns. */
export interface ColumnReader {
  readonly kind: "float64" | "int64" | "boolean" | "text" | "json" | "allNull";
  readonly rowCount: number;
  isNull(row: number): boolean;
  /** int64 gives a number while its size is at most 2^53, and a bigint beyond. */
  get(row: number): Cell;
  /** The cell as JSON text, of json columns as it was sent. NULL, and a number JSON lacks, is "null". */
  json(row: number): string;
}

export interface DecodedRows {
  readonly kind: "rows";
  readonly rowCount: number;
  readonly columns: readonly ColumnReader[];
  /** Of each row, whether it takes a row away instead of adding or replacing one. */
  isDelete(row: number): boolean;
}

assert(
  new Uint8Array(Uint16Array.of(1).buffer)[0] === 1,
  "columns are sent as they lie in memory, so the machine must be little-endian",
);

// --- encoding ---

/**
 * Encodes a column of `rowCount` rows. Numbers are not copied: they share the memory of the input. `allocate` gives
 * memory, at a multiple of 4 bytes, for what must be made anew.
 */
export function encodeColumn(
  column: Column,
  rowCount: number,
  allocate: (bytes: number) => Uint8Array = (bytes) => new Uint8Array(bytes),
): ColumnData {
  switch (column.kind) {
    case "float64":
      assertRows(column.values.length, rowCount);
      return data(column, rowCount, { $case: "float64", value: memoryOf(column.values) });
    case "int64": {
      const { values } = column;
      assertRows(values.length, rowCount);
      const value =
        values instanceof BigInt64Array ? memoryOf(values) : packIntegers(values, column.nulls, allocate);
      return data(column, rowCount, { $case: "int64", value });
    }
    case "boolean":
      assertRows(column.values.length, rowCount);
      return data(column, rowCount, { $case: "booleans", value: column.values });
    case "text": {
      assertRows(column.values.length, rowCount);
      const nulls = nullsWhere(column.values, (value) => value === null);
      return data({ nulls }, rowCount, { $case: "text", value: packTexts(column.values) });
    }
    case "json": {
      assertRows(column.values.length, rowCount);
      const nulls = nullsWhere(column.values, (value) => value === undefined);
      const texts = column.values.map((value) => (value === undefined ? null : JSON.stringify(value)));
      return data({ nulls }, rowCount, { $case: "json", value: packTexts(texts) });
    }
    case "encoded": {
      assertRows(column.offsets.length - 1, rowCount);
      const value = { offsets: memoryOf(column.offsets), bytes: column.bytes };
      return data(column, rowCount, { $case: column.as, value });
    }
    case "allNull":
      return { nulls: empty, values: { $case: "allNull", value: true } };
    default:
      return unreachable(column);
  }
}

const empty = new Uint8Array(0);

function data(
  column: { readonly nulls?: Uint8Array },
  rowCount: number,
  values: NonNullable<ColumnData["values"]>,
): ColumnData {
  const nulls = column.nulls ?? empty;
  assert(nulls.length === 0 || nulls.length === bitmapLength(rowCount), "a null bitmap has one bit a row");
  return { nulls, values };
}

function assertRows(actual: number, expected: number): void {
  assert(actual === expected, () => `a column has ${actual} rows in a batch of ${expected}`);
}

function memoryOf(array: Float64Array | BigInt64Array | Uint32Array): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Doubles to integers of 64 bits, without a bigint for each. */
function packIntegers(
  values: Float64Array,
  nulls: Uint8Array | undefined,
  allocate: (bytes: number) => Uint8Array,
): Uint8Array {
  const bytes = allocate(values.length * 8);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, 2 * values.length);
  for (let row = 0; row < values.length; row++) {
    let value = values[row] as number;
    if (!Number.isSafeInteger(value)) {
      assert(nulls !== undefined && bit(nulls, row), () => `${value} does not fit a column of safe integers`);
      value = 0;
    }
    // An element takes the lower 32 bits of what is assigned.
    words[2 * row] = value;
    words[2 * row + 1] = Math.floor(value / 0x1_0000_0000);
  }
  return bytes;
}

function nullsWhere<T>(values: readonly T[], isNull: (value: T) => boolean): Uint8Array {
  let nulls = empty;
  for (let row = 0; row < values.length; row++) {
    if (!isNull(values[row] as T)) continue;
    if (nulls.length === 0) nulls = new Uint8Array(bitmapLength(values.length));
    nulls[row >> 3] = (nulls[row >> 3] as number) | (1 << (row & 7));
  }
  return nulls;
}

function packTexts(texts: readonly (string | null)[]): { offsets: Uint8Array; bytes: Uint8Array } {
  const offsets = new Uint32Array(texts.length + 1);
  let length = 0;
  for (let row = 0; row < texts.length; row++) {
    length += utf8Length(texts[row] ?? "");
    offsets[row + 1] = length;
  }
  assert(length <= 0xffff_ffff, "the text of a column is shorter than 4 GiB");
  const bytes = Buffer.allocUnsafeSlow(length);
  for (let row = 0; row < texts.length; row++) {
    const start = offsets[row] as number;
    writeUtf8(bytes, start, texts[row] ?? "", (offsets[row + 1] as number) - start);
  }
  return { offsets: memoryOf(offsets), bytes };
}

// --- decoding ---

/**
 * Decodes a batch. Columns that it leaves out at its end, up to `columnCount`, are NULL. The offsets of
 * errors count within the field that is at fault.
 */
export function decodeRowBatch(batch: RowBatch, columnCount = batch.columns.length): DecodedRows | Malformed {
  const { rowCount, operations } = batch;
  if (rowCount > codecLimits.resultBatchRowsMax) return malformed(0, `a batch has ${rowCount} rows`);
  if (batch.columns.length > columnCount) return malformed(0, "a batch has more columns than were announced");
  if (operations.length !== 0 && operations.length !== rowCount) {
    return malformed(operations.length, "a batch has not one operation a row");
  }
  const unknown = operations.findIndex((operation) => operation > 1);
  if (unknown >= 0) return malformed(unknown, "a batch has an operation that does not exist");
  const columns: ColumnReader[] = [];
  for (const column of batch.columns) {
    const reader = decodeColumn(column, rowCount);
    if (isMalformed(reader)) return reader;
    columns.push(reader);
  }
  while (columns.length < columnCount) columns.push(allNull(rowCount));
  return { kind: "rows", rowCount, columns, isDelete: (row) => operations[row] === 1 };
}

/** The rows as arrays of cells, in the order of the columns. */
export function toRows(rows: DecodedRows): Cell[][] {
  return Array.from({ length: rows.rowCount }, (_, row) => rows.columns.map((column) => column.get(row)));
}

/** Checks lengths, offsets and JSON, so that the reader cannot fail for any row from 0 to `rowCount` - 1. */
export function decodeColumn(column: ColumnData, rowCount: number): ColumnReader | Malformed {
  const { nulls, values } = column;
  if (nulls.length !== 0 && nulls.length !== bitmapLength(rowCount)) {
    return malformed(nulls.length, "a null bitmap has not one bit a row");
  }
  const isNull = nulls.length === 0 ? () => false : (row: number) => bit(nulls, row);
  switch (values?.$case) {
    case "float64": {
      const view = numbers(values.value, rowCount);
      if (view === undefined) return wrongLength(values.value, 8);
      return reader("float64", rowCount, isNull, (row) => view.getFloat64(row * 8, true));
    }
    case "int64": {
      const view = numbers(values.value, rowCount);
      if (view === undefined) return wrongLength(values.value, 8);
      return reader("int64", rowCount, isNull, (row) => integer(view, row * 8));
    }
    case "booleans": {
      const flags = values.value;
      if (flags.length !== rowCount) return wrongLength(flags, 1);
      return reader("boolean", rowCount, isNull, (row) => flags[row] !== 0);
    }
    case "text": {
      const text = decodeTexts(values.value, rowCount);
      return isMalformed(text) ? text : reader("text", rowCount, isNull, text.get);
    }
    case "json": {
      const text = decodeTexts(values.value, rowCount);
      return isMalformed(text) ? text : decodeJson(text, rowCount, isNull);
    }
    case "allNull":
      return allNull(rowCount);
    case undefined:
      return malformed(0, "a column has no values of a kind that is known here");
    default:
      return unreachable(values);
  }
}

function reader(
  kind: ColumnReader["kind"],
  rowCount: number,
  isNull: (row: number) => boolean,
  get: (row: number) => Cell,
): ColumnReader {
  const getOrNull = (row: number) => (isNull(row) ? null : get(row));
  return { kind, rowCount, isNull, get: getOrNull, json: (row) => jsonOf(getOrNull(row)) };
}

function jsonOf(cell: Cell): string {
  return typeof cell === "bigint" ? String(cell) : JSON.stringify(cell);
}

function allNull(rowCount: number): ColumnReader {
  return { kind: "allNull", rowCount, isNull: () => true, get: () => null, json: () => "null" };
}

function numbers(bytes: Uint8Array, rowCount: number): DataView | undefined {
  return bytes.length === rowCount * 8
    ? new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : undefined;
}

function wrongLength(bytes: Uint8Array, width: number): Malformed {
  return malformed(bytes.length, `a column has not ${width === 1 ? "one byte" : `${width} bytes`} a row`);
}

function integer(view: DataView, at: number): number | bigint {
  const low = view.getUint32(at, true);
  const high = view.getInt32(at + 4, true);
  const exact = (high >= -0x20_0000 && high < 0x20_0000) || (high === 0x20_0000 && low === 0);
  return exact ? high * 0x1_0000_0000 + low : view.getBigInt64(at, true);
}

interface Texts {
  readonly get: (row: number) => string;
}

function decodeTexts(
  texts: { readonly offsets: Uint8Array; readonly bytes: Uint8Array },
  rowCount: number,
): Texts | Malformed {
  const { offsets } = texts;
  if (offsets.length !== (rowCount + 1) * 4)
    return malformed(offsets.length, "a text column has not one offset a row");
  const bytes = asBuffer(texts.bytes);
  const view = new DataView(offsets.buffer, offsets.byteOffset, offsets.byteLength);
  let last = 0;
  for (let at = 0; at < offsets.length; at += 4) {
    const offset = view.getUint32(at, true);
    if (offset < last) return malformed(at, "the offsets of a text column go back");
    last = offset;
  }
  if (last > bytes.length)
    return malformed(offsets.length - 4, "a text reaches beyond the bytes of its column");
  return { get: (row) => readUtf8(bytes, view.getUint32(row * 4, true), view.getUint32(row * 4 + 4, true)) };
}

function decodeJson(
  texts: Texts,
  rowCount: number,
  isNull: (row: number) => boolean,
): ColumnReader | Malformed {
  const values: Cell[] = [];
  for (let row = 0; row < rowCount; row++) {
    if (isNull(row)) {
      values.push(null);
      continue;
    }
    try {
      values.push(JSON.parse(texts.get(row)));
    } catch {
      return malformed(row, `row ${row} of a json column is not JSON`);
    }
  }
  return {
    kind: "json",
    rowCount,
    isNull,
    get: (row) => values[row] ?? null,
    json: (row) => (isNull(row) ? "null" : texts.get(row)),
  };
}

function bitmapLength(rowCount: number): number {
  return (rowCount + 7) >> 3;
}

function bit(bitmap: Uint8Array, row: number): boolean {
  return ((bitmap[row >> 3] as number) & (1 << (row & 7))) !== 0;
}
