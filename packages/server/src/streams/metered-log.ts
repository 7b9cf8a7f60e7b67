import type {
  AppendOptions,
  AppendResult,
  Batch,
  BatchId,
  Fence,
  LogStore,
  ReadLimits,
  ReadMemory,
  ReadResult,
  ShardDescription,
  ShardId,
  TrimResult,
} from "../log/log-store.js";
import type { Metrics } from "../metrics/metrics.js";
import type { StreamCatalogue } from "./stream-catalogue.js";

/** The log as those see it who read streams: what they read is counted by stream. */
export class MeteredLog implements LogStore {
  readonly #log: LogStore;
  readonly #streams: StreamCatalogue;
  readonly #metrics: Metrics;

  constructor(log: LogStore, streams: StreamCatalogue, metrics: Metrics) {
    this.#log = log;
    this.#streams = streams;
    this.#metrics = metrics;
  }

  async read(shardId: ShardId, from: BatchId, limits: ReadLimits, memory?: ReadMemory): Promise<ReadResult> {
    const startedMs = this.#metrics.now();
    const result = await this.#log.read(shardId, from, limits, memory);
    const stream = this.#streams.ofShard(shardId);
    if (stream !== undefined && result.batches.length > 0) {
      let bytes = 0;
      let records = 0;
      for (const batch of result.batches) {
        bytes += batch.payload.length;
        records += batch.recordCount;
      }
      this.#metrics.read(stream.id, bytes, records, startedMs);
    }
    return result;
  }

  createShard(shardId: ShardId): Promise<void> {
    return this.#log.createShard(shardId);
  }

  deleteShard(shardId: ShardId): Promise<void> {
    return this.#log.deleteShard(shardId);
  }

  shards(): ShardId[] {
    return this.#log.shards();
  }

  describe(shardId: ShardId): ShardDescription {
    return this.#log.describe(shardId);
  }

  open(shardId: ShardId): Promise<Fence> {
    return this.#log.open(shardId);
  }

  append(shardId: ShardId, batch: Batch, options: AppendOptions): Promise<AppendResult> {
    return this.#log.append(shardId, batch, options);
  }

  tail(shardId: ShardId): BatchId {
    return this.#log.tail(shardId);
  }

  watch(shardId: ShardId, listener: (tail: BatchId) => void): () => void {
    return this.#log.watch(shardId, listener);
  }

  findTime(shardId: ShardId, timeMs: number): Promise<BatchId | undefined> {
    return this.#log.findTime(shardId, timeMs);
  }

  trim(shardId: ShardId, upTo: BatchId): Promise<TrimResult> {
    return this.#log.trim(shardId, upTo);
  }

  hold(shardId: ShardId, name: string, from: BatchId): Promise<void> {
    return this.#log.hold(shardId, name, from);
  }

  releaseHold(shardId: ShardId, name: string): Promise<void> {
    return this.#log.releaseHold(shardId, name);
  }

  forgetProducer(shardId: ShardId, producerId: string): Promise<void> {
    return this.#log.forgetProducer(shardId, producerId);
  }

  close(): Promise<void> {
    return this.#log.close();
  }
}
