import { HStreamClientError } from "@hstream/client";
import { type Page, pageOfBatch } from "../output/page.js";
import { alignRows } from "../output/keyed-table.js";
import { chartOfPages } from "./stream-view.js";
import type { ShellTools } from "./shell-tools.js";

/** The pause and the number of runs of `:watch 2s 5 SELECT …`; undefined when it makes no sense. */
export function parseWatch(
  argument: string,
): { readonly everyMs: number; readonly times: number; readonly sql: string } | undefined {
  const match = /^(?:(\d+(?:\.\d+)?)\s*(ms|s|m)?\s*)?(?:(\d+)\s+|(\d+)$)?([^]*)$/.exec(argument.trim());
  if (match === null) return undefined;
  const unit = { ms: 1, s: 1_000, m: 60_000 }[match[2] ?? "s"] ?? 1_000;
  const everyMs = match[1] === undefined ? 2_000 : Number(match[1]) * unit;
  const given = match[3] ?? match[4];
  const times = given === undefined ? Number.POSITIVE_INFINITY : Number(given);
  return everyMs < 100 || times < 1 ? undefined : { everyMs, times, sql: (match[5] ?? "").trim() };
}

/** Runs a statement again and again, the answer in place; the last one stays in the scrollback. */
export async function watch(
  session: ShellTools,
  argument: string,
  signal: AbortSignal,
  say: (text: string) => Promise<void>,
): Promise<void> {
  const { output, system, link, split } = session.options;
  const wanted = parseWatch(argument);
  if (wanted === undefined) return say(":watch 2s [TIMES] [SQL]; the pause is 100ms or more.");
  const sql = split(wanted.sql === "" ? (session.lastSql ?? "") : wanted.sql)[0]?.text;
  if (sql === undefined) return say(":watch takes a statement, or repeats the last one.");
  if (/\bemit\s+changes\b/i.test(sql))
    return say("A push query is live already; :watch repeats questions that end.");
  session.lastSql = `${sql};`;
  const started = system.uptime();
  let lines: readonly string[] = [];
  for (let run = 1; run <= wanted.times && !signal.aborted; run += 1) {
    const pages: Page[] = [];
    let columns: readonly string[] = [];
    try {
      for await (const result of link.client.sql(`${sql};`, { signal })) {
        for await (const batch of result.batches()) pages.push(pageOfBatch(batch));
        columns = result.columns.map(({ name }) => name);
      }
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof HStreamClientError) || error.reason !== "unavailable") throw error;
      await link.reconnect().catch(() => {});
      output.panel([...lines, "No server answers; trying again."]);
      await system.sleep(wanted.everyMs, signal);
      continue;
    }
    lines = draw(session, columns, pages);
    if (output.live) {
      output.panel(lines);
      output.status({
        rows: pages.reduce((sum, page) => sum + page.rowCount, 0),
        rowsPerSecond: 0,
        elapsedMs: system.uptime() - started,
        endless: false,
        paused: false,
        label: `every ${wanted.everyMs / 1_000} s, run ${run}`,
      });
    } else await output.write(`${lines.join("\n")}\n`);
    if (run < wanted.times) await system.sleep(wanted.everyMs, signal);
  }
  output.panel([]);
  if (output.live && lines.length > 0) await output.write(`${lines.join("\n")}\n\n`);
}

function draw(session: ShellTools, columns: readonly string[], pages: readonly Page[]): readonly string[] {
  const { output } = session.options;
  const width = output.columns() - 1;
  const room = Math.max(3, output.rows() - 4);
  if (session.settings.chart !== undefined) return chartOfPages(session.settings.chart, pages, width, room);
  const rows = pages.flatMap((page) =>
    Array.from({ length: page.rowCount }, (_, row) => columns.map((__, column) => page.text(row, column))),
  );
  const numeric = columns.map((_, column) => pages.some((page) => page.isNumeric(column)));
  const lines = alignRows(columns, rows.slice(0, room), numeric, width);
  return rows.length > room ? [...lines.slice(0, room), `… ${rows.length - room} more rows`] : lines;
}
