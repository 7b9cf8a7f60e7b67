/** Runs work that concerns the same key one after the other; different keys do not wait for each other. */
export class KeyQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    // Whoever waits does so for the end of the work before, not for its success.
    const result = before === undefined ? work() : before.then(work, work);
    this.#last.set(key, result);
    const leave = () => {
      if (this.#last.get(key) === result) this.#last.delete(key);
    };
    result.then(leave, leave);
    return result;
  }

  /** Resolves when nothing that was given before this call runs any more. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#last.values());
  }
}
