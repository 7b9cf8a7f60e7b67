import { assert, must, unreachable } from "@hstream/proto";
import {
  decimal,
  type SqlDecimal,
  type SqlObject,
  type SqlTimestamp,
  type SqlValue,
} from "@hstream/sql/runtime";

/**
 * The values of one column in a batch, in the cheapest form that holds them all. What a NULL row has in
 * `values` is undefined. `nulls` has a byte a row (a byte, not a bit: it is read once per row by every
 * expression, and written in any order), 1 where the row is NULL; absent when no row is.
 */
export type Column =
  | Float64Column
  | DecimalColumn
  | TimestampColumn
  | BooleanColumn
  | TextColumn
  | TextListColumn
  | AnyColumn
  | RecordColumn;

/** Numbers: whole ones up to 2^53 are INTEGERs unless the static type says FLOAT. Never NaN. */
export interface Float64Column {
  readonly kind: "float64";
  readonly values: Float64Array;
  readonly nulls: Uint8Array | undefined;
}

/** DECIMALs of up to 2^53 units of 10^-scale; that of a row may end in zeros. */
export interface DecimalColumn {
  readonly kind: "decimal";
  /** Whole numbers, all of them safe. */
  readonly values: Float64Array;
  readonly scale: number;
  readonly nulls: Uint8Array | undefined;
}

/** TIMESTAMPs: milliseconds since 1970-01-01T00:00Z. */
export interface TimestampColumn {
  readonly kind: "timestamp";
  readonly values: Float64Array;
  readonly nulls: Uint8Array | undefined;
}

/** One byte a row, 0 or 1. */
export interface BooleanColumn {
  readonly kind: "boolean";
  readonly values: Uint8Array;
  readonly nulls: Uint8Array | undefined;
}

/**
 * UTF-8, left where it was read from, until someone asks for the string. Positions are signed, so that the compiler
 * of loops over bytes can count in small integers: four times as fast. (No buffer has 2 GiB.)
 */
export interface TextColumn {
  readonly kind: "text";
  readonly bytes: Buffer;
  /** Row i is bytes[starts[i], ends[i]). */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly nulls: Uint8Array | undefined;
}

/** Arrays of texts, none of them NULL. */
export interface TextListColumn {
  readonly kind: "textList";
  /** The elements of all rows; of this column no row is NULL. */
  readonly items: TextColumn;
  /** Row i has items[starts[i], ends[i]). */
  readonly starts: Int32Array;
  readonly ends: Int32Array;
  readonly nulls: Uint8Array | undefined;
}

export interface AnyColumn {
  readonly kind: "any";
  readonly values: readonly SqlValue[];
}

/** Whole records, by field. None is NULL. */
export interface RecordColumn {
  readonly kind: "record";
  readonly fields: readonly string[];
  /** One for each field; NULL where a record does not have it. */
  readonly columns: readonly Column[];
  /** The fields that a record may have, in its order. */
  readonly shapes: readonly (readonly number[])[];
  /** Of each row, its shape. */
  readonly shapeOf: Int32Array;
}

/**
 * Changes of rows: row i is there `weights[i]` times more (or less, when negative) than before. Batches
 * are read-only once made, and live no longer than the step; an operator's state never refers to one,
 * because a text column refers to the memory of the step's input, which is used for another input after it.
 */
export interface ChangeBatch {
  readonly rowCount: number;
  readonly columns: readonly Column[];
  /** Absent: all +1. Never 0. */
  readonly weights: Int32Array | undefined;
  /**
   * Changes with the same number are one update of one row: its old state (−), directly followed by its
   * new state (+). Absent: each change stands for itself.
   */
  readonly updates: Int32Array | undefined;
  /** Neighbours with the same number came of one record: what they change is told once. Absent: each of its own. */
  readonly records?: Int32Array;
  /** Of each row the record that it came of, by a number of its own within the step. Absent: nobody asks. */
  readonly origins?: Int32Array;
}

const shortTextBytes = 12;

/** The text of a row that is not NULL. */
export function textAt(column: TextColumn, row: number): string {
  return textIn(column.bytes, column.starts[row] as number, column.ends[row] as number);
}

/** The text that is bytes[start, end). */
export function textIn(bytes: Buffer, start: number, end: number): string {
  if (end - start <= shortTextBytes) {
    // Cheaper than a call into the runtime.
    let text = "";
    for (let at = start; at < end; at++) {
      const byte = bytes[at] as number;
      if (byte > 0x7f) return bytes.toString("utf8", start, end);
      text += String.fromCharCode(byte);
    }
    return text;
  }
  return bytes.toString("utf8", start, end);
}

