import { must, unreachable } from "@hstream/proto";
import {
  aggregateImplementation,
  compareTotal,
  DYNAMIC,
  evaluate,
  type Expression,
  type FrameBound,
  type PhysicalNode,
  type PhysicalPlan,
  rowKeyText,
  type SortKey,
  type SqlValue,
  type WindowCall,
} from "@hstream/sql/runtime";

/** The answer of a physical plan straight from the definitions, over the rows that its sources hold now. */

type Row = readonly SqlValue[];
type Node<K extends PhysicalNode["kind"]> = Extract<PhysicalNode, { kind: K }>;

const context = { error: () => null, nowMs: 0 };
const on = (expression: Expression, row: Row): SqlValue => evaluate(expression, row, context);
const keyOf = (expressions: readonly Expression[], row: Row): string =>
  rowKeyText(expressions.map((expression) => on(expression, row)));

export function naiveAnswer(plan: PhysicalPlan, sources: readonly (readonly Row[])[]): Row[] {
  return rowsOf(plan.root, plan, sources);
}

function rowsOf(node: PhysicalNode, plan: PhysicalPlan, sources: readonly (readonly Row[])[]): Row[] {
  const of = (input: PhysicalNode): Row[] => rowsOf(input, plan, sources);
  switch (node.kind) {
    case "source":
      return [...must(sources[node.source], "the source has rows")];
    case "shared":
      return of(must(plan.shared?.[node.shared], "the plan has the part"));
    case "values":
      return node.rows.map((row) => row.map((item) => on(item, [])));
    case "filter":
      return of(node.input).filter((row) => on(node.predicate, row) === true);
    case "project":
      return of(node.input).map((row) => node.items.map((item) => on(item, row)));
    case "aggregate":
      return aggregated(node, of(node.input));
    case "assign-windows":
    case "session":
      throw new Error("windows are compared elsewhere");
    case "sort":
    case "limit":
      throw new Error("sorted answers are compared elsewhere");
    case "join":
      return joined(node, of(node.left), of(node.right));
    case "union-all":
      return node.inputs.flatMap(of);
    case "set-operation":
      return combined(node, of(node.left), of(node.right));
    case "top-n":
      return grouped(of(node.input), node.partition).flatMap((rows) =>
        ordered(rows, node.keys)
          .map((row, i) => (node.numbered ? [...row, i + 1] : row))
          .slice(node.offset, node.offset + node.limit),
      );
    case "window":
      return grouped(of(node.input), node.partition).flatMap((rows) =>
        windowed(node, ordered(rows, node.keys)),
      );
    default:
      return unreachable(node);
  }
}

function grouped(rows: readonly Row[], by: readonly Expression[]): Row[][] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(by, row);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()];
}

function aggregated(node: Node<"aggregate">, rows: readonly Row[]): Row[] {
  const groups = node.keys.length === 0 ? [[...rows]] : grouped(rows, node.keys);
  return groups.map((group) => [
    ...node.keys.map((key) => on(key, group[0] ?? [])),
    ...node.calls.map((call) => {
      const implementation = must(
        aggregateImplementation(call.function, call.distinct, call.type),
        "an aggregate",
      );
      const state = implementation.create(true);
      for (const row of group) {
        if (call.filter !== undefined && on(call.filter, row) !== true) continue;
        implementation.add(
          state,
          call.args.map((arg) => on(arg, row)),
          1,
          context,
        );
      }
      return implementation.result(state, context);
    }),
  ]);
}

function joined(node: Node<"join">, left: readonly Row[], right: readonly Row[]): Row[] {
  const matches = (l: Row, r: Row): boolean => {
    for (const key of node.keys) {
      const [x, y] = [on(key.left, l), on(key.right, r)];
      if ((x === null || y === null) && !key.nullsEqual) return false;
      if (rowKeyText([x]) !== rowKeyText([y])) return false;
    }
    if (node.residual !== undefined && on(node.residual, [...l, ...r]) !== true) return false;
    if (node.notIn === undefined) return true;
    const [x, y] = [on(node.notIn.left, l), on(node.notIn.right, r)];
    return x === null || y === null || rowKeyText([x]) === rowKeyText([y]);
  };
  const nulls = (of: PhysicalNode): SqlValue[] => of.types.map(() => null);
  const hasPartner = left.map((l) => right.some((r) => matches(l, r)));
  if (node.type === "semi") return left.filter((_, i) => hasPartner[i]);
  if (node.type === "anti") return left.filter((_, i) => !hasPartner[i]);
  const rows: Row[] = left.flatMap((l) => right.filter((r) => matches(l, r)).map((r) => [...l, ...r]));
  if (node.type === "left" || node.type === "full") {
    rows.push(...left.filter((_, i) => !hasPartner[i]).map((l) => [...l, ...nulls(node.right)]));
  }
  if (node.type === "right" || node.type === "full") {
    rows.push(
      ...right.filter((r) => !left.some((l) => matches(l, r))).map((r) => [...nulls(node.left), ...r]),
    );
  }
  return rows;
}

