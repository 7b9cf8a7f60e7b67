import type { SqlType } from "../types/sql-type.js";
import type { AggregateCall, Expression, SortKey } from "./expression.js";

/**
 * What the executor runs. Plain data: it is sent to another thread and printed by EXPLAIN.
 * Operators pass changes (row, weight) upwards; `types` are the types of an operator's output columns.
 */
export interface PhysicalPlan {
  readonly sources: readonly PlanSource[];
  readonly root: PhysicalNode;
  /** One for each output column of `root`. */
  readonly output: readonly OutputColumn[];
  readonly emit: EmitMode;
  /** Ends a query without end after so many emitted changes. */
  readonly emitLimit?: number;
}

export type EmitMode =
  /** A finite input, a finite answer. */
  | { readonly kind: "pull" }
  /** One row per input record and touched group; an update is its new state. */
  | { readonly kind: "changes" }
  /** Changes of one step may be merged (views). */
  | { readonly kind: "coalesced" }
  /** Every −/+ pair. */
  | { readonly kind: "retractions" };

export interface OutputColumn {
  readonly name: string;
  readonly type: SqlType;
  /** The value is a whole record (SqlObject) and stands for its fields: SELECT * without columns. */
  readonly spread: boolean;
}

export type PlanSource =
  /** Stored records, which the executor decodes; only the columns that the query reads. */
  | {
      readonly kind: "stream";
      readonly name: string;
      readonly id: string;
      readonly columns: readonly ScanColumn[];
    }
  /** Rows of a view or a system table, handed over decoded; `columns` are indexes into the relation's. */
  | {
      readonly kind: "rows";
      readonly name: string;
      readonly id: string;
      readonly columns: readonly number[];
      readonly types: readonly SqlType[];
      /** Whether only insertions can come (system tables read once, append-only views). */
      readonly appendOnly: boolean;
    };

export type ScanColumn =
  /** A top-level field. A declared type is cast to; a failing cast is an expression error and NULL. */
  | { readonly kind: "field"; readonly name: string; readonly type: SqlType }
  /** All fields as one SqlObject. */
  | { readonly kind: "record" }
  /** Append time, a TIMESTAMP. */
  | { readonly kind: "append-time" };

export type PhysicalNode = { readonly id: number; readonly types: readonly SqlType[] } & (
  | { readonly kind: "source"; readonly source: number }
  | { readonly kind: "values"; readonly rows: readonly (readonly Expression[])[] }
  /** Keeps rows for which the predicate is TRUE. */
  | { readonly kind: "filter"; readonly input: PhysicalNode; readonly predicate: Expression }
  | { readonly kind: "project"; readonly input: PhysicalNode; readonly items: readonly Expression[] }
  /**
   * Output: the keys, then the calls. No keys: one group that is there from the start. `appendOnly`:
   * the input never retracts, so cheaper state will do. `emission`: per input record, or per step.
   */
  | {
      readonly kind: "aggregate";
      readonly input: PhysicalNode;
      readonly keys: readonly Expression[];
      readonly calls: readonly AggregateCall[];
      readonly appendOnly: boolean;
      readonly emission: "per-record" | "per-step";
    }
  /** Finite inputs only: ordered at the end of input; `limit` rows after skipping `offset`. */
  | {
      readonly kind: "sort";
      readonly input: PhysicalNode;
      readonly keys: readonly SortKey[];
      readonly limit?: number;
      readonly offset: number;
    }
  /** Finite inputs only. */
  | {
      readonly kind: "limit";
      readonly input: PhysicalNode;
      readonly limit?: number;
      readonly offset: number;
    }
);

export type PhysicalNodeKind = PhysicalNode["kind"];
