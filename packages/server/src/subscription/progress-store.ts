import type { ShardId } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import { parseSavedProgress, type SavedProgress } from "./shard-progress.js";

const prefix = "subscription-progress/";

/** Where the progress of subscriptions is kept: one document for each subscription and shard. */
export class ProgressStore {
  readonly #meta: MetaStore;

  constructor(meta: MetaStore) {
    this.#meta = meta;
  }

  async load(uid: string): Promise<Map<ShardId, SavedProgress>> {
    const entries = await this.#meta.range(`${prefix}${uid}/`);
    return new Map(
      entries.map(({ key, value }) => [
        Number(key.slice(key.lastIndexOf("/") + 1)),
        parseSavedProgress(value),
      ]),
    );
  }

  async save(uid: string, changes: ReadonlyMap<ShardId, SavedProgress>): Promise<void> {
    const puts = [...changes].map(([shardId, progress]) =>
      this.#meta.put(`${prefix}${uid}/${shardId}`, JSON.stringify(progress)),
    );
    await Promise.all(puts);
  }

  async remove(uid: string): Promise<void> {
    for (const { key, revision } of await this.#meta.range(`${prefix}${uid}/`)) {
      await this.#meta.compareAndSet(key, undefined, revision);
    }
  }

  /** Removes what a crash left of subscriptions that were deleted. */
  async removeOthers(uids: ReadonlySet<string>): Promise<void> {
    for (const { key, revision } of await this.#meta.range(prefix)) {
      const uid = key.slice(prefix.length, key.lastIndexOf("/"));
      if (!uids.has(uid)) await this.#meta.compareAndSet(key, undefined, revision);
    }
  }
}
