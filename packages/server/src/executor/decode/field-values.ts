import { WireCursor } from "@hstream/proto";
import type { SqlValue } from "@hstream/sql/runtime";
import type { Column } from "../columns.js";
import { ColumnBuilder } from "./column-builder.js";
import { longLength } from "./entry-walk.js";
import { readStoredValue } from "./stored-value.js";

const numberTag = 0x11;
const textTag = 0x1a;
const boolTag = 0x20;

/**
 * Columns of fields, filled record by record: a builder for each slot, and which of them the record that is
 * being read has a value for.
 */
export class FieldValues {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #capacity: number;
  readonly #builders: ColumnBuilder[] = [];
  /** Of each slot, the record (by `#serial`) that last had a value for it. */
  readonly #seen: Int32Array;
  #serial = 0;
  #row = 0;

  /** At most `capacity` rows and `slotsMax` slots. */
  constructor(bytes: Buffer, capacity: number, slotsMax: number) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#capacity = capacity;
    this.#seen = new Int32Array(slotsMax);
  }

  get rowCount(): number {
    return this.#row;
  }

  /** One more slot, NULL in the rows so far. */
  addSlot(): void {
    const builder = new ColumnBuilder(this.#bytes, this.#capacity);
    for (let row = 0; row < this.#row; row++) builder.addNull(row);
    this.#builders.push(builder);
  }

  /** Whatever was read of the current row counts no more. */
  beginRow(): void {
    this.#serial += 1;
  }

  /** Keeps the current row; without this it is overwritten by the next. */
  commit(): void {
    for (let slot = 0; slot < this.#builders.length; slot++) {
      if (this.#seen[slot] !== this.#serial) (this.#builders[slot] as ColumnBuilder).addNull(this.#row);
    }
    this.#row += 1;
  }

  /** Reads the Value at [start, start + length); false when it is malformed. Small, to be a part of its callers. */
  read(slot: number, start: number, length: number): boolean {
    const builder = this.#builders[slot] as ColumnBuilder;
    const tag = this.#bytes[start];
    if (tag === numberTag && length === 9) {
      // SQL has neither NaN nor infinities; adding 0 takes the sign of a negative zero.
      const value = this.#view.getFloat64(start + 1, true) + 0;
      if (!(value - value === 0)) return this.#forget(slot);
      if (builder.kind === "float64") builder.numbers[this.#row] = value;
      else builder.addNumber(this.#row, value);
    } else if (tag === textTag && length >= 2 && this.#bytes[start + 1] === length - 2) {
      builder.addText(this.#row, start + 2, start + length);
    } else return this.#readOther(slot, start, length);
    this.#seen[slot] = this.#serial;
    return true;
  }

  put(slot: number, value: SqlValue): void {
    const builder = this.#builders[slot] as ColumnBuilder;
    if (value === null) return void this.#forget(slot);
    if (typeof value === "number") builder.addNumber(this.#row, value);
    else if (typeof value === "boolean") builder.addBoolean(this.#row, value);
    else builder.addValue(this.#row, value);
    this.#seen[slot] = this.#serial;
  }

  /** Of the rows that were kept. The builders are used up. */
  columns(): Column[] {
    return this.#builders.map((builder) => builder.finish(this.#row));
  }

  /** The field has no value, whatever was read of it in this row before. */
  #forget(slot: number): true {
    this.#seen[slot] = 0;
    return true;
  }

  #readOther(slot: number, start: number, length: number): boolean {
    const builder = this.#builders[slot] as ColumnBuilder;
    const low = this.#bytes[start + 1] as number;
    if (this.#bytes[start] === boolTag && length === 2 && low <= 1) builder.addBoolean(this.#row, low === 1);
    else if (this.#isLongText(start, length)) builder.addText(this.#row, start + 3, start + length);
    else return this.#readSlowly(slot, start, length);
    this.#seen[slot] = this.#serial;
    return true;
  }

  #isLongText(start: number, length: number): boolean {
    if (this.#bytes[start] !== textTag || length <= 3) return false;
    const low = this.#bytes[start + 1] as number;
    return low > 0x7f && longLength(low, this.#bytes[start + 2] as number) === length - 3;
  }

  #readSlowly(slot: number, start: number, length: number): boolean {
    const cursor = new WireCursor(this.#bytes, start, start + length);
    const value = readStoredValue(cursor, this.#bytes, 1);
    if (cursor.failure !== null) return false;
    this.put(slot, value);
    return true;
  }
}