function combined(node: Node<"set-operation">, left: readonly Row[], right: readonly Row[]): Row[] {
  const count = (rows: readonly Row[], key: string): number =>
    rows.filter((row) => rowKeyText(row) === key).length;
  const different = new Map(left.map((row) => [rowKeyText(row), row]));
  return [...different].flatMap(([key, row]) => {
    const [l, r] = [count(left, key), count(right, key)];
    const most =
      node.operator === "except" ? (node.all ? l - r : r === 0 ? 1 : 0) : node.all ? r : Math.min(1, r);
    return new Array<Row>(Math.max(0, Math.min(l, most))).fill(row);
  });
}

function compareBy(keys: readonly SortKey[], a: Row, b: Row): number {
  for (const { expression, descending, nullsFirst } of keys) {
    const [x, y] = [on(expression, a), on(expression, b)];
    if (x === null && y === null) continue;
    if (x === null) return nullsFirst ? -1 : 1;
    if (y === null) return nullsFirst ? 1 : -1;
    const order = compareTotal(x, y);
    if (order !== 0) return descending ? -order : order;
  }
  return 0;
}

function ordered(rows: readonly Row[], keys: readonly SortKey[]): Row[] {
  return [...rows].sort(
    (a, b) =>
      compareBy(keys, a, b) || (rowKeyText(a) < rowKeyText(b) ? -1 : rowKeyText(a) > rowKeyText(b) ? 1 : 0),
  );
}

/** Each row is looked at alone, and each row of its frame is found by going through all. */
function windowed(node: Node<"window">, rows: readonly Row[]): Row[] {
  return rows.map((row, i) => [...row, ...node.calls.map((call) => windowValue(call, node.keys, rows, i))]);
}

function windowValue(call: WindowCall, keys: readonly SortKey[], rows: readonly Row[], at: number): SqlValue {
  const row = must(rows[at], "the row");
  const isPeer = (other: Row): boolean => compareBy(keys, row, other) === 0;
  const before = rows.filter((other) => compareBy(keys, other, row) < 0);
  const arg = (position: number, of: Row): SqlValue => on(must(call.args[position], "an argument"), of);
  const inFrame = rows.filter((_, i) => isInFrame(call, keys, rows, at, i));
  const values = (): Row[] => (call.ignoreNulls ? inFrame.filter((one) => arg(0, one) !== null) : inFrame);
  const valueOf = (one: Row | undefined): SqlValue => (one === undefined ? null : arg(0, one));
  switch (call.function) {
    case "ROW_NUMBER":
      return at + 1;
    case "RANK":
      return before.length + 1;
    case "DENSE_RANK":
      return (
        new Set(
          before.map((other) =>
            keyOf(
              keys.map(({ expression }) => expression),
              other,
            ),
          ),
        ).size + 1
      );
    case "CUME_DIST":
      return (before.length + rows.filter(isPeer).length) / rows.length;
    case "LAG":
      return valueOf(rows[at - 1]);
    case "LEAD":
      return valueOf(rows[at + 1]);
    case "FIRST_VALUE":
      return valueOf(values()[0]);
    case "LAST_VALUE":
      return valueOf(values().at(-1));
    default: {
      const group = { ...call, filter: call.filter } as const;
      const implementation = must(
        aggregateImplementation(group.function, group.distinct, group.type),
        "known",
      );
      const state = implementation.create(true);
      for (const one of inFrame) {
        if (call.filter !== undefined && on(call.filter, one) !== true) continue;
        implementation.add(
          state,
          call.args.map((arg) => on(arg, one)),
          1,
          context,
        );
      }
      return implementation.result(state, context);
    }
  }
}

function isInFrame(
  call: WindowCall,
  keys: readonly SortKey[],
  rows: readonly Row[],
  at: number,
  other: number,
): boolean {
  const { unit, start, end } = call.frame;
  return distance(unit, start, keys, rows, at, other) >= 0 && distance(unit, end, keys, rows, at, other) <= 0;
}

/** How far behind (+) or before (-) the bound of row `at` the other row is. */
function distance(
  unit: WindowCall["frame"]["unit"],
  bound: FrameBound,
  keys: readonly SortKey[],
  rows: readonly Row[],
  at: number,
  other: number,
): number {
  if (bound.kind === "unbounded-preceding") return 1;
  if (bound.kind === "unbounded-following") return -1;
  const [a, b] = [must(rows[at], "a row"), must(rows[other], "a row")];
  const offset = "offset" in bound ? Number(bound.offset) * (bound.kind === "preceding" ? -1 : 1) : 0;
  if (unit === "rows") return other - at - offset;
  const groupOf = (row: Row): number =>
    new Set(
      rows
        .filter((one) => compareBy(keys, one, row) < 0)
        .map((one) =>
          keyOf(
            keys.map((k) => k.expression),
            one,
          ),
        ),
    ).size;
  if (unit === "groups" || bound.kind === "current-row") return groupOf(b) - groupOf(a) - offset;
  const [key] = keys;
  if (key === undefined) return 0;
  const x = on(key.expression, a);
  const backwards = (bound.kind === "preceding") !== key.descending;
  const args = [x, "offset" in bound ? bound.offset : 0].map(
    (value): Expression => ({ kind: "literal", value, type: DYNAMIC }),
  );
  const edge: Expression = { kind: "call", function: backwards ? "-" : "+", args, type: DYNAMIC };
  const edgeRow: Row = [on(edge, [])];
  const onValue: SortKey = { ...key, expression: { kind: "column", index: 0, name: "", type: DYNAMIC } };
  return compareBy([onValue], [on(key.expression, b)], edgeRow);
}
