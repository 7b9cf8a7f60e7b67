import { WireCursor } from "@hstream/proto";
import type { SqlObject, SqlValue } from "@hstream/sql/runtime";
import { type Column, type RecordColumn, valueAt } from "../columns.js";
import { ColumnBuilder } from "./column-builder.js";
import { readStoredObject, readStoredValue } from "./stored-value.js";

const entryTag = 0x0a;
const keyTag = 0x0a;
const valueFieldTag = 0x12;
const numberTag = 0x11;
const textTag = 0x1a;
const boolTag = 0x20;

/** Different fields of which columns are made; records with more between them become objects. */
const fieldsMax = 128;

/**
 * Whole records, as columns of their fields. A record mostly has the fields of the one before it in the same
 * order, so each key is first compared with the bytes of the key that stood there. Of each record it is kept
 * which fields it has, in which order (its shape).
 */
export class RecordColumns {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #capacity: number;
  readonly #names: string[] = [];
  readonly #keys: Buffer[] = [];
  readonly #slots = new Map<string, number>();
  readonly #builders: ColumnBuilder[] = [];
  /** Of each slot, the record (by `#serial`) that last had a value, or the field at all. */
  #valueIn = new Int32Array(fieldsMax);
  #fieldIn = new Int32Array(fieldsMax);
  #serial = 0;
  readonly #shapes: (readonly number[])[] = [];
  readonly #shapeNumbers = new Map<string, number>();
  readonly #shapeOf: Int32Array;
  /** The last record's shape, and the fields of the record that is being read. */
  #lastShape = 0;
  #last: readonly number[] = [];
  #current: number[] = [];
  /** Once there were too many fields. */
  #objects: SqlObject[] | undefined;
  #object: SqlObject | undefined;
  #row = 0;

  /** Fields of these names are left out. */
  readonly #without: ReadonlySet<string>;

  constructor(bytes: Buffer, view: DataView, capacity: number, without: readonly string[] = []) {
    this.#without = new Set(without);
    this.#bytes = bytes;
    this.#view = view;
    this.#capacity = capacity;
    this.#shapeOf = new Int32Array(capacity);
  }

