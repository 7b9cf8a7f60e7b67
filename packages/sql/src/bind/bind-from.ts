import { unreachable } from "@hstream/proto";
import type { AliasNode, ExpressionNode, FromNode, NameNode } from "../ast/ast.js";
import type { Catalog, Relation } from "../catalog/catalog.js";
import type { Span } from "../diagnostic.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import { relationsMax } from "../limits.js";
import { type ClosingColumns, closingColumns } from "../optimize/close-windows.js";
import { onlyGrows } from "../optimize/choose-append-only.js";
import type { Expression } from "../plan/expression.js";
import { columnsOf, inputsOf, type LogicalPlan } from "../plan/logical.js";
import type { JoinType, JoinWithin } from "../plan/physical.js";
import { conjunction, conjunctsOf } from "../plan/rewrite.js";
import { printName } from "../print/print-expression.js";
import { BOOLEAN, commonType, DYNAMIC, INTERVAL, TIMESTAMP } from "../types/types.js";
import { intervalMs } from "../values/calendar.js";
import { bindCondition, bindExpression, type ExpressionPlace } from "./bind-expression.js";
import { comparable } from "./call-types.js";
import type { Findings } from "./findings.js";
import type { QueryContext, QueryPlace } from "./query-context.js";
import {
  appendTimeName,
  DerivedScope,
  type MergedColumn,
  RelationScope,
  Scope,
  type ScopeRelation,
} from "./scope.js";
import {
  assignWindows,
  bindWindow,
  closingTime,
  lastMoment,
  type BoundWindow,
  namedTime,
  type RowTime,
  WindowedScope,
} from "./windows.js";

/** A bound FROM. Its plan is built last, when it is known what is read of it. */
export interface FromRows {
  build(): LogicalPlan;
  readonly relations: readonly ScopeRelation[];
  readonly merged: readonly MergedColumn[];
  /** stream: rows that come for ever and never go. changing: rows that may go (views, aggregates). */
  readonly kind: "stream" | "changing" | "table" | "constant";
  /** When a row came about: by its stream, or by the column that is named. Undefined where that has no meaning. */
  time(named?: string): RowTime | undefined;
  readonly grows: boolean;
  /** Columns that windows close. */
  readonly closing: ClosingColumns;
  /** The window at its top. */
  readonly window?: BoundWindow;
  /** Conditions that hold for all rows, up to outer joins. */
  readonly conditions: readonly Expression[];
}

type JoinNode = Extract<FromNode, { kind: "join" }>;

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

export function bindFrom(node: FromNode, place: QueryPlace): FromRows {
  switch (node.kind) {
    case "relation":
      return bindRelation(node, place);
    case "subquery":
      return bindDerived(node.query, node.alias, { ...place, outer: undefined });
    case "window": {
      const input = bindFrom(node.input, { ...place, timed: true });
      return windowed(input, node, node.alias, place.context);
    }
    case "join":
      return bindJoin(node, place);
    default:
      return unreachable(node);
  }
}

// ---- relations and subqueries -----------------------------------------------------------------------------

function bindRelation(node: Extract<FromNode, { kind: "relation" }>, place: QueryPlace): FromRows {
  const { context } = place;
  const { name, alias } = node;
  const table = place.tables.get(name.text);
  if (table !== undefined) {
    const called: AliasNode = alias ?? { name, columns: [], span: name.span };
    const columns = called.columns.length > 0 ? called.columns : table.columnAliases;
    return bindDerived(
      table.query,
      { ...called, columns },
      { ...place, tables: table.tables, outer: undefined },
    );
  }
  const counted = countReference(node.span, context);
  const relation = counted
    ? findRelation(name.text, name.span, context.catalog, context.findings)
    : undefined;
  if (relation !== undefined) context.sources.set(relation.id, relation);
  // A relation that is not there takes any column, so that it is the only finding.
  const stand: Relation = relation ?? {
    kind: "stream",
    id: "",
    name: name.text,
    columns: [],
    open: true,
    appendOnly: true,
  };
  checkAliases(alias, stand.columns.length, context.findings);
  const scope = new RelationScope(stand, alias?.name.text ?? name.text, context.ids, alias?.columns);
  const isStream = stand.kind === "stream" && stand.appendOnly;
  const time = (named?: string): RowTime | undefined => {
    if (stand.kind !== "stream") return undefined;
    const field = named ?? stand.timeColumn;
    const own = field === appendTimeName ? undefined : field;
    // A deletion has the time of its row in a column, but not the row's append time.
    if (own === undefined && !stand.appendOnly) return undefined;
    return { time: scope.time(own), watermark: context.finite ? undefined : scope.watermark() };
  };
  return {
    build: () => ({ kind: "scan", relation: stand, columns: scope.columns }),
    relations: [scope],
    merged: [],
    kind: isStream ? "stream" : stand.kind === "table" ? "table" : "changing",
    time,
    grows: stand.appendOnly || (context.finite && stand.kind === "stream"),
    closing: new Map(),
    conditions: [],
  };
}