/** The value of a row. */
export function valueAt(column: Column, row: number): SqlValue {
  switch (column.kind) {
    case "any":
      return column.values[row] as SqlValue;
    case "float64":
      return column.nulls?.[row] === 1 ? null : (column.values[row] as number);
    case "decimal":
      return column.nulls?.[row] === 1 ? null : decimalOf(column.values[row] as number, column.scale);
    case "timestamp":
      return column.nulls?.[row] === 1 ? null : { kind: "timestamp", ms: column.values[row] as number };
    case "boolean":
      return column.nulls?.[row] === 1 ? null : column.values[row] === 1;
    case "text":
      return column.nulls?.[row] === 1 ? null : textAt(column, row);
    case "textList":
      return column.nulls?.[row] === 1 ? null : textsAt(column, row);
    case "record":
      return recordAt(column, row);
    default:
      return unreachable(column);
  }
}

/** The DECIMAL of so many units of 10^-scale, in its one form. */
export function decimalOf(units: number, scale: number): SqlDecimal {
  return must(decimal(BigInt(units), scale), "safe integers have few digits");
}

function textsAt({ items, starts, ends }: TextListColumn, row: number): string[] {
  const texts: string[] = [];
  for (let item = starts[row] as number; item < (ends[row] as number); item++)
    texts.push(textAt(items, item));
  return texts;
}

function recordAt(column: RecordColumn, row: number): SqlObject {
  const record = new Map<string, SqlValue>();
  for (const field of column.shapes[column.shapeOf[row] as number] as readonly number[]) {
    record.set(column.fields[field] as string, valueAt(column.columns[field] as Column, row));
  }
  return record;
}

export function isNull(column: Column, row: number): boolean {
  if (column.kind === "record") return false;
  return column.kind === "any" ? column.values[row] === null : column.nulls?.[row] === 1;
}

/** Whether the form of the column alone says that no row is NULL. */
export function neverNull(column: Column): boolean {
  return column.kind === "record" || (column.kind !== "any" && column.nulls === undefined);
}

/** All values of a row. */
export function rowAt(batch: ChangeBatch, row: number): SqlValue[] {
  const values: SqlValue[] = new Array<SqlValue>(batch.columns.length);
  for (let i = 0; i < values.length; i++) values[i] = valueAt(batch.columns[i] as Column, row);
  return values;
}

export function weightAt(batch: ChangeBatch, row: number): number {
  return batch.weights === undefined ? 1 : (batch.weights[row] as number);
}

/** A batch of single values, in the narrowest columns that hold them. `width`: number of columns. */
export function batchOfRows(
  rows: readonly (readonly SqlValue[])[],
  width: number,
  weights?: Int32Array,
  updates?: Int32Array,
): ChangeBatch {
  const columns: Column[] = [];
  for (let c = 0; c < width; c++) columns.push(columnOfValues(rows.map((row) => row[c] as SqlValue)));
  return { rowCount: rows.length, columns, weights, updates };
}

/** A column of values, in the narrowest form that holds them. Takes the array over. */
export function columnOfValues(values: readonly SqlValue[]): Column {
  let numbers = 0;
  let booleans = 0;
  let timestamps = 0;
  let nulls = 0;
  for (const value of values) {
    if (value === null) nulls += 1;
    else if (typeof value === "number") numbers += 1;
    else if (typeof value === "boolean") booleans += 1;
    else if (isTimestamp(value)) timestamps += 1;
    else return { kind: "any", values };
  }
  const most = Math.max(numbers, booleans, timestamps);
  if (most + nulls !== values.length) return { kind: "any", values };
  const mask = nulls === 0 ? undefined : Uint8Array.from(values, (value) => (value === null ? 1 : 0));
  if (timestamps > 0) {
    const times = Float64Array.from(values, (value) => (isTimestamp(value) ? value.ms : 0));
    return { kind: "timestamp", values: times, nulls: mask };
  }
  if (booleans > 0) {
    return {
      kind: "boolean",
      values: Uint8Array.from(values, (value) => (value === true ? 1 : 0)),
      nulls: mask,
    };
  }
  const float64 = new Float64Array(values.length);
  for (let i = 0; i < values.length; i++) float64[i] = (values[i] ?? 0) as number;
  return { kind: "float64", values: float64, nulls: mask };
}

export function isTimestamp(value: SqlValue): value is SqlTimestamp {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "timestamp";
}

/** The rows of `batch` that `selected` (ascending or not, `count` of them) names, in that order. */
export function selectRows(batch: ChangeBatch, selected: Int32Array, count: number): ChangeBatch {
  assert(count <= selected.length, "a selection is not longer than its array");
  return {
    rowCount: count,
    columns: batch.columns.map((column) => selectColumn(column, selected, count)),
    weights: selectInt32(batch.weights, selected, count),
    updates: selectInt32(batch.updates, selected, count),
    ...originsOf(selectInt32(batch.origins, selected, count)),
  };
}

