import { must, unreachable } from "@hstream/proto";
import type { EvaluationContext } from "../functions/function.js";
import { aggregateImplementation } from "../functions/table.js";
import type { Expression, FrameBound, SortKey, WindowCall } from "../plan/expression.js";
import {
  columnExpression,
  columnsOf,
  type LogicalColumn,
  type LogicalJoin,
  type LogicalPlan,
  type ScanOutput,
} from "../plan/logical.js";
import { evaluate } from "../runtime/evaluate.js";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
import { TIMESTAMP } from "../types/types.js";
import { cast } from "../values/cast.js";
import { compareTotal, equalSql } from "../values/compare.js";
import { rowKeyText } from "../values/row-key.js";

/** A row by column id. */
type Row = ReadonlyMap<number, SqlValue>;

/** What the relations of a plan hold, by name; the records of a stream, or rows as objects of a view's columns. */
export type StoredRecords = ReadonlyMap<string, readonly SqlObject[]>;

/**
 * The rows that a plan gives over the records of its relations; the oracle of the optimiser's passes, and of
 * every operator: slow, plain and by the definition.
 */
export function runPlan(plan: LogicalPlan, records: readonly SqlObject[] | StoredRecords): SqlValue[][] {
  return run(plan, records).map((row) => columnsOf(plan).map((column) => row.get(column.id) ?? null));
}

const context: EvaluationContext = { error: () => null, nowMs: 0 };

function value(expression: Expression, row: Row): SqlValue {
  const values: SqlValue[] = [];
  for (const [id, content] of row) values[id] = content;
  return evaluate(expression, values, context);
}

function run(plan: LogicalPlan, records: readonly SqlObject[] | StoredRecords): Row[] {
  switch (plan.kind) {
    case "scan":
      return ("get" in records ? (records.get(plan.relation.name) ?? []) : records).map(
        (record) => new Map(plan.columns.map((column) => [column.id, field(column, record)])),
      );
    case "values":
      return plan.rows.map(
        (row) =>
          new Map(plan.columns.map((column, i) => [column.id, value(must(row[i], "as wide"), new Map())])),
      );
    case "filter":
      return run(plan.input, records).filter((row) => value(plan.predicate, row) === true);
    case "project":
      return run(plan.input, records).map(
        (row) => new Map(plan.items.map(({ column, expression }) => [column.id, value(expression, row)])),
      );
    case "aggregate":
      return aggregate(plan, run(plan.input, records));
    case "assign-windows":
      return run(plan.input, records).flatMap((row, _, all) =>
        windowsOf(plan, row, all).map(([start, end]) =>
          new Map(row).set(plan.start.id, timestampOf(start)).set(plan.end.id, timestampOf(end)),
        ),
      );
    case "session": {
      const { start, end } = plan;
      const marked = sessions(plan, run(plan.input, records));
      const keys = [
        ...plan.keys,
        ...[start, end].map((column) => ({ column, expression: columnExpression(column) })),
      ];
      return aggregate({ ...plan, kind: "aggregate", keys, appendOnly: true }, marked);
    }
    case "sort":
      return slice(sorted(run(plan.input, records), plan.keys), plan);
    case "limit":
      return slice(run(plan.input, records), plan);
    case "join":
      return join(plan, run(plan.left, records), run(plan.right, records));
    case "union-all":
      return plan.inputs.flatMap((input) =>
        run(input, records).map((row) => relabelled(row, columnsOf(input), plan.columns)),
      );
    case "set-operation": {
      const rowsOf = (input: LogicalPlan): Row[] =>
        run(input, records).map((row) => relabelled(row, columnsOf(input), plan.columns));
      return setOperation(plan, rowsOf(plan.left), rowsOf(plan.right));
    }
    case "top-n": {
      const { number } = plan;
      return partitions(run(plan.input, records), plan.partition).flatMap((rows) => {
        const ordered = sorted(inKeyOrder(rows, columnsOf(plan.input)), plan.keys);
        const numbered = ordered.map((row, i) =>
          number === undefined ? row : new Map(row).set(number.id, i + 1),
        );
        return slice(numbered, plan);
      });
    }
    case "window":
      return partitions(run(plan.input, records), plan.partition).flatMap((rows) =>
        windowRows(plan, sorted(inKeyOrder(rows, columnsOf(plan.input)), plan.keys)),
      );
    default:
      return unreachable(plan);
  }
}

