import { unreachable } from "@hstream/proto";
import type { EmitNode, QueryBodyNode, QueryNode } from "../ast/ast.js";
import type { Catalog, Relation } from "../catalog/catalog.js";
import type { Expression, SortKey } from "../plan/expression.js";
import { onlyGrows } from "../optimize/choose-append-only.js";
import { optimise } from "../optimize/optimise.js";
import {
  columnExpression,
  inputsOf,
  type LogicalColumn,
  type LogicalPlan,
  type ProjectItem,
} from "../plan/logical.js";
import type { EmitMode, OutputColumn } from "../plan/physical.js";
import type { SqlType } from "../types/sql-type.js";
import { commonType, DYNAMIC, sameType, TIMESTAMP, typeName } from "../types/types.js";
import { intervalMs, timestampMsMax } from "../values/calendar.js";
import { bindExpression, castTo, unified } from "./bind-expression.js";
import { SelectBinder } from "./bind-select.js";
import { countOf, distinct, limited, type OrderAndLimit, positionOf } from "./order.js";
import type { BoundQuery } from "./bound-statement.js";
import { bindPolling } from "./bind-polling.js";
import { Findings } from "./findings.js";
import type { BoundRows, CommonTable, OutputItem, QueryContext, QueryPlace } from "./query-context.js";
import { ColumnIds, DerivedScope, Scope } from "./scope.js";
import type { RowTime } from "./windows.js";

/** What a query is for: an answer (pull or push, as it says), a view, or records of a stream. */
export type QueryUse = "query" | "view" | "stream";

/** A whole statement's query. */
export function bindQuery(node: QueryNode, catalog: Catalog, findings: Findings, use: QueryUse): BoundQuery {
  const { emit } = node;
  if (use !== "query" || emit === undefined) return bindWhole(node, catalog, findings, use);
  // With a system table in it, it is the query without EMIT, asked again and again.
  const once = { ...node, emit: undefined };
  const { sources } = bindWhole(once, catalog, new Findings(), use);
  if (!sources.some(({ kind }) => kind === "table")) return bindWhole(node, catalog, findings, use);
  const query = bindWhole(once, catalog, findings, use);
  return { ...query, polling: bindPolling(emit, query.sources, findings) };
}

function bindWhole(node: QueryNode, catalog: Catalog, findings: Findings, use: QueryUse): BoundQuery {
  const finite = use === "query" && node.emit === undefined;
  const sources = new Map<string, Relation>();
  const context: QueryContext = {
    catalog,
    findings,
    ids: new ColumnIds(),
    finite,
    sources,
    references: 0,
    bindSubquery,
  };
  const place: QueryPlace = { context, tables: new Map(), outer: undefined };
  const limit = countOf(node.limit, "LIMIT", findings);
  checkEmission(node, use, findings);
  const emitLimit = finite || node.orderBy.length > 0 ? undefined : limit;
  const all = bindBlock(node, place, emitLimit === undefined ? limit : undefined);
  const rows = use === "view" ? declaredOnly(all, node, findings) : all;
  const output = rows.columns.map(({ column, spread, prefix }): OutputColumn => {
    const plain = { name: column.name, type: column.type, spread };
    return prefix === undefined ? plain : { ...plain, prefix };
  });
  if (use !== "query") checkOutputNames(rows.columns, findings);
  const query: BoundQuery = {
    plan: rows.plan,
    output,
    emit: emitMode(node.emit, use, findings),
    ...(node.emit?.mode === "final" && use !== "query" ? { final: true } : {}),
    start:
      use === "query" && node.emit !== undefined
        ? (node.emit.from ?? "latest")
        : (node.emit?.from ?? "earliest"),
    sources: [...sources.values()],
  };
  if (node.emit?.mode === "final" && !findings.failed) checkFinal(query, node.emit, findings);
  return emitLimit === undefined ? query : { ...query, emitLimit };
}

/** A view has columns that can be named before it is filled: of * those that are declared, if there are any. */
function declaredOnly(rows: BoundRows, node: QueryNode, findings: Findings): BoundRows {
  const columns = rows.columns.filter(({ spread }) => !spread);
  if (columns.length === 0 || columns.length === rows.columns.length) return rows;
  const message = "The view has the declared columns of *, and not what records have besides";
  findings.notice(node.body.span, message, "name the fields that it shall have too");
  const items = columns.map(({ column }): ProjectItem => ({ column, expression: columnExpression(column) }));
  return { ...rows, columns, plan: { kind: "project", input: rows.plan, items } };
}

