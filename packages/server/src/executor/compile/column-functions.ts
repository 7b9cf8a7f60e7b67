import { evaluateFunction, groupSpan, OnePass, scalarFunction, type SqlValue } from "@hstream/sql/runtime";
import { must } from "@hstream/proto";
import { type Column, type TextColumn, type TextListColumn, type TimestampColumn } from "../columns.js";
import { TextBuilder } from "./text-builder.js";

/**
 * Functions of a text (or time) and literals that make a text, for a whole column at once, on its UTF-8: what is
 * cut out of a text stays where it is. They never fail; where one cannot say (undefined) the batch is done by
 * the function table, of which each gives the same values.
 */
export type ColumnFunction = (column: Column, rowCount: number) => TextColumn | TextListColumn | undefined;

type Maker = (literals: readonly SqlValue[]) => ColumnFunction | undefined;

interface Entry {
  /** The form of the column that the function is of, and which of the arguments it is. */
  readonly of: "text" | "timestamp";
  readonly argument: number;
  readonly result: "text" | "textList";
  /** From the other arguments, in their order. */
  readonly make: Maker;
}

/** A text function: NULL for NULL. */
function text(
  argument: number,
  make: (
    literals: readonly SqlValue[],
  ) => ((column: TextColumn, rowCount: number) => TextColumn | undefined) | undefined,
): Entry {
  return { of: "text", argument, result: "text", make: make as Maker };
}

export const columnFunctions: ReadonlyMap<string, Entry> = new Map<string, Entry>([
  [
    "TO_LOWER",
    text(0, () => (column, rowCount) => inCase(column, rowCount, 0x41, 0x20, (one) => one.toLowerCase())),
  ],
  [
    "TO_UPPER",
    text(0, () => (column, rowCount) => inCase(column, rowCount, 0x61, -0x20, (one) => one.toUpperCase())),
  ],
  ["REPLACE", text(0, replacing)],
  ["REGEXP_EXTRACT", text(0, extracting)],
  ["SPLIT", { of: "text", argument: 1, result: "textList", make: splitting as Maker }],
  ["STRFTIME", { of: "timestamp", argument: 0, result: "text", make: formatting as Maker }],
]);

/** ASCII letters from `first` on move by `distance`; other texts are left to JavaScript. */
function inCase(
  { bytes, starts, ends, nulls }: TextColumn,
  rowCount: number,
  first: number,
  distance: number,
  convert: (text: string) => string,
): TextColumn {
  const builder = new TextBuilder(rowCount, textBytes(starts, ends));
  const letters = new Uint8Array(256);
  for (let byte = 0; byte < letters.length; byte++) {
    letters[byte] = byte >= first && byte < first + 26 ? byte + distance : byte;
  }
  const scratch = new Uint8Array(longest(starts, ends));
  for (let row = 0; row < rowCount; row++) {
    if (nulls?.[row] === 1) {
      builder.addNull(row);
      continue;
    }
    const start = starts[row] as number;
    const length = (ends[row] as number) - start;
    let all = 0;
    for (let i = 0; i < length; i++) {
      const byte = bytes[start + i] as number;
      all |= byte;
      scratch[i] = letters[byte] as number;
    }
    if (all < 0x80) builder.add(row, scratch, 0, length);
    else builder.addText(row, convert(bytes.toString("utf8", start, start + length)));
  }
  return builder.finish();
}

function replacing([from, to]: readonly SqlValue[]) {
  if (typeof from !== "string" || typeof to !== "string" || from === "") return undefined;
  const wanted = Buffer.from(from);
  const by = Buffer.from(to);
  if (wanted.toString() !== from || by.toString() !== to) return undefined;
  // What could grow beyond what a text may be is left to the table.
  if (by.length > wanted.length) return undefined;
  return ({ bytes, starts, ends, nulls }: TextColumn, rowCount: number): TextColumn => {
    const builder = new TextBuilder(rowCount, textBytes(starts, ends));
    const scratch = new Uint8Array(longest(starts, ends));
    for (let row = 0; row < rowCount; row++) {
      if (nulls?.[row] === 1) builder.addNull(row);
      else {
        const length = replaced(bytes, starts[row] as number, ends[row] as number, wanted, by, scratch);
        builder.add(row, scratch, 0, length);
      }
    }
    return builder.finish();
  };
}

