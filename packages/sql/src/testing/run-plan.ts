import { must, unreachable } from "@hstream/proto";
import type { EvaluationContext } from "../functions/function.js";
import { aggregateImplementation } from "../functions/table.js";
import type { Expression } from "../plan/expression.js";
import { columnsOf, type LogicalPlan, type ScanOutput } from "../plan/logical.js";
import { evaluate } from "../runtime/evaluate.js";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
import { cast } from "../values/cast.js";
import { compareTotal } from "../values/compare.js";
import { rowKeyText } from "../values/row-key.js";

/** A row by column id. */
type Row = ReadonlyMap<number, SqlValue>;

/** The rows that a plan gives over the records of its one relation; the oracle of the optimiser's passes. */
export function runPlan(plan: LogicalPlan, records: readonly SqlObject[]): SqlValue[][] {
  return run(plan, records).map((row) => columnsOf(plan).map((column) => row.get(column.id) ?? null));
}

const context: EvaluationContext = { error: () => null, nowMs: 0 };

function value(expression: Expression, row: Row): SqlValue {
  const values: SqlValue[] = [];
  for (const [id, content] of row) values[id] = content;
  return evaluate(expression, values, context);
}

function run(plan: LogicalPlan, records: readonly SqlObject[]): Row[] {
  switch (plan.kind) {
    case "scan":
      return records.map(
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
    case "sort": {
      const rows = run(plan.input, records);
      rows.sort((a, b) => {
        for (const { expression, descending, nullsFirst } of plan.keys) {
          const [x, y] = [value(expression, a), value(expression, b)];
          if (x === null || y === null) {
            if (x !== y) return (x === null) === nullsFirst ? -1 : 1;
            continue;
          }
          const order = compareTotal(x, y);
          if (order !== 0) return descending ? -order : order;
        }
        return 0;
      });
      return slice(rows, plan);
    }
    case "limit":
      return slice(run(plan.input, records), plan);
    default:
      return unreachable(plan);
  }
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
    case "record":
      return record;
    case "append-time":
      return { kind: "timestamp", ms: 0 };
    case "relation-column":
      return [...record.values()][from.index] ?? null;
    default:
      return unreachable(from);
  }
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