/** What is given once must be closed by a window. */
function checkFinal(query: BoundQuery, emit: EmitNode, findings: Findings): void {
  const { plan } = optimise(query);
  const isFinal = (node: LogicalPlan): boolean =>
    ("final" in node && node.final === true) || inputsOf(node).some(isFinal);
  if (!isFinal(plan)) {
    const hint = "group by a window: FROM TUMBLE(s, INTERVAL 10 SECOND) … GROUP BY k";
    findings.error(emit.span, "EMIT FINAL needs a window", hint);
  } else if (!onlyGrows(plan, false)) {
    const hint = "group, rank and join by the window's bounds too, or write EMIT CHANGES";
    findings.error(emit.span, "EMIT FINAL: something above the windows never closes", hint);
  }
}

/** A query in FROM, in an expression or in parentheses. */
function bindSubquery(node: QueryNode, place: QueryPlace): BoundRows {
  const { findings } = place.context;
  if (node.emit !== undefined)
    findings.error(node.emit.span, "EMIT stands at the end of the whole statement");
  return bindBlock(node, place, countOf(node.limit, "LIMIT", findings));
}

function bindBlock(node: QueryNode, place: QueryPlace, limit: number | undefined): BoundRows {
  const { findings, finite } = place.context;
  const tables = new Map<string, CommonTable>(place.tables);
  for (const { alias, query } of node.with) {
    const { name, columns } = alias;
    if (node.with.some((other) => other.alias !== alias && other.alias.name.text === name.text)) {
      findings.error(name.span, `Two common tables are called ${name.text}`);
    }
    tables.set(name.text, { query, columnAliases: columns, tables: new Map(tables) });
  }
  const offset = countOf(node.offset, "OFFSET", findings) ?? 0;
  if (node.offset !== undefined && !finite && limit === undefined) {
    findings.error(node.offset.span, "OFFSET needs ORDER BY and LIMIT where rows come without end");
  }
  const inner = { ...place, tables };
  const orderAndLimit = { orderBy: node.orderBy, limit, offset };
  return bindBody(node.body, inner, orderAndLimit);
}

function bindBody(body: QueryBodyNode, place: QueryPlace, order: OrderAndLimit): BoundRows {
  switch (body.kind) {
    case "select":
      return new SelectBinder(body, order, place).bind();
    case "query": {
      const rows = bindSubquery(body, place);
      return ordered(rows, order, place);
    }
    case "values":
      return ordered(bindValues(body, place), order, place);
    case "set-operation":
      return ordered(bindSetOperation(body, place), order, place);
    default:
      return unreachable(body);
  }
}

const unordered: OrderAndLimit = { orderBy: [], limit: undefined, offset: 0 };

// ---- order ------------------------------------------------------------------------------------------------

/** ORDER BY and LIMIT over the columns of a block. */
function ordered(rows: BoundRows, order: OrderAndLimit, place: QueryPlace): BoundRows {
  const { findings } = place.context;
  const scope = new Scope([new DerivedScope("", rows.columns)]);
  const keys = order.orderBy.map((node): SortKey => {
    const position = positionOf(node.expression, rows.columns.length, "ORDER BY", findings);
    const column = position === undefined ? undefined : rows.columns[position]?.column;
    const expression =
      column === undefined
        ? bindExpression(node.expression, { findings, scope, clause: "ORDER BY" })
        : columnExpression(column);
    return { expression, descending: node.descending, nullsFirst: node.nulls === "first" };
  });
  const plan = limited(rows.plan, keys, order, [], place.context);
  const bound = { ...rows, plan, single: rows.single || (order.limit ?? 2) <= 1 };
  if (order.limit === undefined) return bound;
  const { rowTime: _, ...untimed } = bound;
  return untimed;
}

// ---- VALUES, UNION and their kind -------------------------------------------------------------------------

function bindValues(body: Extract<QueryBodyNode, { kind: "values" }>, place: QueryPlace): BoundRows {
  const { findings, ids } = place.context;
  const width = body.rows[0]?.length ?? 0;
  const rows = body.rows.map((row) => {
    const [first] = row;
    if (row.length !== width && first !== undefined) {
      findings.error(first.span, `This row has ${row.length} values, the first one ${width}`);
    }
    return row.map((value) => bindExpression(value, { findings, scope: undefined, clause: "VALUES" }));
  });
  const columns = Array.from({ length: width }, (_, i): LogicalColumn => {
    const type = commonOf(rows.map((row) => row[i]?.type ?? DYNAMIC)) ?? DYNAMIC;
    return { id: ids.next(), name: `column${i + 1}`, type };
  });
  const cast = rows.map((row) =>
    row.slice(0, width).map((value, i) => unified(value, columns[i]?.type ?? DYNAMIC)),
  );
  const whole = cast.filter((row) => row.length === width);
  const plan: LogicalPlan = { kind: "values", columns, rows: whole };
  return { plan, columns: columns.map(plainItem), single: rows.length <= 1, correlation: undefined };
}

