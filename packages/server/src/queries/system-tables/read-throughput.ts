import type { ReadLane } from "../../metrics/metrics.js";
import { type Rated, rateColumns, rated } from "./rates.js";
import { systemTable, text } from "./system-table.js";

interface Row extends Rated<ReadLane> {
  readonly stream: string;
}

const minutes = [1, 5, 10, 15, 30, 60] as const;

export const readThroughputTable = systemTable<Row>({
  name: "read_throughput",
  help: "How fast each stream is read, by subscriptions, queries and readers.",
  rows: ({ streams, metrics }) => {
    const nowMs = metrics.now();
    return streams.list().map(({ id, name }) => ({ stream: name, ...rated(metrics.reads, id, nowMs) }));
  },
  columns: [
    text("stream_name", "The stream.", ({ stream }) => stream),
    ...rateColumns<ReadLane, Row>("throughput", "Bytes read", "bytes", minutes),
    ...rateColumns<ReadLane, Row>("records", "Records read", "records", minutes),
    ...rateColumns<ReadLane, Row>("requests", "Reads", "requests", minutes),
  ],
});
