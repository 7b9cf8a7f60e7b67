import type { AppendLane } from "../../metrics/metrics.js";
import type { Meter } from "../../metrics/meter.js";
import { integer, systemTable, text } from "./system-table.js";

interface Row {
  readonly stream: string;
  readonly meter: Meter<AppendLane> | undefined;
}

export const appendTotalTable = systemTable<Row>({
  name: "append_total",
  help: "What was appended to each stream since the server started.",
  rows: ({ streams, metrics }) =>
    streams.list().map(({ id, name }) => ({ stream: name, meter: metrics.appends.find(id) })),
  columns: [
    text("stream_name", "The stream.", ({ stream }) => stream),
    integer("bytes", "Bytes of batches.", ({ meter }) => meter?.total("bytes") ?? 0),
    integer("records", "Records.", ({ meter }) => meter?.total("records") ?? 0),
    integer("requests", "Appends that were acknowledged.", ({ meter }) => meter?.total("requests") ?? 0),
  ],
});
