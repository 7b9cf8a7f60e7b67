import { assert } from "./assert.js";
import type { ColumnData, ColumnDef, RowBatch, TextValues } from "./generated/hstream_ext.js";
import { utf8Length, writeUtf8 } from "./utf8.js";
import { varintLength, writeVarint } from "./varint.js";

/**
 * RowBatch, the answer's rows, into one buffer of just its length (the generated code grows one, and copies what it
 * has at each level):
 *
 *   batch  := [ 08 rowCount ] { 12 length def }* { 1a length column }* [ 22 length operations ]
 *   def    := [ 0a length name ] [ 12 length type ]
 *   column := [ 0a length nulls ] ( 12 length float64 | 1a length int64 | 22 length booleans
 *             | 2a length text | 32 length json | 38 allNull )
 *   text   := [ 0a length offsets ] [ 12 length bytes ]
 */
export function encodeRowBatch(batch: RowBatch): Uint8Array {
  const { rowCount, addedColumns, columns, operations } = batch;
  let length = (rowCount === 0 ? 0 : 1 + varintLength(rowCount)) + optionalLength(operations.length);
  for (const def of addedColumns) length += delimitedLength(defLength(def));
  for (const column of columns) length += delimitedLength(columnLength(column));
  // Not from Node's pool: it is handed over to another thread.
  const target = Buffer.allocUnsafeSlow(length);
  let at = 0;
  if (rowCount !== 0) {
    target[at++] = 0x08;
    at = writeVarint(target, at, rowCount);
  }
  for (const def of addedColumns) at = writeDef(target, at, def);
  for (const column of columns) at = writeColumn(target, at, column);
  at = writeOptional(target, at, 0x22, operations);
  assert(at === length, "a batch of rows is as long as was reckoned");
  return target;
}

const caseTags = { float64: 0x12, int64: 0x1a, booleans: 0x22, text: 0x2a, json: 0x32 } as const;

/** Of a value with its length and a tag of one byte. */
function delimitedLength(length: number): number {
  return 1 + varintLength(length) + length;
}

/** Likewise; what is empty is left out. */
function optionalLength(length: number): number {
  return length === 0 ? 0 : delimitedLength(length);
}

function defLength({ name, type }: ColumnDef): number {
  return optionalLength(utf8Length(name)) + optionalLength(utf8Length(type));
}

function columnLength({ nulls, values }: ColumnData): number {
  const before = optionalLength(nulls.length);
  if (values === undefined) return before;
  if (values.$case === "allNull") return before + 2;
  const { value } = values;
  return before + delimitedLength(value instanceof Uint8Array ? value.length : textLength(value));
}

function textLength({ offsets, bytes }: TextValues): number {
  return optionalLength(offsets.length) + optionalLength(bytes.length);
}

function writeLength(target: Buffer, offset: number, tag: number, length: number): number {
  target[offset] = tag;
  return writeVarint(target, offset + 1, length);
}

function writeOptional(target: Buffer, offset: number, tag: number, bytes: Uint8Array): number {
  return bytes.length === 0 ? offset : writeBytes(target, offset, tag, bytes);
}

function writeBytes(target: Buffer, offset: number, tag: number, bytes: Uint8Array): number {
  const at = writeLength(target, offset, tag, bytes.length);
  target.set(bytes, at);
  return at + bytes.length;
}

function writeText(target: Buffer, offset: number, tag: number, text: string): number {
  const length = utf8Length(text);
  return length === 0 ? offset : writeUtf8(target, writeLength(target, offset, tag, length), text, length);
}

function writeDef(target: Buffer, offset: number, def: ColumnDef): number {
  const at = writeLength(target, offset, 0x12, defLength(def));
  return writeText(target, writeText(target, at, 0x0a, def.name), 0x12, def.type);
}

function writeColumn(target: Buffer, offset: number, column: ColumnData): number {
  let at = writeLength(target, offset, 0x1a, columnLength(column));
  at = writeOptional(target, at, 0x0a, column.nulls);
  const { values } = column;
  if (values === undefined) return at;
  if (values.$case === "allNull") {
    target[at++] = 0x38;
    target[at++] = values.value ? 1 : 0;
    return at;
  }
  const { value } = values;
  const tag = caseTags[values.$case];
  if (value instanceof Uint8Array) return writeBytes(target, at, tag, value);
  at = writeLength(target, at, tag, textLength(value));
  at = writeOptional(target, at, 0x0a, value.offsets);
  return writeOptional(target, at, 0x12, value.bytes);
}
