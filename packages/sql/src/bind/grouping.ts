import type { ExpressionNode, OrderNode, OverNode, SelectNode } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { aggregateFunction } from "../functions/table.js";
import type { AggregateCall, Expression } from "../plan/expression.js";
import { columnExpression, type LogicalColumn, type ProjectItem } from "../plan/logical.js";
import { expressionKey, mapOperands } from "../plan/rewrite.js";
import { printAggregate } from "../print/print-bound.js";
import type { Findings } from "./findings.js";
import type { ColumnIds } from "./scope.js";

/** The groups of a query: its keys and its aggregates, each once. */
export class Grouping {
  readonly keys: ProjectItem[] = [];
  readonly calls: { readonly column: LogicalColumn; readonly call: AggregateCall }[] = [];
  readonly #ids: ColumnIds;
  readonly #keyColumns = new Map<string, LogicalColumn>();
  readonly #callColumns = new Map<string, LogicalColumn>();

  constructor(ids: ColumnIds) {
    this.#ids = ids;
  }

  addKey(expression: Expression, name: string): void {
    const key = expressionKey(expression);
    if (this.#keyColumns.has(key)) return;
    const column = { id: this.#ids.next(), name, type: expression.type };
    this.#keyColumns.set(key, column);
    this.keys.push({ column, expression });
  }

  /** The column of an aggregate's result. */
  addCall(call: AggregateCall): LogicalColumn {
    const parts = [...call.args, ...(call.filter === undefined ? [] : [call.filter])].map(expressionKey);
    const key = `${call.function} ${call.distinct} ${call.args.length} ${parts.join(";")}`;
    const known = this.#callColumns.get(key);
    if (known !== undefined) return known;
    const column = { id: this.#ids.next(), name: printAggregate(call), type: call.type };
    this.#callColumns.set(key, column);
    this.calls.push({ column, call });
    return column;
  }

  /** Columns that come in above the groups (subqueries, window functions) and stand for themselves. */
  readonly through = new Set<number>();

  /**
   * An expression over the input as one over the groups. A column that is neither a key nor inside an
   * aggregate means the group's latest record where the input only grows, and is an error elsewhere.
   */
  over(expression: Expression, span: Span, input: GroupedInput, findings: Findings): Expression {
    const key = this.#keyColumns.get(expressionKey(expression));
    if (key !== undefined) return columnExpression(key);
    if (expression.kind !== "column") {
      return mapOperands(expression, (operand) => this.over(operand, span, input, findings));
    }
    const { name, type, index } = expression;
    if (this.through.has(index) || this.calls.some(({ column }) => column.id === index)) return expression;
    const latest = (): Expression =>
      columnExpression(this.addCall({ function: "LATEST", args: [expression], distinct: false, type }));
    if (
      this.keys.some((one) => one.expression.kind === "column" && input.equal(one.expression.index, index))
    ) {
      return latest();
    }
    if (!input.grows) {
      return findings.error(
        span,
        `${name} is neither grouped nor inside an aggregate`,
        `add it to GROUP BY, or aggregate it: MAX(${name})`,
      );
    }
    findings.notice(
      span,
      `${name} is neither grouped nor inside an aggregate: the group's latest record gives its value`,
      `write LATEST(${name}) to say so`,
    );
    return latest();
  }
}

/** What is known of the rows that are grouped. */
export interface GroupedInput {
  /** It never takes a row back. */
  readonly grows: boolean;
  /** Whether a condition of the query makes these two columns equal. */
  equal(a: number, b: number): boolean;
}

/** Whether a query groups: by GROUP BY, HAVING or an aggregate in its items or order. */
export function isGrouped(select: SelectNode, orderBy: readonly OrderNode[]): boolean {
  return (
    select.groupBy.length > 0 ||
    select.having !== undefined ||
    select.items.some((item) => item.kind === "expression" && hasAggregate(item.expression)) ||
    select.windows.some(({ over }) => expressionsIn(over).some(hasAggregate)) ||
    orderBy.some((order) => hasAggregate(order.expression))
  );
}

function expressionsIn({ partitionBy, orderBy }: OverNode): readonly ExpressionNode[] {
  return [...partitionBy, ...orderBy.map((order) => order.expression)];
}

export function hasAggregate(node: ExpressionNode): boolean {
  if (
    node.kind === "call" &&
    node.over === undefined &&
    aggregateFunction(node.name.text.toUpperCase()) !== undefined
  ) {
    return true;
  }
  return childrenOf(node).some(hasAggregate);
}

export function hasWindowFunction(node: ExpressionNode): boolean {
  return (node.kind === "call" && node.over !== undefined) || childrenOf(node).some(hasWindowFunction);
}

/** Whether a column of that name is written in the expression. */
export function mentions(node: ExpressionNode, name: string): boolean {
  if (node.kind === "name") return node.parts.at(-1)?.text === name;
  return childrenOf(node).some((child) => mentions(child, name));
}

function childrenOf(node: ExpressionNode): readonly ExpressionNode[] {
  switch (node.kind) {
    case "literal":
    case "name":
    // Names in a query of its own mean its own relations.
    case "subquery":
    case "exists":
      return [];
    case "unary":
    case "is":
    case "cast":
    case "in-query":
    case "quantified":
      return [node.operand];
    case "binary":
    case "is-distinct":
      return [node.left, node.right];
    case "logical":
      return node.operands;
    case "between":
      return [node.operand, node.low, node.high];
    case "in":
      return [node.operand, ...node.list];
    case "like":
      return [node.operand, node.pattern, ...(node.escape === undefined ? [] : [node.escape])];
    case "case":
      return [
        node.operand,
        ...node.branches.flatMap(({ when, then }) => [when, then]),
        node.otherwise,
      ].filter((child) => child !== undefined);
    case "call":
      return [
        ...node.args,
        ...node.orderBy.map((order) => order.expression),
        ...(node.filter === undefined ? [] : [node.filter]),
        ...(node.over === undefined ? [] : expressionsIn(node.over)),
      ];
    case "array":
      return node.elements;
    case "element":
      return [node.operand, node.index];
    case "slice":
      return [node.operand, node.from, node.to].filter((child) => child !== undefined);
  }
}
