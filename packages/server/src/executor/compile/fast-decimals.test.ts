import assert from "node:assert/strict";
import { runs } from "@hstream/proto/testing";
import { BOOLEAN, DECIMAL, decimal, type Expression, INTEGER, type SqlValue } from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { type Column, isNull } from "../columns.js";
import { wireColumn } from "../encode/encode-column.js";
import { assertAsEvaluated, callOf, columnOf, decodedColumn, literalOf } from "./compared.test.helper.js";

const edge = 9_007_199_254_740_991;
const units = fc.oneof(
  fc.integer({ min: -2000, max: 2000 }),
  fc.constantFrom(0, 1, 10, 1000, -1000, edge, -edge, 94_906_267, 90_800_000_000),
);
const scales = fc.nat(4);
const decimalsOf = fc.tuple(units, scales).map(([value, scale]): SqlValue => decimal(BigInt(value), scale));
const operators = fc.constantFrom("+", "-", "*");
const comparisons = fc.constantFrom("=", "<>", "<", "<=", ">", ">=");

/** Columns: 0 is of INTEGERs, 1 of DECIMALs. */
const { numbers } = fc.letrec<{ numbers: Expression }>((tie) => ({
  numbers: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constantFrom(columnOf(0, INTEGER), columnOf(1, DECIMAL)),
    decimalsOf.map((value) => literalOf(value, DECIMAL)),
    units.map((value) => literalOf(value, INTEGER)),
    fc.tuple(operators, tie("numbers"), tie("numbers")).map(([name, a, b]) => {
      const isInteger = a.type.kind === "integer" && b.type.kind === "integer";
      return callOf(name, isInteger ? INTEGER : DECIMAL, a, b);
    }),
  ),
}));
const expressions = fc.oneof(
  numbers,
  fc.tuple(comparisons, numbers, numbers).map(([name, a, b]) => callOf(name, BOOLEAN, a, b)),
);

interface Rows {
  readonly integers: SqlValue[];
  readonly decimals: SqlValue[];
  readonly column: Column;
}

/** A column of decimals as an expression leaves it, zeros at the end included. */
const rows: fc.Arbitrary<Rows> = fc.tuple(fc.nat(5), scales, fc.boolean()).chain(([count, scale, nulls]) => {
  const length = { minLength: count, maxLength: count };
  const maybe = nulls ? fc.option(units) : units;
  return fc.tuple(fc.array(maybe, length), fc.array(maybe, length)).map(([integers, held]): Rows => {
    const mask = held.includes(null) ? Uint8Array.from(held, (one) => (one === null ? 1 : 0)) : undefined;
    return {
      integers,
      decimals: held.map((one) => (one === null ? null : decimal(BigInt(one), scale))),
      column: { kind: "decimal", values: Float64Array.from(held, (one) => one ?? 0), scale, nulls: mask },
    };
  });
});

describe("decimals in doubles", () => {
  it("are exact, or left to the function table", () => {
    fc.assert(
      fc.property(expressions, rows, (expression, { integers, decimals, column }) => {
        assertAsEvaluated(expression, [integers, decimals], null, [decodedColumn(integers), column]);
      }),
      { numRuns: runs(3000) },
    );
  });

  it("stay in a column of their own", () => {
    const price = callOf("*", DECIMAL, columnOf(0, INTEGER), literalOf(decimal(908n, 3), DECIMAL));
    assert.equal(assertAsEvaluated(price, [[1940, 0, -7]]).kind, "decimal");
    // One beyond 2^53 moves the batch to values of their own.
    assert.equal(assertAsEvaluated(price, [[1940, edge]]).kind, "any");
  });

  it("travel as single values do", () => {
    fc.assert(
      fc.property(rows, ({ decimals, column }) => {
        const wired = wireColumn(column, decimals.length, DECIMAL);
        const expected = wireColumn({ kind: "any", values: decimals }, decimals.length, DECIMAL);
        if (decimals.every((_, row) => isNull(column, row))) return;
        assert.deepEqual(plain(wired), plain(expected));
      }),
      { numRuns: runs(500) },
    );
  });
});

function plain(column: ReturnType<typeof wireColumn>): unknown {
  assert.equal(column.kind, "encoded");
  if (column.kind !== "encoded") return undefined;
  return { ...column, offsets: [...column.offsets], bytes: Buffer.from(column.bytes).toString() };
}
