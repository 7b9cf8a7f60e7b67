import { inputsOf, type PhysicalNode } from "@hstream/sql";
import type { OperatorCount } from "../../executor/operator-counts.js";
import type { QueryProgress } from "../query-progress.js";
import { float, integer, systemTable, text } from "./system-table.js";

interface Row {
  readonly query: string;
  readonly node: PhysicalNode;
  readonly parent: PhysicalNode | undefined;
  /** Absent of a query that is asked again and again. */
  readonly count: OperatorCount | undefined;
}

export const queryOperatorsTable = systemTable<Row>({
  name: "query_operators",
  help: "The operators that running queries consist of.",
  rows: ({ queries, persistent }) => [
    ...queries.list().flatMap(({ id, progress }) => operatorsOf(id, progress)),
    ...persistent.list().flatMap(({ document, progress }) => operatorsOf(document.id, progress)),
  ],
  columns: [
    text("query_id", "The query.", ({ query }) => query),
    integer("operator_id", "Its number in the plan, as EXPLAIN has it.", ({ node }) => node.id),
    text("operator", "What it does: source, filter, project, aggregate and so on.", ({ node }) => node.kind),
    integer(
      "output_to",
      "The operator that takes its output; NULL for the last.",
      ({ parent }) => parent?.id ?? null,
    ),
    integer(
      "rows_in",
      "Changes that it took since the query runs here.",
      ({ count }) => count?.rowsIn ?? null,
    ),
    integer("rows_out", "Changes that it gave.", ({ count }) => count?.rowsOut ?? null),
    float(
      "busy_ms",
      "How long it was at work; of a source, also decoding what was stored.",
      ({ count }) => count?.busyMs ?? null,
    ),
    integer(
      "state_bytes",
      "About how much memory its state takes.",
      ({ count }) => count?.stateBytes ?? null,
    ),
    integer("columns", "Columns of its output.", ({ node }) => node.types.length),
  ],
});

function operatorsOf(query: string, progress: QueryProgress | undefined): Row[] {
  const rows: Row[] = [];
  const counts = progress?.counts?.();
  const visit = (node: PhysicalNode, parent: PhysicalNode | undefined) => {
    rows.push({ query, node, parent, count: counts?.get(node.id) });
    for (const input of inputsOf(node)) visit(input, node);
  };
  for (const part of progress?.plan.shared ?? []) visit(part, undefined);
  if (progress !== undefined) visit(progress.plan.root, undefined);
  return rows;
}
