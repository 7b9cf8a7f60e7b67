import { HStreamError } from "../errors.js";
import type { BatchId, LogStore, ReadLimits, ShardId, StoredBatch } from "../log/log-store.js";
import { StreamReader } from "./stream-reader.js";

/** What is wanted of a shard: batches from `from` up to and including `upTo`; without it, for ever. */
export interface ShardRange {
  readonly shardId: ShardId;
  readonly from: BatchId;
  readonly upTo?: BatchId;
}

/** Reads ranges of shards, in turn, and follows the tails of those without an end. */
export class ShardScan {
  readonly #reader: StreamReader;
  /** Of the shards that are not read to their ends. */
  readonly #upTo = new Map<ShardId, BatchId>();
  /** What was read behind a damaged place, which was told first. */
  #kept: readonly StoredBatch[] = [];

  constructor(log: LogStore, ranges: readonly ShardRange[]) {
    const open = ranges.filter(({ from, upTo }) => upTo === undefined || from <= upTo);
    for (const { shardId, upTo } of open) this.#upTo.set(shardId, upTo ?? Number.POSITIVE_INFINITY);
    const positions = new Map(open.map(({ shardId, from }) => [shardId, from]));
    const shardIds = open.map(({ shardId }) => shardId);
    this.#reader = new StreamReader(log, { shardIds }, { kind: "positions", positions });
  }

  /** Everything was read; a scan with an endless range is never finished. */
  get finished(): boolean {
    return this.#upTo.size === 0 && this.#kept.length === 0;
  }

  /**
   * Some batches of one shard; none when there are none at the moment. Trimmed batches are passed over.
   * Rejects with DataLoss where batches are damaged, once; the next call goes on behind them.
   */
  async read(limits: ReadLimits): Promise<readonly StoredBatch[]> {
    if (this.#kept.length > 0) {
      const kept = this.#kept;
      this.#kept = [];
      return kept;
    }
    for (;;) {
      const result = await this.#reader.read(limits);
      if (result === undefined) return [];
      const { shardId, batches, next, gap } = result;
      const upTo = this.#upTo.get(shardId) ?? 0;
      if (next > upTo) {
        this.#upTo.delete(shardId);
        this.#reader.leave(shardId);
      }
      const wanted = batches.filter(({ batchId }) => batchId <= upTo);
      if (gap?.kind === "corrupt") {
        this.#kept = wanted;
        const { upTo: lostUpTo, detail } = gap;
        throw new HStreamError("DataLoss", { shardId: String(shardId), upTo: lostUpTo, detail });
      }
      if (wanted.length > 0 || this.#upTo.size === 0) return wanted;
    }
  }

  /** Resolves once there may be something to read. Rejects with the signal's reason when aborted. */
  wait(signal: AbortSignal): Promise<void> {
    return this.#reader.wait(signal);
  }

  close(): void {
    this.#reader.close();
  }
}
