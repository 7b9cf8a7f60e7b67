import type { Page } from "../output/page.js";

export const keptLimits = { rowsMax: 10_000, pagesMax: 32 } as const;

/** The last result, for `:last`: the first rows of a finite one, the latest of an endless one. */
export class KeptResult {
  /** Those of the latest rows. */
  columns: readonly string[] = [];
  readonly #endless: boolean;
  #pages: Page[] = [];
  #rows = 0;
  #left = 0;

  constructor(endless: boolean) {
    this.#endless = endless;
  }

  get pages(): readonly Page[] {
    return this.#pages;
  }

  get rows(): number {
    return this.#rows;
  }

  /** Rows that are not kept. */
  get left(): number {
    return this.#left;
  }

  add(page: Page): void {
    const full = () => this.#rows > keptLimits.rowsMax || this.#pages.length > keptLimits.pagesMax;
    if (!this.#endless && this.#rows >= keptLimits.rowsMax) {
      this.#left += page.rowCount;
      return;
    }
    this.#pages.push(page);
    this.#rows += page.rowCount;
    // A page has at most 1 MiB, so that pages bound the memory.
    while (full() && this.#pages.length > 1) {
      const gone = this.#endless ? this.#pages.shift() : this.#pages.pop();
      this.#rows -= gone?.rowCount ?? 0;
      this.#left += gone?.rowCount ?? 0;
    }
  }
}
