import type { ExpressionNode, OrderNode, SelectItemNode, SelectNode } from "../ast/ast.js";
import type { Catalog, Relation } from "../catalog/catalog.js";
import type { Span } from "../diagnostic.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import type { AggregateCall, Expression, SortKey } from "../plan/expression.js";
import {
  columnExpression,
  columnsOf,
  type LogicalColumn,
  type LogicalPlan,
  type ProjectItem,
} from "../plan/logical.js";
import type { EmitMode, OutputColumn } from "../plan/physical.js";
import { columnNameOf, printName } from "../print/print-expression.js";
import { bindCondition, bindExpression, type ExpressionPlace } from "./bind-expression.js";
import type { BoundQuery } from "./bound-statement.js";
import type { Findings } from "./findings.js";
import { Grouping, isGrouped, mentions } from "./grouping.js";
import { ColumnIds, RelationScope } from "./scope.js";

/** What a query is for: an answer (pull or push, as it says), or a view. */
export type QueryUse = "query" | "view";

export function bindSelect(
  select: SelectNode,
  catalog: Catalog,
  findings: Findings,
  use: QueryUse,
): BoundQuery {
  const binder = new SelectBinder(select, catalog, findings, use);
  return binder.bind();
}

/** The relation of that name, or undefined after a finding. */
export function findRelation(
  name: string,
  span: Span,
  catalog: Catalog,
  findings: Findings,
): Relation | undefined {
  const relation = catalog.relation(name);
  if (relation !== undefined) return relation;
  const near = nearestName(name, catalog.relationNames());
  const hint =
    near === undefined
      ? "SHOW STREAMS, SHOW VIEWS and SHOW TABLES list what there is"
      : `did you mean ${near}?`;
  findings.error(span, `There is no stream, view or table ${name}`, hint);
  return undefined;
}

interface Item {
  readonly name: string;
  readonly span: Span;
  readonly expression: Expression;
  readonly spread: boolean;
  /** Undefined for a column that * stands for. */
  readonly node: ExpressionNode | undefined;
}

class SelectBinder {
  readonly #select: SelectNode;
  readonly #catalog: Catalog;
  readonly #findings: Findings;
  readonly #use: QueryUse;
  readonly #ids = new ColumnIds();
  readonly #grouping: Grouping | undefined;
  #scope: RelationScope | undefined;

  constructor(select: SelectNode, catalog: Catalog, findings: Findings, use: QueryUse) {
    this.#select = select;
    this.#catalog = catalog;
    this.#findings = findings;
    this.#use = use;
    this.#grouping = isGrouped(select) ? new Grouping(this.#ids) : undefined;
  }

