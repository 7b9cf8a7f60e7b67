import type { ExpressionNode, OrderNode, SelectItemNode, SelectNode } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { aggregateImplementation } from "../functions/table.js";
import type { AggregateCall, Expression, SortKey } from "../plan/expression.js";
import {
  columnExpression,
  columnsOf,
  expressionsOf,
  inputsOf,
  type LogicalColumn,
  type LogicalPlan,
  type ProjectItem,
} from "../plan/logical.js";
import { columnsIn, conjunction, conjunctsOf, expressionKey, replaceColumns } from "../plan/rewrite.js";
import { columnNameOf, printName } from "../print/print-expression.js";
import { BOOLEAN, NULL_TYPE } from "../types/types.js";
import { bindCondition, bindExpression, type ExpressionPlace, type SubqueryNode } from "./bind-expression.js";
import { bindFrom, type FromRows, windowed } from "./bind-from.js";
import { type OrderAndLimit, positionOf } from "./order.js";
import { EqualColumns } from "./equal-columns.js";
import { joinedWith, outerRowsOf } from "./outer-rows.js";
import { type GroupedInput, Grouping, hasWindowFunction, isGrouped, mentions } from "./grouping.js";
import type { BoundRows, Correlation, OutputItem, QueryPlace } from "./query-context.js";
import { Scope } from "./scope.js";
import {
  type BlockCorrelation,
  type CorrelatedPair,
  equalitiesOf,
  type Equality,
  hiddenItems,
  isOuter,
} from "./correlation.js";
import {
  distinctRows,
  type Item,
  type NamedItem,
  namedItems,
  type Output,
  projected,
} from "./select-output.js";
import { Subqueries, unresolvedIn } from "./subqueries.js";
import { WindowCalls } from "./window-calls.js";
import { assignWindows, closingTime, type RowTime, windowInGroupBy } from "./windows.js";

/** SELECT … with the order of the query that it is the whole of. */
export class SelectBinder {
  readonly #select: SelectNode;
  readonly #order: OrderAndLimit;
  readonly #place: QueryPlace;
  readonly #timed: boolean;
  readonly #from: FromRows | undefined;
  readonly #scope: Scope;
  readonly #grouping: Grouping | undefined;
  readonly #windows: WindowCalls;
  /** Subqueries of WHERE; of what is computed for each record; of what is computed above the groups. */
  readonly #where: Subqueries;
  readonly #below: Subqueries;
  readonly #above: Subqueries;
  readonly #equal = new EqualColumns();

  constructor(select: SelectNode, order: OrderAndLimit, place: QueryPlace) {
    const [inGroupBy, ...more] = select.groupBy.filter((node) => windowInGroupBy(node) !== undefined);
    for (const node of more) {
      place.context.findings.error(node.span, "A GROUP BY has one window");
    }
    this.#select = select;
    this.#order = order;
    this.#timed = place.timed === true;
    // Its subqueries stand for themselves.
    const { timed: _, ...untimed } = place;
    this.#place = untimed;
    const timed = this.#timed || inGroupBy !== undefined;
    const from = select.from === undefined ? undefined : bindFrom(select.from, { ...untimed, timed });
    this.#from = windowFromGroupBy(from, inGroupBy, place);
    this.#scope = new Scope(this.#from?.relations ?? [], this.#from?.merged ?? [], place.outer);
    const { ids } = place.context;
    this.#grouping = isGrouped(select, order.orderBy) ? new Grouping(ids) : undefined;
    const here = (expression: Expression, span: Span): Expression => this.#overGroups(expression, span);
    this.#windows = new WindowCalls(ids, select.windows, here);
    this.#where = new Subqueries(place, this.#scope);
    this.#below = new Subqueries(place, this.#scope);
    this.#above = new Subqueries(place, this.#scope, here);
  }

