import type { AppendLane } from "../../metrics/metrics.js";
import { type Rated, rateColumns, rated } from "./rates.js";
import { integer, systemTable, text } from "./system-table.js";

interface Row extends Rated<AppendLane> {
  readonly stream: string;
}

export const appendFailedTable = systemTable<Row>({
  name: "append_failed",
  help: "Appends that were refused or failed, since the server started.",
  rows: ({ streams, metrics }) => {
    const nowMs = metrics.now();
    return streams.list().map(({ id, name }) => ({ stream: name, ...rated(metrics.appends, id, nowMs) }));
  },
  columns: [
    text("stream_name", "The stream.", ({ stream }) => stream),
    integer("requests", "Appends that failed.", ({ meter }) => meter?.total("failed") ?? 0),
    ...rateColumns<AppendLane, Row>("requests", "Appends that failed", "failed", [1, 5, 10]),
  ],
});
