import { randomBytes } from "node:crypto";
import { abortReason } from "./abort-reason.js";
import type { Env, Random, Timers } from "./env.js";
import { nodeClock } from "./node-clock.js";
import { nodeDisk } from "./node-disk.js";

/** The real world: this machine's clock, timers, random numbers and file system. */
export function createNodeEnv(): Env {
  return { clock: nodeClock, timers, random, disk: nodeDisk };
}

const timers: Timers = {
  after(delayMs, callback) {
    const timeout = setTimeout(callback, delayMs);
    timeout.unref();
    return { cancel: () => clearTimeout(timeout) };
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(abortReason(signal));
      const abort = () => {
        clearTimeout(timeout);
        reject(abortReason(signal));
      };
      const timeout = setTimeout(() => {
        signal?.removeEventListener("abort", abort);
        resolve();
      }, delayMs);
      timeout.unref();
      signal?.addEventListener("abort", abort, { once: true });
    });
  },
};

const random: Random = {
  uint32: () => randomBytes(4).readUInt32LE(),
  bytes: (length) => randomBytes(length),
};
