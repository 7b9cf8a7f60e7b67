import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";

/**
 * Bound expressions: names are column indexes of the operator's input, functions are names of the
 * function table, every node knows its type. Plain data that can be cloned between threads.
 */
export type Expression =
  | { readonly kind: "literal"; readonly value: SqlValue; readonly type: SqlType }
  | { readonly kind: "column"; readonly index: number; readonly name: string; readonly type: SqlType }
  /** Operators too: "+", "=", "LIKE", "NOT", "IS NULL" … stand in the function table. */
  | {
      readonly kind: "call";
      readonly function: string;
      readonly args: readonly Expression[];
      readonly type: SqlType;
    }
  /** Three-valued; operands are not evaluated further than needed. */
  | { readonly kind: "and" | "or"; readonly args: readonly Expression[]; readonly type: SqlType }
  | {
      readonly kind: "case";
      readonly branches: readonly { readonly when: Expression; readonly then: Expression }[];
      readonly otherwise: Expression;
      readonly type: SqlType;
    }
  | { readonly kind: "cast"; readonly operand: Expression; readonly type: SqlType };

/** One aggregate of a GROUP BY. */
export interface AggregateCall {
  /** In the function table: COUNT (no args: COUNT(*)), SUM, AVG, MIN, MAX, LATEST … */
  readonly function: string;
  readonly args: readonly Expression[];
  readonly distinct: boolean;
  readonly filter?: Expression;
  readonly type: SqlType;
}

export interface SortKey {
  readonly expression: Expression;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** One call of a window function, over the rows of its partition. */
export interface WindowCall {
  /**
   * ROW_NUMBER, RANK, DENSE_RANK, PERCENT_RANK, CUME_DIST, NTILE(n), LAG and LEAD (x, offset, default),
   * FIRST_VALUE, LAST_VALUE, NTH_VALUE(x, n), or an aggregate of the function table (no args: COUNT(*)).
   */
  readonly function: string;
  readonly args: readonly Expression[];
  /** Of aggregates only. */
  readonly distinct: boolean;
  /** Of aggregates only. */
  readonly filter?: Expression;
  /** Of LAG, LEAD, FIRST_VALUE, LAST_VALUE and NTH_VALUE: NULLs do not count as rows. */
  readonly ignoreNulls: boolean;
  /** For aggregates and FIRST_VALUE, LAST_VALUE, NTH_VALUE; the others look at the whole partition. */
  readonly frame: WindowFrame;
  readonly type: SqlType;
}

/**
 * rows: counted in rows. groups: in groups of peers. range: by the value of the one sort key, with an offset
 * that can be added to it and taken off it; without offsets any keys will do, and the current row means its peers.
 */
export interface WindowFrame {
  readonly unit: "rows" | "range" | "groups";
  readonly start: FrameBound;
  readonly end: FrameBound;
}

export type FrameBound =
  | { readonly kind: "unbounded-preceding" | "current-row" | "unbounded-following" }
  /** A number that is not negative; of `range` also an INTERVAL. */
  | { readonly kind: "preceding" | "following"; readonly offset: SqlValue };
