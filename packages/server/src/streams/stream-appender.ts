import { must, unreachable } from "@hstream/proto";
import type { Env } from "../env/env.js";
import type { Meter } from "../metrics/meter.js";
import type { AppendLane, Metrics } from "../metrics/metrics.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import {
  type AppendOptions,
  type AppendResult,
  type Batch,
  type BatchId,
  type Fence,
  LogError,
  type LogStore,
  type Producer,
  type ShardId,
} from "../log/log-store.js";
import { checkBatch } from "./batch-check.js";
import { ByteBudget } from "./byte-budget.js";
import { hashKey, shardIndexOf } from "./key-space.js";
import { refusalOfLog } from "./store-refusals.js";
import type { StreamDocument } from "./stream.js";
import type { StreamCatalogue } from "./stream-catalogue.js";

export interface AppendedBatch {
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  readonly timeMs: number;
}

export interface AppendHow {
  /** Makes repeats recognisable: a repeat gives the first append's result, or `duplicate`. */
  readonly producer?: Producer;
  /** How long to wait while too much is on its way to the disk, ms; for ever if absent. */
  readonly patienceMs?: number;
  /** The batch was stored before, compressed: it may be larger than what clients may append. */
  readonly restored?: boolean;
}

/** A shard that was appended to, as long as its stream exists. */
interface OpenShard {
  /** The right to append to it; undefined since somebody else has taken it. */
  fence: Fence | undefined;
  /** Counts the appends to its stream. Here, since the shard is looked up for every append anyhow. */
  readonly meter: Meter<AppendLane> | undefined;
}

/** Appends to streams: checks a batch, opens its shard, and says in the API's errors what went wrong. */
export class StreamAppender {
  readonly #catalogue: StreamCatalogue;
  readonly #log: LogStore;
  readonly #budget: ByteBudget;
  readonly #recordBytesMax: number;
  readonly #metrics: Metrics | undefined;
  readonly #shards = new Map<ShardId, OpenShard>();
  readonly #opening = new Map<ShardId, Promise<Fence>>();

  constructor(
    env: Env,
    catalogue: StreamCatalogue,
    log: LogStore,
    options: { readonly recordBytesMax: number; readonly metrics?: Metrics },
  ) {
    this.#catalogue = catalogue;
    this.#log = log;
    this.#budget = new ByteBudget(limits.appendBytesInFlightMax, env.timers);
    this.#recordBytesMax = options.recordBytesMax;
    this.#metrics = options.metrics;
  }

  /**
   * Appends a client's batch to one of the stream's shards; durable when it resolves. Rejects with
   * StreamNotFound, ShardNotInStream, EmptyBatch, RecordTooLarge, InvalidBatch, AppendFull, Fenced,
   * and with DuplicateAppend or AppendSequenceGap for a producer.
   */
  async append(
    streamName: string,
    shardId: ShardId,
    batch: Batch,
    how: AppendHow = {},
  ): Promise<AppendedBatch> {
    this.#check(streamName, batch, how.restored === true ? limits.responseBytesMax : this.#recordBytesMax);
    const stream = this.#catalogue.get(streamName);
    if (this.#catalogue.ofShard(shardId)?.id !== stream.id) {
      this.#metrics?.appendFailed(stream.id);
      throw new HStreamError("ShardNotInStream", { shardId: String(shardId), stream: streamName });
    }
    return this.#append(stream, shardId, batch, how);
  }

  /** Appends to the shard that the partition key belongs to. Rejects as `append` does. */
  async appendByKey(
    streamName: string,
    key: string,
    batch: Batch,
    how: AppendHow = {},
  ): Promise<AppendedBatch> {
    this.#check(streamName, batch, this.#recordBytesMax);
    const stream = this.#catalogue.get(streamName);
    return this.#append(stream, shardOfKey(stream, key), batch, how);
  }

