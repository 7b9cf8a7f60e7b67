import { join } from "node:path";
import { Cluster } from "./cluster/cluster.js";
import { loadNodeId } from "./cluster/node-id.js";
import type { Config } from "./config/settings.js";
import type { Env } from "./env/env.js";
import { HStreamError } from "./errors.js";
import { limits } from "./limits.js";
import { LogError, type LogStore } from "./log/log-store.js";
import type { MetaStore } from "./meta/meta-store.js";
import { GrpcServer } from "./rpc/grpc-server.js";
import type { SqlService } from "./queries/sql-service.js";
import { loadDecompress } from "./streams/decompress.js";
import { StreamAppender } from "./streams/stream-appender.js";
import { StreamCatalogue } from "./streams/stream-catalogue.js";
import { SubscriptionService } from "./subscription/subscription-service.js";

/** What the operator is told. */
export type ServerLog = (
  level: "error" | "warn" | "info" | "debug",
  message: string,
  cause?: unknown,
) => void;

/** The rooms that queries stand on. */
export interface QueryRooms {
  readonly env: Env;
  readonly log: LogStore;
  readonly meta: MetaStore;
  readonly streams: StreamCatalogue;
  readonly appender: StreamAppender;
}

/** Answers SQL; closed before the rooms below it. */
export interface SqlRoom extends SqlService {
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly config: Config;
  readonly env: Env;
  readonly version: string;
  /** Opens the log in a directory. */
  readonly openLog: (env: Env, directory: string, config: Config) => Promise<LogStore>;
  readonly openMeta: (env: Env, log: LogStore) => Promise<MetaStore>;
  /** Without it, ExecuteSql is unimplemented. */
  readonly openSql?: (rooms: QueryRooms) => Promise<SqlRoom>;
  readonly report?: ServerLog;
}

export interface RunningServer {
  /** host:port as clients are told. */
  readonly address: string;
  readonly port: number;
  /** Drains and stops: what was under way is answered, streams end with UNAVAILABLE. */
  close(): Promise<void>;
}

/** Why a server could not start, in a sentence for the operator. */
export class ServerStartError extends Error {
  override readonly name = "ServerStartError";
}

/** Starts all rooms, the lower ones first, and listens. Rejects with ServerStartError. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  // What is open, to be closed in the opposite order.
  const open: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of open.splice(0).reverse()) await close();
  };
  try {
    const rpc = await startRooms(options, open);
    const { config } = options;
    const address = addressText(advertised(config, rpc.port));
    options.report?.("info", `Listening on ${addressText({ host: config.host, port: rpc.port })}.`);
    let closing: Promise<void> | undefined;
    return {
      address,
      port: rpc.port,
      close: () => {
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

async function startRooms(options: ServerOptions, open: (() => Promise<void> | void)[]): Promise<GrpcServer> {
  const { config, env, version } = options;
  const report = (where: string, error: unknown) => options.report?.("error", `Unexpected: ${where}`, error);

  const log = await openLog(options);
  open.push(() => log.close());
  const meta = await options.openMeta(env, log);
  open.push(() => meta.close());
  const streams = await StreamCatalogue.open(env, log, meta);
  open.push(() => streams.close());
  const appender = new StreamAppender(env, streams, log, { recordBytesMax: config.maxRecordSize });
  const decompress = await loadDecompress();
  const subscriptions = await SubscriptionService.open({ env, log, decompress, report }, meta, streams, {
    defaultDispatch: config.defaultDispatch,
  });
  open.push(() => subscriptions.close());
  const sql = (await options.openSql?.({ env, log, meta, streams, appender })) ?? noSql;
  open.push(() => sql.close());

  const id = await loadNodeId(env, meta);
  const rooms = (port: number) => {
    const cluster = new Cluster({ id, version, ...advertised(config, port) }, env.clock);
    return { timers: env.timers, cluster, streams, appender, log, subscriptions, sql };
  };
  try {
    const rpc = await GrpcServer.start(config.host, config.port, rooms, report);
    open.push(() => rpc.close(limits.drainMs - limits.lastAnswersMs));
    return rpc;
  } catch (error) {
    const address = addressText({ host: config.host, port: config.port });
    throw new ServerStartError(
      `Cannot listen on ${address}: ${reasonOf(error)} Another server may be running there; choose another port.`,
      { cause: error },
    );
  }
}

async function openLog({ openLog, env, config }: ServerOptions): Promise<LogStore> {
  try {
    return await openLog(env, join(config.dataDir, "log"), config);
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    throw new ServerStartError(`Cannot open the data in ${config.dataDir}: ${error.message}`, {
      cause: error,
    });
  }
}

/** What clients are told to connect to. */
function advertised(config: Config, port: number): { readonly host: string; readonly port: number } {
  const { advertisedAddress, host } = config;
  const [, name, itsPort] = /^(.+?)(?::(\d{1,5}))?$/.exec(advertisedAddress) ?? [];
  if (name !== undefined) return { host: name, port: itsPort === undefined ? port : Number(itsPort) };
  const isWildcard = host === "0.0.0.0" || host === "::";
  return { host: isWildcard ? "127.0.0.1" : host, port };
}

function addressText({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.endsWith(".") ? text : `${text}.`;
}

const noSql: SqlRoom = {
  async *execute() {
    throw new HStreamError("Unimplemented", { what: "ExecuteSql" });
  },
  close: () => Promise.resolve(),
};
