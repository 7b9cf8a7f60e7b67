import assert from "node:assert/strict";
import { must } from "@hstream/proto";
import type { EmitMode, PhysicalNode, PhysicalPlan, SqlValue } from "@hstream/sql/runtime";
import { runs } from "@hstream/proto/testing";
import * as fc from "fast-check";
import { naiveAnswer } from "./naive-plan.test.helper.js";
import { column, dynamicTypes, outputColumns } from "./plans.test.helper.js";
import { asKeys, changes, cuts, present } from "./queries.test.helper.js";
import { type NodeName, nodes, plansOf } from "./random-plan.test.helper.js";
import {
  type Change,
  decodeOutput,
  encodeChanges,
  folded,
  loadInflateForTests,
  outputOf,
  pieces,
  Run,
} from "./run.test.helper.js";
import type { StepInput } from "./step-input.js";

interface Fed {
  readonly source: number;
  readonly change: Change;
}

/** Changes of two sources, in one order. */
const fed = (deletions: boolean): fc.Arbitrary<Fed[]> =>
  fc
    .tuple(changes(deletions, 12), changes(deletions, 12), fc.infiniteStream(fc.boolean()))
    .map(([a, b, order]) => {
      const queues = [[...a], [...b]];
      const result: Fed[] = [];
      while (queues.some((queue) => queue.length > 0)) {
        const source = order.next().value === true ? 0 : 1;
        const change = queues[source]?.shift();
        if (change !== undefined) result.push({ source, change });
      }
      return result;
    });

/** One input for each run of changes of the same source. */
function inputsOf(piece: readonly Fed[]): StepInput[] {
  const inputs: { source: number; list: Change[] }[] = [];
  for (const { source, change } of piece) {
    const last = inputs.at(-1);
    if (last?.source === source) last.list.push(change);
    else inputs.push({ source, list: [change] });
  }
  return inputs.map(({ source, list }) => ({ kind: "rows", source, batches: encodeChanges(list) }));
}

function planOf(
  root: PhysicalNode,
  shared: PhysicalNode | undefined,
  emit: EmitMode,
  appendOnly: boolean,
): PhysicalPlan {
  const source = {
    kind: "rows",
    relation: "view",
    id: "1",
    columns: [0, 1],
    types: dynamicTypes(2),
    appendOnly,
  } as const;
  return {
    sources: [
      { ...source, name: "a" },
      { ...source, name: "b" },
    ],
    ...(shared === undefined ? {} : { shared: [shared] }),
    root,
    output: outputColumns("x", "y"),
    emit,
  };
}

function presentIn(so: readonly Fed[]): SqlValue[][][] {
  return [0, 1].map((source) =>
    present(so.filter((one) => one.source === source).map(({ change }) => change)),
  );
}

const decoded = (run: Run): Change[] => decodeOutput(outputOf(run.reports), 2);

const errorsOf = (run: Run): number => run.reports.reduce((sum, { errors }) => sum + errors.count, 0);

