import type { ColumnData, TextValues } from "@hstream/proto";

/** A cell: INTEGER beyond 2^53 is a bigint; DYNAMIC, JSONB and arrays are parsed JSON. */
export type SqlCell =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly SqlCell[]
  | { readonly [field: string]: SqlCell };

/** The values of one column of a batch. */
export interface ColumnValues {
  /** How they are stored; "text" and "json" hold strings, "null" nothing. */
  readonly kind: "float64" | "int64" | "boolean" | "text" | "json" | "null";
  isNull(row: number): boolean;
  /** The cell as a JavaScript value. */
  value(row: number): SqlCell;
  /** The cell as text for people: a string without quotes, JSON as it is. NULL is "". */
  text(row: number): string;
  /** The cell as JSON text. */
  json(row: number): string;
}

const never = () => false;

/** The values of a column that a batch leaves out. */
export const nullColumn: ColumnValues = {
  kind: "null",
  isNull: () => true,
  value: () => null,
  text: () => "",
  json: () => "null",
};

/** Reads one column of `rows` rows without copying more than alignment asks for. */
export function readColumn(data: ColumnData, rows: number): ColumnValues {
  const { nulls, values } = data;
  const isNull =
    nulls.byteLength === 0 ? never : (row: number) => (((nulls[row >>> 3] ?? 0) >>> (row & 7)) & 1) === 1;
  switch (values?.$case) {
    case undefined:
    case "allNull":
      return nullColumn;
    case "float64":
      return float64Column(new Float64Array(aligned(values.value, rows * 8)), isNull);
    case "int64":
      return int64Column(new BigInt64Array(aligned(values.value, rows * 8)), isNull);
    case "booleans":
      return booleanColumn(values.value, isNull);
    case "text":
      return textColumn(readTexts(values.value, rows), isNull);
    case "json":
      return jsonColumn(readTexts(values.value, rows), isNull);
  }
}

type IsNull = (row: number) => boolean;

function float64Column(values: Float64Array, isNull: IsNull): ColumnValues {
  const value = (row: number) => (isNull(row) ? null : (values[row] ?? null));
  return {
    kind: "float64",
    isNull,
    value,
    text: (row) => (isNull(row) ? "" : String(values[row])),
    json: (row) => JSON.stringify(value(row)),
  };
}

function int64Column(values: BigInt64Array, isNull: IsNull): ColumnValues {
  const value = (row: number) => {
    const integer = isNull(row) ? undefined : values[row];
    if (integer === undefined) return null;
    const number = Number(integer);
    return Math.abs(number) <= 2 ** 53 && BigInt(number) === integer ? number : integer;
  };
  return {
    kind: "int64",
    isNull,
    value,
    text: (row) => (isNull(row) ? "" : String(values[row])),
    json: (row) => (isNull(row) ? "null" : String(values[row])),
  };
}

function booleanColumn(values: Uint8Array, isNull: IsNull): ColumnValues {
  const text = (row: number) => (values[row] === 1 ? "true" : "false");
  return {
    kind: "boolean",
    isNull,
    value: (row) => (isNull(row) ? null : values[row] === 1),
    text: (row) => (isNull(row) ? "" : text(row)),
    json: (row) => (isNull(row) ? "null" : text(row)),
  };
}

function textColumn(read: (row: number) => string, isNull: IsNull): ColumnValues {
  return {
    kind: "text",
    isNull,
    value: (row) => (isNull(row) ? null : read(row)),
    text: (row) => (isNull(row) ? "" : read(row)),
    json: (row) => (isNull(row) ? "null" : JSON.stringify(read(row))),
  };
}

function jsonColumn(read: (row: number) => string, isNull: IsNull): ColumnValues {
  return {
    kind: "json",
    isNull,
    value: (row) => (isNull(row) ? null : (JSON.parse(read(row)) as SqlCell)),
    text: (row) => {
      if (isNull(row)) return "";
      return readable(read(row));
    },
    json: (row) => (isNull(row) ? "null" : read(row)),
  };
}

/** A text without its quotes, a date or the like ({"$date":"2020-01-01"}) without its wrapper. */
function readable(json: string): string {
  if (json.startsWith('"')) return String(JSON.parse(json));
  const wrapped = wrapper.exec(json);
  return wrapped?.[1] === undefined ? json : String(JSON.parse(wrapped[1]));
}

const wrapper =
  /^\{"\$(?:date|time|timestamp|interval|numberLong|numberDouble|numberDecimal)":("(?:[^"\\]|\\.)*")\}$/;

/** Cells are cut from one decoded string where the text is ASCII, and decoded one by one elsewhere. */
function readTexts({ offsets, bytes }: TextValues, rows: number): (row: number) => string {
  const ends = new Uint32Array(aligned(offsets, (rows + 1) * 4));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const all = buffer.toString("utf8");
  if (all.length === bytes.byteLength) return (row) => all.slice(ends[row], ends[row + 1]);
  return (row) => buffer.toString("utf8", ends[row], ends[row + 1]);
}

/** A copy that starts where typed arrays may start. Throws RangeError when bytes are missing. */
function aligned(bytes: Uint8Array, length: number): ArrayBuffer {
  if (bytes.byteLength < length)
    throw new RangeError(`a column has ${bytes.byteLength} bytes, not ${length}`);
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(0, length));
  return copy.buffer;
}