/** Whether there is room for one more. */
function countReference(span: Span, context: QueryContext): boolean {
  context.references += 1;
  if (context.references <= relationsMax) return true;
  if (context.references === relationsMax + 1) {
    context.findings.error(
      span,
      `A statement reads at most ${relationsMax} relations`,
      "make views of its parts",
    );
  }
  return false;
}

function bindDerived(
  query: Extract<FromNode, { kind: "subquery" }>["query"],
  alias: AliasNode | undefined,
  place: QueryPlace,
): FromRows {
  const { context } = place;
  countReference(query.span, context);
  const stub = context.references > relationsMax;
  const rows = stub ? undefined : context.bindSubquery(query, place);
  const columns = rows?.columns ?? [];
  checkAliases(alias, columns.length, context.findings);
  const scope = new DerivedScope(alias?.name.text ?? "", columns, alias?.columns);
  const plan: LogicalPlan = rows?.plan ?? { kind: "values", columns: [], rows: [] };
  return {
    build: () => plan,
    relations: [scope],
    merged: [],
    kind: kindOf(plan),
    time: (named) => {
      const closing = closingColumns(plan);
      if (named === undefined) return rows?.rowTime ?? closingTime(columnsOf(plan), closing);
      const column = scope.resolve(named);
      // Whatever column it is, nothing is late in an answer over what is stored; else the end of a window is none too early.
      const isKnown =
        context.finite ||
        (column?.kind === "column" && (closing.get(column.index) ?? Number.POSITIVE_INFINITY) <= 1);
      return column === undefined || !isKnown ? undefined : { time: column, watermark: undefined };
    },
    grows: onlyGrows(plan, context.finite),
    closing: closingColumns(plan),
    conditions: [],
  };
}

function checkAliases(alias: AliasNode | undefined, columns: number, findings: Findings): void {
  const tooMany = alias?.columns[columns];
  if (tooMany === undefined) return;
  findings.error(
    tooMany.span,
    `There are ${columns} columns, but ${alias?.columns.length ?? 0} names for them`,
  );
}

function kindOf(plan: LogicalPlan): FromRows["kind"] {
  const scans = scansOf(plan);
  if (scans.length === 0) return "constant";
  if (scans.every((relation) => relation.kind === "table")) return "table";
  return onlyGrows(plan, false) ? "stream" : "changing";
}

function scansOf(plan: LogicalPlan): readonly Relation[] {
  return plan.kind === "scan" ? [plan.relation] : inputsOf(plan).flatMap(scansOf);
}

// ---- windows ----------------------------------------------------------------------------------------------

type WindowNode = Pick<Extract<FromNode, { kind: "window" }>, "window" | "args" | "span">;

/** The rows of `input` in windows; those of SLIDE and SESSION are made by the groups above. */
export function windowed(
  input: FromRows,
  { window: kind, args, span }: WindowNode,
  alias: AliasNode | undefined,
  { findings, ids }: QueryContext,
): FromRows {
  if (input.window !== undefined) {
    findings.error(span, "A window stands over rows that are in windows", "make a subquery of the inner one");
    return input;
  }
  const named = namedTime(args);
  const rowTime = input.time(named?.text);
  const window = bindWindow(kind, args, span, rowTime, ids, findings);
  if (window === undefined) return input;
  if (window.kind !== "hop" && !input.grows) {
    const hint = "SLIDE and SESSION take rows that only come";
    findings.error(span, `${kind} cannot take rows back`, hint);
  }
  const [only, ...others] = input.relations;
  const single = only !== undefined && others.length === 0;
  const scope = new WindowedScope(
    alias?.name.text ?? (single ? only.name : ""),
    single ? only : undefined,
    window,
  );
  const closing = new Map(input.closing);
  if (window.shape?.kind === "hop") {
    closing.set(window.start.id, window.shape.sizeMs);
    closing.set(window.end.id, 0);
  }
  return {
    ...input,
    build: () => (window.kind === "hop" ? assignWindows(input.build(), window, []) : input.build()),
    relations: single ? [scope] : [...input.relations, scope],
    closing,
    window,
  };
}