  /** Reads the Struct at [start, end) as the next record; false when it is malformed. */
  read(start: number, end: number): boolean {
    this.#serial += 1;
    this.#current = [];
    if (this.#objects === undefined && this.#readFast(start, end)) return true;
    // The general reader is the definition of what is right; what the fast one has left is overwritten.
    const cursor = new WireCursor(this.#bytes, start, end);
    const object = readStoredObject(cursor, this.#bytes);
    if (cursor.failure !== null) return false;
    this.#serial += 1;
    this.#current = [];
    this.#take(object);
    return true;
  }

  /** Keeps the record that was read; without this the next takes its place. */
  commit(): void {
    if (this.#objects !== undefined) {
      if (this.#object !== undefined) this.#objects.push(this.#object);
      return;
    }
    const row = this.#row++;
    for (let slot = 0; slot < this.#builders.length; slot++) {
      if (this.#valueIn[slot] !== this.#serial) (this.#builders[slot] as ColumnBuilder).addNull(row);
    }
    if (!this.#isLast()) this.#lastShape = this.#shapeNumber();
    this.#last = this.#shapes[this.#lastShape] as readonly number[];
    this.#shapeOf[row] = this.#lastShape;
  }

  finish(): Column {
    if (this.#objects === undefined) return this.#columns();
    const values = this.#without.size === 0 ? this.#objects : this.#objects.map((one) => this.#rest(one));
    return { kind: "any", values };
  }

  #rest(object: SqlObject): SqlObject {
    return new Map([...object].filter(([name]) => !this.#without.has(name)));
  }

  #columns(): RecordColumn {
    const columns = this.#builders.map((builder) => builder.finish(this.#row));
    const shapeOf = this.#shapeOf.subarray(0, this.#row);
    const isRest = (slot: number): boolean => !this.#without.has(this.#names[slot] as string);
    const shapes = this.#without.size === 0 ? this.#shapes : this.#shapes.map((one) => one.filter(isRest));
    return { kind: "record", fields: this.#names, columns, shapes, shapeOf };
  }

  #isLast(): boolean {
    const { length } = this.#current;
    if (this.#shapes.length === 0 || length !== this.#last.length) return false;
    for (let i = 0; i < length; i++) if (this.#current[i] !== this.#last[i]) return false;
    return true;
  }

  #shapeNumber(): number {
    const key = this.#current.join(",");
    let number = this.#shapeNumbers.get(key);
    if (number === undefined) {
      number = this.#shapes.length;
      this.#shapes.push(this.#current);
      this.#shapeNumbers.set(key, number);
    }
    return number;
  }

  /** False when something is not as it is nearly always written. */
  #readFast(start: number, end: number): boolean {
    const bytes = this.#bytes;
    let at = start;
    while (at < end) {
      // 0a length 0a length key 12 length value, as in RecordDecoder.
      let entryStart = at + 2;
      let entryLength = bytes[at + 1] as number;
      if (entryLength > 0x7f) {
        entryLength = longLength(entryLength, bytes[entryStart] as number);
        entryStart += 1;
      }
      const entryEnd = entryStart + entryLength;
      const keyLength = bytes[entryStart + 1] as number;
      const keyStart = entryStart + 2;
      const keyEnd = keyStart + keyLength;
      let valueStart = keyEnd + 2;
      let valueLength = bytes[keyEnd + 1] as number;
      if (valueLength > 0x7f) {
        valueLength = longLength(valueLength, bytes[valueStart] as number);
        valueStart += 1;
      }
      const expected =
        bytes[at] === entryTag &&
        bytes[entryStart] === keyTag &&
        keyLength <= 0x7f &&
        bytes[keyEnd] === valueFieldTag &&
        valueStart + valueLength === entryEnd &&
        entryEnd <= end;
      if (!expected) return false;
      const slot = this.#slotOf(keyStart, keyLength);
      if (slot < 0) return false;
      if (!this.#readValue(slot, valueStart, valueLength)) return false;
      at = entryEnd;
    }
    return true;
  }

  #readValue(slot: number, start: number, length: number): boolean {
    const bytes = this.#bytes;
    const builder = this.#builders[slot] as ColumnBuilder;
    const tag = bytes[start] as number;
    if (tag === numberTag && length === 9) {
      // SQL has neither NaN nor infinities; adding 0 takes the sign of a negative zero.
      const value = this.#view.getFloat64(start + 1, true) + 0;
      if (!(value - value === 0)) this.#valueIn[slot] = 0;
      else {
        if (builder.kind === "float64") builder.numbers[this.#row] = value;
        else builder.addNumber(this.#row, value);
        this.#valueIn[slot] = this.#serial;
      }
      return true;
    }
    if (tag === textTag && length >= 2 && (bytes[start + 1] as number) === length - 2) {
      builder.addText(this.#row, start + 2, start + length);
      this.#valueIn[slot] = this.#serial;
      return true;
    }
    if (tag === boolTag && length === 2 && (bytes[start + 1] as number) <= 1) {
      builder.addBoolean(this.#row, bytes[start + 1] === 1);
      this.#valueIn[slot] = this.#serial;
      return true;
    }
    const cursor = new WireCursor(bytes, start, start + length);
    const textLength =
      tag === textTag && length > 3 ? longLength(bytes[start + 1] as number, bytes[start + 2] as number) : -1;
    if (textLength > 0x7f && textLength === length - 3) {
      builder.addText(this.#row, start + 3, start + length);
      this.#valueIn[slot] = this.#serial;
      return true;
    }
    const value = readStoredValue(cursor, bytes, 1);
    if (cursor.failure !== null) return false;
    this.#put(slot, value);
    return true;
  }

  #put(slot: number, value: SqlValue): void {
    const builder = this.#builders[slot] as ColumnBuilder;
    if (value === null) {
      this.#valueIn[slot] = 0;
      return;
    }
    if (typeof value === "number") builder.addNumber(this.#row, value);
    else if (typeof value === "boolean") builder.addBoolean(this.#row, value);
    else builder.addValue(this.#row, value);
    this.#valueIn[slot] = this.#serial;
  }

  /** The slot of the key, which is then a field of the record; -1 when there are too many. */
  #slotOf(start: number, length: number): number {
    const bytes = this.#bytes;
    const guess = this.#last[this.#current.length];
    if (guess !== undefined) {
      const key = this.#keys[guess] as Buffer;
      if (key.length === length) {
        let i = 0;
        while (i < length && bytes[start + i] === key[i]) i++;
        if (i === length && this.#fieldIn[guess] !== this.#serial) return this.#note(guess);
      }
    }
    const slot = this.#slotNamed(bytes.toString("utf8", start, start + length));
    return slot < 0 || this.#fieldIn[slot] === this.#serial ? slot : this.#note(slot);
  }

  #note(slot: number): number {
    this.#fieldIn[slot] = this.#serial;
    this.#current.push(slot);
    return slot;
  }

  #slotNamed(name: string): number {
    const known = this.#slots.get(name);
    if (known !== undefined) return known;
    const slot = this.#names.length;
    if (slot >= fieldsMax) return -1;
    const builder = new ColumnBuilder(this.#bytes, this.#capacity);
    for (let row = 0; row < this.#row; row++) builder.addNull(row);
    this.#names.push(name);
    this.#keys.push(Buffer.from(name));
    this.#slots.set(name, slot);
    this.#builders.push(builder);
    return slot;
  }

  /** A record from the general reader. */
  #take(object: SqlObject): void {
    if (this.#objects === undefined) {
      const slots = [...object.keys()].map((name) => this.#slotNamed(name));
      if (!slots.includes(-1)) {
        for (const slot of slots) this.#note(slot);
        for (const [i, value] of [...object.values()].entries()) this.#put(slots[i] as number, value);
        return;
      }
      const columns = this.#columns();
      this.#objects = Array.from({ length: this.#row }, (_, row) => valueAt(columns, row) as SqlObject);
    }
    this.#object = object;
  }
}

/** A varint of two bytes; NaN, which equals nothing, when it has more. */
function longLength(low: number, high: number): number {
  return high > 0x7f ? Number.NaN : (low & 0x7f) | (high << 7);
}