/** Writes bytes[start, end) with each `wanted` replaced to `into`; its length. */
function replaced(
  bytes: Uint8Array,
  start: number,
  end: number,
  wanted: Uint8Array,
  by: Uint8Array,
  into: Uint8Array,
): number {
  const first = wanted[0] as number;
  const wantedLength = wanted.length | 0;
  let length = 0;
  for (let at = start; at < end; at = (at + 1) | 0) {
    const byte = bytes[at] as number;
    if (byte === first && (wantedLength === 1 || beginsWith(bytes, at, end, wanted))) {
      for (let i = 0; i < by.length; i++) into[length++] = by[i] as number;
      at = (at + wantedLength - 1) | 0;
    } else {
      into[length] = byte;
      length = (length + 1) | 0;
    }
  }
  return length;
}

function beginsWith(bytes: Uint8Array, at: number, end: number, wanted: Uint8Array): boolean {
  if (end - at < wanted.length) return false;
  for (let i = 1; i < wanted.length; i++) if (bytes[at + i] !== wanted[i]) return false;
  return true;
}

function extracting([pattern, group = 0]: readonly SqlValue[]) {
  if (typeof pattern !== "string" || typeof group !== "number" || !Number.isInteger(group)) return undefined;
  const expression = OnePass.compile(pattern);
  if (expression === undefined || group < 0 || group > expression.groupCount) return undefined;
  return (column: TextColumn, rowCount: number): TextColumn | undefined => {
    const { bytes } = column;
    const starts = new Int32Array(rowCount);
    const ends = new Int32Array(rowCount);
    const nulls = new Uint8Array(rowCount);
    const { bounds } = expression;
    for (let row = 0; row < rowCount; row++) {
      nulls[row] = 1;
      if (column.nulls?.[row] === 1) continue;
      const start = column.starts[row] as number;
      const end = column.ends[row] as number;
      const found = expression.find(bytes, start, end);
      if (found === false) continue;
      let from = bounds[2 * group] as number;
      let to = bounds[2 * group + 1] as number;
      if (found === undefined) {
        const span = spanInBytes(pattern, group, column, row);
        if (span === undefined) return undefined;
        [from, to] = span;
      }
      if (from < 0 || to < 0) continue;
      nulls[row] = 0;
      starts[row] = from;
      ends[row] = to;
    }
    return { kind: "text", bytes, starts, ends, nulls: nulls.includes(1) ? nulls : undefined };
  };
}

/** By the general engine; undefined where the bytes are no UTF-8. */
function spanInBytes(
  pattern: string,
  group: number,
  column: TextColumn,
  row: number,
): readonly [number, number] | undefined {
  const start = column.starts[row] as number;
  const end = column.ends[row] as number;
  const whole = column.bytes.toString("utf8", start, end);
  if (Buffer.byteLength(whole) !== end - start) return undefined;
  const span = groupSpan(pattern, group, whole);
  if (span === null) return [-1, -1];
  const from = start + Buffer.byteLength(whole.slice(0, span[0]));
  return [from, from + Buffer.byteLength(whole.slice(...span))];
}

function splitting([delimiter]: readonly SqlValue[]) {
  if (typeof delimiter !== "string" || delimiter === "") return undefined;
  const wanted = Buffer.from(delimiter);
  if (wanted.toString() !== delimiter) return undefined;
  /** By the batch before. */
  let piecesExpected = 4;
  return ({ bytes, starts, ends, nulls }: TextColumn, rowCount: number): TextListColumn => {
    const pieces = new Pieces(Math.ceil(piecesExpected * rowCount) + 1);
    const listStarts = new Int32Array(rowCount);
    const listEnds = new Int32Array(rowCount);
    for (let row = 0; row < rowCount; row++) {
      listStarts[row] = pieces.count;
      if (nulls?.[row] !== 1) pieces.split(bytes, starts[row] as number, ends[row] as number, wanted);
      listEnds[row] = pieces.count;
    }
    if (rowCount > 0) piecesExpected = (pieces.count / rowCount) * 1.1;
    return { kind: "textList", items: pieces.column(bytes), starts: listStarts, ends: listEnds, nulls };
  };
}

