/**
 * Sorts many items in pieces of bounded work: each addition is sorted by itself, and runs are merged as
 * they become equally long (a merge sort from the bottom up), so that no step does it all at once.
 * With `keepMax`, only the first so many are kept.
 *
 * Invariant: each run is in order, and longer than the next.
 */
export class SortedRuns<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #keepMax: number;
  readonly #onDropped: (item: T) => void;
  readonly #runs: T[][] = [];

  /** `compare` must not call different items equal. `onDropped` hears of items that are not kept. */
  constructor(
    compare: (a: T, b: T) => number,
    keepMax = Number.POSITIVE_INFINITY,
    onDropped: (item: T) => void = () => {},
  ) {
    this.#compare = compare;
    this.#keepMax = keepMax;
    this.#onDropped = onDropped;
  }

  /** Takes the array over. */
  add(items: T[]): void {
    if (items.length === 0) return;
    items.sort(this.#compare);
    this.#push(items);
    while (this.#lastLength(1) <= this.#lastLength(0)) this.#mergeLast();
  }

  /** Merges two runs; false when there is but one, or none. */
  mergeSome(): boolean {
    if (this.#runs.length < 2) return false;
    this.#mergeLast();
    return this.#runs.length > 1;
  }

  /** All items in order, once `mergeSome` has nothing to do. */
  sorted(): readonly T[] {
    return this.#runs[0] ?? [];
  }

  /** Of the last run but `back`; endless when there is none. */
  #lastLength(back: number): number {
    return this.#runs.at(-1 - back)?.length ?? Number.POSITIVE_INFINITY;
  }

  #push(run: T[]): void {
    for (let i = this.#keepMax; i < run.length; i++) this.#onDropped(run[i] as T);
    if (run.length > this.#keepMax) run.length = this.#keepMax;
    this.#runs.push(run);
  }

  #mergeLast(): void {
    const b = this.#runs.pop() ?? [];
    const a = this.#runs.pop() ?? [];
    const merged: T[] = [];
    let i = 0;
    let j = 0;
    while (i < a.length && j < b.length) {
      merged.push(this.#compare(a[i] as T, b[j] as T) <= 0 ? (a[i++] as T) : (b[j++] as T));
    }
    while (i < a.length) merged.push(a[i++] as T);
    while (j < b.length) merged.push(b[j++] as T);
    this.#push(merged);
  }
}
