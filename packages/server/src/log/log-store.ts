/**
 * The log: durable, ordered batches in shards. The contract that every engine keeps and that
 * `conformance.ts` checks. Nothing above this file knows which engine is below.
 *
 * Caller and engine owe each other:
 * - A batch is acknowledged (`append` resolves with "appended") only once it survives a crash (what kind
 *   of crash, an engine may let its operator choose: FsyncPolicy of the embedded one), and only such
 *   batches are ever seen by `read`, `tail`, `watch` and `findTime`.
 * - Per shard, batch ids rise in the order in which appends were called, and are never used twice,
 *   whatever crashes in between. Append times never fall.
 * - The engine owns the bytes of a batch from the call of `append` on; the caller leaves them alone.
 * - What `read` returns is shared with other readers and is never written to.
 */

/** 1 … 2^53 − 1. Never reused, not even after the shard was deleted. */
export type ShardId = number;

/**
 * 10^15 + epoch · 2^32 + n: always 16 digits, below 2^53 for 1.8 million epochs. The epoch is one
 * more at every start. 0 stands for "before the first batch".
 */
export type BatchId = number;

/** Permission to append to a shard. A later `open` of the shard makes all earlier ones invalid. */
export type Fence = number;

/** The stored unit. Its payload is opaque to the log. */
export interface Batch {
  /** Number of records inside, 1 … batchRecordsMax. */
  readonly recordCount: number;
  /** CompressionType of the API: 0 none, 1 gzip, 2 zstd. */
  readonly compression: number;
  readonly payload: Uint8Array;
}

export interface StoredBatch extends Batch {
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  /** Append time in ms since 1970: max(clock, the shard's last). */
  readonly timeMs: number;
}

/** Who appends, and the how-manieth append to this shard it is: makes repeats recognisable. */
export interface Producer {
  readonly id: string;
  /**
   * `contiguous`: the next is last + 1 (clients). `monotone`: any greater one (queries). `transient`: as
   * monotone (requests that may come again). Contiguous and transient ones are forgotten after 24 hours of
   * silence, monotone ones by forgetProducer.
   */
  readonly mode: "contiguous" | "monotone" | "transient";
  readonly sequence: Sequence;
}

/** (step, chunk), ordered by step, then chunk. Contiguous producers count in `step`, chunk is 0. */
export interface Sequence {
  readonly step: number;
  readonly chunk: number;
}

export interface AppendOptions {
  readonly fence: Fence;
  readonly producer?: Producer;
  /** Append only if the shard's newest batch (durable or waiting) is this one; 0 for an empty shard. */
  readonly expectTail?: BatchId;
}

export type AppendResult =
  /** Durable. A repeat of one of the producer's last five appends gives that append's result again. */
  | { readonly kind: "appended"; readonly batchId: BatchId; readonly timeMs: number }
  /** A repeat older than the results that are kept. The batch was appended before. */
  | { readonly kind: "duplicate" }
  /** A contiguous producer left one out. Nothing was appended. */
  | { readonly kind: "sequence-gap"; readonly expected: Sequence }
  /** The shard was opened by somebody else since. Nothing was appended. */
  | { readonly kind: "fenced"; readonly current: Fence }
  /** `expectTail` did not hold. Nothing was appended. */
  | { readonly kind: "tail-mismatch"; readonly tail: BatchId }
  /** No room on the disk, or too many bytes wait for it. Nothing was appended; try later. */
  | { readonly kind: "full"; readonly reason: "disk" | "in-flight"; readonly limitBytes: number };

export interface ReadLimits {
  readonly batchesMax: number;
  /** Payload bytes; the first batch always comes, however large. */
  readonly bytesMax: number;
}

/** Where a reader wants what is fetched from the disk for it to lie. */
export interface ReadMemory {
  /** Room for so many bytes; undefined when it has none left: the log then takes memory of its own. */
  take(bytes: number): Buffer | undefined;
}

