import type { SqlObject, SqlValue } from "@hstream/sql/runtime";
import { HStreamError } from "../../errors.js";
import { type Column, columnOfValues } from "../columns.js";

/** Reads what a StateWriter wrote. Throws QueryStateUnreadable where that does not fit. */
export class StateReader {
  readonly #bytes: Buffer;
  readonly #alive: () => void;
  #at = 0;

  /** `chunks`: those of the writer, in order. `alive` is called now and then, since reading takes its time. */
  constructor(chunks: readonly Uint8Array[], alive: () => void = () => {}) {
    this.#bytes = Buffer.concat(chunks);
    this.#alive = alive;
  }

  /** Nothing more is to be read. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw unreadable("it goes on behind its end");
  }

  number(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  count(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  flag(): boolean {
    return this.#byte() === 1;
  }

  section(name: string): void {
    const found = this.text();
    if (found !== name) throw unreadable(`${found} stands where ${name} should`);
  }

  text(): string {
    const length = this.count();
    const at = this.#take(length);
    return this.#bytes.toString("utf8", at, at + length);
  }

  bytes(): Uint8Array {
    const length = this.count();
    const at = this.#take(length);
    return Uint8Array.from(this.#bytes.subarray(at, at + length));
  }

  floats(): Float64Array<ArrayBuffer> {
    const count = this.count();
    const values = new Float64Array(count);
    this.#copy(new Uint8Array(values.buffer));
    return values;
  }

  ints(): Int32Array<ArrayBuffer> {
    const count = this.count();
    const values = new Int32Array(count);
    this.#copy(new Uint8Array(values.buffer));
    return values;
  }

  value(): SqlValue {
    const kind = this.#byte();
    switch (kind) {
      case 0:
        return null;
      case 1:
        return false;
      case 2:
        return true;
      case 3:
        return this.number();
      case 4:
        return BigInt(this.text());
      case 5:
        return this.text();
      case 6:
        return this.bytes();
      case 7:
        return { kind: "date", days: this.number() };
      case 8:
        return { kind: "time", ms: this.number() };
      case 9:
        return { kind: "timestamp", ms: this.number() };
      case 10:
        return { kind: "interval", months: this.number(), ms: this.number() };
      case 11:
        return { kind: "decimal", unscaled: BigInt(this.text()), scale: this.number() };
      case 12:
        return this.values();
      case 13:
        return this.#object();
      default:
        throw unreadable(`${kind} is no kind of value`);
    }
  }

  /** What `values` would give, as a column; texts stay where they are. */
  column(): Column {
    const form = this.#bytes[this.#at];
    this.#alive();
    if (form === 0) {
      this.#byte();
      return { kind: "float64", values: this.floats(), nulls: undefined };
    }
    if (form !== 1) return columnOfValues(this.values());
    this.#byte();
    const lengths = this.ints();
    const starts = new Int32Array(lengths.length);
    const ends = new Int32Array(lengths.length);
    for (let i = 0; i < lengths.length; i++) {
      starts[i] = this.#take(lengths[i] as number);
      ends[i] = this.#at;
    }
    return { kind: "text", bytes: this.#bytes, starts, ends, nulls: undefined };
  }

  values(): SqlValue[] {
    const form = this.#byte();
    this.#alive();
    switch (form) {
      case 0:
        return Array.from(this.floats());
      case 1: {
        const lengths = this.ints();
        const texts: string[] = new Array<string>(lengths.length);
        for (let i = 0; i < lengths.length; i++) {
          const length = lengths[i] as number;
          const at = this.#take(length);
          texts[i] = this.#bytes.toString("utf8", at, at + length);
        }
        return texts;
      }
      case 2:
        return Array.from({ length: this.count() }, () => this.value());
      default:
        throw unreadable(`${form} is no form of values`);
    }
  }

  #object(): SqlObject {
    const fields = new Map<string, SqlValue>();
    for (let left = this.count(); left > 0; left--) {
      const name = this.text();
      fields.set(name, this.value());
    }
    return fields;
  }

  #byte(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  #copy(into: Uint8Array): void {
    const at = this.#take(into.length);
    into.set(this.#bytes.subarray(at, at + into.length));
  }

  /** Where the next `length` bytes are. */
  #take(length: number): number {
    const at = this.#at;
    if (at + length > this.#bytes.length) throw unreadable("it ends too early");
    this.#at = at + length;
    return at;
  }
}

function unreadable(detail: string): HStreamError {
  return new HStreamError("QueryStateUnreadable", { detail });
}