  bind(): BoundRows {
    const { context } = this.#place;
    const select = this.#select;
    const conditions = this.#conditions(select.where, this.#where, this.#wherePlace(), "WHERE");
    for (const condition of [...(this.#from?.conditions ?? []), ...conditions]) this.#equal.add(condition);
    for (const node of select.groupBy) {
      if (windowInGroupBy(node) === undefined) this.#bindKey(node);
    }
    this.#bindWindow();
    const correlation = this.#correlate(conditions);
    const items = select.items.flatMap((item) => this.#bindItem(item));
    const having = this.#having();
    const keys = this.#order.orderBy.map((node) => this.#bindOrder(node, items));

    const rowTime = this.#rowTime();

    let plan = this.#where.attach(this.#from?.build() ?? { kind: "values", columns: [], rows: [[]] });
    const own = conditions.filter((condition) => !isOuter(condition, this.#scope.correlated));
    if (own.length > 0) plan = { kind: "filter", input: plan, predicate: conjunction(own) };
    plan = this.#below.attach(plan);
    if (correlation?.outerRows !== undefined)
      plan = joinedWith(plan, correlation.outerRows, correlation.joining);
    const outer = correlation?.pairs ?? [];
    if (this.#grouping !== undefined) plan = this.#grouped(plan, this.#grouping);
    plan = this.#above.attach(plan);
    if (having.length > 0) plan = { kind: "filter", input: plan, predicate: conjunction(having) };
    plan = this.#windows.attach(
      plan,
      outer.map(({ inner }) => inner),
    );
    const hidden = [
      ...(correlation === undefined ? [] : hiddenItems(plan, correlation)),
      ...(rowTime?.items ?? []),
    ];
    const named = namedItems(items, this.#scope.relations.length > 1, context.ids);
    const output: Output = { named, hidden, keys, order: this.#order };
    const rows = select.distinct
      ? distinctRows(plan, output, select.span, context)
      : projected(plan, output, context);
    const empty = correlation === undefined ? undefined : this.#empty(items);
    const bound = this.#finish(rows, named, correlation, hidden, empty, context.findings.failed);
    return rowTime === undefined ? bound : { ...bound, rowTime: rowTime.rowTime };
  }

  // ---- windows and time -----------------------------------------------------------------------------------

  /** The bounds of the window at the top of FROM are keys of the groups, written or not. */
  #bindWindow(): void {
    const window = this.#from?.window;
    if (window === undefined) return;
    if (this.#grouping !== undefined) {
      this.#grouping.addKey(columnExpression(window.start), window.start.name);
      this.#grouping.addKey(columnExpression(window.end), window.end.name);
    } else if (window.kind !== "hop") {
      this.#place.context.findings.error(
        window.span,
        `${window.kind.toUpperCase()} needs GROUP BY or an aggregate`,
        "its windows are made by the rows of a group",
      );
    }
  }

  #grouped(input: LogicalPlan, { keys, calls }: Grouping): LogicalPlan {
    const window = this.#from?.window;
    const plain = { kind: "aggregate", keys, calls, appendOnly: false } as const;
    if (window === undefined || window.kind === "hop") return { ...plain, input };
    const bounds = [window.start.id, window.end.id];
    const isBound = ({ expression }: ProjectItem): boolean =>
      expression.kind === "column" && bounds.includes(expression.index);
    const own = keys.filter((key) => !isBound(key));
    const below = [
      ...own.map(({ expression }) => expression),
      ...calls.flatMap(({ call }) => [...call.args, ...(call.filter === undefined ? [] : [call.filter])]),
      ...expressionsBelow(input),
    ];
    if (below.some((expression) => [...columnsIn(expression)].some((id) => bounds.includes(id)))) {
      this.#place.context.findings.error(
        window.span,
        "The bounds of SLIDE and SESSION are known above the groups only",
        "select them, or filter them in HAVING",
      );
    }
    if (window.kind === "slide") {
      const partition = own.map(({ expression }) => expression);
      return { ...plain, input: assignWindows(input, window, partition) };
    }
    const [start, end] = bounds.map((id) => {
      const key = keys.find(({ expression }) => expression.kind === "column" && expression.index === id);
      return key?.column ?? window.start;
    });
    const { gapMs, rowTime } = window;
    return {
      kind: "session",
      input,
      gapMs,
      ...rowTime,
      keys: own,
      start: start ?? window.start,
      end: end ?? window.end,
      calls,
    };
  }

  /** Where the times of the rows are wanted: they pass through a plain SELECT, and groups by a window have its own. */
  #rowTime(): { readonly rowTime: RowTime; readonly items: readonly ProjectItem[] } | undefined {
    const plain =
      this.#timed &&
      !this.#select.distinct &&
      this.#order.limit === undefined &&
      this.#windows.columns.size === 0;
    const own = !plain
      ? undefined
      : this.#grouping === undefined
        ? this.#from?.time()
        : this.#groupTime(this.#grouping);
    if (own === undefined) return undefined;
    const { ids } = this.#place.context;
    const item = (name: string, expression: Expression): ProjectItem => {
      return { column: { id: ids.next(), name, type: expression.type }, expression };
    };
    const time = item("time", own.time);
    const watermark = own.watermark === undefined ? undefined : item("watermark", own.watermark);
    return {
      rowTime: {
        time: columnExpression(time.column),
        watermark: watermark === undefined ? undefined : columnExpression(watermark.column),
      },
      items: watermark === undefined ? [time] : [time, watermark],
    };
  }

  #groupTime({ keys }: Grouping): RowTime | undefined {
    const closing = new Map(this.#from?.closing);
    const window = this.#from?.window;
    // A row at the very end still belongs to a window of SLIDE or SESSION.
    if (window !== undefined && window.kind !== "hop") closing.set(window.end.id, 1);
    const ofKeys = keys.flatMap(({ column, expression }) => {
      const offset = expression.kind === "column" ? closing.get(expression.index) : undefined;
      return offset === undefined ? [] : [[column.id, offset] as const];
    });
    return closingTime(
      keys.map(({ column }) => column),
      new Map(ofKeys),
    );
  }

  // ---- where expressions stand ----------------------------------------------------------------------------

  #expressionPlace(clause: string, aggregates = false, aliases = false): ExpressionPlace {
    const grouping = this.#grouping;
    const subqueries = aggregates && grouping !== undefined ? this.#above : this.#below;
    const place: ExpressionPlace = { findings: this.#place.context.findings, scope: this.#scope, clause };
    return {
      ...place,
      subquery: (node, operand) => this.#subquery(subqueries, node, operand),
      ...(aggregates && grouping !== undefined
        ? { aggregate: (call: AggregateCall): LogicalColumn => grouping.addCall(call) }
        : {}),
      ...(aggregates && clause !== "HAVING"
        ? {
            window: (node, at): Expression => {
              const value = this.#windows.bind(node, at);
              for (const id of this.#windows.columns) grouping?.through.add(id);
              return value;
            },
          }
        : {}),
      ...(aliases ? { alias: (name: string): ExpressionNode | undefined => this.#aliased(name) } : {}),
    };
  }

  #subquery(stage: Subqueries, node: SubqueryNode, operand: Expression | undefined): Expression {
    const value = stage.value(node, operand);
    if (stage === this.#above) for (const id of stage.columns) this.#grouping?.through.add(id);
    return value;
  }

  #wherePlace(): ExpressionPlace {
    const hiddenAlias = (name: string): boolean => {
      const aliased = this.#aliased(name);
      return aliased !== undefined && !mentions(aliased, name);
    };
    const subquery = (node: SubqueryNode, operand: Expression | undefined): Expression =>
      this.#where.value(node, operand);
    return { ...this.#expressionPlace("WHERE"), subquery, hiddenAlias };
  }

  #aliased(name: string): ExpressionNode | undefined {
    for (const item of this.#select.items) {
      if (item.kind === "expression" && item.alias?.text === name) return item.expression;
    }
    return undefined;
  }

  #overGroups(expression: Expression, span: Span): Expression {
    if (this.#grouping === undefined) return expression;
    const input: GroupedInput = {
      grows: this.#from?.grows ?? true,
      equal: (a, b) => this.#equal.has(a, b),
    };
    return this.#grouping.over(expression, span, input, this.#place.context.findings);
  }

  // ---- conditions -----------------------------------------------------------------------------------------

  /** What must be TRUE, without EXISTS and IN (SELECT …), which become joins. */
  #conditions(
    node: ExpressionNode | undefined,
    stage: Subqueries,
    place: ExpressionPlace,
    what: string,
  ): readonly Expression[] {
    if (node === undefined) return [];
    const operands = node.kind === "logical" && node.operator === "AND" ? node.operands : [node];
    if (!operands.some((operand) => asMembership(operand) !== undefined)) {
      return conjunctsOf(bindCondition(node, place, what));
    }
    return operands.flatMap((operand) => {
      const membership = asMembership(operand);
      if (membership === undefined) {
        return conjunctsOf(bindCondition(operand, place, operands.length > 1 ? "AND" : what));
      }
      const { node: subquery, negated } = membership;
      const compared = subquery.kind === "in-query" ? bindExpression(subquery.operand, place) : undefined;
      stage.keepWhere(subquery, negated, compared);
      return [];
    });
  }

  #having(): readonly Expression[] {
    const { having } = this.#select;
    const conditions = this.#conditions(
      having,
      this.#above,
      this.#expressionPlace("HAVING", true, true),
      "HAVING",
    );
    const span = having?.span ?? this.#select.span;
    return conditions.map((condition) => this.#overGroups(condition, span));
  }

  /** The conditions that name columns of the query around this one. */
  #correlate(conditions: readonly Expression[]): BlockCorrelation | undefined {
    const { correlated } = this.#scope;
    const outer = conditions.filter((condition) => isOuter(condition, correlated));
    if (outer.length === 0) return undefined;
    const { equalities, residuals } = equalitiesOf(outer, correlated);
    const pairs = equalities.map((equality) => this.#pair(equality));
    const plain = this.#place.forValue !== true && !this.#blocksConditions();
    if (residuals.length === 0 || plain) return { pairs, residuals, outerRows: undefined, joining: [] };
    return this.#withOuterRows(pairs, residuals);
  }

  /** Whether conditions over both queries cannot wait until the rows of this one meet those of the other. */
  #blocksConditions(): boolean {
    const { items, distinct } = this.#select;
    const cut = this.#order.limit !== undefined || this.#order.offset > 0;
    const windows = items.some((item) => item.kind === "expression" && hasWindowFunction(item.expression));
    return this.#grouping !== undefined || distinct || cut || windows;
  }

  /** The rows of the query around this one come in, and go out again as keys. */
  #withOuterRows(pairs: readonly CorrelatedPair[], residuals: readonly Expression[]): BlockCorrelation {
    const { outerRows, joining } = outerRowsOf(
      residuals,
      this.#scope.correlated,
      this.#select.span,
      this.#place.context,
    );
    const throughRows = outerRows.columns.map(({ outer, column }) =>
      this.#pair({ outer, inner: columnExpression(column), nullsEqual: true }),
    );
    return { pairs: [...pairs, ...throughRows], residuals: [], outerRows, joining };
  }

  #pair({ outer, inner, nullsEqual }: Equality): CorrelatedPair {
    this.#grouping?.addKey(inner, "key");
    const above = this.#overGroups(inner, this.#select.span);
    const column: LogicalColumn =
      above.kind === "column"
        ? { id: above.index, name: above.name, type: above.type }
        : { id: this.#place.context.ids.next(), name: "key", type: inner.type };
    return { left: outer, inner: above, column, nullsEqual };
  }

  // ---- GROUP BY, the select list, ORDER BY ----------------------------------------------------------------

  #bindKey(node: ExpressionNode): void {
    const target = this.#position(node, "GROUP BY") ?? this.#keyAlias(node) ?? node;
    const expression = bindExpression(target, this.#expressionPlace("GROUP BY"));
    this.#grouping?.addKey(expression, columnNameOf(target));
    if (expression.kind === "column") this.#scope.preferred.add(expression.index);
  }

  /** An alias of the select list, unless a column is meant: a declared one, or the one that it is made of. */
  #keyAlias(node: ExpressionNode): ExpressionNode | undefined {
    if (node.kind !== "name" || node.parts.length !== 1) return undefined;
    const name = node.parts[0]?.text ?? "";
    const aliased = this.#scope.declares(name) ? undefined : this.#aliased(name);
    return aliased === undefined || mentions(aliased, name) ? undefined : aliased;
  }

