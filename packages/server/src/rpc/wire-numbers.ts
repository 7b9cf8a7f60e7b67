import type { Timestamp } from "@hstream/proto";

/** A uint64 of the wire that means one of our ids (below 2^53); undefined when it cannot be one. */
export function idOf(value: bigint): number | undefined {
  return value > 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
}

/** Milliseconds since 1970 as the API's timestamp. */
export function timestampOf(timeMs: number): Timestamp {
  const seconds = Math.floor(timeMs / 1_000);
  return { seconds: BigInt(seconds), nanos: Math.round((timeMs - seconds * 1_000) * 1e6) };
}
