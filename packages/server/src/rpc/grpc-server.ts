import { logVerbosity, Server, setLogVerbosity } from "@grpc/grpc-js";
import { HStreamApiService, HStreamExtService, type Inflate } from "@hstream/proto";
import type { Cluster } from "../cluster/cluster.js";
import { addressText } from "../config/address.js";
import type { ConnectorCatalogue } from "../connectors/connector-catalogue.js";
import type { Clock, Random, Timers } from "../env/env.js";
import { limits } from "../limits.js";
import type { LogStore } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import type { Metrics } from "../metrics/metrics.js";
import type { ShardReaders } from "../streams/shard-readers.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { Trimming } from "../streams/trimming.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";
import { accessControl } from "./access.js";
import { adminRpc } from "./admin-rpc.js";
import { appendMethod, appendRpc } from "./append-rpc.js";
import { appendStreamMethod, appendStreamRpc } from "./append-stream-rpc.js";
import { CallLog, type TellOfCall } from "./call-log.js";
import { clusterRpcs } from "./cluster-rpcs.js";
import { type ConnectionLimits, connectionLimits, guardConnections } from "./connection-guard.js";
import { connectorRpcs } from "./connector-rpcs.js";
import { describeMethod } from "./describe-codec.js";
import { fetchMethod, fetchRpc } from "./fetch-rpc.js";
import { keyReaderMethod, keyReaderRpc } from "./key-reader-rpc.js";
import { queryRpcs } from "./query-rpcs.js";
import { widenWindows } from "./receive-windows.js";
import { readerMethods, readerRpcs } from "./reader-rpcs.js";
import { trimRpcs } from "./trim-rpcs.js";
import { Handlers } from "./handlers.js";
import { ownershipCheck } from "./ownership.js";
import type { Secrets } from "./secrets.js";
import { sqlMethod, sqlRpc } from "./sql-rpc.js";
import type { SqlService } from "../queries/sql-service.js";
import type { ReportDefect } from "./status.js";
import { Statistics, ViewExecutions } from "./statistics.js";
import { statsRpcs } from "./stats-rpcs.js";
import { streamRpcs } from "./stream-rpcs.js";
import { subscriptionExtRpcs } from "./subscription-ext-rpcs.js";
import { subscriptionRpcs } from "./subscription-rpcs.js";
import { tolerant } from "./tolerant.js";
import { withUnimplemented } from "./unimplemented.js";
import { watched } from "./watched.js";

/** The rooms that the calls are passed on to. */
export interface RpcRooms {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  /** Told of every call, where somebody wants to know. */
  readonly tell?: TellOfCall | undefined;
  readonly cluster: Cluster;
  readonly streams: StreamCatalogue;
  readonly appender: StreamAppender;
  readonly log: LogStore;
  readonly inflate: Inflate;
  readonly readers: ShardReaders;
  readonly trimming: Trimming;
  readonly subscriptions: SubscriptionService;
  readonly connectors: ConnectorCatalogue;
  readonly meta: MetaStore;
  readonly metrics: Metrics;
  readonly sql: SqlService;
}

export interface GrpcOptions {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly report: ReportDefect;
  /** Everything is served here. */
  readonly isAlone: boolean;
  /** Told what was refused for the sake of others. */
  readonly notice: (message: string) => void;
  /** Other bounds than the usual ones. */
  readonly connections?: Partial<ConnectionLimits>;
}

/** The gRPC side of the server: both services on one port. */
export class GrpcServer {
  readonly #server: Server;
  readonly #handlers: Handlers;
  readonly #timers: Timers;

  readonly port: number;

  private constructor(server: Server, handlers: Handlers, timers: Timers, port: number) {
    this.#server = server;
    this.#handlers = handlers;
    this.#timers = timers;
    this.port = port;
  }

