import { type ShardOffset, SpecialOffset, type StreamOffset, unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { ReadOffset } from "../streams/read-offset.js";
import { idOf } from "./wire-numbers.js";

/** An offset of the API; undefined if the message has none. Throws InvalidShardOffset. */
export function readOffsetOf(message: ShardOffset | StreamOffset | undefined): ReadOffset | undefined {
  const offset = message?.offset;
  if (offset === undefined) return undefined;
  switch (offset.$case) {
    case "specialOffset":
      return specialOf(offset.value);
    case "recordOffset": {
      const { shardId, batchId } = offset.value;
      // What cannot be a shard of ours is none: it conflicts with whichever it is used for.
      return { kind: "record", shardId: idOf(shardId) ?? 0, batchId: numberOf(batchId) };
    }
    case "timestampOffset":
      return { kind: "time", timeMs: numberOf(offset.value.timestampInMs) };
    default:
      return unreachable(offset);
  }
}

/** The same where there must be one. */
export function requiredOffset(message: ShardOffset | StreamOffset | undefined, field: string): ReadOffset {
  const offset = readOffsetOf(message);
  if (offset !== undefined) return offset;
  throw new HStreamError("InvalidShardOffset", { reason: `${field} is missing: say where.` });
}

/** Throws InvalidShardOffset. */
export function specialOf(value: number): Extract<ReadOffset, { kind: "earliest" | "latest" }> {
  switch (value) {
    case SpecialOffset.EARLIEST:
      return { kind: "earliest" };
    case SpecialOffset.LATEST:
      return { kind: "latest" };
    default: {
      const reason = `${value} is not a special offset: use EARLIEST (0) or LATEST (1).`;
      throw new HStreamError("InvalidShardOffset", { reason });
    }
  }
}

/** Numbers that are too large for ours mean "later than all", negative ones "before all". */
function numberOf(value: bigint): number {
  if (value < 0n) return 0;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}
