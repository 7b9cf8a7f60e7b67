import type { ColumnDef } from "@hstream/proto";
import {
  type BoundQuery,
  type OutputColumn,
  optimise,
  type PhysicalPlan,
  type Polling,
  toPhysical,
  typeName,
} from "@hstream/sql";
import type { StepReport } from "../../executor/step-input.js";
import { HStreamError } from "../../errors.js";
import type { BatchId, ShardId } from "../../log/log-store.js";
import { readingFrom } from "../../streams/read-offset.js";
import type { PersistentQueries } from "../persistent-queries.js";
import { poll } from "../polled-query.js";
import { pull } from "../pull-query.js";
import { QueryProgress } from "../query-progress.js";
import type { QueryRegistry } from "../query-registry.js";
import { RunningQuery } from "../running-query.js";
import type { QueryTools } from "../query-tools.js";
import type { SqlEvent } from "../sql-service.js";
import type { SystemRooms } from "../system-tables/system-table.js";
import type { FollowedView } from "../view-inputs.js";

export interface SelectStatement {
  readonly index: number;
  readonly sql: string;
  readonly query: BoundQuery;
  readonly notices: readonly string[];
}

export interface SelectRooms {
  readonly tools: QueryTools;
  readonly persistent: PersistentQueries;
  readonly queries: QueryRegistry;
  readonly system: SystemRooms;
}

/** A finite answer over what is stored. */
export async function* selectPull(
  { tools, persistent, system }: SelectRooms,
  statement: SelectStatement,
): AsyncGenerator<SqlEvent, undefined> {
  const plan = toPhysical(optimise(statement.query));
  yield header(statement, 1, plan.output, "");
  yield* rowsAndDone(pull(tools, { persistent, system }, plan));
}

/** Changes for as long as the caller listens. */
export async function* selectPush(
  { tools, persistent, queries }: SelectRooms,
  statement: SelectStatement,
  caller: AbortSignal,
): AsyncGenerator<SqlEvent, undefined> {
  const plan = toPhysical(optimise(statement.query));
  const { id, signal, watch, remove } = queries.add(statement.sql, caller);
  try {
    const start = await startOf(tools, statement.query);
    const query = new RunningQuery(tools, {
      plan,
      sink: { kind: "emit" },
      start,
      views: viewsOf(persistent, plan),
    });
    try {
      const progress = new QueryProgress({
        ...{ id, plan, metrics: tools.metrics },
        positions: () => query.positions(),
        counts: () => query.execution.counts(),
      });
      watch(progress);
      // After the positions have been fixed: what is appended once the caller sees this, is seen.
      yield header(statement, 2, plan.output, id);
      yield* rowsAndDone(query.run(signal), progress);
    } finally {
      query.close(new HStreamError("QueryTerminated", { query: id }));
    }
  } finally {
    remove();
    tools.metrics?.queries.forget(id);
  }
}

/** The answer of a pull, given again and again for as long as the caller listens. */
export async function* selectPolled(
  { tools, persistent, queries, system }: SelectRooms,
  statement: SelectStatement,
  polling: Polling,
  caller: AbortSignal,
): AsyncGenerator<SqlEvent, undefined> {
  const plan = toPhysical(optimise(statement.query));
  const { id, signal, watch, remove } = queries.add(statement.sql, caller);
  try {
    const progress = new QueryProgress({ id, plan, positions: () => new Map(), metrics: tools.metrics });
    watch(progress);
    yield header(statement, 2, plan.output, id);
    yield* rowsAndDone(poll(tools, { persistent, system }, plan, polling, signal), progress);
  } finally {
    remove();
    tools.metrics?.queries.forget(id);
  }
}

/** The first batch of each shard; all of it is looked up at once, so that "latest" is one moment. */
async function startOf({ log, streams }: QueryTools, query: BoundQuery): Promise<Map<ShardId, BatchId>> {
  const { start, startAtMs } = query;
  const offset = startAtMs === undefined ? { kind: start } : ({ kind: "time", timeMs: startAtMs } as const);
  const shardIds = query.sources.flatMap(({ kind, id }) =>
    kind === "stream" ? (streams.byId(id)?.stream.shardIds ?? []) : [],
  );
  const found = shardIds.map(async (shardId): Promise<[ShardId, BatchId]> => {
    return [shardId, await readingFrom(log, shardId, offset)];
  });
  return new Map(await Promise.all(found));
}

function viewsOf(persistent: PersistentQueries, plan: PhysicalPlan): Map<string, FollowedView> {
  const views = new Map<string, FollowedView>();
  for (const source of plan.sources) {
    if (source.kind !== "rows" || source.relation !== "view") continue;
    const view = persistent.byId(source.id);
    if (view === undefined) throw new HStreamError("ViewNotFound", { view: source.name });
    views.set(source.id, view);
  }
  return views;
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
