import type { BatchId, LogStore, ShardId } from "../log/log-store.js";

/**
 * A moment in all shards at once: what is durable when it is made. Whoever answers at a barrier has
 * processed exactly that of every shard that it reads, so that answers at one barrier go together. Its tails
 * are looked up when they are asked for first, which must be in the turn of the event loop in which it is
 * made.
 */
export class Barrier {
  readonly #log: LogStore;
  readonly #tails = new Map<ShardId, BatchId>();
  #cancelled: Error | undefined;

  constructor(log: LogStore) {
    this.#log = log;
  }

  tailOf(shardId: ShardId): BatchId {
    const known = this.#tails.get(shardId);
    if (known !== undefined) return known;
    const tail = this.#log.tail(shardId);
    this.#tails.set(shardId, tail);
    return tail;
  }

  /** Set once nobody waits for it any more. */
  get cancelled(): Error | undefined {
    return this.#cancelled;
  }

  cancel(reason: Error): void {
    this.#cancelled ??= reason;
  }
}
