import {
  collectDefaultMetrics,
  Counter,
  Gauge,
  type Histogram as PromHistogram,
  Registry,
} from "prom-client";
import type { Histogram } from "../metrics/histogram.js";
import type { HttpRooms } from "./http-rooms.js";

/**
 * What /metrics shows. Names of streams and the like are no labels, since there may be any number of
 * them: SQL's system tables have those. Values are taken when they are asked for.
 */
export class Prometheus {
  readonly registry = new Registry();
  readonly #requests: Counter<"method" | "route" | "status">;
  readonly #errors: Counter<"kind">;

  constructor({ metrics, streams, subscriptions, cluster }: HttpRooms) {
    collectDefaultMetrics({ register: this.registry });
    const { appends, reads, deliveries, queries } = metrics;
    this.#counter("hstream_append_bytes_total", "Bytes appended.", () => appends.sum("bytes"));
    this.#counter("hstream_append_records_total", "Records appended.", () => appends.sum("records"));
    this.#counter("hstream_append_requests_total", "Appends acknowledged.", () => appends.sum("requests"));
    this.#counter("hstream_append_failed_total", "Appends refused or failed.", () => appends.sum("failed"));
    this.#counter("hstream_read_bytes_total", "Bytes read from streams.", () => reads.sum("bytes"));
    this.#counter("hstream_read_records_total", "Records read from streams.", () => reads.sum("records"));
    this.#counter("hstream_delivered_bytes_total", "Bytes delivered by subscriptions.", () =>
      deliveries.sum("bytes"),
    );
    this.#counter("hstream_delivered_records_total", "Records delivered by subscriptions.", () =>
      deliveries.sum("records"),
    );
    this.#counter("hstream_acked_records_total", "Records acked by consumers.", () => deliveries.sum("acks"));
    this.#counter("hstream_query_rows_in_total", "Rows read by queries and views.", () =>
      queries.sum("rowsIn"),
    );
    this.#counter("hstream_query_rows_out_total", "Rows that queries and views made.", () =>
      queries.sum("rowsOut"),
    );
    this.#counter("hstream_query_errors_total", "Expressions that failed and gave NULL.", () =>
      queries.sum("errors"),
    );
    this.#gauge("hstream_streams", "Streams that there are.", () => streams.list().length);
    this.#gauge("hstream_subscriptions", "Subscriptions that there are.", () => subscriptions.list().length);
    this.#gauge("hstream_consumers", "Consumers that are connected.", () =>
      subscriptions.list().reduce((sum, { id }) => sum + subscriptions.consumers(id).length, 0),
    );
    this.#gauge("hstream_uptime_seconds", "Since the start of the server.", () => metrics.uptimeMs / 1_000);
    this.#gauge(
      "hstream_ready",
      "1 while appends are taken, 0 when the log has failed or the disk is full.",
      () => (metrics.health.illness(metrics.now()) === undefined ? 1 : 0),
    );
    this.#gauge("hstream_cluster_nodes", "Nodes of the cluster.", () => cluster.view().members.length);
    this.#histogram("hstream_append_duration_seconds", "Until an append is durable.", metrics.appendLatency);
    this.#histogram("hstream_read_duration_seconds", "Of one read of the log.", metrics.readLatency);
    this.#histogram(
      "hstream_http_request_duration_seconds",
      "Of HTTP requests, streams left out.",
      metrics.httpLatency,
    );
    this.#requests = new Counter({
      name: "hstream_http_requests_total",
      help: "HTTP requests, by the route's pattern.",
      labelNames: ["method", "route", "status"],
      registers: [this.registry],
    });
    this.#errors = new Counter({
      name: "hstream_errors_total",
      help: "Refused HTTP requests, by the kind of error.",
      labelNames: ["kind"],
      registers: [this.registry],
    });
  }

  /** `route`: the pattern, never the address that was asked for. */
  request(method: string, route: string, status: number): void {
    this.#requests.inc({ method, route, status: String(status) });
  }

  error(kind: string): void {
    this.#errors.inc({ kind });
  }

  #counter(name: string, help: string, value: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  }

  #gauge(name: string, help: string, value: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(value());
      },
    });
  }

  /** Buckets at powers of two, which our own histograms have exactly. */
  #histogram(name: string, help: string, source: Histogram): void {
    const get = () => {
      const bucket = (le: number | string, value: number) => ({
        metricName: `${name}_bucket`,
        labels: { le },
        value,
      });
      const values = [
        ...source.below(firstBucket, lastBucket).map(({ ms, count }) => bucket(ms / 1_000, count)),
        bucket("+Inf", source.count),
        { metricName: `${name}_sum`, labels: {}, value: source.sumMs / 1_000 },
        { metricName: `${name}_count`, labels: {}, value: source.count },
      ];
      return Promise.resolve({ name, help, type: "histogram", values, aggregator: "sum" });
    };
    // What the registry asks of a metric; its own histograms have no way to take counts over.
    this.registry.registerMetric({ name, get, reset: () => undefined } as unknown as PromHistogram);
  }
}

/** 2^7 µs … 2^23 µs: 0.1 ms to 8 s. */
const [firstBucket, lastBucket] = [7, 23] as const;