  /**
   * Starts to listen. `rooms` is told the port that was bound, so that the cluster can be told of this
   * member. Rejects with the system's error, of code EADDRINUSE and such.
   */
  static async start(rooms: (port: number) => RpcRooms, options: GrpcOptions): Promise<GrpcServer> {
    const { host, port, secrets, report } = options;
    const bounds = { ...connectionLimits, ...options.connections };
    // What the library would print on its own is reported by us, or is nobody's business.
    setLogVerbosity(logVerbosity.NONE);
    let opened: RpcRooms | undefined;
    const access = accessControl(
      () => secrets.tokens,
      () => opened,
      report,
    );
    const ownership = ownershipCheck(() => opened?.cluster, report);
    const server = new Server({
      interceptors: [...(secrets.hasTokens ? [access] : []), ...(options.isAlone ? [] : [ownership])],
      "grpc.max_receive_message_length": limits.requestBytesMax,
      "grpc.max_send_message_length": limits.requestBytesMax,
      "grpc.max_concurrent_streams": bounds.callsMax,
      "grpc.keepalive_time_ms": bounds.keepAliveEveryMs,
      "grpc.keepalive_timeout_ms": bounds.keepAliveAnswerMs,
      // It counts every call and message for a debugger that nobody attaches.
      "grpc.enable_channelz": 0,
    });
    const widenBound = widenWindows(server);
    return await new Promise((resolve, reject) => {
      server.bindAsync(addressText(host, port), secrets.credentials(), (error, bound) => {
        if (error !== null) reject(error);
        // In the same turn as the bind: no call can come before there is somebody to answer.
        else {
          guardConnections(server, bounds, options.clock, options.notice);
          widenBound();
          opened = rooms(bound);
          resolve(GrpcServer.#serve(server, bound, opened, report));
        }
      });
    });
  }

  static #serve(server: Server, port: number, rooms: RpcRooms, report: ReportDefect): GrpcServer {
    const handlers = new Handlers(new CallLog({ ...rooms, report }));
    const executions = new ViewExecutions();
    const statistics = new Statistics({ ...rooms, executions });
    const api = {
      ...clusterRpcs(handlers, rooms.cluster, rooms.sql),
      ...streamRpcs(handlers, rooms.streams, rooms.log),
      ...appendRpc(handlers, rooms.appender),
      ...subscriptionRpcs(handlers, rooms.subscriptions),
      ...fetchRpc(handlers, rooms.subscriptions),
      ...readerRpcs(handlers, rooms),
      ...keyReaderRpc(handlers, rooms),
      ...trimRpcs(handlers, rooms.trimming),
      ...queryRpcs(handlers, { ...rooms, executions }),
      ...connectorRpcs(handlers, rooms.connectors),
      ...statsRpcs(handlers, rooms.streams, statistics),
      ...adminRpc(handlers, rooms, statistics),
    };
    const ext = {
      ...sqlRpc(handlers, rooms.sql),
      ...appendStreamRpc(handlers, rooms.appender),
      ...subscriptionExtRpcs(handlers, rooms.subscriptions),
    };
    server.addService(
      apiService,
      watched(handlers, apiService, withUnimplemented(handlers, apiService, api)),
    );
    server.addService(
      extService,
      watched(handlers, extService, withUnimplemented(handlers, extService, ext)),
    );
    return new GrpcServer(server, handlers, rooms.timers, port);
  }

  /** Refuses new calls, lets those under way end (streams with UNAVAILABLE), for at most `drainMs`. */
  async close(drainMs: number): Promise<void> {
    const patience = this.#timers.sleep(drainMs);
    await Promise.race([this.#handlers.drain(), patience]);
    const ended = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    // Answers have been given by now; this waits for them to be sent, but not for idle connections.
    await Promise.race([ended, this.#timers.sleep(limits.lastAnswersMs)]);
    this.#server.forceShutdown();
  }
}

/** The API; the calls that carry records have codecs of their own. */
const apiService = tolerant({
  ...HStreamApiService,
  append: appendMethod,
  describeCluster: describeMethod,
  streamingFetch: fetchMethod,
  readStreamByKey: keyReaderMethod,
  ...readerMethods,
});

/** Our own service, whose answers are encoded where they are made. */
const extService = tolerant({
  ...HStreamExtService,
  executeSql: sqlMethod,
  appendStream: appendStreamMethod,
});