// ---- joins ------------------------------------------------------------------------------------------------

function bindJoin(node: JoinNode, place: QueryPlace): FromRows {
  const { context } = place;
  const { findings } = context;
  const timed = place.timed === true || node.within !== undefined;
  const left = bindFrom(node.left, { ...place, timed });
  const right = bindFrom(node.right, { ...place, timed });
  for (const side of [left, right]) {
    if (side.window === undefined || side.window.kind === "hop") continue;
    findings.error(
      side.window.span,
      "SLIDE and SESSION stand alone in FROM, under a GROUP BY",
      "join subqueries that group by them",
    );
  }
  checkNames(left, right, node, findings);
  const { condition, merged } = joinCondition(node, left, right, findings);
  const within = bindWithin(node, left, right, findings);
  const conditions = [condition, within?.condition].flatMap((one) =>
    one === undefined ? [] : conjunctsOf(one),
  );
  const type: JoinType =
    node.type === "cross" && conditions.length > 0 ? "inner" : plainType(node, conditions);
  const tie = conditions
    .map((one) => closingTie(one, left.closing, right.closing))
    .find((one) => one !== undefined);
  const byWindow = tie !== undefined;
  const shape = pushShape(node, type, left, right, { within: within !== undefined, byWindow }, context);
  // Of a semi or anti join the right side is not seen.
  const seen = type === "semi" || type === "anti" ? [left] : [left, right];
  const steady =
    type === "inner" ||
    type === "cross" ||
    shape.lookup ||
    (within !== undefined && type !== "semi" && type !== "anti");
  const [first, second] = shape.swapped ? [right, left] : [left, right];
  return {
    build: () => ({
      kind: "join",
      type: shape.type,
      left: first.build(),
      right: second.build(),
      keys: [],
      residual: conditions.length === 0 ? undefined : conjunction(conditions),
      notIn: undefined,
      leftAppendOnly: false,
      rightAppendOnly: false,
      lookup: shape.lookup,
      within: within?.bounds,
    }),
    relations: seen.flatMap(({ relations }) => relations),
    merged: [
      ...merged,
      ...seen.flatMap((side) => side.merged).filter(({ name }) => !merged.some((one) => one.name === name)),
    ],
    kind: joinKind(left, right, steady, shape.lookup),
    time: (named) => {
      if (named !== undefined) return undefined;
      if (shape.lookup) return first.time();
      // Of a full join either side may be NULL.
      if (tie !== undefined && within === undefined)
        return type === "full"
          ? undefined
          : lastMoment(type === "right" ? tie.right : tie.left, tie.offsetMs);
      if (seen.length === 1) return undefined;
      const [l, r] = [left.time(), right.time()];
      if (within === undefined || l === undefined || r === undefined) return undefined;
      // What is too late was held back below: its pairs are never late.
      return { time: laterOf(l.time, r.time), watermark: undefined };
    },
    closing: byWindow ? new Map(seen.flatMap((side) => [...side.closing])) : new Map(),
    grows: (context.finite || steady) && left.grows && (right.grows || shape.lookup),
    conditions: [...left.conditions, ...right.conditions, ...conditions],
  };
}

function plainType(node: JoinNode, conditions: readonly Expression[]): JoinType {
  return node.type === "inner" && conditions.length === 0 ? "cross" : node.type;
}

function joinKind(left: FromRows, right: FromRows, steady: boolean, lookup: boolean): FromRows["kind"] {
  const kinds = [left.kind, right.kind];
  if (lookup) return "stream";
  if (kinds.every((kind) => kind === "constant")) return "constant";
  if (kinds.every((kind) => kind === "table" || kind === "constant")) return "table";
  return steady && !kinds.includes("changing") ? "stream" : "changing";
}

