import type { Cluster } from "../cluster/cluster.js";
import type { ConnectorCatalogue } from "../connectors/connector-catalogue.js";
import { limits } from "../limits.js";
import type { Histogram } from "../metrics/histogram.js";
import type { Meter } from "../metrics/meter.js";
import type { AppendLane, DeliveryLane, Metrics, ReadLane } from "../metrics/metrics.js";
import type { SqlService } from "../queries/sql-service.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { SubscriptionService } from "../subscription/subscription-service.js";
import { QueryDirectory } from "./query-directory.js";

/** Numbers by the names of what they belong to. */
export type Values = Map<string, number>;

export const counterKinds = ["stream", "subscription", "connector", "query", "view", "cache_store"] as const;
export type CounterKind = (typeof counterKinds)[number];

/** Counters since the start, in the order of their numbers in the API. */
export const counterNames: { readonly [kind in CounterKind]: readonly string[] } = {
  stream: [
    "append_in_bytes",
    "append_in_records",
    "append_total",
    "append_failed",
    "read_in_bytes",
    "read_in_batches",
  ],
  subscription: [
    "send_out_bytes",
    "send_out_records",
    "send_out_records_failed",
    "resend_records",
    "resend_records_failed",
    "received_acks",
    "request_messages",
    "response_messages",
    "checklist_size",
  ],
  connector: ["delivered_in_records", "delivered_in_bytes", "is_alive"],
  query: ["total_input_records", "total_output_records", "total_execute_errors"],
  view: ["total_execute_queries"],
  cache_store: [
    "cs_append_in_bytes",
    "cs_append_in_records",
    "cs_append_total",
    "cs_append_failed",
    "cs_read_in_bytes",
    "cs_read_in_records",
    "cs_delivered_in_records",
    "cs_delivered_total",
    "cs_delivered_failed",
  ],
};

const streamSeries: ReadonlyMap<string, AppendLane> = new Map([
  ["append_in_bytes", "bytes"],
  ["appends", "bytes"],
  ["append_in_records", "records"],
  ["append_in_requests", "requests"],
  ["append_failed_requests", "failed"],
]);
const subscriptionSeries: ReadonlyMap<string, DeliveryLane> = new Map([
  ["send_out_bytes", "bytes"],
  ["sends", "bytes"],
  ["send_out_records", "records"],
  ["acks", "acks"],
  ["acknowledgements", "acks"],
  ["request_messages", "requests"],
  ["response_messages", "responses"],
]);
const handleSeries: ReadonlySet<string> = new Set(["queries", "queries_in"]);

/** The names of the series of streams. */
export const streamSeriesNames: readonly string[] = [...streamSeries.keys()];

/** How often views were read through ExecuteViewQuery. */
export class ViewExecutions {
  readonly #counts = new Map<string, number>();

  add(view: string): void {
    if (this.#counts.size < limits.meteredObjectsMax || this.#counts.has(view)) {
      this.#counts.set(view, this.count(view) + 1);
    }
  }

  count(view: string): number {
    return this.#counts.get(view) ?? 0;
  }
}

export interface StatisticsRooms {
  readonly metrics: Metrics;
  readonly streams: StreamCatalogue;
  readonly subscriptions: SubscriptionService;
  readonly connectors: ConnectorCatalogue;
  readonly sql: SqlService;
  readonly cluster: Cluster;
  readonly executions: ViewExecutions;
}

/** What this node has counted, by the names that the API has for it. */
export class Statistics {
  readonly #rooms: StatisticsRooms;
  readonly #directory: QueryDirectory;
  /** What counters were when they were set back: by kind, name and object. */
  #zero = new Map<string, Values>();

  constructor(rooms: StatisticsRooms) {
    this.#rooms = rooms;
    this.#directory = new QueryDirectory(rooms.sql, rooms.cluster.self.id);
  }

  /** A counter of every object of a kind, also of those that have counted nothing; undefined if there is none of the name. */
  async counters(kind: CounterKind, name: string, signal: AbortSignal): Promise<Values | undefined> {
    const values = await this.#totals(kind, name, signal);
    const zero = this.#zero.get(`${kind}/${name}`);
    // What shows how things stand is not set back.
    if (values === undefined || zero === undefined || name === "checklist_size" || name === "is_alive") {
      return values;
    }
    for (const [object, value] of values) values.set(object, Math.max(0, value - (zero.get(object) ?? 0)));
    return values;
  }

