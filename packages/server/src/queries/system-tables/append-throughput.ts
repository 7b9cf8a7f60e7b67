import type { AppendLane } from "../../metrics/metrics.js";
import { type Rated, rateColumns, rated } from "./rates.js";
import { systemTable, text } from "./system-table.js";

interface Row extends Rated<AppendLane> {
  readonly stream: string;
}

const minutes = [1, 5, 10] as const;

export const appendThroughputTable = systemTable<Row>({
  name: "append_throughput",
  help: "How fast each stream is written.",
  rows: ({ streams, metrics }) => {
    const nowMs = metrics.now();
    return streams.list().map(({ id, name }) => ({ stream: name, ...rated(metrics.appends, id, nowMs) }));
  },
  columns: [
    text("stream_name", "The stream.", ({ stream }) => stream),
    ...rateColumns<AppendLane, Row>("throughput", "Bytes appended", "bytes", minutes),
    ...rateColumns<AppendLane, Row>("records", "Records appended", "records", minutes),
    ...rateColumns<AppendLane, Row>("requests", "Appends", "requests", minutes),
  ],
});