/** What a batch has of them. */
export function originsOf(origins: Int32Array | undefined): Pick<ChangeBatch, "origins"> {
  return origins === undefined ? {} : { origins };
}

/** Rows `from` to `to` (exclusive), without copying numbers. */
export function sliceRows(batch: ChangeBatch, from: number, to: number): ChangeBatch {
  if (from === 0 && to === batch.rowCount) return batch;
  return {
    rowCount: to - from,
    columns: batch.columns.map((column) => sliceColumn(column, from, to)),
    weights: batch.weights?.subarray(from, to),
    updates: batch.updates?.subarray(from, to),
    ...originsOf(batch.origins?.subarray(from, to)),
  };
}

function selectColumn(column: Column, selected: Int32Array, count: number): Column {
  switch (column.kind) {
    case "float64":
    case "decimal":
    case "timestamp": {
      const values = new Float64Array(count);
      const from = column.values;
      for (let i = 0; i < count; i++) values[i] = from[selected[i] as number] as number;
      return { ...column, values, nulls: selectBytes(column.nulls, selected, count) };
    }
    case "boolean":
      return {
        kind: "boolean",
        values: must(selectBytes(column.values, selected, count), "a column has values"),
        nulls: selectBytes(column.nulls, selected, count),
      };
    case "text":
    case "textList": {
      const starts = new Int32Array(count);
      const ends = new Int32Array(count);
      for (let i = 0; i < count; i++) {
        const row = selected[i] as number;
        starts[i] = column.starts[row] as number;
        ends[i] = column.ends[row] as number;
      }
      return { ...column, starts, ends, nulls: selectBytes(column.nulls, selected, count) };
    }
    case "any": {
      const values: SqlValue[] = new Array<SqlValue>(count);
      for (let i = 0; i < count; i++) values[i] = column.values[selected[i] as number] as SqlValue;
      return { kind: "any", values };
    }
    case "record": {
      const shapeOf = selectInt32(column.shapeOf, selected, count) ?? column.shapeOf;
      return { ...column, columns: column.columns.map((one) => selectColumn(one, selected, count)), shapeOf };
    }
    default:
      return unreachable(column);
  }
}

/** The rows that `selected` names; NULL where it has -1. */
export function selectColumnOrNull(column: Column, selected: Int32Array, count: number): Column {
  let none = 0;
  for (let i = 0; i < count; i++) if ((selected[i] as number) < 0) none += 1;
  if (none === 0) return selectColumn(column, selected, count);
  if (column.kind === "any" || column.kind === "record") {
    const values: SqlValue[] = new Array<SqlValue>(count);
    for (let i = 0; i < count; i++) {
      const row = selected[i] as number;
      values[i] = row < 0 ? null : valueAt(column, row);
    }
    return { kind: "any", values };
  }
  const rows = new Int32Array(count);
  const nulls = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const row = selected[i] as number;
    rows[i] = Math.max(0, row);
    nulls[i] = row < 0 ? 1 : (column.nulls?.[row] ?? 0);
  }
  const chosen = selectColumn(column, rows, count);
  return chosen.kind === "any" || chosen.kind === "record" ? chosen : { ...chosen, nulls };
}

function sliceColumn(column: Column, from: number, to: number): Column {
  switch (column.kind) {
    case "float64":
    case "decimal":
    case "timestamp":
      return { ...column, values: column.values.subarray(from, to), nulls: column.nulls?.subarray(from, to) };
    case "boolean":
      return { ...column, values: column.values.subarray(from, to), nulls: column.nulls?.subarray(from, to) };
    case "text":
    case "textList":
      return {
        ...column,
        starts: column.starts.subarray(from, to),
        ends: column.ends.subarray(from, to),
        nulls: column.nulls?.subarray(from, to),
      };
    case "any":
      return { kind: "any", values: column.values.slice(from, to) };
    case "record": {
      const columns = column.columns.map((one) => sliceColumn(one, from, to));
      return { ...column, columns, shapeOf: column.shapeOf.subarray(from, to) };
    }
    default:
      return unreachable(column);
  }
}

function selectBytes(
  bytes: Uint8Array | undefined,
  selected: Int32Array,
  count: number,
): Uint8Array | undefined {
  if (bytes === undefined) return undefined;
  const result = new Uint8Array(count);
  for (let i = 0; i < count; i++) result[i] = bytes[selected[i] as number] as number;
  return result;
}

export function selectInt32(
  numbers: Int32Array | undefined,
  selected: Int32Array,
  count: number,
): Int32Array | undefined {
  if (numbers === undefined) return undefined;
  const result = new Int32Array(count);
  for (let i = 0; i < count; i++) result[i] = numbers[selected[i] as number] as number;
  return result;
}
