import { must } from "@hstream/proto";

/** Writes numbers and texts one after the other, little endian, growing as needed. */
export class ByteWriter {
  #bytes = Buffer.alloc(1024);
  #length = 0;

  uint32(value: number): void {
    this.#length = this.#room(4).writeUInt32LE(value, this.#length);
  }

  float64(value: number): void {
    this.#length = this.#room(8).writeDoubleLE(value, this.#length);
  }

  /** u32 length in bytes, UTF-8. */
  text(value: string): void {
    const bytes = Buffer.byteLength(value);
    this.uint32(bytes);
    this.#room(bytes).write(value, this.#length);
    this.#length += bytes;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(bytes: number): Buffer {
    if (this.#length + bytes > this.#bytes.byteLength) {
      const grown = Buffer.alloc((this.#length + bytes) * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    return this.#bytes;
  }
}

/** Reads what a ByteWriter wrote. Throws RangeError at the end of the bytes. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint32(): number {
    const value = this.#bytes.readUInt32LE(this.#at);
    this.#at += 4;
    return value;
  }

  float64(): number {
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  text(): string {
    const length = this.uint32();
    if (length > this.#bytes.byteLength - this.#at) throw new RangeError("a text goes beyond the end");
    return this.#bytes.toString("utf8", this.#at, (this.#at += length));
  }

  /** Calls `read` as often as the u32 that comes next says. */
  list<T>(read: () => T): T[] {
    const length = this.uint32();
    const items: T[] = [];
    for (let i = 0; i < length; i++) items.push(read());
    return items;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.byteLength;
  }
}

/** One of a fixed list, stored by its place in it. */
export function fromCode<T>(values: readonly T[], code: number): T {
  return must(values[code], () => `code ${code} is one of ${values.length}`);
}
