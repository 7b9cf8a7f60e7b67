import type { Config } from "../config/settings.js";
import type { ConnectorCatalogue } from "../connectors/connector-catalogue.js";
import type { Env } from "../env/env.js";
import { ExecutorHost, type ExecutorHostOptions } from "../executor/executor-host.js";
import type { LogStore } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import type { Metrics } from "../metrics/metrics.js";
import type { RelationNames } from "../streams/relation-names.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";
import { PersistentQueries } from "./persistent-queries.js";
import { QueryRegistry } from "./query-registry.js";
import { Relations } from "./relations.js";
import { SqlEngine } from "./sql-engine.js";
import type { SqlService } from "./sql-service.js";
import type { NodeFacts, SystemRooms } from "./system-tables/system-table.js";

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
  /** Of the threads that run queries; what is left out is as limits.ts and `env` have it. */
  readonly executor?: Partial<ExecutorHostOptions>;
}

/** Answers SQL; closed before the rooms below it. */
export interface SqlRoom extends SqlService {
  close(): Promise<void>;
}

/**
 * Starts the queries room, with the queries that there were. What people ask runs in another thread than
 * the queries that live on, so that a heavy question does not keep them from moving on.
 */
export async function openQueries(rooms: QueryRooms): Promise<SqlRoom> {
  const { env, log, meta, streams, appender, names, subscriptions, connectors, metrics, config, node } =
    rooms;
  const [adHoc, persistentHost] = await Promise.all([
    ExecutorHost.start({ timers: env.timers, ...rooms.executor }),
    ExecutorHost.start({ timers: env.timers, ...rooms.executor }),
  ]);
  const tools = { env, log, streams, metrics };
  let apart: Promise<ExecutorHost> | undefined;
  const quarantine = () => (apart ??= ExecutorHost.start({ timers: env.timers, ...rooms.executor }));
  const lasting = { ...tools, executor: persistentHost, quarantine };
  const persistent = await PersistentQueries.open(lasting, appender, meta, names);
  const relations = new Relations(streams, persistent);
  await persistent.start(relations);
  const queries = new QueryRegistry(env);
  const system: SystemRooms = {
    ...{ env, log, streams, subscriptions, connectors, persistent, queries, metrics, config, node },
  };
  const engine = new SqlEngine({
    tools: { ...tools, executor: adHoc },
    appender,
    relations,
    persistent,
    queries,
    system,
  });
  return {
    execute: (sql, signal, options) => engine.execute(sql, signal, options),
    close: async () => {
      await persistent.close();
      await Promise.all([adHoc.close(), persistentHost.close(), apart?.then((host) => host.close())]);
    },
  };
}