const plainItem = (column: LogicalColumn): OutputItem => ({ column, spread: false, prefix: undefined });

/** Different types beside each other are told apart value by value. */
function commonOf(types: readonly SqlType[]): SqlType | undefined {
  const common = commonType(types);
  return common?.kind === "null" ? DYNAMIC : common;
}

function bindSetOperation(
  body: Extract<QueryBodyNode, { kind: "set-operation" }>,
  place: QueryPlace,
): BoundRows {
  const { findings, ids } = place.context;
  const timed = place.timed === true && body.operator === "UNION" && body.all;
  // A whole chain of one operator is one node.
  const inputs = operandsOf(body, body.operator, body.all).map((one) => ({
    node: one,
    rows: bindBody(one, { ...place, outer: undefined, timed }, unordered),
  }));
  const [first] = inputs;
  const width = first?.rows.columns.length ?? 0;
  for (const { node, rows } of inputs) {
    if (rows.columns.length === width) continue;
    const message = `${body.operator} needs as many columns on both sides: ${width} and ${rows.columns.length}`;
    findings.error(node.span, message);
  }
  const columns = (first?.rows.columns ?? []).map(({ column, spread, prefix }, i): OutputItem => {
    const sides = inputs.map(({ rows }) => rows.columns[i]);
    const types = sides.map((side) => side?.column.type ?? DYNAMIC);
    const type = commonOf(types);
    const mixed = sides.some((side) => side !== undefined && side.spread !== spread);
    if (type === undefined || mixed) {
      const names = [...new Set(types.map(typeName))].join(", ");
      findings.error(
        body.span,
        `Column ${i + 1} of ${body.operator} has different types: ${names}`,
        "cast them to one type",
      );
    }
    return { column: { id: ids.next(), name: column.name, type: type ?? DYNAMIC }, spread, prefix };
  });
  const times = timed
    ? unionTime(
        inputs.map(({ rows }) => rows.rowTime),
        ids,
      )
    : undefined;
  const plans = inputs.map(({ rows }, i) => castColumns(rows, columns, times?.of[i] ?? [], ids));
  const own = [...columns.map(({ column }) => column), ...(times?.columns ?? [])];
  const result: Pick<BoundRows, "columns" | "single" | "correlation" | "rowTime"> = {
    columns,
    single: false,
    correlation: undefined,
    ...(times === undefined ? {} : { rowTime: times.rowTime }),
  };
  if (findings.failed) return { plan: { kind: "values", columns: own, rows: [] }, ...result };
  const { operator, all } = body;
  if (operator === "UNION") {
    if (all) return { plan: { kind: "union-all", inputs: plans, columns: own }, ...result };
    const inner = own.map((column): LogicalColumn => ({ ...column, id: ids.next() }));
    const union: LogicalPlan = { kind: "union-all", inputs: plans, columns: inner };
    return { plan: distinct(union, inner, own), ...result };
  }
  const name = operator === "EXCEPT" ? "except" : "intersect";
  const [start, ...rest] = plans;
  const plan = rest.reduce<LogicalPlan | undefined>((left, right, i) => {
    if (left === undefined) return undefined;
    const given =
      i === rest.length - 1 ? own : own.map((column): LogicalColumn => ({ ...column, id: ids.next() }));
    return { kind: "set-operation", operator: name, all, left, right, columns: given };
  }, start);
  return { plan: plan ?? { kind: "values", columns: own, rows: [] }, ...result };
}

/**
 * The times of the rows of UNION ALL, if those of all its inputs have one: each row's own, and late by the watermark of
 * its own input. What stands above goes by the least watermark.
 */
function unionTime(
  inputs: readonly (RowTime | undefined)[],
  ids: ColumnIds,
):
  | {
      readonly columns: readonly LogicalColumn[];
      readonly of: readonly (readonly Expression[])[];
      readonly rowTime: RowTime;
    }
  | undefined {
  const known = inputs.filter((one) => one !== undefined);
  if (known.length !== inputs.length) return undefined;
  const time: LogicalColumn = { id: ids.next(), name: "time", type: TIMESTAMP };
  if (known.every(({ watermark }) => watermark === undefined)) {
    const rowTime = { time: columnExpression(time), watermark: undefined };
    return { columns: [time], of: known.map((one) => [one.time]), rowTime };
  }
  const watermark: LogicalColumn = { id: ids.next(), name: "watermark", type: TIMESTAMP };
  // Of an input of which no row is late.
  const none: Expression = {
    kind: "literal",
    value: { kind: "timestamp", ms: -timestampMsMax },
    type: TIMESTAMP,
  };
  return {
    columns: [time, watermark],
    of: known.map((one) => [one.time, one.watermark ?? none]),
    rowTime: { time: columnExpression(time), watermark: columnExpression(watermark) },
  };
}