describe("operators under changes", () => {
  before(loadInflateForTests);

  for (const name of Object.keys(nodes) as NodeName[]) {
    for (const appendOnly of [true, false]) {
      for (const deep of [false, true]) {
        const title = `${name}, ${deep ? "within larger plans" : "alone"}, ${appendOnly ? "append-only" : "with deletions"}`;
        const cases = (perRecord: boolean) =>
          fc.tuple(
            plansOf(name, { deep, perRecord, shared: deep }),
            plansOf("aggregate", { deep: false, perRecord, shared: false }),
            fed(!appendOnly),
            cuts,
          );

        it(`${title}: saved and loaded between two feeds, it goes on as if it had not been`, () => {
          fc.assert(
            fc.property(cases(false), fc.infiniteStream(fc.boolean()), (drawn, reopens) => {
              const [root, shared, list, { sizes, stepRowsMax }] = drawn;
              const part = deep ? shared : undefined;
              const emitted = planOf(root, part, { kind: "retractions" }, appendOnly);
              const kept = planOf(root, part, { kind: "coalesced" }, appendOnly);
              const open = () =>
                [
                  new Run(emitted, { kind: "emit" }, stepRowsMax),
                  new Run(kept, { kind: "materialize" }, stepRowsMax),
                ] as const;
              const [whole, interrupted] = [open(), open()];
              for (const piece of [[], ...pieces(list, sizes)]) {
                for (const run of [...whole, ...interrupted]) run.feed(inputsOf(piece));
                if (reopens.next().value === true) for (const run of interrupted) run.reopen();
              }
              assert.deepEqual(decoded(interrupted[0]), decoded(whole[0]));
              assert.deepEqual(errorsOf(interrupted[0]), errorsOf(whole[0]));
              assert.deepEqual(interrupted[1].snapshot(), whole[1].snapshot());
            }),
            { numRuns: runs(60) },
          );
        });

        it(`${title}: after every feed, what is pushed and what is kept are a recomputation's`, () => {
          fc.assert(
            fc.property(cases(false), ([root, shared, list, { sizes, stepRowsMax }]) => {
              const part = deep ? shared : undefined;
              const runs = [
                new Run(
                  planOf(root, part, { kind: "retractions" }, appendOnly),
                  { kind: "emit" },
                  stepRowsMax,
                ),
                new Run(
                  planOf(root, part, { kind: "coalesced" }, appendOnly),
                  { kind: "materialize" },
                  stepRowsMax,
                ),
              ] as const;
              const so: Fed[] = [];
              for (const piece of [[], ...pieces(list, sizes)]) {
                so.push(...piece);
                for (const run of runs) run.feed(inputsOf(piece));
                const plan = planOf(root, part, { kind: "retractions" }, appendOnly);
                const expected = asKeys(naiveAnswer(plan, presentIn(so)));
                assert.deepEqual(folded(decoded(runs[0])), expected);
                const kept = decodeOutput(runs[1].snapshot().batches, 2);
                assert.deepEqual(folded(kept), expected);
              }
            }),
            { numRuns: runs(50) },
          );
        });

        it(`${title}: pushes the same changes in any batching`, () => {
          fc.assert(
            fc.property(cases(true), ([root, shared, list, { sizes, stepRowsMax }]) => {
              const part = deep ? shared : undefined;
              const given = [[1], [1000], sizes].map((cut, i) => {
                const plan = planOf(root, part, { kind: "retractions" }, appendOnly);
                const run = new Run(plan, { kind: "emit" }, i === 2 ? stepRowsMax : 8192);
                for (const piece of pieces(list, cut)) run.feed(inputsOf(piece));
                return decoded(run).map(({ row, weight }) => `${weight} ${asKeys([row])[0]}`);
              });
              assert.deepEqual(given[1], given[0]);
              assert.deepEqual(given[2], given[0]);
            }),
            { numRuns: runs(25) },
          );
        });

        it(`${title}: a pull gives the rows of a recomputation, and nothing is taken back`, () => {
          fc.assert(
            fc.property(cases(false), ([root, shared, list, { sizes, stepRowsMax }]) => {
              const plan = planOf(root, deep ? shared : undefined, { kind: "pull" }, appendOnly);
              const run = new Run(plan, { kind: "emit" }, stepRowsMax);
              for (const piece of pieces(list, sizes)) run.feed(inputsOf(piece));
              run.end();
              const given = decoded(run);
              assert.ok(given.every(({ weight }) => weight === 1));
              assert.deepEqual(folded(given), asKeys(naiveAnswer(plan, presentIn(list))));
              assert.ok(must(run.reports.at(-1), "there is a report").finished);
            }),
            { numRuns: runs(50) },
          );
        });
      }
    }
  }

  const source = (at: number): PhysicalNode => ({
    id: at,
    kind: "source",
    source: at,
    types: dynamicTypes(2),
  });
  const join = (rest: Partial<Extract<PhysicalNode, { kind: "join" }>>): PhysicalNode => ({
    id: 2,
    kind: "join",
    type: "cross",
    left: source(0),
    right: source(1),
    keys: [],
    leftAppendOnly: false,
    rightAppendOnly: false,
    lookup: false,
    types: dynamicTypes(4),
    ...rest,
  });
  const rowsOf = (at: number, count: number): Fed[] =>
    Array.from({ length: count }, (_, v) => ({ source: at, change: { row: [1, v], weight: 1 } }));

  it("gives the many rows of a cross join in as many steps as it takes", () => {
    const plan = planOf(join({}), undefined, { kind: "retractions" }, true);
    const run = new Run({ ...plan, output: outputColumns("a", "b", "c", "d") }, { kind: "emit" }, 8);
    run.feed(inputsOf([...rowsOf(0, 40), ...rowsOf(1, 40)]));
    assert.equal(decodeOutput(outputOf(run.reports), 4).length, 1600);
    assert.ok(run.reports.every(({ rowsOut }) => rowsOut <= 16));
  });

  it("names the operator whose state is too large", () => {
    const plan = planOf(join({}), undefined, { kind: "retractions" }, false);
    const run = new Run(plan, { kind: "emit" }, 1000, { queryStateBytesMax: 10_000 });
    assert.throws(
      () => run.feed(inputsOf(rowsOf(0, 500))),
      (error: unknown) => error instanceof Error && error.message.includes("join (operator 2)"),
    );
  });

  it("joins with what the right side has at the moment, when it looks up", () => {
    const key = { left: column(0), right: column(0), nullsEqual: false };
    for (const type of ["inner", "left"] as const) {
      const root = join({ type, keys: [key], lookup: true });
      const plan = planOf(root, undefined, { kind: "retractions" }, false);
      const run = new Run({ ...plan, output: outputColumns("a", "b", "c", "d") }, { kind: "emit" }, 8);
      const left: Fed = { source: 0, change: { row: ["k", 1], weight: 1 } };
      const right = (v: number, weight: 1 | -1): Fed => ({ source: 1, change: { row: ["k", v], weight } });
      run.feed(inputsOf([left, right(10, 1), left, right(10, -1), right(20, 1), left]));
      const rows = decodeOutput(outputOf(run.reports), 4);
      const expected = [
        ...(type === "left" ? [["k", 1, null, null]] : []),
        ["k", 1, "k", 10],
        ["k", 1, "k", 20],
      ];
      assert.deepEqual(
        rows,
        expected.map((row) => ({ row, weight: 1 })),
      );
    }
  });
});
