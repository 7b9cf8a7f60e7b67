import { unreachable } from "@hstream/proto";
import type { Relation } from "../catalog/catalog.js";
import type { SqlType } from "../types/sql-type.js";
import type { AggregateCall, Expression, SortKey } from "./expression.js";
import type { ScanColumn } from "./physical.js";

/** A column that a node gives. `id` is unique in the query and stays with the column all the way up. */
export interface LogicalColumn {
  readonly id: number;
  readonly name: string;
  readonly type: SqlType;
}

export interface ScanOutput extends LogicalColumn {
  readonly from:
    | ScanColumn
    /** Of a view or a system table: position in the relation's columns. */
    | { readonly kind: "relation-column"; readonly index: number };
}

/** What to compute. In its expressions, a column's `index` is the column's id. */
export type LogicalPlan =
  | { readonly kind: "scan"; readonly relation: Relation; readonly columns: readonly ScanOutput[] }
  /** Rows without columns from elsewhere; one row of no columns is SELECT without FROM. */
  | {
      readonly kind: "values";
      readonly columns: readonly LogicalColumn[];
      readonly rows: readonly (readonly Expression[])[];
    }
  | { readonly kind: "filter"; readonly input: LogicalPlan; readonly predicate: Expression }
  | { readonly kind: "project"; readonly input: LogicalPlan; readonly items: readonly ProjectItem[] }
  | {
      readonly kind: "aggregate";
      readonly input: LogicalPlan;
      readonly keys: readonly ProjectItem[];
      readonly calls: readonly { readonly column: LogicalColumn; readonly call: AggregateCall }[];
      /** Set by the optimiser where it can prove that the input only grows. */
      readonly appendOnly: boolean;
    }
  | {
      readonly kind: "sort";
      readonly input: LogicalPlan;
      readonly keys: readonly SortKey[];
      readonly limit: number | undefined;
      readonly offset: number;
    }
  | {
      readonly kind: "limit";
      readonly input: LogicalPlan;
      readonly limit: number | undefined;
      readonly offset: number;
    };

export interface ProjectItem {
  readonly column: LogicalColumn;
  readonly expression: Expression;
}

/** The columns that a node gives, in order. */
export function columnsOf(plan: LogicalPlan): readonly LogicalColumn[] {
  switch (plan.kind) {
    case "scan":
    case "values":
      return plan.columns;
    case "filter":
    case "sort":
    case "limit":
      return columnsOf(plan.input);
    case "project":
      return plan.items.map((item) => item.column);
    case "aggregate":
      return [...plan.keys.map((key) => key.column), ...plan.calls.map((call) => call.column)];
    default:
      return unreachable(plan);
  }
}

/** The same node over another input. */
export function withInput(plan: LogicalPlan, map: (input: LogicalPlan) => LogicalPlan): LogicalPlan {
  switch (plan.kind) {
    case "scan":
    case "values":
      return plan;
    case "filter":
    case "project":
    case "aggregate":
    case "sort":
    case "limit":
      return { ...plan, input: map(plan.input) };
    default:
      return unreachable(plan);
  }
}

/** The expressions that a node itself evaluates. */
export function expressionsOf(plan: LogicalPlan): readonly Expression[] {
  switch (plan.kind) {
    case "scan":
    case "limit":
      return [];
    case "values":
      return plan.rows.flat();
    case "filter":
      return [plan.predicate];
    case "project":
      return plan.items.map((item) => item.expression);
    case "aggregate":
      return [
        ...plan.keys.map((key) => key.expression),
        ...plan.calls.flatMap(({ call }) =>
          call.filter === undefined ? call.args : [...call.args, call.filter],
        ),
      ];
    case "sort":
      return plan.keys.map((key) => key.expression);
    default:
      return unreachable(plan);
  }
}

/** The same node with its own expressions mapped. */
export function withExpressions(plan: LogicalPlan, map: (expression: Expression) => Expression): LogicalPlan {
  const items = (list: readonly ProjectItem[]): ProjectItem[] =>
    list.map((item) => ({ ...item, expression: map(item.expression) }));
  switch (plan.kind) {
    case "scan":
    case "limit":
      return plan;
    case "values":
      return { ...plan, rows: plan.rows.map((row) => row.map(map)) };
    case "filter":
      return { ...plan, predicate: map(plan.predicate) };
    case "project":
      return { ...plan, items: items(plan.items) };
    case "aggregate":
      return {
        ...plan,
        keys: items(plan.keys),
        calls: plan.calls.map(({ column, call }) => ({ column, call: mapCall(call, map) })),
      };
    case "sort":
      return { ...plan, keys: plan.keys.map((key) => ({ ...key, expression: map(key.expression) })) };
    default:
      return unreachable(plan);
  }
}

export function mapCall(call: AggregateCall, map: (expression: Expression) => Expression): AggregateCall {
  const args = call.args.map(map);
  return call.filter === undefined ? { ...call, args } : { ...call, args, filter: map(call.filter) };
}
