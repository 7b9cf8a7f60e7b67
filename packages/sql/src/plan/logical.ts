import { unreachable } from "@hstream/proto";
import type { Relation } from "../catalog/catalog.js";
import type { SqlType } from "../types/sql-type.js";
import type { AggregateCall, Expression, SortKey, WindowCall } from "./expression.js";
import type { Closing, JoinKey, JoinType, JoinWithin, ScanColumn, WindowShape } from "./physical.js";

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
      /** When a group is closed: by one of the keys. Set by the optimiser. */
      readonly closes?: Closing;
      /** A group is given once, when it closes. */
      readonly final?: boolean;
    }
  /** As the physical node, which explains the fields. The input's columns, then the window's bounds. */
  | {
      readonly kind: "assign-windows";
      readonly input: LogicalPlan;
      readonly shape: WindowShape;
      readonly time: Expression;
      readonly watermark: Expression | undefined;
      readonly partition: readonly Expression[];
      readonly start: LogicalColumn;
      readonly end: LogicalColumn;
    }
  /** Groups in sessions: the keys, the session's bounds, the calls. */
  | {
      readonly kind: "session";
      readonly input: LogicalPlan;
      readonly gapMs: number;
      readonly time: Expression;
      readonly watermark: Expression | undefined;
      readonly keys: readonly ProjectItem[];
      readonly start: LogicalColumn;
      readonly end: LogicalColumn;
      readonly calls: readonly { readonly column: LogicalColumn; readonly call: AggregateCall }[];
      readonly final?: boolean;
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
    }
  | LogicalJoin
  /** `columns` stand for those of each input, by position; the same for set-operation. */
  | {
      readonly kind: "union-all";
      readonly inputs: readonly LogicalPlan[];
      readonly columns: readonly LogicalColumn[];
    }
  | {
      readonly kind: "set-operation";
      readonly operator: "except" | "intersect";
      readonly all: boolean;
      readonly left: LogicalPlan;
      readonly right: LogicalPlan;
      readonly columns: readonly LogicalColumn[];
    }
  /** The first rows of each partition, kept true under changes. */
  | {
      readonly kind: "top-n";
      readonly input: LogicalPlan;
      readonly partition: readonly Expression[];
      readonly keys: readonly SortKey[];
      readonly limit: number;
      readonly offset: number;
      /** Set when the row's position is wanted. */
      readonly number: LogicalColumn | undefined;
      readonly appendOnly: boolean;
      /** When a partition is closed, by one of its expressions. */
      readonly closes?: Closing;
      readonly final?: boolean;
    }
  /** Window functions with one OVER. */
  | {
      readonly kind: "window";
      readonly input: LogicalPlan;
      readonly partition: readonly Expression[];
      readonly keys: readonly SortKey[];
      readonly calls: readonly { readonly column: LogicalColumn; readonly call: WindowCall }[];
      readonly appendOnly: boolean;
      readonly closes?: Closing;
      readonly final?: boolean;
    };

/** As the physical join, which explains the fields; both sides' expressions name columns by id. */
export interface LogicalJoin {
  readonly kind: "join";
  readonly type: JoinType;
  readonly left: LogicalPlan;
  readonly right: LogicalPlan;
  readonly keys: readonly JoinKey[];
  readonly residual: Expression | undefined;
  readonly notIn: { readonly left: Expression; readonly right: Expression } | undefined;
  readonly leftAppendOnly: boolean;
  readonly rightAppendOnly: boolean;
  readonly lookup: boolean;
  readonly within: JoinWithin | undefined;
  /** When the rows of a key are closed, by one of the keys. */
  readonly closes?: Closing;
  /** Rows without a partner are given when they close. */
  readonly final?: boolean;
}

export interface ProjectItem {
  readonly column: LogicalColumn;
  readonly expression: Expression;
}

/** The columns that a node gives, in order. */
export function columnsOf(plan: LogicalPlan): readonly LogicalColumn[] {
  switch (plan.kind) {
    case "scan":
    case "values":
    case "union-all":
    case "set-operation":
      return plan.columns;
    case "filter":
    case "sort":
    case "limit":
      return columnsOf(plan.input);
    case "project":
      return plan.items.map((item) => item.column);
    case "aggregate":
      return [...plan.keys.map((key) => key.column), ...plan.calls.map((call) => call.column)];
    case "join":
      return plan.type === "semi" || plan.type === "anti"
        ? columnsOf(plan.left)
        : [...columnsOf(plan.left), ...columnsOf(plan.right)];
    case "assign-windows":
      return [...columnsOf(plan.input), plan.start, plan.end];
    case "session":
      return [
        ...plan.keys.map((key) => key.column),
        plan.start,
        plan.end,
        ...plan.calls.map((call) => call.column),
      ];
    case "top-n":
      return plan.number === undefined ? columnsOf(plan.input) : [...columnsOf(plan.input), plan.number];
    case "window":
      return [...columnsOf(plan.input), ...plan.calls.map((call) => call.column)];
    default:
      return unreachable(plan);
  }
}