function checkNames(left: FromRows, right: FromRows, node: JoinNode, findings: Findings): void {
  for (const { name } of right.relations) {
    if (name === "" || !left.relations.some((relation) => relation.name === name)) continue;
    findings.error(
      node.right.span,
      `Two relations in FROM are called ${name}`,
      `give one another name: ${name} AS ${name}_2`,
    );
  }
}

function joinCondition(
  node: JoinNode,
  left: FromRows,
  right: FromRows,
  findings: Findings,
): { readonly condition: Expression | undefined; readonly merged: readonly MergedColumn[] } {
  const none = { condition: undefined, merged: [] };
  const { on, using, natural, type } = node;
  if (natural) {
    if (on !== undefined || using !== undefined) findings.error(node.span, "NATURAL JOIN takes no condition");
    const open = [...left.relations, ...right.relations].find(
      (relation) => relation.open && relation.columnNames.length === 0,
    );
    if (open !== undefined) {
      const hint = "write JOIN … USING (column)";
      findings.error(node.span, `NATURAL JOIN needs declared columns, and ${open.name} has none`, hint);
      return none;
    }
    const names = new Set(right.relations.flatMap((relation) => relation.columnNames));
    const shared = left.relations
      .flatMap((relation) => relation.columnNames)
      .filter((name) => names.has(name));
    const span = node.span;
    return mergeColumns(
      [...new Set(shared)].map((text): NameNode => ({ text, span, quotes: "none" })),
      node,
      left,
      right,
      findings,
    );
  }
  if (type === "cross") {
    const span = on?.span ?? using?.[0]?.span;
    if (span !== undefined) findings.error(span, "CROSS JOIN takes no condition", "write JOIN … ON");
    return none;
  }
  if (using !== undefined) return mergeColumns(using, node, left, right, findings);
  if (on === undefined) {
    findings.error(
      node.right.span,
      "JOIN needs a condition",
      "ON a.x = b.y, USING (x), or CROSS JOIN for all pairs",
    );
    return none;
  }
  const scope = new Scope([...left.relations, ...right.relations], [...left.merged, ...right.merged]);
  const place: ExpressionPlace = { findings, scope, clause: "ON" };
  return { condition: bindCondition(on, place, "ON"), merged: [] };
}

function mergeColumns(
  names: readonly NameNode[],
  node: JoinNode,
  left: FromRows,
  right: FromRows,
  findings: Findings,
): { readonly condition: Expression | undefined; readonly merged: readonly MergedColumn[] } {
  const [leftScope, rightScope] = [left, right].map((rows) => new Scope(rows.relations, rows.merged));
  const merged: MergedColumn[] = [];
  const equalities: Expression[] = [];
  for (const name of names) {
    const [l, r] = [leftScope?.find(name.text)?.expression, rightScope?.find(name.text)?.expression];
    if (l === undefined || r === undefined) {
      findings.error(
        name.span,
        `The ${l === undefined ? "left" : "right"} side has no column ${printName(name)}`,
      );
      continue;
    }
    const args = comparable([l, r], name.span, findings);
    equalities.push({ kind: "call", function: "=", args, type: BOOLEAN });
    const expression: Expression =
      node.type === "full"
        ? { kind: "call", function: "COALESCE", args: [l, r], type: commonType([l.type, r.type]) ?? DYNAMIC }
        : node.type === "right"
          ? r
          : l;
    merged.push({ name: name.text, expression });
  }
  return { condition: equalities.length === 0 ? undefined : conjunction(equalities), merged };
}

// ---- time -------------------------------------------------------------------------------------------------

