import assert from "node:assert/strict";
import {
  DYNAMIC,
  evaluate,
  type Expression,
  FLOAT,
  functionTable,
  INTEGER,
  type ScalarFunction,
  type SqlValue,
  STRING,
} from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { type ChangeBatch, columnOfValues, valueAt } from "../columns.js";
import { ErrorLog } from "../error-log.js";
import { assertAsEvaluated, decodedColumn } from "./compared.test.helper.js";
import { CompiledExpression } from "./compiled-expression.js";
import { Evaluation } from "./evaluation.js";

const numbers = fc.oneof(
  fc.integer({ min: -20, max: 20 }),
  fc.constantFrom(
    0,
    1,
    0.5,
    -2.25,
    9_007_199_254_740_991,
    -9_007_199_254_740_991,
    4_503_599_627_370_497,
    1e300,
    5e-324,
  ),
);
const texts = fc.oneof(
  fc.constantFrom("", "a", "ab", "b", "%", "é", "😀", "\uffff", "10"),
  fc.string({ unit: "grapheme", maxLength: 4 }),
);
const others: fc.Arbitrary<SqlValue> = fc.constantFrom<SqlValue>(
  9_007_199_254_740_993n,
  { kind: "decimal", unscaled: 15n, scale: 1 },
  { kind: "timestamp", ms: 1000 },
  { kind: "interval", months: 0, ms: 5 },
  [1, "a", null],
  new Map<string, SqlValue>([["a", 1]]),
);
const anything = fc.oneof<fc.Arbitrary<SqlValue>[]>(numbers, texts, fc.boolean(), fc.constant(null), others);

const width = 4;
const columnValues = (rows: number): fc.Arbitrary<SqlValue[]> =>
  fc
    .tuple(fc.constantFrom<fc.Arbitrary<SqlValue>[]>(numbers, texts, fc.boolean(), anything), fc.boolean())
    .chain(([values, nulls]) =>
      fc.array(nulls ? fc.option(values) : values, { minLength: rows, maxLength: rows }),
    );

const scalars = functionTable.filter(
  (entry): entry is ScalarFunction => entry.kind === "scalar" && entry.volatile !== true,
);
const operators = scalars.filter((entry) => entry.operator === true);

function arity(entry: ScalarFunction): number {
  return Math.min(...entry.signatures.map((one) => one.parameters.length - (one.optional ?? 0)));
}

const { expression } = fc.letrec<{ expression: Expression }>((tie) => {
  const sub = tie("expression");
  const types = fc.constantFrom(DYNAMIC, INTEGER, FLOAT, STRING);
  return {
    expression: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc
        .nat(width - 1)
        .map((index): Expression => ({ kind: "column", index, name: `c${index}`, type: DYNAMIC })),
      anything.map((value): Expression => ({ kind: "literal", value, type: DYNAMIC })),
      fc
        .oneof(
          { weight: 4, arbitrary: fc.constantFrom(...operators) },
          { weight: 1, arbitrary: fc.constantFrom(...scalars) },
        )
        .chain((entry) =>
          fc
            .tuple(
              fc.array(sub, { minLength: arity(entry), maxLength: arity(entry) }),
              fc.constantFrom(DYNAMIC, FLOAT),
            )
            .map(([args, type]): Expression => ({ kind: "call", function: entry.name, args, type })),
        ),
      fc.record({
        kind: fc.constantFrom("and" as const, "or" as const),
        args: fc.array(sub, { minLength: 2, maxLength: 3 }),
        type: fc.constant(DYNAMIC),
      }),
      fc.record({
        kind: fc.constant("case" as const),
        branches: fc.array(fc.record({ when: sub, then: sub }), { minLength: 1, maxLength: 2 }),
        otherwise: sub,
        type: fc.constant(DYNAMIC),
      }),
      fc.record({ kind: fc.constant("cast" as const), operand: sub, type: types }),
    ),
  };
});

describe("compiled expressions", () => {
  it("give the values and errors of the tree-walking evaluator", () => {
    const input = fc.nat(6).chain((rows) =>
      fc.record({
        rows: fc.constant(rows),
        columns: fc.array(columnValues(rows), { minLength: width, maxLength: width }),
        weights: fc.option(fc.array(fc.constantFrom(-2, -1, 1, 2), { minLength: rows, maxLength: rows })),
        expression,
      }),
    );
    fc.assert(
      fc.property(input, ({ columns, weights, expression }) => {
        assertAsEvaluated(expression, columns, weights);
      }),
      { numRuns: runs(3000) },
    );
  });

  it("keep arithmetic exact at the edges", () => {
    const edges = fc.constantFrom(
      0,
      1,
      -1,
      2,
      0.5,
      3,
      9_007_199_254_740_991,
      -9_007_199_254_740_991,
      94_906_267,
      1e300,
    );
    const operation = fc.constantFrom("+", "-", "*", "/", "DIV", "%");
    fc.assert(
      fc.property(edges, edges, operation, fc.constantFrom(DYNAMIC, FLOAT), (a, b, name, type) => {
        const args = [0, 1].map((index): Expression => ({ kind: "column", index, name: "", type: DYNAMIC }));
        const expression: Expression = { kind: "call", function: name, args, type };
        const columns = [columnOfValues([a]), columnOfValues([b])];
        const batch: ChangeBatch = { rowCount: 1, columns, weights: undefined, updates: undefined };
        const result = new CompiledExpression(expression).evaluate(batch, new Evaluation(new ErrorLog(1), 1));
        assert.deepEqual(valueAt(result, 0), evaluate(expression, [a, b], { error: () => null, nowMs: 0 }));
      }),
      { numRuns: runs(2000) },
    );
  });

  it("use the column itself for a column", () => {
    const batch: ChangeBatch = {
      rowCount: 1,
      columns: [columnOfValues([1])],
      weights: undefined,
      updates: undefined,
    };
    const compiled = new CompiledExpression({ kind: "column", index: 0, name: "a", type: DYNAMIC });
    assert.equal(compiled.evaluate(batch, new Evaluation(new ErrorLog(1), 1)), batch.columns[0]);
  });

  it("never put a literal or a name into code", () => {
    const nasty = '"; throw new Error("code"); "`${1}`\\';
    const compiled = new CompiledExpression({
      kind: "call",
      function: "=",
      args: [
        { kind: "column", index: 0, name: nasty, type: DYNAMIC },
        { kind: "literal", value: nasty, type: STRING },
      ],
      type: DYNAMIC,
    });
    const batch: ChangeBatch = {
      rowCount: 2,
      columns: [decodedColumn([nasty, "x"])],
      weights: undefined,
      updates: undefined,
    };
    const result = compiled.evaluate(batch, new Evaluation(new ErrorLog(1), 1));
    assert.deepEqual([valueAt(result, 0), valueAt(result, 1)], [true, false]);
  });
});
