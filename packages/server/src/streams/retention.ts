import type { Env, Timer } from "../env/env.js";
import { limits } from "../limits.js";
import { LogError, type LogStore, type ShardId } from "../log/log-store.js";
import type { StreamCatalogue } from "./stream-catalogue.js";

/**
 * Trims what streams have kept longer than their backlog. Batches that somebody holds stay, and all of
 * theirs that follow.
 */
export class Retention {
  readonly #env: Env;
  readonly #streams: StreamCatalogue;
  readonly #log: LogStore;
  readonly #report: (where: string, error: unknown) => void;
  #timer: Timer | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  /** Begins; the first sweep is after one interval. */
  constructor(
    env: Env,
    streams: StreamCatalogue,
    log: LogStore,
    report: (where: string, error: unknown) => void,
  ) {
    this.#env = env;
    this.#streams = streams;
    this.#log = log;
    this.#report = report;
    this.#arm();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#env.timers.after(limits.retentionIntervalMs, () => {
      this.#sweeping = this.#sweep()
        .catch((error: unknown) => this.#report("retention", error))
        .finally(() => this.#arm());
    });
  }

  async #sweep(): Promise<void> {
    for (const { backlogSeconds, shardIds } of this.#streams.list()) {
      if (backlogSeconds === 0) continue;
      const keepFromMs = this.#env.clock.now() - backlogSeconds * 1_000;
      for (const shardId of shardIds) {
        if (this.#closed) return;
        await this.#trimShard(shardId, keepFromMs);
      }
    }
  }

  async #trimShard(shardId: ShardId, keepFromMs: number): Promise<void> {
    try {
      const { tail, trimmedUpTo } = this.#log.describe(shardId);
      const kept = await this.#log.findTime(shardId, keepFromMs);
      let upTo = kept === undefined ? tail : kept - 1;
      while (upTo > trimmedUpTo) {
        const result = await this.#log.trim(shardId, upTo);
        if (result.kind === "trimmed") return;
        upTo = Math.min(upTo, result.from) - 1;
      }
    } catch (error) {
      // Deleted meanwhile.
      if (error instanceof LogError && error.kind === "shard-not-found") return;
      throw error;
    }
  }
}
