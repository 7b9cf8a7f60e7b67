import type { BoundQuery } from "@hstream/sql";
import { HStreamError } from "../errors.js";
import { type BatchId, LogError, type ShardId } from "../log/log-store.js";
import { readingFrom } from "../streams/read-offset.js";
import { ownStreamName, ownStreamPrefix, type QueryDocument, userOf, userPrefix } from "./query-document.js";
import type { QueryTools } from "./query-tools.js";

/** What queries that live on keep from being deleted or trimmed: the streams that they read and write. */
export class QueryHolds {
  readonly #tools: QueryTools;

  constructor(tools: QueryTools) {
    this.#tools = tools;
  }

  /**
   * Before the query can be seen: nothing that it needs may be deleted or trimmed. Where it starts. Rejects with
   * StreamNotFound.
   */
  async hold(document: QueryDocument, query: BoundQuery): Promise<Map<ShardId, BatchId>> {
    const { log, streams } = this.#tools;
    const start = new Map<ShardId, BatchId>();
    for (const { kind, name } of query.sources) {
      if (kind !== "stream") continue;
      const stream = streams.retain(name, userOf(document));
      if (stream === undefined) throw new HStreamError("StreamNotFound", { stream: name });
      for (const shardId of stream.shardIds) {
        const at = query.startAtMs;
        const offset = at === undefined ? { kind: query.start } : ({ kind: "time", timeMs: at } as const);
        const from = await readingFrom(log, shardId, offset);
        await log.hold(shardId, userOf(document), from);
        start.set(shardId, from);
      }
    }
    return start;
  }

  /** Lets go of all that a query has read or written. */
  async release(document: Pick<QueryDocument, "name" | "id">): Promise<void> {
    const { log, streams } = this.#tools;
    const user = userOf(document);
    for (const stream of streams.usedBy(user)) {
      for (const shardId of stream.shardIds) {
        try {
          await log.releaseHold(shardId, user);
        } catch (error) {
          if (!(error instanceof LogError && error.kind === "shard-not-found")) throw error;
        }
      }
      await streams.release(stream.id, user);
    }
  }

  /**
   * What creations and ends that a crash interrupted have left behind: holds, internal streams. `live`: the queries that
   * there are.
   */
  async clearAway(live: readonly QueryDocument[]): Promise<void> {
    const { log, streams } = this.#tools;
    const users = new Set(live.filter(({ state }) => state.kind !== "terminated").map(userOf));
    for (const shardId of streams.list().flatMap((stream) => stream.shardIds)) {
      for (const name of log.describe(shardId).holds.keys()) {
        if (name.startsWith(userPrefix) && !users.has(name)) await log.releaseHold(shardId, name);
      }
    }
    const own = new Set(live.map(({ id }) => ownStreamName(id)));
    for (const { name } of streams.listInternal(ownStreamPrefix)) {
      if (!own.has(name)) await streams.delete(name, { force: true, ignoreMissing: true });
    }
  }
}
