import { sparkline } from "../output/chart.js";
import { listLines } from "../output/list-lines.js";
import { bytesText } from "./bytes-text.js";
import { duration } from "./duration.js";
import { livePanel } from "./live-panel.js";
import { Rates } from "./rates.js";
import { count } from "./session-output.js";
import type { ShellTools } from "./shell-tools.js";
import { systemRows } from "./system-rows.js";

/** Of each kind so many are shown; the others are counted. */
const shownMax = 12;

/** Streams, queries, subscriptions and nodes with rates, lag and sparklines, in place, until Ctrl-C. */
export async function runTop(session: ShellTools, signal: AbortSignal): Promise<void> {
  const rates = new Rates();
  await livePanel(session, "top", signal, () => look(session, rates, signal));
}

async function look(session: ShellTools, rates: Rates, signal: AbortSignal): Promise<readonly string[]> {
  const { link, output, system } = session.options;
  const ask = (sql: string) => systemRows(session, sql, signal);
  const [nodes, streams, queries, subscriptions, lags] = await Promise.all([
    ask("SELECT * FROM nodes;"),
    ask(
      "SELECT stream_name, SUM(records) AS records, SUM(bytes) AS bytes FROM append_total GROUP BY stream_name;",
    ),
    ask("SELECT * FROM queries;"),
    ask("SELECT * FROM subscription_throughput;"),
    ask("SELECT subscription_id, MAX(lag_ms) AS lag_ms FROM subscription_lag GROUP BY subscription_id;"),
  ]);
  const at = system.uptime();
  const width = output.columns() - 1;
  const rate = (name: string, counted: string | undefined) => rates.tell(name, Number(counted ?? 0), at);
  const spark = (name: string) => sparkline(rates.past(name), width < 100 ? 10 : 20);

  const streamRows = streams.map((one) => {
    const name = one["stream_name"] ?? "";
    const records = rate(`stream ${name}`, one["records"]);
    const bytes = rate(`bytes ${name}`, one["bytes"]);
    return { busy: records ?? 0, row: [name, whole(records), volume(bytes), spark(`stream ${name}`)] };
  });
  const queryRows = queries.map((one) => {
    const id = one["id"] ?? "";
    const rowsIn = rate(`in ${id}`, one["rows_in"]);
    const rowsOut = rate(`out ${id}`, one["rows_out"]);
    const sql = one["sql_text"]?.replaceAll(/\s+/g, " ");
    const row = [id, whole(rowsIn), whole(rowsOut), duration(one["lag_ms"]), spark(`in ${id}`), sql];
    return { busy: rowsIn ?? 0, row };
  });
  const lagOf = new Map(lags.map((one) => [one["subscription_id"], one["lag_ms"]]));
  const subscriptionRows = subscriptions.map((one) => {
    const id = one["subscription_id"] ?? "";
    const [records, acks] = [Number(one["records_1min"] ?? 0), Number(one["acks_1min"] ?? 0)];
    const row = [id, one["stream_name"], whole(records), whole(acks), duration(lagOf.get(id))];
    return { busy: records, row };
  });
  const nodeRows = nodes.map((one) => {
    const id = one["node_id"] ?? "";
    const written = rate(`written ${id}`, one["appended_bytes"]);
    const read = rate(`read ${id}`, one["read_bytes"]);
    const row = [
      id,
      one["address"],
      one["state"],
      volume(written),
      volume(read),
      one["running_queries"],
      spark(`written ${id}`),
    ];
    return { busy: 0, row };
  });
  const up = nodes.filter((one) => one["state"] === "RUNNING").length;
  return [
    `${link.server} · ${up} of ${count(nodes.length, "node")} up · ${count(streams.length, "stream")} · ${queries.length} ${queries.length === 1 ? "query" : "queries"} · ${count(subscriptions.length, "subscription")}`,
    ...section(["stream", "appended/s", "bytes/s", "minute"], streamRows, width),
    ...section(["query", "in/s", "out/s", "lag", "minute", "sql"], queryRows, width),
    ...section(["subscription", "stream", "delivered/s", "acked/s", "lag"], subscriptionRows, width),
    ...section(["node", "address", "state", "written/s", "read/s", "queries", "minute"], nodeRows, width),
  ];
}

interface Row {
  readonly busy: number;
  readonly row: readonly (string | number | undefined)[];
}

/** The busiest of a kind; nothing when there is none. */
function section(columns: readonly string[], rows: readonly Row[], width: number): readonly string[] {
  if (rows.length === 0) return [];
  const busiest = [...rows].sort((a, b) => b.busy - a.busy).slice(0, shownMax);
  const lines = [
    "",
    ...listLines(
      columns,
      busiest.map(({ row }) => row),
      width,
    ),
  ];
  return rows.length > busiest.length ? [...lines, `… ${rows.length - busiest.length} more`] : lines;
}

function whole(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value);
}

function volume(bytes: number | undefined): string | undefined {
  return bytes === undefined ? undefined : bytesText(bytes);
}