  bind(): BoundQuery {
    const select = this.#select;
    this.#scope = this.#bindFrom();
    const predicate =
      select.where === undefined ? undefined : bindCondition(select.where, this.#wherePlace(), "WHERE");
    for (const node of select.groupBy) this.#bindKey(node);
    const items = select.items.flatMap((item) => this.#bindItem(item));
    const having =
      select.having === undefined
        ? undefined
        : this.#overGroups(
            bindCondition(select.having, this.#place("HAVING", true, true), "HAVING"),
            select.having.span,
          );
    const order = select.orderBy.map((node) => this.#bindOrder(node, items));
    const limit = this.#bindCount(select.limit, "LIMIT");
    const offset = this.#bindCount(select.offset, "OFFSET") ?? 0;
    this.#checkEmission();

    let plan = this.#source();
    if (predicate !== undefined) plan = { kind: "filter", input: plan, predicate };
    if (this.#grouping !== undefined) {
      const { keys, calls } = this.#grouping;
      plan = { kind: "aggregate", input: plan, keys, calls, appendOnly: false };
    }
    if (having !== undefined) plan = { kind: "filter", input: plan, predicate: having };
    const pull = this.#use === "query" && select.emit === undefined;
    if (pull && order.length > 0) plan = { kind: "sort", input: plan, keys: order, limit, offset };
    else if (pull && (limit !== undefined || offset > 0))
      plan = { kind: "limit", input: plan, limit, offset };
    const projected = this.#project(plan, items);
    return this.#finish(projected, items, pull ? undefined : limit);
  }

  /** Where an expression stands. */
  #place(clause: string, aggregates = false, aliases = false): ExpressionPlace {
    const grouping = this.#grouping;
    const place: ExpressionPlace = { findings: this.#findings, scope: this.#scope, clause };
    return {
      ...place,
      ...(aggregates && grouping !== undefined
        ? { aggregate: (call: AggregateCall): LogicalColumn => grouping.addCall(call) }
        : {}),
      ...(aliases ? { alias: (name: string): ExpressionNode | undefined => this.#aliased(name) } : {}),
    };
  }

  #wherePlace(): ExpressionPlace {
    const hiddenAlias = (name: string): boolean => {
      const aliased = this.#aliased(name);
      return aliased !== undefined && !mentions(aliased, name);
    };
    return { ...this.#place("WHERE"), hiddenAlias };
  }

  #aliased(name: string): ExpressionNode | undefined {
    for (const item of this.#select.items) {
      if (item.kind === "expression" && item.alias?.text === name) return item.expression;
    }
    return undefined;
  }

  #bindFrom(): RelationScope | undefined {
    const { from } = this.#select;
    if (from === undefined) return undefined;
    const relation = findRelation(from.name.text, from.name.span, this.#catalog, this.#findings);
    // A relation that is not there takes any column, so that it is the only finding.
    const stand: Relation = relation ?? {
      kind: "stream",
      id: "",
      name: from.name.text,
      columns: [],
      open: true,
      appendOnly: true,
    };
    return new RelationScope(stand, from.alias?.text ?? from.name.text, this.#ids);
  }

  #bindKey(node: ExpressionNode): void {
    const target = this.#position(node, "GROUP BY") ?? this.#keyAlias(node) ?? node;
    const expression = bindExpression(target, this.#place("GROUP BY"));
    this.#grouping?.addKey(expression, columnNameOf(target));
  }

  /** An alias of the select list, unless a column is meant: a declared one, or the one that it is made of. */
  #keyAlias(node: ExpressionNode): ExpressionNode | undefined {
    if (node.kind !== "name" || node.parts.length !== 1) return undefined;
    const name = node.parts[0]?.text ?? "";
    const aliased = this.#scope?.declares(name) === true ? undefined : this.#aliased(name);
    return aliased === undefined || mentions(aliased, name) ? undefined : aliased;
  }

  /** GROUP BY 1, ORDER BY 2: the item at that position. */
  #position(node: ExpressionNode, clause: string): ExpressionNode | undefined {
    if (node.kind !== "literal" || node.type.kind !== "integer") return undefined;
    const item = this.#select.items[Number(node.value) - 1];
    if (item?.kind === "expression") return item.expression;
    this.#findings.error(
      node.span,
      `${clause} ${node.text}: there is no such item`,
      `the select list has ${this.#select.items.length} ${this.#select.items.length === 1 ? "item" : "items"}; positions count from 1`,
    );
    return undefined;
  }

  #overGroups(expression: Expression, span: Span): Expression {
    return this.#grouping === undefined
      ? expression
      : this.#grouping.over(expression, span, this.#scope, this.#findings);
  }

  #bindItem(item: SelectItemNode): readonly Item[] {
    if (item.kind === "star") return this.#bindStar(item);
    const bound = bindExpression(item.expression, this.#place("SELECT", true));
    const name = item.alias?.text ?? columnNameOf(item.expression);
    const expression = this.#overGroups(bound, item.expression.span);
    return [{ name, span: item.span, expression, spread: false, node: item.expression }];
  }

  #bindStar(item: Extract<SelectItemNode, { kind: "star" }>): readonly Item[] {
    const scope = this.#scope;
    const { span } = item;
    if (scope === undefined) {
      this.#findings.error(span, "* needs a FROM");
      return [];
    }
    if (item.relation !== undefined && item.relation.text !== scope.name) {
      this.#findings.error(
        item.relation.span,
        `${printName(item.relation)} is not in FROM`,
        `did you mean ${scope.name}.*?`,
      );
      return [];
    }
    if (this.#grouping !== undefined) {
      this.#findings.error(span, "* cannot be grouped", "name the columns and aggregates");
      return [];
    }
    if (scope.relation.open) {
      return [
        { name: "*", span, expression: columnExpression(scope.record()), spread: true, node: undefined },
      ];
    }
    return scope.relation.columns.flatMap(({ name }) => {
      const column = scope.column(name);
      if (column === undefined) return [];
      return [{ name, span, expression: columnExpression(column), spread: false, node: undefined }];
    });
  }

  #bindOrder(node: OrderNode, items: readonly Item[]): SortKey {
    const target = this.#position(node.expression, "ORDER BY") ?? node.expression;
    // A bare name means the item of that name, as the standard has it. The very expression of the item is taken,
    // so that what it found is not found twice.
    const name = target.kind === "name" && target.parts.length === 1 ? target.parts[0]?.text : undefined;
    const item = items.find((one) => one.node === target || (one.name === name && !one.spread));
    const expression =
      item?.expression ??
      this.#overGroups(bindExpression(target, this.#place("ORDER BY", true, true)), node.expression.span);
    return { expression, descending: node.descending, nullsFirst: node.nulls === "first" };
  }

  #bindCount(node: ExpressionNode | undefined, clause: string): number | undefined {
    if (node === undefined) return undefined;
    if (
      node.kind === "literal" &&
      typeof node.value === "number" &&
      node.type.kind === "integer" &&
      node.value >= 0
    ) {
      return node.value;
    }
    this.#findings.error(node.span, `${clause} takes a whole number that is not negative`);
    return undefined;
  }

  #checkEmission(): void {
    const { emit, orderBy, offset, limit, from } = this.#select;
    const push = emit !== undefined && this.#use === "query";
    if (!push && this.#use === "query") return;
    const [order] = orderBy;
    const what = push ? "A query with EMIT CHANGES" : "A view";
    const hint = push
      ? "leave out EMIT CHANGES for an ordered answer"
      : "order the rows when you select from the view";
    if (order !== undefined)
      this.#findings.error(order.expression.span, `${what} has no end and no order`, hint);
    if (offset !== undefined) this.#findings.error(offset.span, `${what} takes no OFFSET`);
    if (!push && limit !== undefined) this.#findings.error(limit.span, "A view takes no LIMIT", hint);
    if (push && emit !== undefined && from === undefined) {
      this.#findings.error(emit.span, "EMIT CHANGES needs a FROM", "without a source nothing changes");
    }
    if (push && emit !== undefined && this.#scope?.relation.kind === "table") {
      this.#findings.error(emit.span, "A system table emits no changes", "leave out EMIT CHANGES");
    }
  }

  #source(): LogicalPlan {
    const scope = this.#scope;
    if (scope === undefined) return { kind: "values", columns: [], rows: [[]] };
    return { kind: "scan", relation: scope.relation, columns: scope.columns };
  }

  #project(input: LogicalPlan, items: readonly Item[]): LogicalPlan {
    const names = new Map<string, number>();
    const projected = items.map(({ name, span, expression, spread }): ProjectItem => {
      const count = (names.get(name) ?? 0) + 1;
      names.set(name, count);
      if (count > 1 && !spread && this.#use === "view") {
        this.#findings.error(
          span,
          `Two columns are called ${name}`,
          `give one of them another name: AS ${name}_${count}`,
        );
      }
      const unique = count === 1 ? name : `${name}_${count}`;
      return { column: { id: this.#ids.next(), name: unique, type: expression.type }, expression };
    });
    return { kind: "project", input, items: projected };
  }

  #finish(plan: LogicalPlan, items: readonly Item[], emitLimit: number | undefined): BoundQuery {
    const output = columnsOf(plan).map(
      ({ name, type }, i): OutputColumn => ({ name, type, spread: items[i]?.spread === true }),
    );
    const scope = this.#scope;
    const query: BoundQuery = {
      plan,
      output,
      emit: this.#emitMode(),
      start:
        this.#use === "query" && this.#select.emit !== undefined
          ? (this.#select.emit.from ?? "latest")
          : (this.#select.emit?.from ?? "earliest"),
      sources: scope === undefined ? [] : [scope.relation],
    };
    return emitLimit === undefined ? query : { ...query, emitLimit };
  }

  #emitMode(): EmitMode {
    if (this.#use === "view") return { kind: "coalesced" };
    return { kind: this.#select.emit?.mode ?? "pull" };
  }
}
