import assert from "node:assert/strict";
import { aggregateImplementation, functionTable } from "./table.js";
import { bindExpressionText, bindQuery } from "../testing/bind-text.js";
import { evaluate } from "../runtime/evaluate.js";
import type { SqlValue } from "../types/sql-value.js";
import { toText } from "../values/text.js";
import type { EvaluationContext } from "./function.js";
import { columnsOf } from "../plan/logical.js";
import { runPlan } from "../testing/run-plan.js";

class Errors implements EvaluationContext {
  readonly nowMs = 0;
  readonly messages: string[] = [];

  error(message: string): null {
    this.messages.push(message);
    return null;
  }
}

describe("function table", () => {
  for (const entry of functionTable) {
    for (const { sql, result } of entry.examples) {
      it(`${entry.name}: ${sql} is ${result}`, () => {
        assert.equal(
          entry.kind === "aggregate"
            ? runAggregate(sql, entry.exampleRows)
            : entry.kind === "window"
              ? runWindow(sql, entry.exampleRows)
              : runScalar(sql),
          result,
        );
      });
    }
  }

  it("has a help line and an example for each entry, and each name once", () => {
    const names = functionTable.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])]);
    assert.equal(new Set(names).size, names.length);
    for (const entry of functionTable) {
      assert(entry.help.length > 0 && entry.help.length <= 120 && !entry.help.includes("\n"), entry.name);
      assert(entry.examples.length > 0, entry.name);
    }
  });

  it("gives a static type that the value of each example has", () => {
    for (const { examples, kind } of functionTable) {
      for (const { sql } of kind === "aggregate" || kind === "window" ? [] : examples) {
        const expression = bindExpressionText(sql);
        const value = evaluate(expression, [], new Errors());
        if (value === null || expression.type.kind === "dynamic" || expression.type.kind === "null") continue;
        const shown = JSON.stringify(expression.type.kind);
        if (expression.type.kind === "integer")
          assert(typeof value === "number" || typeof value === "bigint", `${sql} ${shown}`);
        if (expression.type.kind === "string") assert.equal(typeof value, "string", sql);
        if (expression.type.kind === "boolean") assert.equal(typeof value, "boolean", sql);
        if (expression.type.kind === "array") assert(Array.isArray(value), sql);
      }
    }
  });

  /** sql.md sections 10 to 12, by name. */
  it("has every scalar function and aggregate of the language", () => {
    const names = new Set(functionTable.flatMap((entry) => [entry.name, ...(entry.aliases ?? [])]));
    const wanted =
      "SIN SINH ASIN ASINH COS COSH ACOS ACOSH TAN TANH ATAN ATANH ABS CEIL FLOOR ROUND SIGN SQRT LOG LOG2 LOG10 EXP " +
      "IS_INT IS_FLOAT IS_NUM IS_BOOL IS_STR IS_ARRAY IS_DATE IS_TIME IS_MAP TO_STR TO_LOWER TO_UPPER TRIM LEFT_TRIM " +
      "RIGHT_TRIM REVERSE STRLEN TAKE TAKEEND DROP DROPEND SPLIT CHUNKSOF IFNULL NULLIF DATETOSTRING STRINGTODATE " +
      "ARRAY_CONTAIN ARRAY_CONTAINS ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_INTERSECT ARRAY_UNION ARRAY_REMOVE ARRAY_LENGTH " +
      "ARRAY_JOIN ARRAY_MAX ARRAY_MIN ARRAY_SORT COUNT SUM AVG MIN MAX TOPK TOPKDISTINCT LATEST EARLIEST CAST CASE AND OR " +
      "REGEXP_MATCHES DATE_TRUNC DATE_PART JSON_EXTRACT ARRAY_AGG STRING_AGG MEDIAN STDDEV CORR APPROX_COUNT_DISTINCT " +
      "APPROX_QUANTILE ROW_NUMBER RANK DENSE_RANK LAG LEAD FIRST_VALUE LAST_VALUE";
    assert.deepEqual(
      wanted.split(" ").filter((name) => !names.has(name)),
      [],
    );
  });
});

function runScalar(sql: string): string {
  const errors = new Errors();
  const value = evaluate(bindExpressionText(sql), [], errors);
  return errors.messages.length > 0 ? "error" : toText(value);
}

function runWindow(sql: string, rows: string): string {
  const values = rows.split(", ").map((value) => `(${value})`);
  const { plan } = bindQuery(`SELECT ${sql} FROM (VALUES ${values.join(", ")}) AS t (x)`);
  return runPlan(plan, [])
    .map(([value = null]) => toText(value))
    .join(", ");
}

function runAggregate(sql: string, rows: string): string {
  const { plan } = bindQuery(`SELECT ${sql} FROM flights`);
  assert(plan.kind === "project" && plan.input.kind === "aggregate");
  const [aggregate] = plan.input.calls;
  assert(aggregate !== undefined);
  const { call } = aggregate;
  const implementation = aggregateImplementation(call.function, call.distinct, call.type);
  assert(implementation !== undefined);
  const errors = new Errors();
  const state = implementation.create(true);
  const at = columnsOf(plan.input.input).findIndex((column) => column.name === "x");
  for (const text of rows.split(",")) {
    const value = evaluate(bindExpressionText(text), [], errors);
    // Of the one column x, at its id.
    const row = at < 0 ? [] : [value];
    if (call.filter !== undefined && evaluate(call.filter, row, errors) !== true) continue;
    implementation.add(
      state,
      call.args.map((arg) => evaluate(arg, row, errors)),
      1,
      errors,
    );
  }
  const [item] = plan.items;
  assert(item !== undefined);
  const groups: SqlValue[] = [];
  groups[aggregate.column.id] = implementation.result(state, errors);
  const result = evaluate(item.expression, groups, errors);
  return errors.messages.length > 0 ? "error" : toText(result);
}
