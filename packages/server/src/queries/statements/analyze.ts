import { inputsOf, type PhysicalNode } from "@hstream/sql";
import { HStreamError } from "../../errors.js";
import type { PersistentQueries } from "../persistent-queries.js";
import type { QueryProgress } from "../query-progress.js";
import type { QueryRegistry } from "../query-registry.js";
import { stateText } from "../query-document.js";
import { type StaticRows, textColumn } from "../static-rows.js";
import { lagOf } from "../system-tables/queries.js";
import type { SystemRooms } from "../system-tables/system-table.js";

export interface Analyzed {
  readonly persistent: PersistentQueries;
  readonly queries: QueryRegistry;
  readonly system: SystemRooms;
}

/**
 * EXPLAIN ANALYZE of a running query: what went through it and through each of its operators since it runs
 * here, the state they keep, how far behind it is. Rejects with QueryNotFound, ViewNotFound, QueryNotRunning.
 */
export async function analyze(
  { persistent, queries, system }: Analyzed,
  target: "query" | "view",
  name: string,
): Promise<StaticRows> {
  const { title, progress } = found({ persistent, queries, system }, target, name);
  const { rowsIn, processed, diverted, rowsOut, errors } = progress.totals;
  const lag = await lagOf(system, progress);
  const { watermarkMs } = progress;
  const lines = [
    title,
    `Rows: ${rowsIn} in = ${processed} processed + ${diverted} diverted, ${rowsOut} out; ${errors} expression errors`,
    `Lag: ${lag ?? 0} ms; watermark: ${watermarkMs === null ? "none" : timeText(watermarkMs)}; state: ${progress.stateBytes} bytes`,
    "Operators since it runs here:",
    ...operatorLines(progress),
  ];
  return { columns: [textColumn("plan")], rows: lines.map((line) => [line]) };
}

function found(
  { persistent, queries }: Analyzed,
  target: "query" | "view",
  name: string,
): { readonly title: string; readonly progress: QueryProgress } {
  const pushed = target === "query" ? queries.list().find(({ id }) => id === name) : undefined;
  if (pushed?.progress !== undefined)
    return { title: `Query ${name}, read by somebody`, progress: pushed.progress };
  const query = target === "view" ? persistent.view(name) : persistent.find(name);
  if (query === undefined) {
    throw target === "view"
      ? new HStreamError("ViewNotFound", { view: name })
      : new HStreamError("QueryNotFound", { query: name });
  }
  const { state, relation, kind } = query.document;
  if (query.progress === undefined) {
    throw new HStreamError("QueryNotRunning", { query: query.name, state: state.kind });
  }
  const does = kind === "view" ? `keeps view ${relation}` : `appends to ${relation}`;
  return { title: `Query ${query.name}, which ${does}: ${stateText(state)}`, progress: query.progress };
}

/** Each operator under the one that takes its output. */
function operatorLines({ plan, counts }: QueryProgress): string[] {
  const known = counts?.();
  const lines: string[] = [];
  const visit = (node: PhysicalNode, depth: number): void => {
    const count = known?.get(node.id);
    const what = node.kind === "source" ? `source ${plan.sources[node.source]?.name ?? ""}` : node.kind;
    const did =
      count === undefined
        ? ""
        : `: ${count.rowsIn} in, ${count.rowsOut} out, ${count.busyMs.toFixed(1)} ms, ${count.stateBytes} bytes`;
    lines.push(`${"  ".repeat(depth)}${what} #${node.id}${did}`);
    for (const input of inputsOf(node)) visit(input, depth + 1);
  };
  for (const part of plan.shared ?? []) visit(part, 1);
  visit(plan.root, 1);
  return lines;
}

function timeText(ms: number): string {
  return Number.isFinite(ms) ? new Date(ms).toISOString() : "not begun";
}