function compareKeys(keys: readonly SortKey[], a: Row, b: Row): number {
  for (const { expression, descending, nullsFirst } of keys) {
    const [x, y] = [value(expression, a), value(expression, b)];
    if (x === null || y === null) {
      if (x !== y) return (x === null) === nullsFirst ? -1 : 1;
      continue;
    }
    const order = compareTotal(x, y);
    if (order !== 0) return descending ? -order : order;
  }
  return 0;
}

function sorted(rows: readonly Row[], keys: readonly SortKey[]): Row[] {
  return rows.toSorted((a, b) => compareKeys(keys, a, b));
}

const keyText = (row: Row, columns: readonly LogicalColumn[]): string =>
  rowKeyText(columns.map((column) => row.get(column.id) ?? null));

/** By the bytes of the exact row keys, which are what breaks ties. */
function inKeyOrder(rows: readonly Row[], columns: readonly LogicalColumn[]): Row[] {
  const keyed = rows.map((row) => ({ row, key: keyText(row, columns) }));
  return keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)).map(({ row }) => row);
}

function partitions(rows: readonly Row[], by: readonly Expression[]): Row[][] {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const key = rowKeyText(by.map((expression) => value(expression, row)));
    const known = found.get(key);
    if (known === undefined) found.set(key, [row]);
    else known.push(row);
  }
  return [...found.values()];
}

function relabelled(row: Row, from: readonly LogicalColumn[], to: readonly LogicalColumn[]): Row {
  return new Map(to.map((column, i) => [column.id, row.get(from[i]?.id ?? -1) ?? null]));
}

function join(plan: LogicalJoin, left: readonly Row[], right: readonly Row[]): Row[] {
  const { type, keys, residual, notIn } = plan;
  const matches = (l: Row, r: Row): boolean => {
    const equal = keys.every((key) => {
      const [x, y] = [value(key.left, l), value(key.right, r)];
      return (x === null || y === null) && !key.nullsEqual ? false : rowKeyText([x]) === rowKeyText([y]);
    });
    if (!equal || (residual !== undefined && value(residual, new Map([...l, ...r])) !== true)) return false;
    return notIn === undefined || equalSql(value(notIn.left, l), value(notIn.right, r)) !== false;
  };
  const partners = left.map((l) => right.filter((r) => matches(l, r)));
  if (type === "semi") return left.filter((_, i) => partners[i]?.length !== 0);
  if (type === "anti") return left.filter((_, i) => partners[i]?.length === 0);
  const padding = (side: LogicalPlan): Row => new Map(columnsOf(side).map((column) => [column.id, null]));
  const rows: Row[] = left.flatMap((l, i) => (partners[i] ?? []).map((r): Row => new Map([...l, ...r])));
  if (type === "left" || type === "full") {
    const none = padding(plan.right);
    for (const [i, l] of left.entries()) if (partners[i]?.length === 0) rows.push(new Map([...l, ...none]));
  }
  if (type === "right" || type === "full") {
    const met = new Set(partners.flat());
    const none = padding(plan.left);
    for (const r of right) if (!met.has(r)) rows.push(new Map([...none, ...r]));
  }
  return rows;
}

function setOperation(
  plan: Extract<LogicalPlan, { kind: "set-operation" }>,
  left: readonly Row[],
  right: readonly Row[],
): Row[] {
  const copies = new Map<string, number>();
  for (const row of right) {
    const key = keyText(row, plan.columns);
    copies.set(key, (copies.get(key) ?? 0) + 1);
  }
  const given = new Set<string>();
  return left.filter((row) => {
    const key = keyText(row, plan.columns);
    const count = copies.get(key) ?? 0;
    const keepsMet = plan.operator === "intersect";
    if (plan.all) {
      copies.set(key, Math.max(0, count - 1));
      return count > 0 === keepsMet;
    }
    const keep = count > 0 === keepsMet && !given.has(key);
    given.add(key);
    return keep;
  });
}

/** The window's calls over one partition in order. */
function windowRows(plan: Extract<LogicalPlan, { kind: "window" }>, rows: readonly Row[]): Row[] {
  const peers: number[] = [];
  for (const [i, row] of rows.entries()) {
    const before = rows[i - 1];
    const same = before !== undefined && compareKeys(plan.keys, before, row) === 0;
    peers.push(same ? (peers[i - 1] ?? 0) : i);
  }
  return rows.map((row, i) => {
    const given = new Map(row);
    for (const { column, call } of plan.calls)
      given.set(column.id, windowValue(call, rows, peers, i, plan.keys));
    return given;
  });
}