  /** Throws what is wrong with a batch, and counts it for its stream, if there is one. */
  #check(streamName: string, batch: Batch, recordBytesMax: number): void {
    try {
      checkBatch(batch, recordBytesMax);
    } catch (error) {
      const stream = this.#catalogue.find(streamName);
      if (stream !== undefined) this.#metrics?.appendFailed(stream.id);
      throw error;
    }
  }

  async #append(
    { id: streamId }: StreamDocument,
    shardId: ShardId,
    batch: Batch,
    how: AppendHow,
  ): Promise<AppendedBatch> {
    const started = this.#metrics?.moment();
    const bytes = batch.payload.length;
    if (!this.#budget.tryTake(bytes) && !(await this.#budget.take(bytes, how.patienceMs))) {
      const max = limits.appendBytesInFlightMax;
      this.#metrics?.appendFailed(streamId);
      throw new HStreamError("AppendFull", { reason: "too many bytes wait for the disk", max });
    }
    try {
      const shard = this.#shards.get(shardId) ?? this.#shard(streamId, shardId);
      const fence = shard.fence ?? (await this.#open(shardId, shard));
      const options: AppendOptions =
        how.producer === undefined ? { fence } : { fence, producer: how.producer };
      const result = await this.#log.append(shardId, batch, options);
      const appended = this.#settle(shard, shardId, result);
      if (shard.meter !== undefined && started !== undefined) {
        this.#metrics?.appended(shard.meter, bytes, batch.recordCount, started);
      }
      return appended;
    } catch (error) {
      this.#metrics?.appendFailed(streamId);
      if (error instanceof LogError && error.kind === "failed") this.#metrics?.health.logFailed();
      throw error instanceof LogError ? refusalOfLog(error, shardId) : error;
    } finally {
      this.#budget.give(bytes);
    }
  }

  #settle(shard: OpenShard, shardId: ShardId, result: AppendResult): AppendedBatch {
    switch (result.kind) {
      case "appended":
        return { shardId, batchId: result.batchId, timeMs: result.timeMs };
      case "duplicate":
        throw new HStreamError("DuplicateAppend", { shardId: String(shardId) });
      case "sequence-gap":
        throw new HStreamError("AppendSequenceGap", { expected: result.expected.step });
      case "fenced":
        // The next append opens the shard anew; this one's caller shall look it up again first.
        shard.fence = undefined;
        throw new HStreamError("Fenced", { shardId: String(shardId) });
      case "full": {
        if (result.reason === "disk") this.#metrics?.health.diskFull(this.#metrics.now());
        const reason = result.reason === "disk" ? "the disk is full" : "too many bytes wait for the disk";
        throw new HStreamError("AppendFull", { reason, max: result.limitBytes });
      }
      case "tail-mismatch":
        throw new HStreamError("Internal", {}, null, result);
      default:
        return unreachable(result);
    }
  }

  #shard(streamId: string, shardId: ShardId): OpenShard {
    const shard: OpenShard = { fence: undefined, meter: this.#metrics?.appendsOf(streamId) };
    this.#shards.set(shardId, shard);
    this.#catalogue.onEnd(streamId, () => this.#shards.delete(shardId));
    return shard;
  }

  #open(shardId: ShardId, shard: OpenShard): Promise<Fence> {
    const already = this.#opening.get(shardId);
    if (already !== undefined) return already;
    const opening = this.#log
      .open(shardId)
      .then((fence) => {
        shard.fence = fence;
        return fence;
      })
      .finally(() => this.#opening.delete(shardId));
    this.#opening.set(shardId, opening);
    return opening;
  }
}

/** The shard that a partition key belongs to. */
export function shardOfKey(stream: StreamDocument, key: string): ShardId {
  const { shardIds } = stream;
  const index = shardIds.length === 1 ? 0 : shardIndexOf(hashKey(key), shardIds.length);
  return must(shardIds[index], "every place of the key space has a shard");
}
