import type { Env } from "../env/env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";

export interface QueryInfo {
  readonly id: string;
  readonly sql: string;
  readonly startedMs: number;
}

interface RegisteredQuery extends QueryInfo {
  readonly abort: AbortController;
}

/** The push queries that somebody is reading at the moment. */
export class QueryRegistry {
  readonly #env: Env;
  readonly #queries = new Map<string, RegisteredQuery>();

  constructor(env: Env) {
    this.#env = env;
  }

  /**
   * Registers a query. Its signal is aborted when the caller's is, or with QueryTerminated when somebody
   * ends it. Throws TooManyQueries beyond queriesMax.
   */
  add(sql: string, caller: AbortSignal): { id: string; signal: AbortSignal; remove: () => void } {
    if (this.#queries.size >= limits.queriesMax) {
      throw new HStreamError("TooManyQueries", { max: limits.queriesMax });
    }
    const id = `query_${Buffer.from(this.#env.random.bytes(4)).toString("hex")}`;
    const abort = new AbortController();
    this.#queries.set(id, { id, sql, startedMs: this.#env.clock.now(), abort });
    return {
      id,
      signal: AbortSignal.any([caller, abort.signal]),
      remove: () => this.#queries.delete(id),
    };
  }

  list(): QueryInfo[] {
    return [...this.#queries.values()].map(({ id, sql, startedMs }) => ({ id, sql, startedMs }));
  }

  /** Rejects with QueryNotFound. */
  async terminate(id: string): Promise<void> {
    const query = this.#queries.get(id);
    if (query === undefined) throw new HStreamError("QueryNotFound", { query: id });
    query.abort.abort(new HStreamError("QueryTerminated", { query: id }));
  }
}
