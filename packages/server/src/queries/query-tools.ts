import type { Env } from "../env/env.js";
import type { ExecutorHost } from "../executor/executor-host.js";
import type { LogStore } from "../log/log-store.js";
import type { Metrics } from "../metrics/metrics.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";

/** What every running query works with. */
export interface QueryTools {
  readonly env: Env;
  readonly log: LogStore;
  readonly streams: StreamCatalogue;
  readonly executor: ExecutorHost;
  readonly metrics?: Metrics;
  /** Threads for queries that have brought one down, so that they do not do it to others again. */
  readonly quarantine?: () => Promise<ExecutorHost>;
}
