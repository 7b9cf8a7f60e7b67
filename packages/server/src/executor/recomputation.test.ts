import assert from "node:assert/strict";
import { compareTotal, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { column, dynamicTypes } from "./plans.test.helper.js";
import { asKeys, changes, cuts, planOf, present, queries, type Query } from "./queries.test.helper.js";
import {
  type Change,
  decodeOutput,
  folded,
  loadInflateForTests,
  outputOf,
  pieces,
  rowsInput,
  Run,
  upserted,
} from "./run.test.helper.js";

describe("recomputation", () => {
  before(loadInflateForTests);

  for (const appendOnly of [true, false]) {
    for (const emission of ["per-record", "per-step"] as const) {
      const all = queries({ appendOnly, emission });
      for (const [name, query] of Object.entries(all)) {
        const title = `${name}, ${emission}, ${appendOnly ? "append-only" : "with deletions"}`;

        it(`${title}: after every feed, the folded answer is that of a recomputation`, () => {
          fc.assert(
            fc.property(changes(!appendOnly), cuts, (list, { sizes, stepRowsMax }) => {
              const retractions = new Run(
                planOf(query, { kind: "retractions" }, appendOnly),
                { kind: "emit" },
                stepRowsMax,
              );
              const coalesced = new Run(
                planOf(query, { kind: "coalesced" }, appendOnly),
                { kind: "emit" },
                stepRowsMax,
              );
              const view = new Run(
                planOf(query, { kind: "coalesced" }, appendOnly),
                { kind: "materialize" },
                stepRowsMax,
              );
              const so: Change[] = [];
              for (const piece of [[], ...pieces(list, sizes)]) {
                so.push(...piece);
                const expected = asKeys(query.naive(present(so)));
                for (const run of [retractions, coalesced, view])
                  run.feed(piece.length === 0 ? [] : rowsInput(piece));
                const given = decodeOutput(outputOf(retractions.reports), query.width);
                assert.deepEqual(folded(given), expected);
                const shown = decodeOutput(outputOf(coalesced.reports), query.width);
                if (name === "filter and project") assert.deepEqual(folded(shown), expected);
                else if (name !== "key left out")
                  assert.deepEqual(upserted(shown, query.keyColumns), expected);
                assert.deepEqual(folded(decodeOutput(view.snapshot().batches, query.width)), expected);
              }
            }),
            { numRuns: runs(60) },
          );
        });

        if (emission === "per-record") {
          it(`${title}: the emitted rows are the same in any batching`, () => {
            fc.assert(
              fc.property(changes(!appendOnly), cuts, (list, { sizes, stepRowsMax }) => {
                const emitted = [[1], [1000], sizes].map((cut, i) => {
                  const run = new Run(
                    planOf(query, { kind: "changes" }, appendOnly),
                    { kind: "emit" },
                    i === 2 ? stepRowsMax : 8192,
                  );
                  for (const piece of pieces(list, cut)) run.feed(rowsInput(piece));
                  return decodeOutput(outputOf(run.reports), query.width).map(
                    ({ row, weight }) => `${weight} ${rowKeyText(row)}`,
                  );
                });
                assert.deepEqual(emitted[1], emitted[0]);
                assert.deepEqual(emitted[2], emitted[0]);
                if (name === "one key") {
                  // One row per input record and touched group; only the last of a group that goes is a deletion.
                  assert.equal(emitted[0]?.length, list.length);
                }
              }),
              { numRuns: runs(60) },
            );
          });
        }
      }
    }
  }

  for (const [name, query] of Object.entries(queries({ appendOnly: false, emission: "per-step" }))) {
    it(`${name}, as a pull: the answer is that of a recomputation, in rows alone`, () => {
      fc.assert(
        fc.property(changes(true), cuts, (list, { sizes, stepRowsMax }) => {
          const run = new Run(planOf(query, { kind: "pull" }, false), { kind: "emit" }, stepRowsMax);
          for (const piece of pieces(list, sizes)) run.feed(rowsInput(piece));
          run.end();
          const given = decodeOutput(outputOf(run.reports), query.width);
          assert.ok(given.every(({ weight }) => weight === 1));
          assert.deepEqual(asKeys(given.map(({ row }) => row)), asKeys(query.naive(present(list))));
          assert.ok(run.reports.at(-1)?.finished);
        }),
        { numRuns: runs(60) },
      );
    });
  }

  it("sorts, skips and limits as a sort of all rows does", () => {
    const window = fc.record({ limit: fc.option(fc.nat(6), { nil: undefined }), offset: fc.nat(4) });
    const order = fc.record({ descending: fc.boolean(), nullsFirst: fc.boolean() });
    fc.assert(
      fc.property(
        changes(false),
        cuts,
        window,
        order,
        (list, { sizes, stepRowsMax }, { limit, offset }, { descending, nullsFirst }) => {
          const sortKeys = [{ expression: column(1), descending, nullsFirst }];
          const sort: Query = {
            over: (input) => ({
              id: 1,
              kind: "sort",
              input,
              keys: sortKeys,
              types: dynamicTypes(2),
              offset,
              ...(limit === undefined ? {} : { limit }),
            }),
            width: 2,
            keyColumns: [],
            naive: (rows) => rows.map((row) => [...row]),
          };
          const run = new Run(planOf(sort, { kind: "pull" }, true), { kind: "emit" }, stepRowsMax);
          for (const piece of pieces(list, sizes)) run.feed(rowsInput(piece));
          run.end();
          const expected = list
            .map(({ row }) => row)
            .sort((a, b) => {
              const [x, y] = [a[1] as SqlValue, b[1] as SqlValue];
              if (x === null || y === null) return x === y ? 0 : (x === null) === nullsFirst ? -1 : 1;
              return descending ? compareTotal(y, x) : compareTotal(x, y);
            })
            .slice(offset, limit === undefined ? undefined : offset + limit);
          const given = decodeOutput(outputOf(run.reports), 2).map(({ row }) => rowKeyText(row));
          assert.deepEqual(
            given,
            expected.map((row) => rowKeyText(row)),
          );
        },
      ),
      { numRuns: runs(200) },
    );
  });
});