/** a UNION ALL b UNION ALL c: all three; so too for EXCEPT, which is taken from left to right. */
function operandsOf(body: QueryBodyNode, operator: string, all: boolean): readonly QueryBodyNode[] {
  const operands: QueryBodyNode[] = [];
  let at = body;
  while (at.kind === "set-operation" && at.operator === operator && at.all === all) {
    operands.unshift(at.right);
    at = at.left;
  }
  return [at, ...operands];
}

/** The columns of the block by the types that they shall have, then `more`. */
function castColumns(
  rows: BoundRows,
  to: readonly OutputItem[],
  more: readonly Expression[],
  ids: ColumnIds,
): LogicalPlan {
  const same = rows.columns.every(({ column }, i) => {
    const type = to[i]?.column.type;
    return type === undefined || type.kind === "dynamic" || sameType(column.type, type);
  });
  if (same && more.length === 0 && rows.rowTime === undefined) return rows.plan;
  const items = rows.columns.map(({ column }, i): ProjectItem => {
    const type = to[i]?.column.type ?? DYNAMIC;
    const own = columnExpression(column);
    const expression = type.kind === "dynamic" || column.type.kind === "null" ? own : castTo(own, type);
    return { column: { ...column, id: ids.next(), type }, expression };
  });
  const hidden = more.map((expression): ProjectItem => {
    return { column: { id: ids.next(), name: "time", type: TIMESTAMP }, expression };
  });
  return { kind: "project", input: rows.plan, items: [...items, ...hidden] };
}

// ---- the whole statement ----------------------------------------------------------------------------------

function emitMode(emit: EmitNode | undefined, use: QueryUse, findings: Findings): EmitMode {
  if (use === "view") return { kind: "coalesced" };
  if (emit?.mode === "every") return everyMode(emit, findings);
  return { kind: emit?.mode ?? (use === "stream" ? "changes" : "pull") };
}

function everyMode({ interval, span }: EmitNode, findings: Findings): EmitMode {
  const bound =
    interval === undefined
      ? undefined
      : bindExpression(interval, { findings, scope: undefined, clause: "EMIT EVERY" });
  const value = bound?.kind === "literal" ? bound.value : null;
  const length = typeof value === "object" && value !== null && "kind" in value && value.kind === "interval";
  const intervalMilliseconds = length ? intervalMs(value) : 0;
  if (intervalMilliseconds > 0) return { kind: "every", intervalMs: intervalMilliseconds };
  findings.error(
    interval?.span ?? span,
    "EMIT EVERY takes a length of time above 0",
    "EMIT EVERY INTERVAL 10 SECOND",
  );
  return { kind: "changes" };
}

function checkEmission(node: QueryNode, use: QueryUse, findings: Findings): void {
  const { emit, orderBy, limit, offset } = node;
  if (emit?.mode === "every" && use === "view") {
    findings.error(emit.span, "A view is kept up to date with every record", "leave out EMIT EVERY");
  }
  const push = emit !== undefined && use === "query";
  if (use === "query" && !push) return;
  const [order] = orderBy;
  const what = push ? "A query with EMIT CHANGES" : use === "view" ? "A view" : "A stream";
  const hint = push
    ? "leave out EMIT CHANGES for an ordered answer"
    : "order the rows when you select from the view";
  if (order !== undefined && limit === undefined) {
    findings.error(
      order.expression.span,
      `${what} has no end and no order`,
      `${hint}, or keep the first rows with LIMIT`,
    );
  }
  if (offset !== undefined && orderBy.length === 0) findings.error(offset.span, `${what} takes no OFFSET`);
  if (!push && limit !== undefined && orderBy.length === 0) {
    findings.error(limit.span, `${what} takes no LIMIT`, "ORDER BY … LIMIT keeps the first rows");
  }
  if (push && node.body.kind === "select" && node.body.from === undefined) {
    findings.error(emit.span, "EMIT CHANGES needs a FROM", "without a source nothing changes");
  }
}

function checkOutputNames(columns: readonly OutputItem[], findings: Findings): void {
  for (const { column, repeats } of columns) {
    if (repeats === undefined) continue;
    const hint = `give one of them another name: AS ${column.name}`;
    findings.error(repeats.span, `Two columns are called ${repeats.name}`, hint);
  }
}
