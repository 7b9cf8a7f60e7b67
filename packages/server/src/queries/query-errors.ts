import { INTEGER, type Relation, STRING, TIMESTAMP } from "@hstream/sql";
import type { QueryErrorEntry } from "./error-stream.js";
import type { QueryDocument } from "./query-document.js";
import { encodeRows } from "./system-tables/system-table.js";

/** `errors_of_<query>`: the errors of one query, as a relation that is read like a system table. */
const prefix = "errors_of_";
const idPrefix = "errors:";

const columns = [
  { name: "occurred_at", type: TIMESTAMP, help: "When it happened." },
  {
    name: "kind",
    type: STRING,
    help: "expression: one failed and gave NULL; diverted: records were left out.",
  },
  { name: "reason", type: STRING, help: "What happened." },
  { name: "count", type: INTEGER, help: "How many of them this stands for." },
];

/** The query that a name speaks of, if it is that of an error relation. */
export function queryOfErrors(name: string): string | undefined {
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

export function errorsRelation({ name, id }: QueryDocument): Relation {
  const rest = { columns, open: false, appendOnly: true } as const;
  return { kind: "table", id: idPrefix + id, name: prefix + name, ...rest };
}

/** The id of the query of which a source of a plan reads the errors. */
export function queryIdOfErrors(sourceId: string): string | undefined {
  return sourceId.startsWith(idPrefix) ? sourceId.slice(idPrefix.length) : undefined;
}

/** Encoded RowBatch messages of all columns. */
export function errorRows(entries: readonly QueryErrorEntry[]): Uint8Array[] {
  if (entries.length === 0) return [];
  const values = [
    entries.map(({ timeMs }) => ({ kind: "timestamp" as const, ms: timeMs })),
    entries.map(({ kind }) => kind),
    entries.map(({ reason }) => reason),
    entries.map(({ count }) => count),
  ];
  return [
    encodeRows(
      values,
      columns.map(({ type }) => type),
      entries.length,
    ),
  ];
}
