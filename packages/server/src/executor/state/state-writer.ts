import { asBuffer, unreachable } from "@hstream/proto";
import type { SqlValue } from "@hstream/sql/runtime";

/**
 * The saved state of an execution: pieces one after another, without names or padding, little-endian.
 *
 *   number      8 bytes, a double
 *   count       4 bytes, unsigned
 *   flag        1 byte, 0 | 1
 *   text        count (bytes), UTF-8
 *   bytes       count, bytes
 *   section     text: the name of who writes next; a reader that meets another one refuses the state
 *   floats      count, 8 bytes each
 *   ints        count, 4 bytes each, signed
 *   value       1 byte (which kind), then
 *                 0 null · 1 false · 2 true · 3 number · 4 bigint, its digits as text · 5 string, a text
 *                 6 bytes · 7 date, days as number · 8 time, ms · 9 timestamp, ms · 10 interval, months, ms
 *                 11 decimal, unscaled digits as text, scale as number · 12 array, values · 13 object,
 *                 count, then for each field name as text and value
 *   values      1 byte (form), then
 *                 0 floats: all are numbers · 1 texts: count, ints of the lengths in bytes, all bytes ·
 *                 2 count, value each
 *
 * A value comes back exactly as it was, also the form of a number. Both sides are of one build: a state
 * begins with a version and the plan (see state-header.ts), and one of another build is not read.
 */
export class StateWriter {
  readonly #alive: () => void;
  readonly #full: Uint8Array[] = [];
  #chunk = Buffer.allocUnsafeSlow(stateChunkBytes);
  #used = 0;

  /** `alive` is called now and then, since writing takes its time. */
  constructor(alive: () => void = () => {}) {
    this.#alive = alive;
  }

  number(value: number): void {
    const at = this.#room(8);
    this.#chunk.writeDoubleLE(value, at);
  }

  count(value: number): void {
    const at = this.#room(4);
    this.#chunk.writeUInt32LE(value, at);
  }

  flag(value: boolean): void {
    const at = this.#room(1);
    this.#chunk[at] = value ? 1 : 0;
  }

  section(name: string): void {
    this.text(name);
  }

  text(value: string): void {
    this.bytes(Buffer.from(value, "utf8"));
  }

  bytes(value: Uint8Array): void {
    this.count(value.length);
    this.#raw(value);
  }

  /** The first `count` of them. */
  floats(values: Float64Array, count: number): void {
    this.count(count);
    this.#raw(new Uint8Array(values.buffer, values.byteOffset, count * 8));
  }

  ints(values: Int32Array, count: number): void {
    this.count(count);
    this.#raw(new Uint8Array(values.buffer, values.byteOffset, count * 4));
  }

  value(value: SqlValue): void {
    if (value === null) return this.#kind(0);
    switch (typeof value) {
      case "boolean":
        return this.#kind(value ? 2 : 1);
      case "number":
        this.#kind(3);
        return this.number(value);
      case "bigint":
        this.#kind(4);
        return this.text(value.toString());
      case "string":
        this.#kind(5);
        return this.text(value);
      default:
        return this.#object(value);
    }
  }

  values(values: readonly SqlValue[]): void {
    this.#alive();
    if (values.every((value) => typeof value === "number")) {
      this.#kind(0);
      return this.floats(Float64Array.from(values), values.length);
    }
    if (values.every((value) => typeof value === "string")) {
      this.#kind(1);
      const lengths = Int32Array.from(values, (value) => Buffer.byteLength(value));
      this.ints(lengths, lengths.length);
      return this.#raw(Buffer.from(values.join(""), "utf8"));
    }
    this.#kind(2);
    this.count(values.length);
    for (const value of values) this.value(value);
  }

  /** What was written, in chunks of at most stateChunkBytes. */
  chunks(): Uint8Array[] {
    return this.#used === 0 ? [...this.#full] : [...this.#full, this.#chunk.subarray(0, this.#used)];
  }

  #kind(kind: number): void {
    const at = this.#room(1);
    this.#chunk[at] = kind;
  }

  #object(value: Exclude<SqlValue, null | boolean | number | bigint | string>): void {
    if (value instanceof Uint8Array) {
      this.#kind(6);
      return this.bytes(value);
    }
    if (value instanceof Map) {
      const fields = value as ReadonlyMap<string, SqlValue>;
      this.#kind(13);
      this.count(fields.size);
      for (const [name, field] of fields) {
        this.text(name);
        this.value(field);
      }
      return;
    }
    if (!("kind" in value)) {
      this.#kind(12);
      return this.values(value as readonly SqlValue[]);
    }
    switch (value.kind) {
      case "date":
        this.#kind(7);
        return this.number(value.days);
      case "time":
        this.#kind(8);
        return this.number(value.ms);
      case "timestamp":
        this.#kind(9);
        return this.number(value.ms);
      case "interval":
        this.#kind(10);
        this.number(value.months);
        return this.number(value.ms);
      case "decimal":
        this.#kind(11);
        this.text(value.unscaled.toString());
        return this.number(value.scale);
      default:
        return unreachable(value);
    }
  }

  #raw(bytes: Uint8Array): void {
    let rest = asBuffer(bytes);
    while (rest.length > 0) {
      if (this.#used === this.#chunk.length) this.#next();
      const part = rest.subarray(0, this.#chunk.length - this.#used);
      this.#chunk.set(part, this.#used);
      this.#used += part.length;
      rest = rest.subarray(part.length);
    }
  }

  /** Where `length` bytes, of one number, have room. A number never lies across two chunks. */
  #room(length: number): number {
    if (this.#used + length > this.#chunk.length) this.#next();
    const at = this.#used;
    this.#used += length;
    return at;
  }

  #next(): void {
    this.#alive();
    this.#full.push(this.#chunk.subarray(0, this.#used));
    this.#chunk = Buffer.allocUnsafeSlow(stateChunkBytes);
    this.#used = 0;
  }
}

/** A chunk's size: what a batch of the log may take, with room for its frame. */
export const stateChunkBytes = 1_000_000;
