import type { Timers } from "../env/env.js";

interface Waiter {
  readonly bytes: number;
  readonly resolve: (granted: boolean) => void;
}

/** So many bytes may be on their way at a time; who comes late waits in turn. */
export class ByteBudget {
  readonly #max: number;
  readonly #timers: Timers;
  readonly #waiting = new Set<Waiter>();
  #used = 0;

  constructor(max: number, timers: Timers) {
    this.#max = max;
    this.#timers = timers;
  }

  /** Takes the bytes at once, if nobody waits and they fit (or nothing else is on its way). */
  tryTake(bytes: number): boolean {
    if (this.#waiting.size > 0 || !this.#fits(bytes)) return false;
    this.#used += bytes;
    return true;
  }

  /** Takes the bytes as soon as they fit; false when `patienceMs` were not enough. */
  take(bytes: number, patienceMs?: number): Promise<boolean> {
    if (this.tryTake(bytes)) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter: Waiter = {
        bytes,
        resolve: (granted) => {
          timer?.cancel();
          resolve(granted);
        },
      };
      const timer =
        patienceMs === undefined
          ? undefined
          : this.#timers.after(patienceMs, () => {
              if (this.#waiting.delete(waiter)) resolve(false);
              this.#serve();
            });
      this.#waiting.add(waiter);
    });
  }

  give(bytes: number): void {
    this.#used -= bytes;
    this.#serve();
  }

  #fits(bytes: number): boolean {
    return this.#used === 0 || this.#used + bytes <= this.#max;
  }

  #serve(): void {
    for (const waiter of this.#waiting) {
      if (!this.#fits(waiter.bytes)) return;
      this.#waiting.delete(waiter);
      this.#used += waiter.bytes;
      waiter.resolve(true);
    }
  }
}
