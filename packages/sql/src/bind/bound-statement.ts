import type { ShowTarget } from "../ast/ast.js";
import type { CatalogColumn, Relation } from "../catalog/catalog.js";
import type { LogicalPlan } from "../plan/logical.js";
import type { EmitMode, OutputColumn } from "../plan/physical.js";
import type { SqlObject, SqlValue } from "../types/sql-value.js";

export type BoundStatement =
  | {
      readonly kind: "create-stream";
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly orReplace: boolean;
      readonly columns: readonly CatalogColumn[];
      /** What WITH does not say is left out: the server has the defaults. */
      readonly replicationFactor?: number;
      readonly retentionSeconds?: number;
      readonly shardCount?: number;
      /** The column that holds a record's time. */
      readonly timestampColumn?: string;
      readonly latenessMs?: number;
      /** Whether a record may take a row back. */
      readonly deletions?: boolean;
    }
  | {
      readonly kind: "create-view";
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly orReplace: boolean;
      readonly query: BoundQuery;
    }
  /** A new stream, and a query that appends to it. */
  | {
      readonly kind: "create-stream-as";
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly orReplace: boolean;
      readonly query: BoundQuery;
      /** The output column whose value is the records' partition key; else the GROUP BY key. */
      readonly partitionBy?: string;
      readonly replicationFactor?: number;
      readonly retentionSeconds?: number;
      readonly shardCount?: number;
      readonly timestampColumn?: string;
      readonly latenessMs?: number;
      /** Also where the query itself takes no row back. */
      readonly deletions?: boolean;
    }
  | { readonly kind: "insert"; readonly stream: Relation; readonly rows: readonly InsertRow[] }
  /** A query that appends to a stream; `columns` names its output columns there. */
  | {
      readonly kind: "insert-select";
      readonly stream: Relation;
      readonly columns: readonly string[] | undefined;
      readonly query: BoundQuery;
    }
  | {
      readonly kind: "create-connector";
      readonly name: string;
      readonly direction: "source" | "sink";
      readonly ifNotExists: boolean;
      readonly type: string;
      readonly options: ReadonlyMap<string, SqlValue>;
    }
  | {
      readonly kind: "pause" | "resume";
      readonly target: "query" | "view" | "connector";
      readonly name: string;
    }
  | {
      readonly kind: "drop";
      readonly target: "stream" | "view" | "query" | "connector";
      readonly name: string;
      readonly ifExists: boolean;
    }
  | { readonly kind: "show"; readonly target: ShowTarget }
  | { readonly kind: "show-errors"; readonly name: string }
  /** EXPLAIN ANALYZE of a running query. */
  | { readonly kind: "analyze"; readonly target: "query" | "view"; readonly name: string }
  | { readonly kind: "describe"; readonly relation: Relation }
  /** Without a name: all queries. */
  | { readonly kind: "terminate"; readonly query: string | undefined }
  | {
      readonly kind: "explain";
      readonly format: "text" | "json";
      readonly statement: Extract<BoundStatement, { kind: "query" | QueryStatementKind }>;
    }
  | { readonly kind: "query"; readonly query: BoundQuery };

/** Statements around a query that lives on. */
export type QueryStatementKind = "create-view" | "create-stream-as" | "insert-select";

export type InsertRow =
  | { readonly kind: "object"; readonly fields: SqlObject }
  /** Appended as a RAW record. */
  | { readonly kind: "raw"; readonly bytes: Uint8Array };

export interface BoundQuery {
  readonly plan: LogicalPlan;
  /** One for each column of the plan, in order. */
  readonly output: readonly OutputColumn[];
  readonly emit: EmitMode;
  /** EMIT FINAL of a view or stream: what closes is given once, when it does. */
  readonly final?: boolean;
  /** LIMIT of a push query: it ends after so many emitted changes. */
  readonly emitLimit?: number;
  /** Where its sources start; a pull and a view read what is stored. */
  readonly start: "earliest" | "latest";
  /** WITH (START = TIMESTAMP …): from the first record of that time on, instead of `start`. Milliseconds. */
  readonly startAtMs?: number;
  /** What it reads, each once. */
  readonly sources: readonly Relation[];
  /** Asked again and again: it reads a system table, which has no changes of its own. `emit` is then pull. */
  readonly polling?: Polling;
}

/** How a query that is asked again and again shows its answers. */
export interface Polling {
  readonly everyMs: number;
  /** Every answer as a whole, or the rows that came and went since the one before. */
  readonly show: "answers" | "changes";
}