/** A column as an expression. */
export function columnExpression(column: LogicalColumn): Expression {
  return { kind: "column", index: column.id, name: column.name, type: column.type };
}

/** What a node reads from. */
export function inputsOf(plan: LogicalPlan): readonly LogicalPlan[] {
  const found: LogicalPlan[] = [];
  withInputs(plan, (input) => {
    found.push(input);
    return input;
  });
  return found;
}

/** The same node over other inputs; itself when none is another. */
export function withInputs(plan: LogicalPlan, map: (input: LogicalPlan) => LogicalPlan): LogicalPlan {
  switch (plan.kind) {
    case "scan":
    case "values":
      return plan;
    case "filter":
    case "project":
    case "aggregate":
    case "sort":
    case "limit":
    case "assign-windows":
    case "session":
    case "top-n":
    case "window": {
      const input = map(plan.input);
      return input === plan.input ? plan : { ...plan, input };
    }
    case "join":
    case "set-operation": {
      const [left, right] = [map(plan.left), map(plan.right)];
      return left === plan.left && right === plan.right ? plan : { ...plan, left, right };
    }
    case "union-all": {
      const inputs = plan.inputs.map(map);
      return inputs.every((input, i) => input === plan.inputs[i]) ? plan : { ...plan, inputs };
    }
    default:
      return unreachable(plan);
  }
}

/** The expressions that a node itself evaluates. */
export function expressionsOf(plan: LogicalPlan): readonly Expression[] {
  const found: Expression[] = [];
  withExpressions(plan, (expression) => {
    found.push(expression);
    return expression;
  });
  return found;
}

/** The same node with its own expressions mapped. */
export function withExpressions(plan: LogicalPlan, map: (expression: Expression) => Expression): LogicalPlan {
  const items = (list: readonly ProjectItem[]): ProjectItem[] =>
    list.map((item) => ({ ...item, expression: map(item.expression) }));
  const sortKeys = (keys: readonly SortKey[]): SortKey[] =>
    keys.map((key) => ({ ...key, expression: map(key.expression) }));
  switch (plan.kind) {
    case "scan":
    case "limit":
    case "union-all":
    case "set-operation":
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
    case "assign-windows":
      return {
        ...plan,
        time: map(plan.time),
        watermark: plan.watermark === undefined ? undefined : map(plan.watermark),
        partition: plan.partition.map(map),
      };
    case "session":
      return {
        ...plan,
        time: map(plan.time),
        watermark: plan.watermark === undefined ? undefined : map(plan.watermark),
        keys: items(plan.keys),
        calls: plan.calls.map(({ column, call }) => ({ column, call: mapCall(call, map) })),
      };
    case "sort":
      return { ...plan, keys: sortKeys(plan.keys) };
    case "join":
      return {
        ...plan,
        within: plan.within === undefined ? undefined : mapWithin(plan.within, map, map),
        keys: plan.keys.map((key) => ({ ...key, left: map(key.left), right: map(key.right) })),
        residual: plan.residual === undefined ? undefined : map(plan.residual),
        notIn:
          plan.notIn === undefined ? undefined : { left: map(plan.notIn.left), right: map(plan.notIn.right) },
      };
    case "top-n":
      return { ...plan, partition: plan.partition.map(map), keys: sortKeys(plan.keys) };
    case "window":
      return {
        ...plan,
        partition: plan.partition.map(map),
        keys: sortKeys(plan.keys),
        calls: plan.calls.map(({ column, call }) => ({ column, call: mapCall(call, map) })),
      };
    default:
      return unreachable(plan);
  }
}

/** `left` maps what is over the left columns. */
export function mapWithin(
  within: JoinWithin,
  left: (expression: Expression) => Expression,
  right: (expression: Expression) => Expression,
): JoinWithin {
  const { ms, leftTime, rightTime, leftWatermark, rightWatermark } = within;
  return {
    ms,
    leftTime: left(leftTime),
    rightTime: right(rightTime),
    ...(leftWatermark === undefined ? {} : { leftWatermark: left(leftWatermark) }),
    ...(rightWatermark === undefined ? {} : { rightWatermark: right(rightWatermark) }),
  };
}

export function mapCall<C extends Pick<AggregateCall, "args" | "filter">>(
  call: C,
  map: (expression: Expression) => Expression,
): C {
  const args = call.args.map(map);
  return call.filter === undefined ? { ...call, args } : { ...call, args, filter: map(call.filter) };
}
