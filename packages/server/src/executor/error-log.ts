/** An error inside an expression: the value became NULL, the row went on. */
export interface ExpressionError {
  readonly message: string;
}

export interface ErrorSummary {
  readonly count: number;
  /** The first ones. */
  readonly first: readonly ExpressionError[];
}

/**
 * Collects the expression errors of a step: all are counted, the first are kept. A retraction (−1) of a
 * row meets the same errors as its insertion did; those are not counted again, so whoever evaluates
 * says whether the row is being inserted.
 */
export class ErrorLog {
  readonly #keptMax: number;
  #count = 0;
  #first: ExpressionError[] = [];

  constructor(keptMax: number) {
    this.#keptMax = keptMax;
  }

  add(message: string): void {
    this.#count += 1;
    if (this.#first.length < this.#keptMax) this.#first.push({ message });
  }

  /** A point to go back to. */
  mark(): number {
    return this.#count;
  }

  /** Forgets what was added since the mark, which is of this step. */
  rollBack(mark: number): void {
    this.#count = mark;
    if (this.#first.length > mark) this.#first.length = mark;
  }

  /** What was collected since the last call. */
  take(): ErrorSummary {
    const summary = { count: this.#count, first: this.#first };
    this.#count = 0;
    this.#first = [];
    return summary;
  }
}
