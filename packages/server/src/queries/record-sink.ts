import { must } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { decodeKeyedBatch, type KeyedBatch } from "../executor/encode/keyed-batch.js";
import { limits } from "../limits.js";
import type { ShardId } from "../log/log-store.js";
import { shardOfKey, type StreamAppender } from "../streams/stream-appender.js";
import type { StreamDocument } from "../streams/stream.js";
import type { QueryTools } from "./query-tools.js";

/** Keys of which the shard is remembered: finding it takes a digest. */
const keysRemembered = 16_384;

/**
 * Appends what a query gives to a stream. Appends are under way while the query goes on; `settled` waits for
 * them. While the log takes none, they wait and try again.
 */
export class RecordSink {
  readonly #tools: QueryTools;
  readonly #appender: StreamAppender;
  readonly #stream: StreamDocument;
  readonly #signal: AbortSignal;
  readonly #shards = new Map<string, ShardId>();
  /** The last append to each shard, which the next one waits for: so they stay in order. */
  readonly #last = new Map<ShardId, Promise<void>>();
  #underWay: Promise<void>[] = [];

  constructor(tools: QueryTools, appender: StreamAppender, stream: StreamDocument, signal: AbortSignal) {
    this.#tools = tools;
    this.#appender = appender;
    this.#stream = stream;
    this.#signal = signal;
  }

  /** Takes a report's output (KeyedBatches). Rejects when an append has failed for good. */
  async take(output: readonly Uint8Array[]): Promise<void> {
    for (const batch of this.#batchesOf(output.map(decodeKeyedBatch))) {
      if (this.#underWay.length >= limits.queryAppendsMax) await this.#underWay[0];
      const before = this.#last.get(batch.shardId) ?? Promise.resolve();
      const append = before.then(() => this.#append(batch));
      this.#last.set(batch.shardId, append);
      this.#underWay.push(append);
      // One that failed stays, for whoever waits for all.
      append.then(
        () => {
          this.#underWay = this.#underWay.filter((other) => other !== append);
        },
        () => undefined,
      );
    }
  }

  /** Resolves once all that was taken is durable. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  /** In the order of the records of each shard; small ones of one shard are put together. */
  #batchesOf(batches: readonly KeyedBatch[]): ShardBatch[] {
    const open = new Map<ShardId, ShardBatch>();
    const all: ShardBatch[] = [];
    for (const { key, recordCount, payload } of batches) {
      const shardId = this.#shardOf(key);
      const last = open.get(shardId);
      const fits =
        last !== undefined &&
        last.bytes + payload.length <= limits.recordBytesMax &&
        last.recordCount + recordCount <= limits.batchRecordsMax;
      const batch = fits ? last : { shardId, recordCount: 0, bytes: 0, payloads: [] };
      batch.recordCount += recordCount;
      batch.bytes += payload.length;
      batch.payloads.push(payload);
      if (fits) continue;
      open.set(shardId, batch);
      all.push(batch);
    }
    return all;
  }

  #shardOf(key: string): ShardId {
    const [only, ...others] = this.#stream.shardIds;
    if (others.length === 0) return must(only, "a stream has shards");
    const known = this.#shards.get(key);
    if (known !== undefined) return known;
    if (this.#shards.size >= keysRemembered) this.#shards.clear();
    const shardId = shardOfKey(this.#stream, key);
    this.#shards.set(key, shardId);
    return shardId;
  }

  async #append({ shardId, recordCount, payloads }: ShardBatch): Promise<void> {
    const [only, ...others] = payloads;
    const payload = only !== undefined && others.length === 0 ? only : Buffer.concat(payloads);
    for (;;) {
      try {
        await this.#appender.append(this.#stream.name, shardId, { recordCount, compression: 0, payload });
        return;
      } catch (error) {
        if (!isPassing(error)) throw error;
        await this.#tools.env.timers.sleep(limits.queryAppendPauseMs, this.#signal);
      }
    }
  }
}

interface ShardBatch {
  readonly shardId: ShardId;
  recordCount: number;
  bytes: number;
  readonly payloads: Uint8Array[];
}

function isPassing(error: unknown): boolean {
  return error instanceof HStreamError && ["AppendFull", "DiskFull", "Fenced"].includes(error.kind);
}
