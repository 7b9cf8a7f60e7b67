import { WireCursor } from "@hstream/proto";
import type { SqlObject } from "@hstream/sql/runtime";
import { type Column, type RecordColumn, valueAt } from "../columns.js";
import { EntryWalk } from "./entry-walk.js";
import { FieldValues } from "./field-values.js";
import { readStoredObject } from "./stored-value.js";

/** Different fields of which columns are made; records with more between them become objects. */
const fieldsMax = 128;

/**
 * Whole records, as columns of their fields. A record mostly has the fields of the one before it in the same
 * order, so each key is first compared with the bytes of the key that stood there. Of each record it is kept
 * which fields it has, in which order (its shape).
 */
export class RecordColumns {
  readonly #bytes: Buffer;
  readonly #entry = new EntryWalk();
  readonly #values: FieldValues;
  readonly #names: string[] = [];
  readonly #keys: Buffer[] = [];
  readonly #slots = new Map<string, number>();
  /** Of each slot, the record (by `#serial`) that last had the field, with a value or not. */
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

  /** Fields of these names are left out. */
  readonly #without: ReadonlySet<string>;

  constructor(bytes: Buffer, capacity: number, without: readonly string[] = []) {
    this.#without = new Set(without);
    this.#bytes = bytes;
    this.#values = new FieldValues(bytes, capacity, fieldsMax);
    this.#shapeOf = new Int32Array(capacity);
  }

  /** Reads the Struct at [start, end) as the next record; false when it is malformed. */
  read(start: number, end: number): boolean {
    this.#begin();
    if (this.#objects === undefined && this.#readFast(start, end)) return true;
    // The general reader is the definition of what is right; what the fast one has left is overwritten.
    const cursor = new WireCursor(this.#bytes, start, end);
    const object = readStoredObject(cursor, this.#bytes);
    if (cursor.failure !== null) return false;
    this.#begin();
    this.#take(object);
    return true;
  }

  /** Keeps the record that was read; without this the next takes its place. */
  commit(): void {
    if (this.#objects !== undefined) {
      if (this.#object !== undefined) this.#objects.push(this.#object);
      return;
    }
    const row = this.#values.rowCount;
    this.#values.commit();
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
    const columns = this.#values.columns();
    const shapeOf = this.#shapeOf.subarray(0, this.#values.rowCount);
    const isRest = (slot: number): boolean => !this.#without.has(this.#names[slot] as string);
    const shapes = this.#without.size === 0 ? this.#shapes : this.#shapes.map((one) => one.filter(isRest));
    return { kind: "record", fields: this.#names, columns, shapes, shapeOf };
  }

  #begin(): void {
    this.#serial += 1;
    this.#values.beginRow();
    this.#current = [];
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
    const entry = this.#entry;
    for (let at = start; at < end; ) {
      at = entry.read(this.#bytes, at, end);
      if (at < 0) return false;
      const slot = this.#slotOf(entry.keyStart, entry.keyLength);
      if (slot < 0 || !this.#values.read(slot, entry.valueStart, entry.valueLength)) return false;
    }
    return true;
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
    this.#values.addSlot();
    this.#names.push(name);
    this.#keys.push(Buffer.from(name));
    this.#slots.set(name, slot);
    return slot;
  }

  /** A record from the general reader. */
  #take(object: SqlObject): void {
    if (this.#objects === undefined) {
      const slots = [...object.keys()].map((name) => this.#slotNamed(name));
      if (!slots.includes(-1)) {
        for (const slot of slots) this.#note(slot);
        for (const [i, value] of [...object.values()].entries()) this.#values.put(slots[i] as number, value);
        return;
      }
      const columns = this.#columns();
      this.#objects = Array.from(
        { length: this.#values.rowCount },
        (_, row) => valueAt(columns, row) as SqlObject,
      );
    }
    this.#object = object;
  }
}