/** WITHIN: no more than so long between the two records. */
function bindWithin(
  node: JoinNode,
  left: FromRows,
  right: FromRows,
  findings: Findings,
): { readonly bounds: JoinWithin; readonly condition: Expression } | undefined {
  if (node.within === undefined) return undefined;
  const ms = lengthOf(node.within, findings);
  const [l, r] = [left.time(), right.time()];
  if (ms === undefined) return undefined;
  if (l === undefined || r === undefined) {
    findings.notice(node.within.span, "WITHIN bounds joins of streams, and is without effect here");
    return undefined;
  }
  const length: Expression = { kind: "literal", value: { kind: "interval", months: 0, ms }, type: INTERVAL };
  const near = (a: Expression, b: Expression): Expression => {
    const latest: Expression = { kind: "call", function: "+", args: [b, length], type: TIMESTAMP };
    return { kind: "call", function: "<=", args: [a, latest], type: BOOLEAN };
  };
  const bounds: JoinWithin = {
    ms,
    leftTime: l.time,
    rightTime: r.time,
    ...(l.watermark === undefined ? {} : { leftWatermark: l.watermark }),
    ...(r.watermark === undefined ? {} : { rightWatermark: r.watermark }),
  };
  return { bounds, condition: conjunction([near(l.time, r.time), near(r.time, l.time)]) };
}

/** The columns of both sides that an equality ties, if they close with their windows; then rows of them do. */
function closingTie(
  condition: Expression,
  left: ClosingColumns,
  right: ClosingColumns,
): { readonly left: Expression; readonly right: Expression; readonly offsetMs: number } | undefined {
  if (condition.kind !== "call" || condition.function !== "=") return undefined;
  const [a, b] = condition.args;
  if (a?.kind !== "column" || b?.kind !== "column") return undefined;
  for (const [l, r] of [
    [a, b],
    [b, a],
  ] as const) {
    const [ofLeft, ofRight] = [left.get(l.index), right.get(r.index)];
    if (ofLeft === undefined || ofRight === undefined) continue;
    return { left: l, right: r, offsetMs: Math.max(ofLeft, ofRight) };
  }
  return undefined;
}

function lengthOf(node: ExpressionNode, findings: Findings): number | undefined {
  const bound = bindExpression(node, { findings, scope: undefined, clause: "WITHIN" });
  const value = bound.kind === "literal" ? bound.value : null;
  if (typeof value === "object" && value !== null && "kind" in value && value.kind === "interval") {
    const ms = intervalMs(value);
    if (ms >= 0) return ms;
  }
  findings.error(node.span, "WITHIN takes a length of time", "write it as WITHIN (INTERVAL 5 SECOND)");
  return undefined;
}

function laterOf(a: Expression, b: Expression): Expression {
  return { kind: "call", function: "GREATEST", args: [a, b], type: TIMESTAMP };
}

// ---- without end ------------------------------------------------------------------------------------------

interface PushShape {
  readonly type: JoinType;
  readonly lookup: boolean;
  /** The sides change places, so that the stream is the left one. */
  readonly swapped: boolean;
}

/** How a join runs that has no end: streams side by side need WITHIN, a view beside a stream is looked up. */
function pushShape(
  node: JoinNode,
  type: JoinType,
  left: FromRows,
  right: FromRows,
  { within, byWindow }: { readonly within: boolean; readonly byWindow: boolean },
  { finite, findings }: QueryContext,
): PushShape {
  const plain = { type, lookup: false, swapped: false };
  // Rows of the same window meet, whichever comes first, until it closes.
  // Within a time pairs come and go, where one of the streams has deletions.
  if (finite || byWindow || within) return plain;
  if (left.kind === "stream" && right.kind === "stream") {
    if (!findings.failed) {
      findings.error(
        node.right.span,
        "A join of two streams without end needs WITHIN",
        "JOIN … ON … WITHIN (INTERVAL 5 MINUTE)",
      );
    }
    return plain;
  }
  if (type === "semi" || type === "anti") return plain;
  const looksUp = (stream: FromRows, view: FromRows): boolean =>
    stream.kind === "stream" && view.kind === "changing";
  const outerLeft = type === "left" || type === "inner" || type === "cross";
  if (looksUp(left, right) && outerLeft)
    return { type: type === "cross" ? "inner" : type, lookup: true, swapped: false };
  const outerRight = type === "right" || type === "inner" || type === "cross";
  if (looksUp(right, left) && outerRight) {
    return { type: type === "right" ? "left" : "inner", lookup: true, swapped: true };
  }
  if (looksUp(left, right) || looksUp(right, left)) {
    findings.error(
      node.span,
      "A stream looks a view up; rows of the view alone cannot be kept",
      "keep the rows of the stream: stream LEFT JOIN view",
    );
  }
  return plain;
}
