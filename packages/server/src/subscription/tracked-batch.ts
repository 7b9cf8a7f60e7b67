import { assert } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { AckSet } from "./ack-set.js";
import type { Deadlined } from "./deadline-queue.js";
import { type OpenBatch, type SavedProgress, ShardProgress } from "./shard-progress.js";

/** Work that waits for the same consumers: one consumer's with key-ordered, all with round-robin. */
export interface Lane {
  /** Shards with batches to send again, and perhaps some that have none any more. */
  readonly due: Set<ShardState>;
  readonly unread: Set<ShardState>;
  readsUnderWay: number;
}

export interface SubscriptionConsumer {
  readonly number: number;
  readonly shards: Set<ShardState>;
  readonly lane: Lane;
  /** Round-robin only: what comes back when it leaves. */
  readonly sent: Set<TrackedBatch>;
  ready: boolean;
}

/** What is known of a shard of the subscription. */
export interface ShardState {
  readonly shardId: ShardId;
  readonly progress: ShardProgress<TrackedBatch>;
  /** Waiting to be sent again, in the order in which they became due. */
  readonly due: Set<TrackedBatch>;
  /** The next batch to read. */
  position: BatchId;
  tail: BatchId;
  /** The lane whose read is under way. */
  readBy: Lane | undefined;
  owner: SubscriptionConsumer | undefined;
}

/** A batch that was sent and has records that are not acked. */
export interface TrackedBatch extends OpenBatch, Deadlined {
  readonly shard: ShardState;
  /** To whom it was sent last, or is being sent again; undefined while it is due. */
  sentTo: SubscriptionConsumer | undefined;
  /** A resend is under way: its time begins when it has been handed over. */
  resending: boolean;
  /** Whether it is among the deadlines. */
  queued: boolean;
  deliveries: number;
  /** Tells its deliveries apart, also those that were taken back. */
  delivery: number;
  /** Records of the last delivery that were negatively acked. */
  nacked: Set<number> | undefined;
  /** How long it is to wait once the delivery is settled: the longest delay that was asked for. */
  nackDelayMs: number;
}

export function newLane(): Lane {
  return { due: new Set(), unread: new Set(), readsUnderWay: 0 };
}

export function newShard(shardId: ShardId, saved: SavedProgress): ShardState {
  return {
    shardId,
    progress: new ShardProgress(saved),
    due: new Set(),
    position: saved.upTo + 1,
    tail: 0,
    readBy: undefined,
    owner: undefined,
  };
}

export function newBatch(shard: ShardState, batchId: BatchId, acks: AckSet): TrackedBatch {
  assert(!acks.complete, "a batch has records, and those of an acked one are not delivered");
  return {
    kind: "open",
    batchId,
    acks,
    shard,
    sentTo: undefined,
    resending: false,
    queued: false,
    deliveries: 0,
    delivery: 0,
    nacked: undefined,
    nackDelayMs: 0,
    deadlineMs: 0,
    earlier: undefined,
    later: undefined,
  };
}
