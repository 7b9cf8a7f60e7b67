import { join } from "node:path";
import { loadInflate, must } from "@hstream/proto";
import { Cluster, type Peers } from "./cluster/cluster.js";
import { loadNodeId } from "./cluster/node-id.js";
import { addressText, parseAddress } from "./config/address.js";
import type { Config } from "./config/settings.js";
import type { Env } from "./env/env.js";
import { nodeUsage } from "./env/node-usage.js";
import { limits } from "./limits.js";
import { ConnectorCatalogue } from "./connectors/connector-catalogue.js";
import { EmbeddedLog } from "./log/embedded-log.js";
import type { LogNotice } from "./log/options.js";
import { LogError, type LogStore } from "./log/log-store.js";
import { EmbeddedMeta } from "./meta/embedded-meta.js";
import type { MetaStore } from "./meta/meta-store.js";
import type { HttpServer } from "./http/http-server.js";
import { Metrics } from "./metrics/metrics.js";
import type { ConnectionLimits } from "./rpc/connection-guard.js";
import { GrpcServer } from "./rpc/grpc-server.js";
import type { QueryRooms, SqlRoom } from "./queries/open-queries.js";
import { Secrets, SecretsError } from "./rpc/secrets.js";
import { limitedLog, type ServerLog } from "./server-log.js";
import type { Delivery } from "./streams/delivery.js";
import { MeteredLog } from "./streams/metered-log.js";
import { RelationNames } from "./streams/relation-names.js";
import { Retention } from "./streams/retention.js";
import { ShardReaders } from "./streams/shard-readers.js";
import { StreamAppender } from "./streams/stream-appender.js";
import { StreamCatalogue } from "./streams/stream-catalogue.js";
import { Trimming } from "./streams/trimming.js";
import { SubscriptionService } from "./subscription/subscription-service.js";

export interface ServerOptions {
  readonly config: Config;
  readonly env: Env;
  readonly version: string;
  /** Opens the log in a directory; the embedded one if absent. */
  readonly openLog?: (env: Env, directory: string, config: Config) => Promise<LogStore>;
  /** Opens the metadata store; the embedded one if absent. */
  readonly openMeta?: (env: Env, log: LogStore) => Promise<MetaStore>;
  /** Opens the queries room; the real one if absent. */
  readonly openSql?: (rooms: QueryRooms) => Promise<SqlRoom>;
  readonly report?: ServerLog;
  /** The other members of the cluster; alone if absent. */
  readonly peers?: Peers;
  /** Other bounds of gRPC connections than the usual ones. */
  readonly connections?: Partial<ConnectionLimits>;
}

export interface RunningServer {
  /** host:port as clients are told. */
  readonly address: string;
  readonly port: number;
  /** Of REST and metrics; undefined when there is none. */
  readonly httpPort: number | undefined;
  /** Reads certificates and tokens again, as it also does now and then by itself. Never rejects. */
  reload(): Promise<void>;
  /** Drains and stops: what was under way is answered, streams end with UNAVAILABLE. */
  close(): Promise<void>;
}

/** Why a server could not start, in a sentence for the operator. */
export class ServerStartError extends Error {
  override readonly name = "ServerStartError";
}