/** Pieces of texts, one behind the other. */
class Pieces {
  count = 0;
  #starts: Int32Array<ArrayBuffer>;
  #ends: Int32Array<ArrayBuffer>;

  constructor(expected: number) {
    this.#starts = new Int32Array(expected);
    this.#ends = new Int32Array(expected);
  }

  /** Adds those of bytes[start, end) between the delimiters. */
  split(bytes: Uint8Array, start: number, end: number, delimiter: Uint8Array): void {
    const first = delimiter[0] as number;
    const length = delimiter.length | 0;
    let from = start;
    // `| 0`: numbers that the compiler knows to be small integers.
    for (let at = start; at < end; at = (at + 1) | 0) {
      if (bytes[at] !== first) continue;
      if (length > 1 && !beginsWith(bytes, at, end, delimiter)) continue;
      this.#add(from, at);
      at = (at + length - 1) | 0;
      from = (at + 1) | 0;
    }
    this.#add(from, end);
  }

  column(bytes: Buffer): TextColumn {
    const starts = this.#starts.subarray(0, this.count);
    return { kind: "text", bytes, starts, ends: this.#ends.subarray(0, this.count), nulls: undefined };
  }

  #add(start: number, end: number): void {
    if (this.count === this.#starts.length) {
      this.#starts = larger(this.#starts);
      this.#ends = larger(this.#ends);
    }
    this.#starts[this.count] = start;
    this.#ends[this.count] = end;
    this.count += 1;
  }
}

function larger(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const result = new Int32Array(2 * array.length);
  result.set(array);
  return result;
}

/** Of formats in which nothing finer than the minute shows, a text for each minute is made once. */
function formatting([format]: readonly SqlValue[]) {
  if (typeof format !== "string" || /%[SLTcs]/.test(format)) return undefined;
  const entry = must(scalarFunction("STRFTIME"), "STRFTIME is in the table");
  let isKnown = true;
  const context = {
    error: (): null => {
      isKnown = false;
      return null;
    },
    nowMs: 0,
  };
  evaluateFunction(entry, [{ kind: "timestamp", ms: 0 }, format], context);
  if (!isKnown) return undefined;
  return ({ values, nulls }: TimestampColumn, rowCount: number): TextColumn => {
    const builder = new TextBuilder(rowCount, 0);
    /** Minute → a row that is in it. */
    const known = new Map<number, number>();
    let minute = Number.NaN;
    let rowOf = 0;
    for (let row = 0; row < rowCount; row++) {
      if (nulls?.[row] === 1) {
        builder.addNull(row);
        continue;
      }
      const ms = values[row] as number;
      const minuteOfRow = Math.floor(ms / 60_000);
      if (minuteOfRow !== minute) {
        minute = minuteOfRow;
        rowOf = known.get(minute) ?? row;
        if (rowOf === row) {
          const made = evaluateFunction(entry, [{ kind: "timestamp", ms }, format], context);
          builder.addText(row, typeof made === "string" ? made : "");
          known.set(minute, row);
          continue;
        }
      }
      builder.repeat(row, rowOf);
    }
    return builder.finish();
  };
}

function textBytes(starts: Int32Array, ends: Int32Array): number {
  let length = 0;
  for (let row = 0; row < starts.length; row++) length += (ends[row] as number) - (starts[row] as number);
  return length;
}

function longest(starts: Int32Array, ends: Int32Array): number {
  let length = 0;
  for (let row = 0; row < starts.length; row++) {
    length = Math.max(length, (ends[row] as number) - (starts[row] as number));
  }
  return length;
}
