import type { Inflate } from "@hstream/proto";
import type { Cluster } from "../cluster/cluster.js";
import type { Env } from "../env/env.js";
import type { LogStore } from "../log/log-store.js";
import type { Metrics } from "../metrics/metrics.js";
import type { SqlService } from "../queries/sql-service.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";

/** The rooms that the calls are passed on to. */
export interface HttpRooms {
  readonly env: Env;
  readonly cluster: Cluster;
  readonly streams: StreamCatalogue;
  readonly appender: StreamAppender;
  readonly log: LogStore;
  readonly subscriptions: SubscriptionService;
  readonly sql: SqlService;
  readonly metrics: Metrics;
  readonly inflate: Inflate;
  readonly recordBytesMax: number;
}
