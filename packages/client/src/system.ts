import { randomBytes } from "node:crypto";

/** The only door to time and chance in this package; tests bring their own. */
export interface System {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Calls back once after `ms`; the answer cancels it. */
  readonly schedule: (ms: number, callback: () => void) => () => void;
  /** Waits; rejects with the signal's reason when that is aborted first. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Sixteen hexadecimal digits. */
  readonly randomName: () => string;
}

export const realSystem: System = {
  now: () => Date.now(),
  schedule: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted === true) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      signal?.addEventListener("abort", stop, { once: true });
    }),
  randomName: () => randomBytes(8).toString("hex"),
};