export interface ReadResult {
  readonly batches: readonly StoredBatch[];
  /** Where the next read goes on: one past the last batch returned (or `from` if there is none). */
  readonly next: BatchId;
  /** Batches at or after `from` that are gone: trimmed, or unreadable for the reason in `detail`. */
  readonly gap?: { readonly kind: "trimmed" | "corrupt"; readonly upTo: BatchId; readonly detail: string };
}

export interface ShardDescription {
  readonly shardId: ShardId;
  /** The newest durable batch, 0 when there has never been one. */
  readonly tail: BatchId;
  /** Everything up to and including this one is gone; 0 when nothing was trimmed. */
  readonly trimmedUpTo: BatchId;
  /** Append time of the newest durable batch in ms, 0 when there is none. */
  readonly tailTimeMs: number;
  readonly holds: ReadonlyMap<string, BatchId>;
}

export type TrimResult =
  | { readonly kind: "trimmed"; readonly upTo: BatchId }
  /** A hold needs `from` and later ones. Nothing was trimmed. */
  | { readonly kind: "held"; readonly by: string; readonly from: BatchId };

export type LogErrorKind =
  | "shard-not-found"
  | "shard-exists"
  | "closed"
  | "failed"
  | "full"
  | "locked"
  | "unknown-format";

/**
 * The call could not be carried out at all. `failed`: the disk refused a sync; restart to recover.
 * `full`: no room on the disk for a change that is no append; nothing was changed, try later.
 * At the start only: `locked`, another process has the directory; `unknown-format`, a later version of
 * the server wrote it.
 */
export class LogError extends Error {
  override readonly name = "LogError";
  readonly kind: LogErrorKind;

  constructor(kind: LogErrorKind, message: string, cause?: unknown) {
    super(message, { cause });
    this.kind = kind;
  }
}

export interface LogStore {
  /** Makes an empty shard. Rejects with LogError shard-exists, also for a deleted shard's id. */
  createShard(shardId: ShardId): Promise<void>;
  /** Frees the shard's space in time. Later calls for it reject with LogError shard-not-found. */
  deleteShard(shardId: ShardId): Promise<void>;
  /** The shards that exist, ascending. */
  shards(): ShardId[];
  describe(shardId: ShardId): ShardDescription;

  /** Takes the right to append. Fences only rise, across restarts too. */
  open(shardId: ShardId): Promise<Fence>;
  append(shardId: ShardId, batch: Batch, options: AppendOptions): Promise<AppendResult>;

  /**
   * Durable batches from `from` on (0: from the first kept). At the tail: none, at once. What is damaged
   * is a gap; a failure that may pass, such as too many open files, rejects with DiskError. What comes from
   * the disk may be put into `memory`, so that its owner can use that again once it is done with the batches;
   * what others share comes from elsewhere. Once the call has settled nothing more is written to `memory`.
   */
  read(shardId: ShardId, from: BatchId, limits: ReadLimits, memory?: ReadMemory): Promise<ReadResult>;
  /** The newest durable batch, 0 when there has never been one. */
  tail(shardId: ShardId): BatchId;
  /** Calls `listener` after every advance of the tail (several may be one call). Returns the stop. */
  watch(shardId: ShardId, listener: (tail: BatchId) => void): () => void;
  /** The first durable, kept batch with append time ≥ timeMs; undefined when there is none. */
  findTime(shardId: ShardId, timeMs: number): Promise<BatchId | undefined>;

  /** Removes batches up to and including `upTo` (capped at the tail). */
  trim(shardId: ShardId, upTo: BatchId): Promise<TrimResult>;
  /** Keeps `from` and everything later from being trimmed, under a name; moves a hold of that name. */
  hold(shardId: ShardId, name: string, from: BatchId): Promise<void>;
  /** Lets go of a hold; nothing happens when there is none of that name. */
  releaseHold(shardId: ShardId, name: string): Promise<void>;

  /** Lets go of what is known of a producer: it will append no more. Nothing happens when it is not known. */
  forgetProducer(shardId: ShardId, producerId: string): Promise<void>;

  /** Waits for what is being committed, then ends. Later calls reject with LogError closed. */
  close(): Promise<void>;
}
