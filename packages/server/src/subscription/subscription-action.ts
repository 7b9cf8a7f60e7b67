import type { BatchId, ShardId } from "../log/log-store.js";

/**
 * `key-ordered`: a shard belongs to one consumer at a time, and what a consumer that left had not
 * acked comes again after the ack timeout. `round-robin`: batches go to the consumers in turn, and
 * what a consumer that left had not acked comes again at once.
 */
export type DispatchPolicy = "key-ordered" | "round-robin";

export interface SubscriptionSettings {
  readonly policy: DispatchPolicy;
  readonly ackTimeoutMs: number;
  /** Records that are delivered and not acked, at most; checked before each batch. */
  readonly maxUnackedRecords: number;
  /** Reads and resends at a time: of each consumer, or of all together with round-robin. */
  readonly readsMax: number;
  /** Deliveries after which a batch that comes due is given up; for ever if absent. */
  readonly deliveriesMax?: number;
}

/** What is to be done. `consumer` is the number that `join` gave. */
export type SubscriptionAction =
  /** Read the shard from there and report with `batchesRead`. */
  | { readonly kind: "read"; readonly shardId: ShardId; readonly from: BatchId }
  /** Hand over a batch of those just reported. `missing`: only these of its records, if not all. */
  | {
      readonly kind: "deliver";
      readonly consumer: number;
      readonly shardId: ShardId;
      readonly batchId: BatchId;
      readonly missing: readonly number[] | undefined;
    }
  /** Read one batch again, hand over what is not acked (`missing`), and report with `resent`. */
  | {
      readonly kind: "resend";
      readonly consumer: number;
      readonly shardId: ShardId;
      readonly batchId: BatchId;
    }
  /** Put what is not acked of a batch (`missing`) elsewhere, and report with `givenUp`. */
  | { readonly kind: "give-up"; readonly shardId: ShardId; readonly batchId: BatchId }
  /** Call `release` after the delay, for this delivery. */
  | {
      readonly kind: "release-later";
      readonly shardId: ShardId;
      readonly batchId: BatchId;
      readonly delivery: number;
      readonly delayMs: number;
    };

/** Takes the actions as they arise. */
export type Emit = (action: SubscriptionAction) => void;

/** What the state machine needs to know of a batch that was read. */
export interface ReadBatch {
  readonly batchId: BatchId;
  readonly recordCount: number;
}

/**
 * What a read gave. `next` is where the following one begins; `goneUpTo` are batches before `next`
 * that are gone from the log.
 */
export interface ReadBatches {
  readonly batches: readonly ReadBatch[];
  readonly next: BatchId;
  readonly goneUpTo?: BatchId;
}
