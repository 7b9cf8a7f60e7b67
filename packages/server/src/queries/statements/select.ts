import type { ColumnDef } from "@hstream/proto";
import {
  type BoundQuery,
  type OutputColumn,
  optimise,
  type Polling,
  toPhysical,
  typeName,
} from "@hstream/sql";
import type { StepReport } from "../../executor/step-input.js";
import { HStreamError } from "../../errors.js";
import { poll } from "../polled-query.js";
import { pull } from "../pull-query.js";
import { PushQuery } from "../push-query.js";
import { QueryProgress } from "../query-progress.js";
import type { QueryRegistry } from "../query-registry.js";
import type { QueryTools } from "../query-tools.js";
import type { SqlEvent } from "../sql-service.js";
import type { SystemRooms } from "../system-tables/system-table.js";
import type { ViewRegistry } from "../view-registry.js";

export interface SelectStatement {
  readonly index: number;
  readonly sql: string;
  readonly query: BoundQuery;
  readonly notices: readonly string[];
}

export interface SelectRooms {
  readonly tools: QueryTools;
  readonly views: ViewRegistry;
  readonly queries: QueryRegistry;
  readonly system: SystemRooms;
}

/** A finite answer over what is stored. */
export async function* selectPull(
  { tools, views, system }: SelectRooms,
  statement: SelectStatement,
): AsyncGenerator<SqlEvent, undefined> {
  const plan = toPhysical(optimise(statement.query));
  yield header(statement, 1, plan.output, "");
  yield* rowsAndDone(pull(tools, { views, system }, plan));
}

/** Changes for as long as the caller listens. */
export async function* selectPush(
  { tools, queries }: SelectRooms,
  statement: SelectStatement,
  caller: AbortSignal,
): AsyncGenerator<SqlEvent, undefined> {
  refuseViews(statement.query);
  const plan = toPhysical(optimise(statement.query));
  const { id, signal, watch, remove } = queries.add(statement.sql, caller);
  try {
    const query = new PushQuery(tools, plan, { kind: "emit" }, statement.query.start);
    try {
      const progress = new QueryProgress(id, plan, () => query.positions(), tools.metrics);
      watch(progress);
      // After the positions have been fixed: what is appended once the caller sees this, is seen.
      yield header(statement, 2, plan.output, id);
      yield* rowsAndDone(query.run(signal), progress);
    } finally {
      query.close();
    }
  } finally {
    remove();
    tools.metrics?.queries.forget(id);
  }
}

/** The answer of a pull, given again and again for as long as the caller listens. */
export async function* selectPolled(
  { tools, views, queries, system }: SelectRooms,
  statement: SelectStatement,
  polling: Polling,
  caller: AbortSignal,
): AsyncGenerator<SqlEvent, undefined> {
  const plan = toPhysical(optimise(statement.query));
  const { id, signal, watch, remove } = queries.add(statement.sql, caller);
  try {
    const progress = new QueryProgress(id, plan, () => new Map(), tools.metrics);
    watch(progress);
    yield header(statement, 2, plan.output, id);
    yield* rowsAndDone(poll(tools, { views, system }, plan, polling, signal), progress);
  } finally {
    remove();
    tools.metrics?.queries.forget(id);
  }
}

function refuseViews({ sources }: BoundQuery): void {
  const view = sources.find((source) => source.kind !== "stream");
  if (view === undefined) return;
  throw new HStreamError("Unimplemented", {
    what: `EMIT CHANGES over "${view.name}", which is no stream,`,
  });
}

function header(
  { index, notices }: SelectStatement,
  statementKind: 1 | 2,
  output: readonly OutputColumn[],
  queryId: string,
): SqlEvent {
  return {
    kind: "header",
    statementIndex: index,
    statementKind,
    columns: output.filter((column) => !column.spread).map(columnDef),
    notices: [...notices],
    queryId,
  };
}

function columnDef({ name, type }: OutputColumn): ColumnDef {
  return { name, type: typeName(type) };
}

async function* rowsAndDone(
  reports: AsyncIterable<StepReport>,
  progress?: QueryProgress,
): AsyncGenerator<SqlEvent, undefined> {
  let errors = 0;
  let diverted = 0;
  let firstError = "";
  for await (const report of reports) {
    progress?.observe(report);
    for (const encoded of report.output) yield { kind: "rows", encoded };
    errors += report.errors.count;
    diverted += report.diverted;
    firstError ||= report.errors.first[0]?.message ?? "";
  }
  const notices: string[] = [];
  if (errors > 0)
    notices.push(
      `${errors} ${errors === 1 ? "expression" : "expressions"} failed and gave NULL, the first: ${firstError}`,
    );
  if (diverted > 0)
    notices.push(
      diverted === 1
        ? "1 record is no JSON object and was left out"
        : `${diverted} records are no JSON objects and were left out`,
    );
  yield { kind: "done", message: "", rowsAffected: 0n, notices };
}