function windowValue(
  call: WindowCall,
  rows: readonly Row[],
  peers: readonly number[],
  at: number,
  keys: readonly SortKey[],
): SqlValue {
  const row = must(rows[at], "the row stands there");
  const argument = (position: number, of: Row): SqlValue => {
    const expression = call.args[position];
    return expression === undefined ? null : value(expression, of);
  };
  const first = peers[at] ?? 0;
  const last = peers.lastIndexOf(first);
  const groupAt = (row: number): number => new Set(peers.slice(0, row + 1)).size;
  switch (call.function) {
    case "ROW_NUMBER":
      return at + 1;
    case "RANK":
      return first + 1;
    case "DENSE_RANK":
      return groupAt(at);
    case "PERCENT_RANK":
      return rows.length === 1 ? 0 : first / (rows.length - 1);
    case "CUME_DIST":
      return (last + 1) / rows.length;
    case "NTILE": {
      const buckets = Number(argument(0, row));
      const [small, larger] = [Math.floor(rows.length / buckets), rows.length % buckets];
      const inLarger = larger * (small + 1);
      return at < inLarger
        ? Math.floor(at / (small + 1)) + 1
        : larger + Math.floor((at - inLarger) / small) + 1;
    }
    case "LAG":
    case "LEAD": {
      const direction = call.function === "LAG" ? -1 : 1;
      const distance = (call.args.length > 1 ? Number(argument(1, row)) : 1) * direction;
      const candidates = rows.map((one) => argument(0, one));
      if (!call.ignoreNulls) {
        const found = candidates[at + distance];
        return found === undefined ? argument(2, row) : found;
      }
      let left = Math.abs(distance);
      for (let i = at + Math.sign(distance); i >= 0 && i < rows.length; i += Math.sign(distance)) {
        if (candidates[i] !== null) left -= 1;
        if (left === 0) return candidates[i] ?? null;
      }
      return argument(2, row);
    }
  }
  const framed = rows.filter((_, i) => inFrame(call, rows, peers, at, i, keys));
  const values = framed.map((one) => argument(0, one)).filter((one) => !call.ignoreNulls || one !== null);
  if (call.function === "FIRST_VALUE") return values[0] ?? null;
  if (call.function === "LAST_VALUE") return values.at(-1) ?? null;
  if (call.function === "NTH_VALUE") return values[Number(argument(1, row)) - 1] ?? null;
  const implementation = must(
    aggregateImplementation(call.function, call.distinct, call.type),
    "an aggregate of the table",
  );
  const state = implementation.create(true);
  for (const one of framed) {
    if (call.filter !== undefined && value(call.filter, one) !== true) continue;
    implementation.add(
      state,
      call.args.map((arg) => value(arg, one)),
      1,
      context,
    );
  }
  return implementation.result(state, context);
}

/** Whether row `i` is in the frame of row `at`. Range offsets: numbers only here. */
function inFrame(
  call: WindowCall,
  rows: readonly Row[],
  peers: readonly number[],
  at: number,
  i: number,
  keys: readonly SortKey[],
): boolean {
  const { unit, start, end } = call.frame;
  const group = (row: number): number => new Set(peers.slice(0, row + 1)).size;
  const [key] = keys;
  const position = (row: number): number => {
    if (unit === "rows") return row;
    if (unit === "groups" || (!("offset" in start) && !("offset" in end)) || key === undefined)
      return group(row);
    const number = value(key.expression, must(rows[row], "a row of the partition"));
    // NULLs are peers of each other and far from all numbers.
    if (number === null) return key.nullsFirst ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
    return key.descending ? -Number(number) : Number(number);
  };
  const [here, there] = [position(at), position(i)];
  const bound = (one: FrameBound): number => {
    switch (one.kind) {
      case "unbounded-preceding":
        return Number.NEGATIVE_INFINITY;
      case "unbounded-following":
        return Number.POSITIVE_INFINITY;
      case "current-row":
        return here;
      case "preceding":
        return here - Number(one.offset);
      case "following":
        return here + Number(one.offset);
    }
  };
  return there >= bound(start) && there <= bound(end);
}

function slice(
  rows: Row[],
  { limit, offset }: { readonly limit: number | undefined; readonly offset: number },
): Row[] {
  return rows.slice(offset, limit === undefined ? undefined : offset + limit);
}

