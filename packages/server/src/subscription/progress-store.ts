import type { ShardId } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import { MetaTable } from "../meta/table.js";
import { progressCodec, type SavedProgress } from "./shard-progress.js";

/** Where the progress of subscriptions is kept: one document for each subscription and shard. */
export class ProgressStore {
  /** Rows are called `<uid of the subscription>/<shard>`. */
  readonly #table: MetaTable<SavedProgress>;

  constructor(meta: MetaStore) {
    this.#table = new MetaTable(meta, "subscription-progress/", progressCodec);
  }

  async load(uid: string): Promise<Map<ShardId, SavedProgress>> {
    const rows = await this.#table.list(`${uid}/`);
    return new Map(rows.map(({ id, document }) => [Number(id.slice(uid.length + 1)), document]));
  }

  async save(uid: string, changes: ReadonlyMap<ShardId, SavedProgress>): Promise<void> {
    await Promise.all(
      [...changes].map(([shardId, progress]) => this.#table.put(`${uid}/${shardId}`, progress)),
    );
  }

  async remove(uid: string): Promise<void> {
    const rows = await this.#table.list(`${uid}/`);
    await Promise.all(rows.map(({ id, revision }) => this.#table.compareAndSet(id, undefined, revision)));
  }

  /** Removes what a crash left of subscriptions that were deleted. */
  async removeOthers(uids: ReadonlySet<string>): Promise<void> {
    for (const { id, revision } of await this.#table.list()) {
      const uid = id.slice(0, id.lastIndexOf("/"));
      if (!uids.has(uid)) await this.#table.compareAndSet(id, undefined, revision);
    }
  }
}
