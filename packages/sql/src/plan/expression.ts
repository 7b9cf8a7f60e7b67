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
