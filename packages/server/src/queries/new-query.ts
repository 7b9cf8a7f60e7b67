import type { QueryDocument } from "./query-document.js";
import { hasDeletions, type LastingStatement, type PlannedQuery } from "./query-planner.js";

export interface NewQuery {
  readonly statement: LastingStatement;
  /** The statement's text. */
  readonly sql: string;
  /** Chosen if absent: that of the relation that is made with it. */
  readonly name?: string | undefined;
}

/** Seven days, as streams that SQL makes have always had. */
const defaultRetentionSeconds = 604_800;

/** The relation that the query writes. */
export function relationOf(statement: LastingStatement): string {
  return statement.kind === "insert-select" ? statement.stream.name : statement.name;
}

/** The document of a query that is made; it is not known yet where it starts. */
export function newDocument(
  { statement, sql }: NewQuery,
  plan: PlannedQuery,
  own: Pick<QueryDocument, "id" | "name" | "creationTimeMs">,
): QueryDocument {
  const kinds = { "create-view": "view", "insert-select": "insert", "create-stream-as": "stream" } as const;
  return {
    version: 1,
    ...own,
    kind: kinds[statement.kind],
    sql,
    relation: relationOf(statement),
    state: { kind: "running" },
    start: [],
    ...(statement.kind === "create-stream-as" ? { stream: streamOptions(statement, plan) } : {}),
  };
}

function streamOptions(
  statement: Extract<LastingStatement, { kind: "create-stream-as" }>,
  { plan }: PlannedQuery,
): NonNullable<QueryDocument["stream"]> {
  return {
    replicationFactor: statement.replicationFactor ?? 1,
    backlogSeconds: statement.retentionSeconds ?? defaultRetentionSeconds,
    shardCount: statement.shardCount ?? 1,
    kind: hasDeletions(plan) || statement.deletions === true ? "changes" : "stream",
    timeColumn: statement.timestampColumn,
    latenessMs: statement.latenessMs,
  };
}
