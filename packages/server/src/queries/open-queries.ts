import type { Config } from "../config/settings.js";
import type { ConnectorCatalogue } from "../connectors/connector-catalogue.js";
import type { Env } from "../env/env.js";
import { ExecutorHost } from "../executor/executor-host.js";
import type { LogStore } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import type { Metrics } from "../metrics/metrics.js";
import type { RelationNames } from "../streams/relation-names.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";
import { QueryRegistry } from "./query-registry.js";
import { Relations } from "./relations.js";
import { SqlEngine } from "./sql-engine.js";
import type { SqlService } from "./sql-service.js";
import type { NodeFacts, SystemRooms } from "./system-tables/system-table.js";
import { ViewRegistry } from "./view-registry.js";

/** The rooms that queries stand on. */
export interface QueryRooms {
  readonly env: Env;
  readonly log: LogStore;
  readonly meta: MetaStore;
  readonly streams: StreamCatalogue;
  readonly appender: StreamAppender;
  readonly names: RelationNames;
  readonly subscriptions: SubscriptionService;
  readonly connectors: ConnectorCatalogue;
  readonly metrics: Metrics;
  readonly config: Config;
  readonly node: NodeFacts;
}

/** Answers SQL; closed before the rooms below it. */
export interface SqlRoom extends SqlService {
  close(): Promise<void>;
}

/**
 * Starts the queries room, with the views that there were. What people ask runs in another thread than
 * the views, so that a heavy question does not keep a view from moving on.
 */
export async function openQueries(rooms: QueryRooms): Promise<SqlRoom> {
  const { env, log, meta, streams, appender, names, subscriptions, connectors, metrics, config, node } =
    rooms;
  const [adHoc, persistent] = await Promise.all([
    ExecutorHost.start({ timers: env.timers }),
    ExecutorHost.start({ timers: env.timers }),
  ]);
  const tools = { env, log, streams, metrics };
  const views = await ViewRegistry.open({ ...tools, executor: persistent }, meta, names);
  const relations = new Relations(streams, views);
  await views.start(relations);
  const queries = new QueryRegistry(env);
  const system: SystemRooms = {
    ...{ env, log, streams, subscriptions, connectors, views, queries, metrics, config, node },
  };
  const engine = new SqlEngine({
    tools: { ...tools, executor: adHoc },
    appender,
    relations,
    views,
    queries,
    system,
  });
  return {
    execute: (sql, signal) => engine.execute(sql, signal),
    close: async () => {
      await views.close();
      await Promise.all([adHoc.close(), persistent.close()]);
    },
  };
}
