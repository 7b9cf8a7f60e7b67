interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Bytes that may be in flight at a time. Who wants more waits, first come, first served; what comes when
 * there is room at all is let in whole.
 */
export class ByteBudget {
  readonly #bytesMax: number;
  #inFlight = 0;
  #waiting: Waiter[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /** Takes so many; undefined when there is room now, else a promise of it. */
  take(bytes: number): Promise<void> | undefined {
    if (this.#waiting.length === 0 && this.#inFlight < this.#bytesMax) {
      this.#inFlight += bytes;
      return undefined;
    }
    return new Promise((resolve, reject) => this.#waiting.push({ bytes, resolve, reject }));
  }

  /** Gives back what was taken. */
  give(bytes: number): void {
    this.#inFlight -= bytes;
    let admitted = 0;
    for (const waiter of this.#waiting) {
      if (this.#inFlight >= this.#bytesMax) break;
      this.#inFlight += waiter.bytes;
      waiter.resolve();
      admitted += 1;
    }
    if (admitted > 0) this.#waiting = this.#waiting.slice(admitted);
  }

  /** Fails all who wait. */
  fail(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
