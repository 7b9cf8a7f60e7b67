import type { Env } from "../env/env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { QueryProgress } from "./query-progress.js";

export interface QueryInfo {
  readonly id: string;
  readonly sql: string;
  readonly startedMs: number;
  /** From the moment on when it runs. */
  readonly progress: QueryProgress | undefined;
}

interface RegisteredQuery extends QueryInfo {
  readonly abort: AbortController;
  progress: QueryProgress | undefined;
}

export interface QueryEntry {
  readonly id: string;
  /** Aborted when the caller's is, or with QueryTerminated when somebody ends the query. */
  readonly signal: AbortSignal;
  /** The query runs, and this is how it is doing. */
  watch(progress: QueryProgress): void;
  remove(): void;
}

/** The push queries that somebody is reading at the moment. */
export class QueryRegistry {
  readonly #env: Env;
  readonly #queries = new Map<string, RegisteredQuery>();

  constructor(env: Env) {
    this.#env = env;
  }

  /** Registers a query. Throws TooManyQueries beyond queriesMax. */
  add(sql: string, caller: AbortSignal): QueryEntry {
    if (this.#queries.size >= limits.queriesMax) {
      throw new HStreamError("TooManyQueries", { max: limits.queriesMax });
    }
    const id = `query_${Buffer.from(this.#env.random.bytes(4)).toString("hex")}`;
    const abort = new AbortController();
    const query: RegisteredQuery = {
      id,
      sql,
      startedMs: this.#env.clock.now(),
      abort,
      progress: undefined,
    };
    this.#queries.set(id, query);
    return {
      id,
      signal: AbortSignal.any([caller, abort.signal]),
      watch: (progress) => {
        query.progress = progress;
      },
      remove: () => {
        this.#queries.delete(id);
      },
    };
  }

  list(): QueryInfo[] {
    return [...this.#queries.values()].map(({ id, sql, startedMs, progress }) => ({
      id,
      sql,
      startedMs,
      progress,
    }));
  }

  /** Rejects with QueryNotFound. */
  async terminate(id: string): Promise<void> {
    const query = this.#queries.get(id);
    if (query === undefined) throw new HStreamError("QueryNotFound", { query: id });
    // Gone at once, though its client may be long in noticing.
    this.#queries.delete(id);
    query.abort.abort(new HStreamError("QueryTerminated", { query: id }));
  }
}