/** Starts all rooms, the lower ones first, and listens. Rejects with ServerStartError. */
export async function startServer(given: ServerOptions): Promise<RunningServer> {
  const { report } = given;
  const options =
    report === undefined
      ? given
      : { ...given, report: limitedLog(report, given.env.clock, given.config.logLevel) };
  // What is open, to be closed in the opposite order.
  const open: (() => Promise<void> | void)[] = [];
  const closeAll = async () => {
    for (const close of open.splice(0).reverse()) await close();
  };
  try {
    const { rpc, http, secrets } = await startRooms(options, open);
    const { config } = options;
    const { host, port } = advertised(config, rpc.port);
    options.report?.("info", `Listening on ${addressText(config.host, rpc.port)}.`);
    if (http !== undefined) {
      const url = `http${secrets.hasTls ? "s" : ""}://${addressText(config.host, http.port)}`;
      options.report?.("info", `REST on ${url}, a page to try it: ${url}/docs.`);
    }
    let closing: Promise<void> | undefined;
    return {
      address: addressText(host, port),
      port: rpc.port,
      httpPort: http?.port,
      reload: () => secrets.reload(),
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

interface Services {
  readonly rpc: GrpcServer;
  readonly http: HttpServer | undefined;
  readonly secrets: Secrets;
}

async function startRooms(options: ServerOptions, open: (() => Promise<void> | void)[]): Promise<Services> {
  const { config, env, version } = options;

  const metrics = new Metrics(env.clock, env.timers);
  open.push(() => metrics.close());
  const report = (where: string, error: unknown, request?: string) => {
    metrics.failed(where, "Internal", error instanceof Error ? error.message : String(error));
    const suffix = request === undefined ? "" : ` (request ${request})`;
    options.report?.("error", `Unexpected: ${where}${suffix}`, error);
  };
  const secrets = await loadSecrets(options);
  open.push(() => secrets.close());
  const log = await openLog(options);
  open.push(() => log.close());
  const meta = await (options.openMeta?.(env, log) ?? EmbeddedMeta.start(log, env));
  open.push(() => meta.close());
  const names = new RelationNames();
  const streams = await StreamCatalogue.open(env, log, meta, names);
  open.push(() => streams.close());
  const retention = new Retention(env, streams, log, report);
  open.push(() => retention.close());
  const appender = new StreamAppender(env, streams, log, {
    recordBytesMax: config.maxRecordSize,
    metrics,
  });
  const inflate = await loadInflate(limits.inflatedBytesMax);
  const reading = new MeteredLog(log, streams, metrics);
  const deadLetter = deadLettersTo(streams, appender);
  const tools = { env, log: reading, inflate, report, metrics, deadLetter };
  const subscriptions = await SubscriptionService.open(tools, meta, streams, {
    defaultDispatch: config.defaultDispatch,
  });
  open.push(() => subscriptions.close());
  const readers = await ShardReaders.open({ env, log: reading, inflate }, meta, streams);
  open.push(() => readers.close());
  const connectors = await ConnectorCatalogue.open(env, meta);
  open.push(() => connectors.close());
  // The queries room is loaded when all below it is there: the parser takes its time.
  const openSql = options.openSql ?? (await import("./queries/open-queries.js")).openQueries;
  const id = await loadNodeId(env, meta);
  let address = addressText(config.host, config.port);
  const sql = await openSql({
    ...{ env, log: reading, meta, streams, appender, names, subscriptions, connectors, metrics, config },
    node: { id, version, address: () => address, usage: nodeUsage },
  });
  open.push(() => sql.close());
  await streams.dropUnused();

  metrics.startSweeping({
    stream: (streamId) => streams.byId(streamId) !== undefined,
    subscription: (uid) => subscriptions.hasUid(uid),
  });

  const tell =
    config.logLevel === "debug"
      ? (message: string, facts: object) => options.report?.("debug", message, facts)
      : undefined;

  let cluster: Cluster | undefined;
  const rooms = (port: number) => {
    const self = advertised(config, port);
    address = addressText(self.host, self.port);
    cluster = new Cluster({ id, version, ...self }, env.clock, options.peers);
    const trimming = new Trimming(streams, log);
    const { clock, timers, random } = env;
    const storing = { streams, appender, log, inflate, readers, trimming };
    return {
      clock,
      timers,
      random,
      tell,
      cluster,
      meta,
      metrics,
      ...storing,
      subscriptions,
      connectors,
      sql,
    };
  };
  const rpc = await listening(config.host, config.port, "port", () =>
    GrpcServer.start(rooms, {
      ...{ host: config.host, port: config.port, secrets, clock: env.clock, report },
      isAlone: options.peers === undefined,
      notice: (message) => options.report?.("warn", message),
      ...(options.connections === undefined ? {} : { connections: options.connections }),
    }),
  );
  const httpPort = httpPortOf(config);
  // The rooms below need the rest of the time to be saved.
  const drainMs = limits.drainMs / 2;
  open.push(() => rpc.close(drainMs));
  if (httpPort === undefined) return { rpc, http: undefined, secrets };
  const { HttpServer } = await import("./http/http-server.js");
  const { authorizeBy } = await import("./http/access.js");
  const httpRooms = {
    ...{ env, streams, appender, log: reading, subscriptions, sql, metrics, inflate },
    cluster: must(cluster, "the cluster is known once the server listens"),
    recordBytesMax: config.maxRecordSize,
  };
  const http = await listening(config.host, httpPort, "http-port", () =>
    HttpServer.start(httpRooms, {
      host: config.host,
      port: httpPort,
      version,
      knownAs: [config.host, advertised(config, rpc.port).host].map((name) => name.toLowerCase()),
      report: (level, message, cause) => options.report?.(level, message, cause),
      ...(secrets.hasTls ? { tls: secrets.tls } : {}),
      ...(secrets.hasTokens
        ? { authorize: authorizeBy((authorization) => secrets.tokens.grantOf(authorization)) }
        : {}),
    }),
  );
  open.push(() => http.close(drainMs, (ms) => env.timers.sleep(ms)));
  return { rpc, http, secrets };
}

/** Rejects with a sentence about the address that cannot be listened on. */
async function listening<T>(
  host: string,
  port: number,
  setting: string,
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start();
  } catch (error) {
    const address = addressText(host, port);
    throw new ServerStartError(
      `Cannot listen on ${address}: ${reasonOf(error)} Another server may be running there; choose another ${setting}.`,
      { cause: error },
    );
  }
}

/** Undefined: there shall be none. */
function httpPortOf({ port, httpPort }: Config): number | undefined {
  if (httpPort !== "auto") return httpPort === 0 ? undefined : httpPort;
  const above = port + 10;
  return port === 0 || above > 65_535 ? undefined : above;
}

/** Certificates and tokens; refuses to be open to everybody unless told to. */
async function loadSecrets({ config, env, report }: ServerOptions): Promise<Secrets> {
  const { disk, timers } = env;
  const tools = { disk, timers, report: (problem: string) => report?.("error", problem) };
  try {
    const secrets = await Secrets.load(tools, config);
    const isOpen = isWildcard(config.host) && !(secrets.hasTls && secrets.hasTokens);
    if (!isOpen || config.allowInsecure) return secrets;
    secrets.close();
  } catch (error) {
    if (error instanceof SecretsError) throw new ServerStartError(error.message, { cause: error });
    throw error;
  }
  throw new ServerStartError(
    `${config.host} is open to every machine that reaches this one. Configure tls.cert, tls.key and tokens-file, ` +
      "listen on one address, or set allow-insecure.",
  );
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** Appends to the first shard of a stream what a subscription gives up. */
function deadLettersTo(streams: StreamCatalogue, appender: StreamAppender) {
  return async (streamName: string, { indexes, compression, payload }: Delivery) => {
    const [shardId = 0] = streams.get(streamName).shardIds;
    await appender.append(
      streamName,
      shardId,
      { recordCount: indexes.length, compression, payload },
      { restored: true },
    );
  };
}

async function openLog({ openLog, env, config, version, report }: ServerOptions): Promise<LogStore> {
  // The log locks its directory, and with it all of the data.
  const directory = join(config.dataDir, "log");
  const holder = `an HStream server ${version} on port ${config.port}`;
  try {
    if (openLog !== undefined) return await openLog(env, directory, config);
    const onNotice = ({ path, offset, detail }: LogNotice) =>
      report?.("warn", `${path}, byte ${offset}: ${detail}`);
    const log = await EmbeddedLog.start(env, directory, { holder, fsync: config.fsync, onNotice });
    log.notices.forEach(onNotice);
    return log;
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    throw new ServerStartError(`Cannot open the data in ${config.dataDir}: ${error.message}`, {
      cause: error,
    });
  }
}

/** What clients are told to connect to. */
function advertised(config: Config, port: number): { readonly host: string; readonly port: number } {
  const given = parseAddress(config.advertisedAddress);
  if (given !== undefined) return { host: given.host, port: given.port ?? port };
  return { host: isWildcard(config.host) ? "127.0.0.1" : config.host, port };
}

function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.endsWith(".") ? text : `${text}.`;
}
