import type { Clock } from "./env.js";

/** This machine's clock. */
export const nodeClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
