import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { smallValues } from "../testing/arbitrary.js";
import type { SqlValue } from "../types/sql-value.js";
import { FLOAT } from "../types/types.js";
import { compareTotal } from "../values/compare.js";
import { isNumber, toFloat } from "../values/numbers.js";
import type { AggregateImplementation, EvaluationContext } from "./function.js";
import { decodeRowKey, encodeRowKey } from "../values/row-key.js";
import { toText } from "../values/text.js";
import { aggregateImplementation, functionTable } from "./table.js";

const context: EvaluationContext = { error: () => null, nowMs: 0 };

function implementationOf(name: string, distinct: boolean): AggregateImplementation {
  const implementation = aggregateImplementation(name, distinct);
  assert(implementation !== undefined);
  return implementation;
}

function fresh(
  implementation: AggregateImplementation,
  values: readonly SqlValue[],
  appendOnly: boolean,
): SqlValue {
  const state = implementation.create(appendOnly);
  for (const value of values) implementation.add(state, [value], 1, context);
  return implementation.result(state, context);
}

function close(a: SqlValue, b: SqlValue, text: string): void {
  if (isNumber(a) && isNumber(b)) {
    const [x, y] = [toFloat(a), toFloat(b)];
    assert(Math.abs(x - y) <= 1e-9 * Math.max(1, Math.abs(x), Math.abs(y)), `${text}: ${x} and ${y}`);
  } else assert.equal(compareTotal(a, b), 0, text);
}

/** Moderate, so that cancelling floats leaves no rounding to speak of. */
const values = fc
  .oneof(smallValues, fc.integer({ min: -5, max: 5 }))
  .filter((value) => !isNumber(value) || Math.abs(toFloat(value)) < 1e6);

describe("aggregates", () => {
  for (const name of ["COUNT", "SUM", "AVG", "MIN", "MAX", "LATEST", "EARLIEST"]) {
    for (const distinct of [false, true]) {
      // Which copy is the first or last of equal ones is not the aggregate's to say.
      if (distinct && (name === "LATEST" || name === "EARLIEST")) continue;
      it(`${name}${distinct ? " DISTINCT" : ""} after retractions equals a fresh run over what is left`, () => {
        const implementation = implementationOf(name, distinct);
        const steps = fc.array(fc.tuple(values, fc.boolean(), fc.nat()), { maxLength: 30 });
        fc.assert(
          fc.property(steps, (plan) => {
            const state = implementation.create(false);
            const left: SqlValue[] = [];
            for (const [value, remove, pick] of plan) {
              if (remove && left.length > 0) {
                const gone = left[pick % left.length] ?? null;
                // The youngest that equals goes.
                left.splice(
                  left.findLastIndex((one) => compareTotal(one, gone) === 0),
                  1,
                );
                implementation.add(state, [gone], -1, context);
              } else {
                left.push(value);
                implementation.add(state, [value], 1, context);
              }
              close(implementation.result(state, context), fresh(implementation, left, true), name);
            }
            assert(implementation.stateBytes(state) > 0);
          }),
          { numRuns: runs(200) },
        );
      });
    }
  }

  it("SUM is exact beyond 2^53 and an error beyond 64 bits", () => {
    const sum = implementationOf("SUM", false);
    const most = 2 ** 53 - 1;
    assert.equal(fresh(sum, [most, most, 1], true), 18014398509481983n);
    assert.equal(fresh(sum, [2n ** 62n, 2n ** 62n], true), null);
    assert.equal(fresh(sum, [2n ** 62n, 2n ** 62n, -(2n ** 62n)], true), 2n ** 62n);
    assert.equal(fresh(implementationOf("AVG", false), [2n ** 62n, 2n ** 62n], true), 2 ** 62);
  });

  it("SUM of FLOATs neither overflows nor becomes an INTEGER beyond 2^53", () => {
    const sum = aggregateImplementation("SUM", false, FLOAT);
    assert(sum !== undefined);
    assert.equal(
      fresh(
        sum,
        Array.from({ length: 3000 }, () => 9e15),
        true,
      ),
      2.7e19,
    );
    assert.equal(fresh(sum, [2 ** 53 - 1, 2 ** 53 - 1], true), 2 ** 54 - 2);
  });

  it("reports a value of the wrong type when it comes, not when it goes", () => {
    let errors = 0;
    const counting: EvaluationContext = { nowMs: 0, error: () => (errors++, null) };
    const sum = implementationOf("SUM", false);
    const state = sum.create(false);
    sum.add(state, ["x"], 1, counting);
    sum.add(state, ["x"], -1, counting);
    assert.equal(errors, 1);
    assert.equal(sum.result(state, counting), null);
  });

  it("MIN with retractions gives back the memory of what is gone", () => {
    const min = implementationOf("MIN", false);
    const state = min.create(false);
    const empty = min.stateBytes(state);
    for (let i = 0; i < 100; i++) min.add(state, [i], 1, context);
    assert(min.stateBytes(state) > empty);
    for (let i = 0; i < 100; i++) min.add(state, [i], -1, context);
    assert.equal(min.result(state, context), null);
    assert.equal(min.stateBytes(state), empty);
  });
});

describe("saved states", () => {
  const names = functionTable.flatMap((entry) => (entry.kind === "aggregate" ? [entry.name] : []));
  const two = new Set(["TOPK", "TOPKDISTINCT", "QUANTILE", "QUANTILE_DISC", "APPROX_QUANTILE"]);
  for (const name of names) {
    for (const distinct of [false, true]) {
      it(`${name}${distinct ? " DISTINCT" : ""} go on as if they had never been saved`, () => {
        const implementation = implementationOf(name, distinct);
        const argsOf = (value: SqlValue): SqlValue[] => {
          if (name === "STRING_AGG") return [typeof value === "string" ? value : null, ","];
          return [value, two.has(name) ? (name.startsWith("TOPK") ? 2 : 0.5) : 1];
        };
        const steps = fc.array(fc.tuple(values, fc.boolean(), fc.boolean()), { maxLength: 20 });
        fc.assert(
          fc.property(steps, fc.boolean(), (plan, appendOnly) => {
            const plain = implementation.create(appendOnly);
            let saved = implementation.create(appendOnly);
            const left: SqlValue[] = [];
            for (const [value, remove, save] of plan) {
              const gone = remove && !appendOnly ? left.pop() : undefined;
              const [args, weight] = gone === undefined ? [argsOf(value), 1] : [argsOf(gone), -1];
              if (gone === undefined) left.push(value);
              implementation.add(plain, args, weight, context);
              implementation.add(saved, args, weight, context);
              if (!save) continue;
              const stored = implementation.save(saved);
              const [read = null] = decodeRowKey(encodeRowKey([stored]));
              saved = implementation.load(read, appendOnly);
            }
            const [a, b] = [implementation.result(plain, context), implementation.result(saved, context)];
            assert.equal(compareTotal(a, b), 0, `${toText(a)} and ${toText(b)}`);
          }),
          { numRuns: runs(40) },
        );
      });
    }
  }
});
