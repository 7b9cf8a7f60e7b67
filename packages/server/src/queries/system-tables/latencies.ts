import type { Histogram } from "../../metrics/histogram.js";
import type { Metrics } from "../../metrics/metrics.js";
import { float, integer, type SystemTable, systemTable } from "./system-table.js";

/** p50 … p999 of one histogram, as a table with one row. */
function latencyTable(name: string, help: string, of: (metrics: Metrics) => Histogram): SystemTable {
  const quantiles = [
    ["p50", 0.5],
    ["p75", 0.75],
    ["p95", 0.95],
    ["p99", 0.99],
    ["p999", 0.999],
  ] as const;
  return systemTable<Histogram>({
    name,
    help,
    rows: ({ metrics }) => [of(metrics)],
    columns: [
      ...quantiles.map(([column, q]) =>
        float<Histogram>(column, `ms that ${q * 100} % are not above.`, (histogram) => histogram.quantile(q)),
      ),
      integer("requests", "How many were measured, since the start.", ({ count }) => count),
    ],
  });
}

export const latencyTables: readonly SystemTable[] = [
  latencyTable(
    "server_append_latency",
    "How long appends take until they are durable.",
    ({ appendLatency }) => appendLatency,
  ),
  latencyTable("server_read_latency", "How long reads of the log take.", ({ readLatency }) => readLatency),
  latencyTable("server_http_latency", "How long HTTP requests take.", ({ httpLatency }) => httpLatency),
];
