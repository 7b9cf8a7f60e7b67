/** Lets one loop sleep until somebody has something for it. What is set while nobody waits is not lost. */
export class Wake {
  #isSet = false;
  #resolve: (() => void) | undefined;

  set = (): void => {
    this.#isSet = true;
    this.#resolve?.();
  };

  /** Resolves at once if it was set since the last wait. Rejects with the signal's reason. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#isSet) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
        signal.addEventListener("abort", this.set, { once: true });
      });
      signal.removeEventListener("abort", this.set);
    }
    this.#resolve = undefined;
    this.#isSet = false;
    signal.throwIfAborted();
  }
}