  /** From now on all counters begin at 0; the meters themselves go on. */
  async reset(signal: AbortSignal): Promise<void> {
    const zero = new Map<string, Values>();
    for (const kind of counterKinds) {
      for (const name of counterNames[kind]) {
        zero.set(`${kind}/${name}`, (await this.#totals(kind, name, signal)) ?? new Map());
      }
    }
    this.#zero = zero;
  }

  /** Per second over the last `windowMs`, of every object; undefined if there is no such series. */
  rates(kind: "stream" | "subscription" | "handle", name: string, windowMs: number): Values | undefined {
    const { metrics, streams, subscriptions } = this.#rooms;
    const nowMs = metrics.now();
    switch (kind) {
      case "stream": {
        const lane = streamSeries.get(name);
        if (lane === undefined) return undefined;
        return new Map(
          streams
            .list()
            .map((stream) => [stream.name, rate(metrics.appends.find(stream.id), lane, windowMs, nowMs)]),
        );
      }
      case "subscription": {
        const lane = subscriptionSeries.get(name);
        if (lane === undefined) return undefined;
        return new Map(
          subscriptions
            .list()
            .map(({ id, uid }) => [id, rate(metrics.deliveries.find(uid), lane, windowMs, nowMs)]),
        );
      }
      case "handle":
        // Statements are not counted by the handles that they came through.
        return handleSeries.has(name) ? new Map() : undefined;
    }
  }

  /** Of how long requests take, ms; undefined if there is no such histogram. */
  histogram(name: string): Histogram | undefined {
    const { appendLatency, readLatency } = this.#rooms.metrics;
    return new Map([
      ["append_request_latency", appendLatency],
      ["append_latency", appendLatency],
      ["read_latency", readLatency],
    ]).get(name);
  }

  async #totals(kind: CounterKind, name: string, signal: AbortSignal): Promise<Values | undefined> {
    if (!counterNames[kind].includes(name)) return undefined;
    const { streams, connectors, executions } = this.#rooms;
    switch (kind) {
      case "stream":
        return new Map(streams.list().map((stream) => [stream.name, this.#streamTotal(stream.id, name)]));
      case "subscription":
        return this.#subscriptionTotals(name);
      case "connector":
        // None runs, so none has delivered anything.
        return new Map(connectors.list().map((connector) => [connector.name, 0]));
      case "query": {
        const counts = await this.#directory.counts(signal);
        const field =
          name === "total_input_records" ? "rowsIn" : name === "total_output_records" ? "rowsOut" : "errors";
        return new Map([...counts].map(([id, count]) => [id, count[field]]));
      }
      case "view":
        return new Map(
          (await this.#directory.views(signal)).map(({ viewId }) => [viewId, executions.count(viewId)]),
        );
      case "cache_store":
        // There is no store of caches: records come from the log.
        return new Map();
    }
  }

  #streamTotal(streamId: string, name: string): number {
    const { appends, reads } = this.#rooms.metrics;
    const appended = (lane: AppendLane) => appends.find(streamId)?.total(lane) ?? 0;
    const read = (lane: ReadLane) => reads.find(streamId)?.total(lane) ?? 0;
    switch (name) {
      case "append_in_bytes":
        return appended("bytes");
      case "append_in_records":
        return appended("records");
      case "append_total":
        return appended("requests");
      case "append_failed":
        return appended("failed");
      case "read_in_bytes":
        return read("bytes");
      default:
        return read("requests");
    }
  }

  #subscriptionTotals(name: string): Values {
    const { metrics, subscriptions } = this.#rooms;
    return new Map(
      subscriptions.list().map(({ id, uid }): [string, number] => {
        const delivered = (lane: DeliveryLane) => metrics.deliveries.find(uid)?.total(lane) ?? 0;
        const { resent, sendsFailed, resendsFailed, unackedRecords } = subscriptions.counts(id);
        switch (name) {
          case "send_out_bytes":
            return [id, delivered("bytes")];
          case "send_out_records":
            return [id, delivered("records")];
          case "received_acks":
            return [id, delivered("acks")];
          case "request_messages":
            return [id, delivered("requests")];
          case "response_messages":
            return [id, delivered("responses")];
          case "resend_records":
            return [id, resent];
          case "send_out_records_failed":
            return [id, sendsFailed];
          case "resend_records_failed":
            return [id, resendsFailed];
          default:
            return [id, unackedRecords];
        }
      }),
    );
  }
}

function rate<Lane extends string>(
  meter: Meter<Lane> | undefined,
  lane: Lane,
  windowMs: number,
  nowMs: number,
): number {
  return meter?.rate(lane, Math.min(windowMs, limits.rateWindowMsMax), nowMs) ?? 0;
}
