/** Lengths of names that are told apart; longer ones are looked for among the last. */
const lengthsMax = 255;

/**
 * Names of fields that are looked for by the bytes of a key, each with its number (slot). Most keys have a
 * length that no name has, or another beginning; four bytes are compared at a time.
 */
export class FieldNames {
  readonly #names: readonly DataView[];
  /** Length → first slot with a name of that length, and from there on; -1: none. */
  readonly #firstOfLength = new Int32Array(lengthsMax + 1).fill(-1);
  readonly #nextOfLength: Int32Array;
  /** The first four bytes of each name, and the last four; 0 where there are less. */
  readonly #heads: Int32Array;
  readonly #tails: Int32Array;

  /** Each name once. */
  constructor(names: readonly string[]) {
    this.#names = names.map((name) => {
      const bytes = new TextEncoder().encode(name);
      return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    });
    this.#nextOfLength = new Int32Array(names.length).fill(-1);
    this.#heads = new Int32Array(names.length);
    this.#tails = new Int32Array(names.length);
    for (const [slot, name] of this.#names.entries()) {
      const length = Math.min(name.byteLength, lengthsMax);
      this.#nextOfLength[slot] = this.#firstOfLength[length] as number;
      this.#firstOfLength[length] = slot;
      if (name.byteLength < 4) continue;
      this.#heads[slot] = name.getInt32(0, true);
      this.#tails[slot] = name.getInt32(name.byteLength - 4, true);
    }
  }

  get count(): number {
    return this.#names.length;
  }

  /** Whether there are names of the length, which is below 128. */
  mayHave(length: number): boolean {
    return (this.#firstOfLength[length] as number) >= 0;
  }

  /** The slot of the name that is the bytes [start, start + length); -1 when there is none. */
  slotOf(bytes: DataView, start: number, length: number): number {
    let slot = this.#firstOfLength[length < lengthsMax ? length : lengthsMax] as number;
    if (slot < 0) return -1;
    if (length < 4 || length > 8) {
      while (slot >= 0 && !this.#equals(slot, bytes, start, length))
        slot = this.#nextOfLength[slot] as number;
      return slot;
    }
    // The first and the last four bytes are all of it.
    const head = bytes.getInt32(start, true);
    const tail = bytes.getInt32(start + length - 4, true);
    while (slot >= 0 && (this.#heads[slot] !== head || this.#tails[slot] !== tail)) {
      slot = this.#nextOfLength[slot] as number;
    }
    return slot;
  }

  #equals(slot: number, bytes: DataView, start: number, length: number): boolean {
    const name = this.#names[slot] as DataView;
    if (name.byteLength !== length) return false;
    let i = 0;
    for (; i + 4 <= length; i += 4)
      if (bytes.getInt32(start + i, true) !== name.getInt32(i, true)) return false;
    for (; i < length; i++) if (bytes.getUint8(start + i) !== name.getUint8(i)) return false;
    return true;
  }
}
