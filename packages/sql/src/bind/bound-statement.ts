import type { ShowTarget } from "../ast/ast.js";
import type { CatalogColumn, Relation } from "../catalog/catalog.js";
import type { LogicalPlan } from "../plan/logical.js";
import type { EmitMode, OutputColumn } from "../plan/physical.js";
import type { SqlObject } from "../types/sql-value.js";

export type BoundStatement =
  | {
      readonly kind: "create-stream";
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly columns: readonly CatalogColumn[];
      /** What WITH does not say is left out: the server has the defaults. */
      readonly replicationFactor?: number;
      readonly retentionSeconds?: number;
      readonly shardCount?: number;
      /** The column that holds a record's time. */
      readonly timestampColumn?: string;
      readonly latenessMs?: number;
    }
  | {
      readonly kind: "create-view";
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly query: BoundQuery;
    }
  | { readonly kind: "insert"; readonly stream: Relation; readonly rows: readonly InsertRow[] }
  | {
      readonly kind: "drop";
      readonly target: "stream" | "view" | "query";
      readonly name: string;
      readonly ifExists: boolean;
    }
  | { readonly kind: "show"; readonly target: ShowTarget }
  | { readonly kind: "describe"; readonly relation: Relation }
  | { readonly kind: "terminate"; readonly query: string }
  | {
      readonly kind: "explain";
      readonly format: "text" | "json";
      readonly statement: Extract<BoundStatement, { kind: "query" | "create-view" }>;
    }
  | { readonly kind: "query"; readonly query: BoundQuery };

export type InsertRow =
  | { readonly kind: "object"; readonly fields: SqlObject }
  /** Appended as a RAW record. */
  | { readonly kind: "raw"; readonly bytes: Uint8Array };

export interface BoundQuery {
  readonly plan: LogicalPlan;
  /** One for each column of the plan, in order. */
  readonly output: readonly OutputColumn[];
  readonly emit: EmitMode;
  /** LIMIT of a push query: it ends after so many emitted changes. */
  readonly emitLimit?: number;
  /** Where its sources start; a pull and a view read what is stored. */
  readonly start: "earliest" | "latest";
  /** What it reads, each once. */
  readonly sources: readonly Relation[];
}