  /** GROUP BY 1, ORDER BY 2: the item at that position. */
  #position(node: ExpressionNode, clause: string): ExpressionNode | undefined {
    const { items } = this.#select;
    const position = positionOf(node, items.length, clause, this.#place.context.findings);
    if (position === undefined) return undefined;
    const item = items[position];
    if (item?.kind === "expression") return item.expression;
    const message = `${clause} ${position + 1} is *, which is no single column`;
    this.#place.context.findings.error(node.span, message, "name the column");
    return undefined;
  }

  #bindItem(item: SelectItemNode): readonly Item[] {
    if (item.kind === "star") return this.#bindStar(item);
    const bound = bindExpression(item.expression, this.#expressionPlace("SELECT", true));
    const name = item.alias?.text ?? columnNameOf(item.expression);
    const expression = this.#overGroups(bound, item.expression.span);
    const plain = item.alias === undefined && item.expression.kind === "name";
    const relation = plain ? this.#relationOf(bound) : undefined;
    return [{ name, span: item.span, expression, spread: false, relation, node: item.expression }];
  }

  #relationOf(column: Expression): string | undefined {
    const same = expressionKey(column);
    if (this.#scope.merged.some(({ expression }) => expressionKey(expression) === same)) return undefined;
    const { name } = column.kind === "column" ? column : { name: undefined };
    if (name === undefined) return undefined;
    return this.#scope.relations.find((relation) => {
      const found = relation.declares(name) || relation.open ? relation.resolve(name) : undefined;
      return found !== undefined && expressionKey(found) === same;
    })?.name;
  }

  #bindStar(item: Extract<SelectItemNode, { kind: "star" }>): readonly Item[] {
    const { findings } = this.#place.context;
    const scope = this.#scope;
    const { span } = item;
    if (scope.relations.length === 0) {
      findings.error(span, "* needs a FROM");
      return [];
    }
    const { relation: named } = item;
    const relation = named === undefined ? undefined : scope.relation(named.text);
    if (named !== undefined && relation === undefined) {
      const [first] = scope.relations;
      findings.error(
        named.span,
        `${printName(named)} is not in FROM`,
        first === undefined ? undefined : `did you mean ${first.name}.*?`,
      );
      return [];
    }
    if (this.#grouping !== undefined) {
      findings.error(span, "* cannot be grouped", "name the columns and aggregates");
      return [];
    }
    const relations = relation === undefined ? scope.relations : [relation];
    const merged = relation === undefined ? scope.merged : [];
    const first = merged.map(({ name, expression }): Item => {
      return { name, span, expression, spread: false, relation: undefined, node: undefined };
    });
    const rest = relations.flatMap((one) =>
      one
        .star()
        .filter(({ name, spread }) => spread || !merged.some((column) => column.name === name))
        .map((column): Item => ({ ...column, span, relation: one.name, node: undefined })),
    );
    return [...first, ...rest];
  }

  #bindOrder(node: OrderNode, items: readonly Item[]): SortKey {
    const target = this.#position(node.expression, "ORDER BY") ?? node.expression;
    // A bare name means the item of that name, as the standard has it. The very expression of the item is taken,
    // so that what it found is not found twice.
    const name = target.kind === "name" && target.parts.length === 1 ? target.parts[0]?.text : undefined;
    const item = items.find((one) => one.node === target || (one.name === name && !one.spread));
    const expression =
      item?.expression ??
      this.#overGroups(
        bindExpression(target, this.#expressionPlace("ORDER BY", true, true)),
        node.expression.span,
      );
    return { expression, descending: node.descending, nullsFirst: node.nulls === "first" };
  }

  // ---- what comes out -------------------------------------------------------------------------------------

  /** What the items are where an aggregate without GROUP BY has no record, if that can be. */
  #empty(items: readonly Item[]): readonly Expression[] | undefined {
    const grouping = this.#grouping;
    if (grouping === undefined || this.#select.groupBy.length > 0 || this.#from?.window !== undefined)
      return undefined;
    if (this.#select.having !== undefined) {
      const { findings } = this.#place.context;
      findings.error(
        this.#select.span,
        "HAVING of such a subquery cannot be computed",
        "compare its value outside",
      );
    }
    const values = new Map(
      grouping.calls.map(({ column, call }) => {
        const implementation = aggregateImplementation(call.function, call.distinct, call.type);
        const context = { nowMs: 0, error: () => null };
        const value = implementation?.result(implementation.create(true), context) ?? null;
        const literal: Expression = { kind: "literal", value, type: value === null ? NULL_TYPE : call.type };
        return [column.id, literal] as const;
      }),
    );
    return items.map(({ expression }) => replaceColumns(expression, (id) => values.get(id)));
  }

  #finish(
    plan: LogicalPlan,
    named: readonly NamedItem[],
    correlation: BlockCorrelation | undefined,
    hidden: readonly ProjectItem[],
    empty: readonly Expression[] | undefined,
    failed: boolean,
  ): BoundRows {
    const { context } = this.#place;
    const global =
      this.#grouping !== undefined && this.#select.groupBy.length === 0 && this.#from?.window === undefined;
    const fromOne = this.#from === undefined;
    const single = global || fromOne || (this.#order.limit ?? 2) <= 1;
    if (!failed && this.#scope.correlated.size > 0 && unresolvedIn(plan, this.#scope.correlated)) {
      context.findings.error(
        this.#select.span,
        "A subquery can name columns of the query around it only in its WHERE",
        "move the condition into WHERE",
      );
    }
    const columns = named.map(({ expression: _, ...item }): OutputItem => item);
    if (correlation === undefined) return { plan, columns, single, correlation: undefined };
    const pairs = correlation.pairs.map(({ left, column, nullsEqual }) => {
      return { left, right: columnExpression(column), nullsEqual };
    });
    const whole: Correlation = {
      pairs,
      residuals: correlation.residuals,
      hidden: hidden.map(({ column }) => column),
      outerRows: correlation.outerRows,
      empty: undefined,
    };
    if (empty === undefined) return { plan, columns, single, correlation: whole };
    const marker: LogicalColumn = { id: context.ids.next(), name: "found", type: BOOLEAN };
    const through = columnsOf(plan).map(
      (column): ProjectItem => ({ column, expression: columnExpression(column) }),
    );
    const found: ProjectItem = {
      column: marker,
      expression: { kind: "literal", value: true, type: BOOLEAN },
    };
    const marked: LogicalPlan = { kind: "project", input: plan, items: [...through, found] };
    return { plan: marked, columns, single, correlation: { ...whole, empty: { marker, values: empty } } };
  }
}

/** D1 writes the window into GROUP BY: it stands over FROM. */
function windowFromGroupBy(
  from: FromRows | undefined,
  node: ExpressionNode | undefined,
  { context }: QueryPlace,
): FromRows | undefined {
  const called = node === undefined ? undefined : windowInGroupBy(node);
  if (from === undefined || node === undefined || called === undefined) return from;
  return windowed(from, { ...called, span: node.span }, undefined, context);
}

/** What filters and the like above the source read. */
function expressionsBelow(plan: LogicalPlan): readonly Expression[] {
  return [...expressionsOf(plan), ...inputsOf(plan).flatMap(expressionsBelow)];
}

/** EXISTS (…), x IN (SELECT …) and their negations. */
function asMembership(
  node: ExpressionNode,
):
  | { readonly node: Extract<SubqueryNode, { kind: "exists" | "in-query" }>; readonly negated: boolean }
  | undefined {
  if (node.kind === "exists" || node.kind === "in-query") return { node, negated: false };
  if (node.kind !== "unary" || node.operator !== "NOT") return undefined;
  const inner = asMembership(node.operand);
  return inner === undefined ? undefined : { node: inner.node, negated: !inner.negated };
}
