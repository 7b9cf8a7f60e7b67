import type { TextColumn } from "../columns.js";

const bytesAtLeast = 256;

/** Makes a text column, row by row. Rows that are passed over are empty texts. */
export class TextBuilder {
  readonly #starts: Int32Array;
  readonly #ends: Int32Array;
  #nulls: Uint8Array | undefined;
  #bytes: Buffer;
  #at = 0;

  /** `bytesExpected`: more are taken, too. */
  constructor(rowCount: number, bytesExpected: number) {
    this.#starts = new Int32Array(rowCount);
    this.#ends = new Int32Array(rowCount);
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(bytesAtLeast, bytesExpected));
  }

  addNull(row: number): void {
    this.#nulls ??= new Uint8Array(this.#starts.length);
    this.#nulls[row] = 1;
  }

  /** Copies from[start, end). */
  add(row: number, from: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (this.#at + length > this.#bytes.length) this.#grow(length);
    const at = this.#at;
    this.#starts[row] = at;
    this.#at = at + length;
    this.#ends[row] = this.#at;
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) bytes[at + i] = from[start + i] as number;
  }

  addText(row: number, text: string): void {
    const from = Buffer.from(text);
    this.add(row, from, 0, from.length);
  }

  /** The same text as another row has. */
  repeat(row: number, of: number): void {
    this.#starts[row] = this.#starts[of] as number;
    this.#ends[row] = this.#ends[of] as number;
  }

  finish(): TextColumn {
    return {
      kind: "text",
      bytes: this.#bytes,
      starts: this.#starts,
      ends: this.#ends,
      nulls: this.#nulls,
    };
  }

  #grow(by: number): void {
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#at + by));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }
}
