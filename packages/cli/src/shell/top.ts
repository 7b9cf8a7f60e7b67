import { HStreamClientError } from "@hstream/client";
import { listLines } from "../output/list-lines.js";
import { sparkline } from "../output/chart.js";
import type { ShellTools } from "./shell-tools.js";
import { StreamMeters } from "./stream-meters.js";

const everyMs = 1_000;
const historyMax = 60;
/** Streams that are metered; the others are counted. */
const streamsMax = 20;

/** Streams, queries, subscriptions and nodes, in place, until Ctrl-C; the last view stays. */
export async function runTop(session: ShellTools, signal: AbortSignal): Promise<void> {
  const { output, system, link } = session.options;
  const started = system.uptime();
  const top = new Top(session, new StreamMeters(link.client));
  let lines: readonly string[] = [];
  try {
    while (!signal.aborted) {
      try {
        lines = await top.look(signal);
      } catch (error) {
        if (signal.aborted) break;
        if (!(error instanceof HStreamClientError) || error.reason !== "unavailable") throw error;
        lines = ["No server answers; trying again."];
      }
      if (!output.live) break;
      output.panel(lines.slice(0, Math.max(1, output.rows() - 3)));
      const elapsedMs = system.uptime() - started;
      output.status({ rows: 0, rowsPerSecond: 0, elapsedMs, endless: true, paused: false, label: "top" });
      await system.sleep(everyMs, signal);
    }
  } finally {
    top.close();
  }
  output.panel([]);
  if (lines.length > 0) await output.write(`${lines.join("\n")}\n\n`);
}

class Top {
  readonly #session: ShellTools;
  readonly #meters: StreamMeters;
  /** Records a second, of each stream. */
  readonly #rates = new Map<string, number[]>();
  readonly #known = new Map<string, number>();
  #at: number | undefined;

  constructor(session: ShellTools, meters: StreamMeters) {
    this.#session = session;
    this.#meters = meters;
  }

  close(): void {
    this.#meters.close();
  }

  async look(signal: AbortSignal): Promise<readonly string[]> {
    const { link, output, system } = this.#session.options;
    const { client } = link;
    const [cluster, streams, subscriptions, allQueries] = await Promise.all([
      client.describeCluster({ signal }),
      client.streams.list("", { signal }),
      client.subscriptions.list("", { signal }),
      rowsOf(this.#session, "SHOW QUERIES;", signal),
    ]);
    const queries = allQueries.filter(([id]) => !this.#meters.queryIds.has(id ?? ""));
    const now = system.uptime();
    const seconds = this.#at === undefined ? undefined : (now - this.#at) / 1_000;
    this.#at = now;
    const shown = streams.slice(0, streamsMax);
    const streamRows = shown.map(({ name, shardCount }) => {
      const rate = this.#rate(name, seconds);
      const series = this.#rates.get(name) ?? [];
      return [name, shardCount, rate === undefined ? undefined : Math.round(rate), sparkline(series, 20)];
    });
    const width = output.columns() - 1;
    const { serverNodesStatus } = cluster;
    const up = serverNodesStatus.filter(({ state }) => state === 1).length;
    const lines = [
      `${link.server} · nodes ${up}/${serverNodesStatus.length} up · ${streams.length} streams · ${subscriptions.length} subscriptions · ${queries.length} queries`,
      "",
      ...listLines(["stream", "shards", "appended/s", "last minute"], streamRows, width),
    ];
    if (streams.length > shown.length) lines.push(`… ${streams.length - shown.length} more streams`);
    if (queries.length > 0) {
      const rows = queries.map((row) => [row[0], row[1], row[3]?.replaceAll(/\s+/g, " ")]);
      lines.push("", ...listLines(["query", "state", "sql"], rows, width));
    }
    if (subscriptions.length > 0) {
      const rows = subscriptions.map((one) => [one.id, one.stream, one.offset]);
      lines.push("", ...listLines(["subscription", "stream", "began at"], rows, width));
    }
    return lines;
  }

  #rate(stream: string, seconds: number | undefined): number | undefined {
    const count = this.#meters.count(stream);
    const before = this.#known.get(stream);
    if (count === undefined) return undefined;
    this.#known.set(stream, count);
    if (before === undefined || seconds === undefined || seconds <= 0) return undefined;
    const rate = Math.max(0, (count - before) / seconds);
    const series = this.#rates.get(stream) ?? [];
    series.push(rate);
    if (series.length > historyMax) series.shift();
    this.#rates.set(stream, series);
    return rate;
  }
}

async function rowsOf(
  session: ShellTools,
  sql: string,
  signal: AbortSignal,
): Promise<readonly (readonly string[])[]> {
  const rows: string[][] = [];
  for await (const statement of session.options.link.client.sql(sql, { signal })) {
    for await (const batch of statement.batches()) {
      for (let row = 0; row < batch.rowCount; row += 1) {
        rows.push(batch.columns.map((_, column) => batch.values(column).text(row)));
      }
    }
  }
  return rows;
}
