import { abortReason } from "./abort-reason.js";
import type { Clock, Env, Timer, Timers } from "./env.js";
import { SeededRandom } from "./seeded-random.js";
import { SimulatedDisk } from "./simulated-disk.js";

/** A world that a test owns: nothing in it moves unless the test moves it. Same seed, same run. */
export class SimulatedEnv implements Env {
  readonly clock: Clock;
  readonly timers: SimulatedTimers;
  readonly random: SeededRandom;
  readonly disk: SimulatedDisk;

  constructor(seed = 1, startMs = 1_700_000_000_000) {
    const timers = new SimulatedTimers();
    this.timers = timers;
    this.clock = {
      now: () => startMs + timers.elapsedMs + timers.clockSkewMs,
      monotonic: () => timers.elapsedMs,
    };
    this.random = new SeededRandom(seed);
    this.disk = new SimulatedDisk();
  }
}

interface Pending {
  readonly dueMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/** Time that passes only in `advance`. */
export class SimulatedTimers implements Timers {
  elapsedMs = 0;
  /** Added to the wall clock only: lets a test make it jump. */
  clockSkewMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  after(delayMs: number, callback: () => void): Timer {
    const pending = { dueMs: this.elapsedMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#pending.add(pending);
    return { cancel: () => void this.#pending.delete(pending) };
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortReason(signal));
      const abort = () => {
        timer.cancel();
        reject(abortReason(signal));
      };
      const timer = this.after(delayMs, () => {
        signal?.removeEventListener("abort", abort);
        resolve();
      });
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets `ms` pass; calls what falls due, in order, letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const until = this.elapsedMs + ms;
    await settle();
    for (let next = this.#first(until); next !== undefined; next = this.#first(until)) {
      this.#pending.delete(next);
      this.elapsedMs = Math.max(this.elapsedMs, next.dueMs);
      next.callback();
      await settle();
    }
    this.elapsedMs = until;
  }

  #first(untilMs: number): Pending | undefined {
    let first: Pending | undefined;
    for (const pending of this.#pending) {
      if (pending.dueMs > untilMs) continue;
      if (
        first === undefined ||
        pending.dueMs < first.dueMs ||
        (pending.dueMs === first.dueMs && pending.order < first.order)
      ) {
        first = pending;
      }
    }
    return first;
  }
}

/** Lets everything that waits for settled promises only go on. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
