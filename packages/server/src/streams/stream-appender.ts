import { must, unreachable } from "@hstream/proto";
import type { Env } from "../env/env.js";
import type { Metrics } from "../metrics/metrics.js";
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

/** Appends to streams: checks a batch, opens its shard, and says in the API's errors what went wrong. */
export class StreamAppender {
  readonly #catalogue: StreamCatalogue;
  readonly #log: LogStore;
  readonly #budget: ByteBudget;
  readonly #recordBytesMax: number;
  readonly #metrics: Metrics | undefined;
  readonly #fences = new Map<ShardId, Fence>();
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
    checkBatch(batch, how.restored === true ? limits.responseBytesMax : this.#recordBytesMax);
    const stream = this.#catalogue.get(streamName);
    if (this.#catalogue.ofShard(shardId)?.id !== stream.id) {
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
    checkBatch(batch, this.#recordBytesMax);
    const stream = this.#catalogue.get(streamName);
    return this.#append(stream, shardOfKey(stream, key), batch, how);
  }

  async #append(
    { id: streamId }: StreamDocument,
    shardId: ShardId,
    batch: Batch,
    how: AppendHow,
  ): Promise<AppendedBatch> {
    const startedMs = this.#metrics?.now() ?? 0;
    const bytes = batch.payload.length;
    if (!this.#budget.tryTake(bytes) && !(await this.#budget.take(bytes, how.patienceMs))) {
      const max = limits.appendBytesInFlightMax;
      this.#metrics?.appendFailed(streamId);
      throw new HStreamError("AppendFull", { reason: "too many bytes wait for the disk", max });
    }
    try {
      const fence = this.#fences.get(shardId) ?? (await this.#open(shardId));
      const options: AppendOptions =
        how.producer === undefined ? { fence } : { fence, producer: how.producer };
      const appended = this.#settle(shardId, await this.#log.append(shardId, batch, options));
      this.#metrics?.appended(streamId, bytes, batch.recordCount, startedMs);
      return appended;
    } catch (error) {
      this.#metrics?.appendFailed(streamId);
      if (error instanceof LogError && error.kind === "failed") this.#metrics?.health.logFailed();
      throw error instanceof LogError ? refusalOfLog(error, shardId) : error;
    } finally {
      this.#budget.give(bytes);
    }
  }

  #settle(shardId: ShardId, result: AppendResult): AppendedBatch {
    switch (result.kind) {
      case "appended":
        return { shardId, batchId: result.batchId, timeMs: result.timeMs };
      case "duplicate":
        throw new HStreamError("DuplicateAppend", { shardId: String(shardId) });
      case "sequence-gap":
        throw new HStreamError("AppendSequenceGap", { expected: result.expected.step });
      case "fenced":
        // The next append opens the shard anew; this one's caller shall look it up again first.
        this.#fences.delete(shardId);
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

  #open(shardId: ShardId): Promise<Fence> {
    const already = this.#opening.get(shardId);
    if (already !== undefined) return already;
    const opening = this.#log
      .open(shardId)
      .then((fence) => {
        this.#fences.set(shardId, fence);
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
