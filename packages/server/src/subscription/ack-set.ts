/**
 * Which records of a batch are acked. Clients ack mostly in order, so the first ones are a count; a
 * bitmap is made only when one is acked out of turn.
 */
export class AckSet {
  readonly size: number;
  #count = 0;
  /** Records 0 … prefix − 1 are acked, whatever the bitmap says. */
  #prefix = 0;
  #bits: Uint8Array | undefined;

  /** Of a batch of `size` records; `saved` is what `save` gave. */
  constructor(size: number, saved?: Uint8Array) {
    this.size = size;
    if (saved === undefined) return;
    for (let index = 0; index < size; index++) {
      if (((saved[index >> 3] ?? 0) & (1 << (index & 7))) !== 0) this.add(index);
    }
  }

  get count(): number {
    return this.#count;
  }

  get complete(): boolean {
    return this.#count === this.size;
  }

  has(index: number): boolean {
    return index < this.#prefix || ((this.#bits?.[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** False if there is no such record or it was acked before. */
  add(index: number): boolean {
    if (index >= this.size || this.has(index)) return false;
    this.#count += 1;
    if (index !== this.#prefix) {
      this.#bits ??= new Uint8Array((this.size + 7) >> 3);
      const byte = index >> 3;
      this.#bits[byte] = (this.#bits[byte] ?? 0) | (1 << (index & 7));
      return true;
    }
    do this.#prefix += 1;
    while (this.#prefix < this.size && this.has(this.#prefix));
    return true;
  }

  /** Adds all records; false, and nothing is added, unless none was acked. */
  addAll(): boolean {
    if (this.#count > 0) return false;
    this.#count = this.size;
    this.#prefix = this.size;
    return true;
  }

  /** One bit a record, the first in the lowest bit of the first byte. */
  save(): Uint8Array {
    const bits = new Uint8Array((this.size + 7) >> 3);
    for (let index = 0; index < this.size; index++) {
      if (this.has(index)) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
    }
    return bits;
  }

  /** The records that are not acked, ascending. */
  missing(): number[] {
    const indexes: number[] = [];
    for (let index = this.#prefix; index < this.size; index++) if (!this.has(index)) indexes.push(index);
    return indexes;
  }
}
