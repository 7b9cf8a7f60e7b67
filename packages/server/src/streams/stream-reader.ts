import { must } from "@hstream/proto";
import type {
  BatchId,
  LogStore,
  ReadLimits,
  ReadResult,
  ShardDescription,
  ShardId,
} from "../log/log-store.js";
import type { StreamDocument } from "./stream.js";

/** Where to begin in each shard. `positions` gives the first batch id wanted; 0 or absent: the first kept. */
export type StreamStart =
  | { readonly kind: "earliest" }
  | { readonly kind: "latest" }
  | { readonly kind: "positions"; readonly positions: ReadonlyMap<ShardId, BatchId> };

export interface ShardRead extends ReadResult {
  readonly shardId: ShardId;
}

/** Reads the shards of a stream batch by batch, in turn, and follows their tails. */
export class StreamReader {
  readonly #log: LogStore;
  readonly #positions = new Map<ShardId, BatchId>();
  /** Shards that may have something to read, the one whose turn it is first. */
  readonly #ready = new Set<ShardId>();
  readonly #stops = new Map<ShardId, () => void>();
  #wake: () => void = () => {};

  constructor(log: LogStore, stream: Pick<StreamDocument, "shardIds">, start: StreamStart) {
    this.#log = log;
    for (const shardId of stream.shardIds) {
      this.#positions.set(shardId, startOf(log, shardId, start));
      this.#ready.add(shardId);
      const stop = log.watch(shardId, () => {
        this.#ready.add(shardId);
        this.#wake();
      });
      this.#stops.set(shardId, stop);
    }
  }

  /** The next batch id that will be read, per shard. */
  positions(): ReadonlyMap<ShardId, BatchId> {
    return new Map(this.#positions);
  }

  /** What some shard has to offer; undefined when all have been read up to their tails. */
  async read(limits: ReadLimits): Promise<ShardRead | undefined> {
    for (const shardId of this.#ready) {
      // Back to the end of the line, or out of it when nothing is there; the watch brings it back.
      this.#ready.delete(shardId);
      const from = must(this.#positions.get(shardId), "every shard has a position");
      const result = await this.#log.read(shardId, from, limits);
      this.#positions.set(shardId, result.next);
      if (result.batches.length > 0 || result.gap !== undefined) {
        this.#ready.add(shardId);
        return { shardId, ...result };
      }
    }
    return undefined;
  }

  /** Resolves once there may be something to read. Rejects with the signal's reason when aborted. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (then: () => void) => {
        this.#wake = () => {};
        signal.removeEventListener("abort", abort);
        then();
      };
      const abort = () => settle(() => reject(signal.reason as Error));
      if (signal.aborted) return abort();
      if (this.#ready.size > 0) return resolve();
      signal.addEventListener("abort", abort);
      this.#wake = () => settle(resolve);
    });
  }

  /** No more is wanted of this shard. */
  leave(shardId: ShardId): void {
    this.#stops.get(shardId)?.();
    this.#stops.delete(shardId);
    this.#ready.delete(shardId);
  }

  close(): void {
    for (const stop of this.#stops.values()) stop();
  }
}

/** What is stored at this moment: reading from `start` up to these tails ends. */
export function tailsOf(log: LogStore, stream: StreamDocument): Map<ShardId, ShardDescription> {
  return new Map(stream.shardIds.map((shardId) => [shardId, log.describe(shardId)]));
}

function startOf(log: LogStore, shardId: ShardId, start: StreamStart): BatchId {
  switch (start.kind) {
    case "earliest":
      return 0;
    case "latest":
      return log.tail(shardId) + 1;
    case "positions":
      return start.positions.get(shardId) ?? 0;
  }
}
