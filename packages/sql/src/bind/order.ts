import type { ExpressionNode, OrderNode } from "../ast/ast.js";
import type { Expression, SortKey } from "../plan/expression.js";
import { columnExpression, type LogicalColumn, type LogicalPlan, type ProjectItem } from "../plan/logical.js";
import type { Findings } from "./findings.js";
import type { QueryContext } from "./query-context.js";

/** Order and limit of a query, as its body is to give them. */
export interface OrderAndLimit {
  readonly orderBy: readonly OrderNode[];
  readonly limit: number | undefined;
  readonly offset: number;
}

/** ORDER BY 2: the position from 0 of a whole number; undefined for anything else. */
export function positionOf(
  node: ExpressionNode,
  items: number,
  clause: string,
  findings: Findings,
): number | undefined {
  if (node.kind !== "literal" || node.type.kind !== "integer") return undefined;
  const position = Number(node.value) - 1;
  if (position >= 0 && position < items) return position;
  findings.error(
    node.span,
    `${clause} ${node.text}: there is no such item`,
    `the select list has ${items} ${items === 1 ? "item" : "items"}; positions count from 1`,
  );
  return undefined;
}

/** The rows in order, or the first of them; per `partition` where there is one. */
export function limited(
  input: LogicalPlan,
  keys: readonly SortKey[],
  { limit, offset }: OrderAndLimit,
  partition: readonly Expression[],
  { finite }: QueryContext,
): LogicalPlan {
  if (finite && partition.length === 0) {
    if (keys.length > 0) return { kind: "sort", input, keys, limit, offset };
    return limit !== undefined || offset > 0 ? { kind: "limit", input, limit, offset } : input;
  }
  // An order alone means nothing to a query around this one.
  if (limit === undefined) return input;
  return { kind: "top-n", input, partition, keys, limit, offset, number: undefined, appendOnly: false };
}

export function countOf(
  node: ExpressionNode | undefined,
  clause: string,
  findings: Findings,
): number | undefined {
  if (node === undefined) return undefined;
  if (
    node.kind === "literal" &&
    typeof node.value === "number" &&
    node.type.kind === "integer" &&
    node.value >= 0
  ) {
    return node.value;
  }
  findings.error(node.span, `${clause} takes a whole number that is not negative`);
  return undefined;
}

/** Each row once, under other columns. */
export function distinct(
  input: LogicalPlan,
  from: readonly LogicalColumn[],
  to: readonly LogicalColumn[],
): LogicalPlan {
  const keys = from.map((column, i): ProjectItem => {
    return { column: to[i] ?? column, expression: columnExpression(column) };
  });
  return { kind: "aggregate", input, keys, calls: [], appendOnly: false };
}
