import {
  bindStatement,
  type BoundQuery,
  type BoundStatement,
  type Catalog,
  optimise,
  parseScript,
  type PhysicalPlan,
  type Relation,
  toPhysical,
} from "@hstream/sql";
import { HStreamError } from "../errors.js";
import type { SinkKind } from "../executor/execution.js";
import { groupColumnsInOutput, isAppendOnly } from "../executor/plan-facts.js";
import type { StreamDocument } from "../streams/stream.js";
import type { QueryDocument } from "./query-document.js";

export type LastingStatement = Extract<
  BoundStatement,
  { kind: "create-view" | "create-stream-as" | "insert-select" }
>;

/** A query that lives on, planned. */
export interface PlannedQuery {
  readonly query: BoundQuery;
  readonly plan: PhysicalPlan;
  /** What the query is of its relation: the options of its records, undefined for a view. */
  readonly records: { readonly key: readonly number[]; readonly names?: readonly string[] } | undefined;
}

export function planned(statement: LastingStatement): PlannedQuery {
  const { query } = statement;
  refuseSpread(statement);
  const plan = toPhysical(optimise(query));
  if (statement.kind === "create-view") return { query, plan, records: undefined };
  const key = partitionColumns(statement, plan);
  const columns = statement.kind === "insert-select" ? statement.columns : undefined;
  return { query, plan, records: columns === undefined ? { key } : { key, names: columns } };
}

/**
 * Whether the records of a stream may have deletions among them. Groups of what only grows change, and are
 * never gone.
 */
export function hasDeletions(plan: PhysicalPlan): boolean {
  let node = plan.root;
  while (node.kind === "project") node = node.input;
  if (plan.emit.kind === "retractions" || node.kind !== "aggregate") return !isAppendOnly(plan.root, plan);
  return !isAppendOnly(node.input, plan);
}

/** How the execution gives what the query is for. */
export function sinkOf({ records }: PlannedQuery, stream: StreamDocument | undefined): SinkKind {
  if (records === undefined) return { kind: "materialize" };
  return { kind: "records", ...records, byKey: (stream?.shardIds.length ?? 1) > 1 };
}

/** The view as other statements see it. */
export function viewRelation({ id, relation }: QueryDocument, query: BoundQuery): Relation {
  return {
    kind: "view",
    id,
    name: relation,
    columns: query.output.map(({ name, type }) => ({ name, type })),
    open: false,
    appendOnly: false,
  };
}

/** The statement that made a query, bound anew. Throws InvalidSql when that is not possible any more. */
export function boundAnew(document: QueryDocument, relations: Catalog): LastingStatement {
  const [statement] = parseScript(document.sql).statements;
  const { bound, diagnostics } =
    statement === undefined ? { bound: undefined, diagnostics: [] } : bindStatement(statement, relations);
  if (
    bound?.kind === "create-view" ||
    bound?.kind === "create-stream-as" ||
    bound?.kind === "insert-select"
  ) {
    return bound;
  }
  const message = diagnostics.find(({ severity }) => severity === "error")?.message;
  throw new HStreamError("InvalidSql", { message: message ?? `Query "${document.name}" has no statement.` });
}

function partitionColumns(
  statement: Extract<LastingStatement, { kind: "create-stream-as" | "insert-select" }>,
  plan: PhysicalPlan,
): readonly number[] {
  const by = statement.kind === "create-stream-as" ? statement.partitionBy : undefined;
  if (by === undefined) return groupColumnsInOutput(plan);
  const index = plan.output.findIndex(({ name, spread }) => name === by && !spread);
  if (index >= 0) return [index];
  const message = `PARTITION BY ${by}: the query has no column of that name, only whole records`;
  throw new HStreamError("InvalidSql", { message: `${message}. Name it in the select list.` });
}

function refuseSpread({ kind, query }: LastingStatement): void {
  if (kind !== "create-view" || !query.output.some((column) => column.spread)) return;
  const message = "A view of SELECT * over a stream without declared columns has no columns of its own";
  throw new HStreamError("InvalidSql", { message: `${message}. Name the columns that the view shall have.` });
}
