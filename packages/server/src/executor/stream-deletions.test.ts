import assert from "node:assert/strict";
import type { HInputObject } from "@hstream/proto";
import {
  DYNAMIC,
  type EmitMode,
  type PhysicalNode,
  type PhysicalPlan,
  type SqlValue,
  toStored,
} from "@hstream/sql/runtime";
import { runs } from "@hstream/proto/testing";
import * as fc from "fast-check";
import { naiveAnswer } from "./naive-plan.test.helper.js";
import { hrecord, outputColumns, recordBatch } from "./plans.test.helper.js";
import { asKeys, changes, cuts, present } from "./queries.test.helper.js";
import { type NodeName, nodes, plansOf } from "./random-plan.test.helper.js";
import {
  type Change,
  decodeOutput,
  folded,
  loadInflateForTests,
  outputOf,
  pieces,
  Run,
} from "./run.test.helper.js";
import type { StepInput } from "./step-input.js";

/** Deletions on streams: through decoder, source and every operator, against a recomputation. */

interface Fed {
  readonly source: number;
  readonly change: Change;
}

const deletion = new Map([
  ["hstream.op", "delete"],
  ["hstream.key", ""],
]);

function inputsOf(piece: readonly Fed[]): StepInput[] {
  return piece.map(({ source, change: { row, weight } }) => {
    const fields = new Map([
      ["c0", row[0] ?? null],
      ["c1", row[1] ?? null],
    ]);
    const record = hrecord(toStored(fields) as HInputObject);
    const batch = recordBatch([weight > 0 ? record : { ...record, attributes: deletion }]);
    return { kind: "records", source, batches: [batch] };
  });
}

function planOf(root: PhysicalNode, shared: PhysicalNode | undefined, emit: EmitMode): PhysicalPlan {
  const columns = ["c0", "c1"].map((name) => ({ kind: "field", name, type: DYNAMIC }) as const);
  return {
    sources: ["a", "b"].map((name) => ({ kind: "stream", name, id: name, columns, deletions: true })),
    ...(shared === undefined ? {} : { shared: [shared] }),
    root,
    output: outputColumns("x", "y"),
    emit,
  };
}

const presentIn = (fed: readonly Fed[]): SqlValue[][][] =>
  [0, 1].map((source) => present(fed.filter((one) => one.source === source).map(({ change }) => change)));

/** Changes of two sources in the order in which they were made, and in one in which rows may go before they come. */
const histories = fc
  .tuple(changes(true, 12), changes(true, 12))
  .map((lists) => lists.flatMap((list, source) => list.map((change): Fed => ({ source, change }))))
  .chain((made) => {
    const shuffled = fc.shuffledSubarray(made, { minLength: made.length, maxLength: made.length });
    return fc.tuple(fc.constant(made), shuffled);
  });

const decoded = (run: Run): Change[] => decodeOutput(outputOf(run.reports), 2);

describe("deletions on streams", () => {
  before(loadInflateForTests);

  for (const name of Object.keys(nodes) as NodeName[]) {
    const cases = fc.tuple(
      plansOf(name, { deep: false, perRecord: false, shared: false }),
      histories,
      cuts,
      fc.infiniteStream(fc.boolean()),
    );

    it(`${name}: rows and deletions come to the answer over what is left`, () => {
      fc.assert(
        fc.property(cases, ([root, [made, disordered], { sizes, stepRowsMax }, reopens]) => {
          for (const history of [made, disordered]) {
            // A group is let go of when as many rows were taken back as came, though they be others.
            const isExact = history === made || name !== "aggregate";
            const pushed = planOf(root, undefined, { kind: "retractions" });
            const push = new Run(pushed, { kind: "emit" }, stepRowsMax);
            const view = new Run(
              planOf(root, undefined, { kind: "coalesced" }),
              { kind: "materialize" },
              stepRowsMax,
            );
            for (const piece of [[], ...pieces(history, sizes)]) {
              for (const run of [push, view]) run.feed(inputsOf(piece));
              if (reopens.next().value === true) for (const run of [push, view]) run.reopen();
            }
            if (!isExact) continue;
            const expected = asKeys(naiveAnswer(pushed, presentIn(made)));
            assert.deepEqual(folded(decoded(push)), expected);
            assert.deepEqual(folded(decodeOutput(view.snapshot().batches, 2)), expected);
          }
        }),
        { numRuns: runs(60) },
      );
    });
  }
});
