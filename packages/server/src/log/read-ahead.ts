/**
 * Results of several reads under way, in the order in which they were begun. What is begun after `readsMax`
 * others waits for the oldest.
 */
export class ReadAhead<T> {
  readonly #readsMax: number;
  readonly #done: T[] = [];
  /** Behind what is done, in order. */
  readonly #parts: (Promise<T[]> | T)[] = [];
  #reads = 0;

  constructor(readsMax: number) {
    this.#readsMax = readsMax;
  }

  /** Something that need not be read. */
  add(item: T): void {
    if (this.#parts.length === 0) this.#done.push(item);
    else this.#parts.push(item);
  }

  /** Adds a read that has begun; resolves when another may begin. Rejects when an earlier one has failed. */
  async addRead(read: Promise<T[]>): Promise<void> {
    // Should an earlier one fail, that is what is told.
    read.catch(() => undefined);
    this.#parts.push(read);
    this.#reads++;
    while (this.#reads >= this.#readsMax) await this.#settleOne();
  }

  /** All results. Rejects with the failure of the first read that failed. */
  async all(): Promise<T[]> {
    while (this.#parts.length > 0) await this.#settleOne();
    return this.#done;
  }

  /** Resolves when none of the reads is under way any more, whatever came of them. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#parts);
  }

  async #settleOne(): Promise<void> {
    const part = this.#parts.shift();
    if (part instanceof Promise) {
      this.#reads--;
      for (const item of await part) this.#done.push(item);
    } else if (part !== undefined) {
      this.#done.push(part);
    }
  }
}