function field({ from }: ScanOutput, record: SqlObject): SqlValue {
  switch (from.kind) {
    case "field":
      return cast(record.get(from.name) ?? null, from.type, context);
    case "record": {
      const { without } = from;
      return new Map([...record].filter(([name]) => !without.includes(name)));
    }
    case "append-time":
      return timestampOf(0);
    case "time":
      return timeOf(from.field === undefined ? 0 : (record.get(from.field.name) ?? null));
    case "watermark":
      return null;
    case "relation-column":
      return [...record.values()][from.index] ?? null;
    default:
      return unreachable(from);
  }
}

const timestampOf = (ms: number): SqlValue => ({ kind: "timestamp", ms });

/** A number is milliseconds. */
function timeOf(stored: SqlValue): SqlValue {
  return typeof stored === "number" ? timestampOf(stored) : cast(stored, TIMESTAMP, context);
}

function msOf(expression: Expression, row: Row): number {
  const time = value(expression, row);
  return typeof time === "object" && time !== null && "ms" in time ? time.ms : 0;
}

/** The windows that a row is in, by the definition: for sliding ones those that its partition's rows make. */
function windowsOf(
  plan: Extract<LogicalPlan, { kind: "assign-windows" }>,
  row: Row,
  all: readonly Row[],
): (readonly [number, number])[] {
  const { shape, time, partition } = plan;
  const ms = msOf(time, row);
  const { sizeMs } = shape;
  if (shape.kind === "slide") {
    const own = rowKeyText(partition.map((key) => value(key, row)));
    const mates = all.filter((other) => rowKeyText(partition.map((key) => value(key, other))) === own);
    const ends = new Set(mates.map((other) => msOf(time, other)));
    return [...ends].filter((end) => ms <= end && ms > end - sizeMs).map((end) => [end - sizeMs, end]);
  }
  const found: (readonly [number, number])[] = [];
  let start = Math.floor(ms / shape.hopMs) * shape.hopMs;
  for (; start > ms - sizeMs; start -= shape.hopMs) found.push([start, start + sizeMs]);
  return found;
}

/** Each row with the bounds of its session. */
function sessions(plan: Extract<LogicalPlan, { kind: "session" }>, rows: readonly Row[]): Row[] {
  const { gapMs, start, end, time } = plan;
  return partitions(
    rows,
    plan.keys.map(({ expression }) => expression),
  ).flatMap((mates) => {
    const times = mates.map((row) => msOf(time, row)).sort((a, b) => a - b);
    return mates.map((row) => {
      const own = msOf(time, row);
      let [first, last] = [own, own];
      for (const ms of times) if (ms > last && ms - last <= gapMs) last = ms;
      for (const ms of times.toReversed()) if (ms < first && first - ms <= gapMs) first = ms;
      return new Map(row).set(start.id, timestampOf(first)).set(end.id, timestampOf(last + gapMs));
    });
  });
}

function aggregate(plan: Extract<LogicalPlan, { kind: "aggregate" }>, rows: readonly Row[]): Row[] {
  const groups = new Map<
    string,
    { readonly keys: readonly SqlValue[]; readonly states: readonly object[] }
  >();
  const implementations = plan.calls.map(({ call }) =>
    must(aggregateImplementation(call.function, call.distinct, call.type), "an aggregate of the table"),
  );
  const group = (keys: readonly SqlValue[]): readonly object[] => {
    const text = rowKeyText(keys);
    const known = groups.get(text);
    if (known !== undefined) return known.states;
    const states = implementations.map((implementation) => implementation.create(plan.appendOnly));
    groups.set(text, { keys, states });
    return states;
  };
  if (plan.keys.length === 0) group([]);
  for (const row of rows) {
    const states = group(plan.keys.map((key) => value(key.expression, row)));
    for (const [i, { call }] of plan.calls.entries()) {
      if (call.filter !== undefined && value(call.filter, row) !== true) continue;
      const args = call.args.map((arg) => value(arg, row));
      implementations[i]?.add(must(states[i], "a state a call"), args, 1, context);
    }
  }
  return [...groups.values()].map(({ keys, states }) => {
    const row = new Map<number, SqlValue>();
    for (const [i, { column }] of plan.keys.entries()) row.set(column.id, keys[i] ?? null);
    for (const [i, { column }] of plan.calls.entries()) {
      row.set(column.id, implementations[i]?.result(must(states[i], "a state a call"), context) ?? null);
    }
    return row;
  });
}
