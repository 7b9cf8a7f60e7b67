import { assert } from "./assert.js";
import type { Timestamp } from "./generated/google/protobuf/timestamp.js";

/** Milliseconds since 1970 as a Timestamp. A safe integer, negative before 1970. */
export function timestampFromMs(ms: number): Timestamp {
  assert(Number.isSafeInteger(ms), "a time is a whole number of milliseconds");
  const seconds = Math.floor(ms / 1_000);
  return { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 };
}

/** A Timestamp as milliseconds since 1970, rounded down; inexact beyond 2^53. */
export function timestampToMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000);
}
