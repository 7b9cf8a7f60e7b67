import { assert } from "@hstream/proto";
import type { Span } from "../diagnostic.js";
import type { Expression } from "../plan/expression.js";
import {
  columnExpression,
  expressionsOf,
  inputsOf,
  type LogicalColumn,
  type LogicalPlan,
  type ProjectItem,
  withInputs,
} from "../plan/logical.js";
import type { JoinKey, JoinType } from "../plan/physical.js";
import { columnsIn, conjunction } from "../plan/rewrite.js";
import { BOOLEAN, INTEGER, NULL_TYPE } from "../types/types.js";
import type { SubqueryNode } from "./bind-expression.js";
import { comparable } from "./call-types.js";
import { unboundExpression } from "./findings.js";
import type { BoundRows, OuterRows, QueryPlace } from "./query-context.js";
import type { Scope } from "./scope.js";

type QuantifiedNode = Extract<SubqueryNode, { kind: "quantified" }>;

/** A subquery beside the rows that it belongs to. */
interface AttachedJoin {
  readonly type: JoinType;
  readonly right: LogicalPlan;
  readonly keys: readonly JoinKey[];
  readonly residual: Expression | undefined;
  readonly notIn: { readonly left: Expression; readonly right: Expression } | undefined;
  /** Of the input, to be put into `right`. */
  readonly outerRows: OuterRows | undefined;
}

/**
 * The subqueries of one clause, as joins: what hangs on the row by equalities becomes the keys of a join
 * (Kim's and Neumann's unnesting, for equalities). A scalar subquery is a left join with at most one partner, a
 * condition EXISTS or IN is a semi join, its negation an anti join.
 */
export class Subqueries {
  readonly #place: QueryPlace;
  readonly #scope: Scope | undefined;
  /** What an expression over the input is here: over groups, a grouping column for what it was made of. */
  readonly #here: (expression: Expression, span: Span) => Expression;
  readonly #joins: AttachedJoin[] = [];
  /** Ids of the columns that come in. */
  readonly columns = new Set<number>();

  constructor(
    place: QueryPlace,
    scope: Scope | undefined,
    here: (expression: Expression, span: Span) => Expression = (expression) => expression,
  ) {
    this.#place = place;
    this.#scope = scope;
    this.#here = here;
  }

