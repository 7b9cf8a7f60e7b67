import { listLines } from "../output/list-lines.js";
import { duration } from "./duration.js";
import { livePanel } from "./live-panel.js";
import { Rates } from "./rates.js";
import type { ShellTools } from "./shell-tools.js";
import { sqlText, type SystemRow, systemRows } from "./system-rows.js";

/** The id of the query that runs under an id, a name, or for a view; undefined when there is none. */
export async function runningQuery(
  session: ShellTools,
  name: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const rows = await systemRows(session, "SELECT * FROM queries;", signal);
  const found = rows.find(({ id, name: called, output }) => [id, called, output].includes(name));
  if (found !== undefined) return found["id"];
  const views = await systemRows(session, `SELECT * FROM views WHERE name = ${sqlText(name)};`, signal);
  const [view] = views;
  return view?.["query_id"] ?? view?.["id"];
}

/** The operators of a running query as a tree, with what goes through each, live. */
export async function watchPlan(session: ShellTools, queryId: string, signal: AbortSignal): Promise<void> {
  const rates = new Rates();
  await livePanel(session, `plan of ${queryId}`, signal, async () => {
    const sql = `SELECT * FROM query_operators WHERE query_id = ${sqlText(queryId)};`;
    const operators = await systemRows(session, sql, signal);
    if (operators.length === 0) return [`The query ${queryId} runs no more.`];
    const { output, system } = session.options;
    return planLines(operators, rates, system.uptime(), output.columns() - 1);
  });
}

/** The tree, the output at the top. Rates are there from the second time on. */
export function planLines(
  operators: readonly SystemRow[],
  rates: Rates,
  at: number,
  width: number,
): readonly string[] {
  const rows: (readonly (string | number | undefined)[])[] = [];
  const add = (one: SystemRow, depth: number) => {
    const id = one["operator_id"] ?? "";
    const rate = (what: "rows_in" | "rows_out") => {
      const counted = one[what];
      const perSecond = counted === undefined ? undefined : rates.tell(`${what} ${id}`, Number(counted), at);
      return perSecond === undefined ? undefined : Math.round(perSecond);
    };
    const branch = depth === 0 ? "" : `${"   ".repeat(depth - 1)}└─ `;
    const state = one["state_bytes"] === undefined ? undefined : Number(one["state_bytes"]);
    rows.push([
      `${branch}${one["operator"] ?? ""} #${id}`,
      rate("rows_in"),
      rate("rows_out"),
      one["rows_out"] === undefined ? undefined : Number(one["rows_out"]),
      duration(one["busy_ms"]),
      state,
    ]);
    // A plan is a tree: nobody takes the output of its own input.
    for (const input of operators) if (input["output_to"] === id && depth < 100) add(input, depth + 1);
  };
  for (const one of operators) if (one["output_to"] === undefined) add(one, 0);
  return listLines(["operator", "in/s", "out/s", "rows out", "busy", "state bytes"], rows, width);
}
