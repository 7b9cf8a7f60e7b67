import { must } from "@hstream/proto";

/**
 * Answers to one call, as they come from the worker, for one reader. `onTaken` is told the size of each
 * answer that the reader takes, or would have taken: when the reader stops early, the rest is dropped.
 */
export class AnswerQueue<T> implements AsyncIterableIterator<T, undefined> {
  readonly #sizeOf: (answer: T) => number;
  readonly #onTaken: (answers: number) => void;
  #waiting: T[] = [];
  #ended = false;
  #dropped = false;
  #failure: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(sizeOf: (answer: T) => number, onTaken: (answers: number) => void) {
    this.#sizeOf = sizeOf;
    this.#onTaken = onTaken;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  push(answer: T, last: boolean): void {
    if (this.#dropped) this.#onTaken(this.#sizeOf(answer));
    else this.#waiting.push(answer);
    this.#ended ||= last;
    this.#wake?.();
  }

  /** Answers that came before the failure are still given. */
  fail(error: Error): void {
    this.#failure ??= error;
    this.#ended = true;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    while (this.#waiting.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#waiting.length === 0) {
      if (this.#failure !== undefined && !this.#dropped) throw this.#failure;
      return { done: true, value: undefined };
    }
    const value = must(this.#waiting.shift(), "there is an answer");
    this.#onTaken(this.#sizeOf(value));
    return { done: false, value };
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#dropped = true;
    for (const answer of this.#waiting) this.#onTaken(this.#sizeOf(answer));
    this.#waiting = [];
    return Promise.resolve({ done: true, value: undefined });
  }
}