  /** The input with all subqueries beside it. */
  attach(input: LogicalPlan): LogicalPlan {
    return this.#joins.reduce<LogicalPlan>(
      (left, { outerRows, right, ...join }) => ({
        kind: "join",
        leftAppendOnly: false,
        rightAppendOnly: false,
        lookup: false,
        within: undefined,
        ...join,
        left,
        right: outerRows === undefined ? right : this.#filled(right, outerRows, input),
      }),
      input,
    );
  }

  #filled(plan: LogicalPlan, outerRows: OuterRows, input: LogicalPlan): LogicalPlan {
    if (plan !== outerRows.placeholder) return withInputs(plan, (one) => this.#filled(one, outerRows, input));
    const keys = outerRows.columns.map(({ outer, column }): ProjectItem => {
      return { column, expression: this.#here(outer, outerRows.span) };
    });
    return { kind: "aggregate", input, keys, calls: [], appendOnly: false };
  }

  /** The value of a subquery where a value stands. */
  value(node: SubqueryNode, operand: Expression | undefined): Expression {
    const { findings } = this.#place.context;
    const rows = this.#bind(node, true);
    if (findings.failed) return unboundExpression;
    switch (node.kind) {
      case "subquery":
        return this.#scalar(rows, node);
      case "exists":
        return this.#exists(rows, node);
      case "in-query":
        return this.#isIn(rows, node, operand);
      case "quantified":
        return this.#quantified(rows, node, operand);
    }
  }

  /** EXISTS and IN as a condition of the row. */
  keepWhere(
    node: Extract<SubqueryNode, { kind: "exists" | "in-query" }>,
    negated: boolean,
    operand: Expression | undefined,
  ): void {
    const { findings } = this.#place.context;
    const rows = this.#bind(node, false);
    if (findings.failed) return;
    if (rows.correlation?.empty !== undefined) {
      findings.error(
        node.span,
        "An aggregate without GROUP BY always has its row",
        "compare its value instead",
      );
      return;
    }
    const keys = this.#keys(rows, node.span);
    const conditions = [...(rows.correlation?.residuals ?? [])];
    let notIn: AttachedJoin["notIn"];
    if (node.kind === "in-query" && operand !== undefined) {
      const value = this.#onlyColumn(rows, node.span);
      if (value === undefined) return;
      const [left, right] = comparable([operand, columnExpression(value)], node.span, findings);
      if (left === undefined || right === undefined) return;
      const pair = { left: this.#here(left, node.span), right };
      if (node.negated !== negated) notIn = pair;
      else conditions.push({ kind: "call", function: "=", args: [pair.left, right], type: BOOLEAN });
    }
    const anti = node.kind === "in-query" ? node.negated !== negated : negated;
    const residual = conditions.length === 0 ? undefined : conjunction(conditions);
    const outerRows = rows.correlation?.outerRows;
    this.#joins.push({ type: anti ? "anti" : "semi", right: rows.plan, keys, residual, notIn, outerRows });
  }

  #bind(node: SubqueryNode, forValue: boolean): BoundRows {
    return this.#place.context.bindSubquery(node.query, { ...this.#place, outer: this.#scope, forValue });
  }

  #keys(rows: BoundRows, span: Span): readonly JoinKey[] {
    return (rows.correlation?.pairs ?? []).map((pair) => ({ ...pair, left: this.#here(pair.left, span) }));
  }

  #onlyColumn(rows: BoundRows, span: Span): LogicalColumn | undefined {
    const [first, ...others] = rows.columns;
    if (first !== undefined && others.length === 0 && !first.spread) return first.column;
    const what = first?.spread === true ? "all fields of a record" : `${rows.columns.length} columns`;
    this.#place.context.findings.error(span, `A subquery gives one column here, not ${what}`);
    return undefined;
  }

  #left(rows: BoundRows, right: LogicalPlan, keys: readonly JoinKey[]): void {
    const outerRows = rows.correlation?.outerRows;
    this.#joins.push({ type: "left", right, keys, residual: undefined, notIn: undefined, outerRows });
  }

  #came(column: LogicalColumn): Expression {
    this.columns.add(column.id);
    return columnExpression(column);
  }

  #scalar(rows: BoundRows, node: SubqueryNode): Expression {
    const value = this.#onlyColumn(rows, node.span);
    if (value === undefined) return unboundExpression;
    const keys = this.#keys(rows, node.span);
    if (rows.single) {
      this.#left(rows, rows.plan, keys);
      const empty = rows.correlation?.empty;
      const [otherwise] = empty?.values ?? [];
      if (empty === undefined || otherwise === undefined) return this.#came(value);
      const none: Expression = {
        kind: "call",
        function: "IS NULL",
        args: [this.#came(empty.marker)],
        type: BOOLEAN,
      };
      const branches = [{ when: none, then: otherwise }];
      return { kind: "case", branches, otherwise: this.#came(value), type: value.type };
    }
    const only: LogicalColumn = { ...value, id: this.#place.context.ids.next() };
    const call = {
      function: "SINGLE_VALUE",
      args: [columnExpression(value)],
      distinct: false,
      type: value.type,
    };
    this.#left(rows, this.#grouped(rows, [], [{ column: only, call }]), keys);
    return this.#came(only);
  }

  #grouped(
    rows: BoundRows,
    more: readonly ProjectItem[],
    calls: Extract<LogicalPlan, { kind: "aggregate" }>["calls"],
  ): LogicalPlan {
    const hidden = rows.correlation?.hidden ?? [];
    const keys = hidden.map((column): ProjectItem => ({ column, expression: columnExpression(column) }));
    return { kind: "aggregate", input: rows.plan, keys: [...keys, ...more], calls, appendOnly: false };
  }

  #counter(
    name: string,
    args: readonly Expression[],
  ): {
    column: LogicalColumn;
    call: { function: string; args: readonly Expression[]; distinct: boolean; type: typeof INTEGER };
  } {
    const column = { id: this.#place.context.ids.next(), name, type: INTEGER };
    return { column, call: { function: "COUNT", args, distinct: false, type: INTEGER } };
  }

  #exists(rows: BoundRows, node: SubqueryNode): Expression {
    const count = this.#counter("rows", []);
    this.#left(rows, this.#grouped(rows, [], [count]), this.#keys(rows, node.span));
    return positive(this.#came(count.column));
  }

  /**
   * x IN (…) as a value: TRUE with an equal row, FALSE where there is no row at all, NULL where x or an
   * element is NULL, else FALSE. One join counts the rows, the other looks for the equal one.
   */
  #isIn(rows: BoundRows, node: SubqueryNode, operand: Expression | undefined): Expression {
    const value = this.#onlyColumn(rows, node.span);
    assert(operand !== undefined, "IN has an operand");
    if (value === undefined) return unboundExpression;
    const { ids, findings } = this.#place.context;
    const [left, right] = comparable([operand, columnExpression(value)], node.span, findings);
    if (left === undefined || right === undefined) return unboundExpression;
    const keys = this.#keys(rows, node.span);
    const [all, known] = [this.#counter("rows", []), this.#counter("values", [columnExpression(value)])];
    this.#left(rows, this.#grouped(rows, [], [all, known]), keys);
    const equal: LogicalColumn = { ...value, id: ids.next() };
    const hidden = (rows.correlation?.hidden ?? []).map((column) => ({
      from: column,
      to: { ...column, id: ids.next() },
    }));
    const found: LogicalPlan = {
      kind: "aggregate",
      input: rows.plan,
      keys: [
        ...hidden.map(({ from, to }): ProjectItem => ({ column: to, expression: columnExpression(from) })),
        { column: equal, expression: right },
      ],
      calls: [],
      appendOnly: false,
    };
    const moved = keys.map((key): JoinKey => {
      const at = key.right.kind === "column" ? key.right.index : -1;
      const to = hidden.find(({ from }) => from.id === at)?.to;
      return to === undefined ? key : { ...key, right: columnExpression(to) };
    });
    const x = this.#here(left, node.span);
    this.#left(rows, found, [...moved, { left: x, right: columnExpression(equal), nullsEqual: false }]);
    const rowsCount = this.#came(all.column);
    const isIn: Expression = {
      kind: "case",
      branches: [
        { when: test("IS NOT NULL", [this.#came(equal)]), then: truth(true) },
        { when: test("NOT", [positive(rowsCount)]), then: truth(false) },
        { when: test("IS NULL", [x]), then: truth(null) },
        { when: test(">", [rowsCount, this.#came(known.column)]), then: truth(null) },
      ],
      otherwise: truth(false),
      type: BOOLEAN,
    };
    return node.kind === "in-query" && node.negated ? test("NOT", [isIn]) : isIn;
  }

  /**
   * x > ALL (…): FALSE where some element says so, NULL where x or an element is NULL, else TRUE, even where there
   * is no row at all; ANY is its mirror image. Which element says so the least or the greatest one tells.
   */
  #quantified(rows: BoundRows, node: QuantifiedNode, operand: Expression | undefined): Expression {
    const { operator, all } = node;
    if (operator === (all ? "<>" : "=")) {
      const { query, span } = node;
      const membership = { kind: "in-query", operand: node.operand, query, negated: all, span } as const;
      return this.#isIn(rows, membership, operand);
    }
    const value = this.#onlyColumn(rows, node.span);
    assert(operand !== undefined, "a quantified comparison has an operand");
    if (value === undefined) return unboundExpression;
    const { ids, findings } = this.#place.context;
    const [left, right] = comparable([operand, columnExpression(value)], node.span, findings, operator);
    if (left === undefined || right === undefined) return unboundExpression;
    const [count, known] = [this.#counter("rows", []), this.#counter("values", [columnExpression(value)])];
    const extremes = (extremesOf[operator]?.[all ? "all" : "any"] ?? []).map((name) => {
      const column: LogicalColumn = { id: ids.next(), name, type: right.type };
      return { column, call: { function: name, args: [right], distinct: false, type: right.type } };
    });
    this.#left(rows, this.#grouped(rows, [], [count, known, ...extremes]), this.#keys(rows, node.span));
    const x = this.#here(left, node.span);
    const says = extremes.map(({ column }) => test(operator, [x, this.#came(column)]));
    const rowsCount = this.#came(count.column);
    const decided: Expression = all
      ? test("NOT", [conjunction(says)])
      : { kind: "or", args: says, type: BOOLEAN };
    return {
      kind: "case",
      branches: [
        { when: test("NOT", [positive(rowsCount)]), then: truth(all) },
        { when: decided, then: truth(!all) },
        { when: test("IS NULL", [x]), then: truth(null) },
        { when: test(">", [rowsCount, this.#came(known.column)]), then: truth(null) },
      ],
      otherwise: truth(all),
      type: BOOLEAN,
    };
  }
}

/** x op ANY or ALL of a few values: of all of them, by their least and greatest. */
const extremesOf: Readonly<
  Record<string, { readonly any: readonly ("MIN" | "MAX")[]; readonly all: readonly ("MIN" | "MAX")[] }>
> = {
  "<": { any: ["MAX"], all: ["MIN"] },
  "<=": { any: ["MAX"], all: ["MIN"] },
  ">": { any: ["MIN"], all: ["MAX"] },
  ">=": { any: ["MIN"], all: ["MAX"] },
  "=": { any: [], all: ["MIN", "MAX"] },
  "<>": { any: ["MIN", "MAX"], all: [] },
};

/** A count that may be missing is above 0. */
function positive(count: Expression): Expression {
  const zero: Expression = { kind: "literal", value: 0, type: INTEGER };
  const known: Expression = { kind: "call", function: "COALESCE", args: [count, zero], type: INTEGER };
  return { kind: "call", function: ">", args: [known, zero], type: BOOLEAN };
}

function test(name: string, args: readonly Expression[]): Expression {
  return { kind: "call", function: name, args, type: BOOLEAN };
}

function truth(value: boolean | null): Expression {
  return { kind: "literal", value, type: value === null ? NULL_TYPE : BOOLEAN };
}

/** Ids that a plan reads although nothing below gives them. */
export function unresolvedIn(plan: LogicalPlan, ids: ReadonlySet<number>): boolean {
  const pending: LogicalPlan[] = [plan];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (readsAny(node, ids)) return true;
    pending.push(...inputsOf(node));
  }
  return false;
}

function readsAny(node: LogicalPlan, ids: ReadonlySet<number>): boolean {
  return expressionsOf(node).some((expression) => [...columnsIn(expression)].some((id) => ids.has(id)));
}
