import { unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { BatchId, LogStore, ShardId } from "../log/log-store.js";

/** A place in a shard, as readers and trims name it. */
export type ReadOffset =
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" }
  /** A record's batch: readers take it as a whole. */
  | { readonly kind: "record"; readonly shardId: ShardId; readonly batchId: BatchId }
  /** Append time, ms since 1970. */
  | { readonly kind: "time"; readonly timeMs: number };

/** The first batch that a reader wants: of "latest", the next one to be appended. */
export async function readingFrom(log: LogStore, shardId: ShardId, offset: ReadOffset): Promise<BatchId> {
  switch (offset.kind) {
    case "earliest":
      return log.describe(shardId).trimmedUpTo + 1;
    case "latest":
      return log.tail(shardId) + 1;
    case "record":
      return recordOf(shardId, offset);
    case "time":
      return (await log.findTime(shardId, offset.timeMs)) ?? log.tail(shardId) + 1;
    default:
      return unreachable(offset);
  }
}

/**
 * The last batch that a reader wants: of "latest", the tail at this moment; of a time, the last batch
 * up to it that there is at this moment.
 */
export async function readingUpTo(log: LogStore, shardId: ShardId, offset: ReadOffset): Promise<BatchId> {
  switch (offset.kind) {
    case "earliest":
      return log.describe(shardId).trimmedUpTo + 1;
    case "latest":
      return log.tail(shardId);
    case "record":
      return recordOf(shardId, offset);
    case "time": {
      const later = await log.findTime(shardId, offset.timeMs + 1);
      return later === undefined ? log.tail(shardId) : later - 1;
    }
    default:
      return unreachable(offset);
  }
}

/** The last batch that a trim to this place removes; 0: none. */
export async function trimmingUpTo(log: LogStore, shardId: ShardId, offset: ReadOffset): Promise<BatchId> {
  switch (offset.kind) {
    case "earliest":
      return 0;
    case "latest":
      return log.tail(shardId);
    case "record":
      return recordOf(shardId, offset);
    case "time":
      return (await log.findTime(shardId, offset.timeMs)) ?? log.tail(shardId);
    default:
      return unreachable(offset);
  }
}

function recordOf(shardId: ShardId, offset: Extract<ReadOffset, { kind: "record" }>): BatchId {
  if (offset.shardId === shardId) return offset.batchId;
  const reason = `The record offset belongs to shard ${offset.shardId}, not to shard ${shardId}.`;
  throw new HStreamError("ConflictingOffsets", { reason });
}
