import assert from "node:assert/strict";
import { RowBatch } from "@hstream/proto";
import { DYNAMIC, type PhysicalNode, type PhysicalPlan, type SqlValue } from "@hstream/sql/runtime";
import { limits } from "../limits.js";
import {
  aggregateNode,
  call,
  column,
  dynamicTypes,
  hrecord,
  literal,
  outputColumns,
  recordBatch,
  storedBatch,
  streamPlan,
} from "./plans.test.helper.js";
import { aggregate, asKeys, calls, planOf, queries, type Query } from "./queries.test.helper.js";
import {
  type Change,
  decodeOutput,
  folded,
  loadInflateForTests,
  outputOf,
  rowsInput,
  Run,
} from "./run.test.helper.js";
import type { StepReport } from "./step-input.js";

describe("execution", () => {
  before(loadInflateForTests);

  it("stops reading once LIMIT has its rows", () => {
    const plan = streamPlan(
      ["n"],
      (input) => ({ id: 1, kind: "limit", input, limit: 3, offset: 1, types: dynamicTypes(1) }),
      {
        emit: { kind: "pull" },
        output: outputColumns("n"),
      },
    );
    const run = new Run(plan, { kind: "emit" }, 10);
    const batch = storedBatch(Array.from({ length: 100 }, (_, n) => ({ n })));
    const [, first] = run.feed([{ kind: "records", source: 0, batches: [batch] }]);
    assert.equal(first?.finished, true);
    assert.equal(first.rowsIn, 10);
    run.end();
    assert.deepEqual(
      decodeOutput(outputOf(run.reports), 1).map(({ row }) => row),
      [[1], [2], [3]],
    );
  });

  it("is not finished while an operator above a LIMIT holds back its rows", () => {
    const limit = (input: PhysicalNode): PhysicalNode => ({
      id: 1,
      kind: "limit",
      input,
      limit: 3,
      offset: 0,
      types: input.types,
    });
    const plan = streamPlan(
      ["n"],
      (source) => aggregateNode(limit(source), [], { appendOnly: true, emission: "per-step" }),
      { emit: { kind: "pull" }, output: outputColumns("count") },
    );
    const run = new Run(plan, { kind: "emit" }, 10);
    const batch = storedBatch(Array.from({ length: 100 }, (_, n) => ({ n })));
    const fed = run.feed([{ kind: "records", source: 0, batches: [batch] }]);
    assert.ok(fed.every(({ finished }) => !finished));
    run.end();
    assert.deepEqual(
      decodeOutput(outputOf(run.reports), 1).map(({ row }) => row),
      [[3]],
    );
  });

  it("ends a query at its emit limit", () => {
    const plan = streamPlan(["n"], (source) => source, {
      emit: { kind: "changes" },
      output: outputColumns("n"),
      emitLimit: 5,
    });
    const run = new Run(plan, { kind: "emit" }, 3);
    run.feed([
      { kind: "records", source: 0, batches: [storedBatch(Array.from({ length: 100 }, (_, n) => ({ n })))] },
    ]);
    assert.equal(run.reports.at(-1)?.finished, true);
    assert.equal(
      run.reports.reduce((rows, { rowsOut }) => rows + rowsOut, 0),
      5,
    );
  });

  it("gives the row of an aggregate over nothing", () => {
    const plan = streamPlan(
      ["n"],
      (source) => aggregate(source, [], { appendOnly: true, emission: "per-step" }),
      { emit: { kind: "pull" }, output: outputColumns("a", "b", "c", "d", "e") },
    );
    const run = new Run(
      { ...plan, root: { ...plan.root, calls: [calls[0]] } as PhysicalNode, output: outputColumns("a") },
      { kind: "emit" },
      10,
    );
    run.end();
    assert.deepEqual(
      decodeOutput(outputOf(run.reports), 1).map(({ row }) => row),
      [[0]],
    );
  });

  it("evaluates VALUES without input", () => {
    const root: PhysicalNode = {
      id: 1,
      kind: "values",
      rows: [[call("+", literal(1), literal(2))], [literal("x")]],
      types: dynamicTypes(1),
    };
    const run = new Run(
      { sources: [], root, emit: { kind: "pull" }, output: outputColumns("a") },
      { kind: "emit" },
      1,
    );
    run.end();
    assert.deepEqual(
      decodeOutput(outputOf(run.reports), 1).map(({ row }) => row),
      [[3], ["x"]],
    );
  });

  it("spreads records into columns, announced as they turn up, and keeps the law of input", () => {
    const output = [
      { name: "n", type: DYNAMIC, spread: false },
      { name: "s", type: DYNAMIC, spread: true },
    ];
    const plan: PhysicalPlan = {
      ...streamPlan([], (source) => source, { emit: { kind: "changes" }, output }),
      sources: [
        {
          kind: "stream",
          name: "s",
          id: "1",
          columns: [
            { kind: "field", name: "n", type: DYNAMIC },
            { kind: "record", without: [] },
          ],
        },
      ],
    };
    const run = new Run(plan, { kind: "emit" }, 2);
    const raw = { flag: 1, key: "", payload: Buffer.from("x") };
    const records = [hrecord({ n: 1, a: "x" }), hrecord({ b: true }), raw, hrecord({ a: "y", n: 2 })];
    run.feed([{ kind: "records", source: 0, batches: [recordBatch(records)] }]);
    const added: string[] = [];
    const rows = outputOf(run.reports).flatMap((bytes) => {
      const batch = RowBatch.decode(bytes);
      added.push(...batch.addedColumns.map(({ name }) => name));
      return decodeOutput([bytes], 1 + added.length).map(({ row }) =>
        Object.fromEntries(row.map((value, i) => [["n", ...added][i], value])),
      );
    });
    assert.deepEqual(added, ["s.n", "a", "b"]);
    assert.deepEqual(rows, [
      { n: 1, "s.n": 1, a: "x", b: null },
      { n: null, "s.n": null, a: null, b: true },
      { n: 2, "s.n": 2, a: "y", b: null },
    ]);
    const total = (of: (report: StepReport) => number): number =>
      run.reports.reduce((sum, report) => sum + of(report), 0);
    assert.deepEqual(
      [total(({ rowsIn }) => rowsIn), total(({ rowsOut }) => rowsOut), total(({ diverted }) => diverted)],
      [4, 3, 1],
    );
  });

  it("enters an expression's error once, for the insertion", () => {
    const division: Query = {
      over: (input) => ({
        id: 1,
        kind: "project",
        input,
        items: [call("/", literal(1), column(1))],
        types: dynamicTypes(1),
      }),
      width: 1,
      keyColumns: [],
      naive: () => [],
    };
    const run = new Run(planOf(division, { kind: "retractions" }, false), { kind: "emit" }, 10);
    run.feed(
      rowsInput([
        { row: ["a", 0], weight: 1 },
        { row: ["b", 2], weight: 1 },
        { row: ["a", 0], weight: -1 },
      ]),
    );
    assert.deepEqual(
      run.reports.map(({ errors }) => errors.count),
      [0, 1],
    );
    assert.match(run.reports[1]?.errors.first[0]?.message ?? "", /division by zero/);
    assert.deepEqual(
      decodeOutput(outputOf(run.reports), 1).map(({ row, weight }) => [weight, ...row]),
      [
        [1, null],
        [1, 0.5],
        [-1, null],
      ],
    );
  });

  it("casts declared columns, and reports what cannot be cast", () => {
    const plan: PhysicalPlan = {
      ...streamPlan([], (source) => source, { emit: { kind: "changes" }, output: outputColumns("n") }),
      sources: [
        {
          kind: "stream",
          name: "s",
          id: "1",
          columns: [{ kind: "field", name: "n", type: { kind: "integer" } }],
        },
      ],
    };
    const run = new Run(plan, { kind: "emit" }, 10);
    run.feed([
      {
        kind: "records",
        source: 0,
        batches: [storedBatch([{ n: 1 }, { n: "2" }, { n: 3.7 }, { n: "x" }, {}])],
      },
    ]);
    assert.deepEqual(
      decodeOutput(outputOf(run.reports), 1).map(({ row }) => row[0]),
      [1, 2, 3, null, null],
    );
    assert.equal(run.reports.at(-1)?.errors.count, 1);
  });

  for (const emission of ["per-record", "per-step"] as const) {
    it(`frees groups that are gone, and keeps the others as they are, ${emission}`, () => {
      const query = queries({ appendOnly: false, emission })["one key"] as Query;
      const run = new Run(planOf(query, { kind: "coalesced" }, false), { kind: "materialize" }, 8192);
      const all: Change[] = [];
      const sizes: number[] = [];
      const feed = (rows: readonly SqlValue[][], weight: 1 | -1): void => {
        const list = rows.map((row) => ({ row, weight }));
        run.feed(rowsInput(list));
        all.push(...list);
      };
      for (let round = 0; round < 6; round++) {
        const gone = Array.from({ length: 3000 }, (_, i): SqlValue[] => [round * 3000 + i, 1]);
        feed(gone, 1);
        feed(
          [
            [`stays ${round}`, round],
            ["stays", round],
            ["large", 9_007_199_254_740_991],
            ["large", 2 ** 53 - 1 - round],
          ],
          1,
        );
        feed(gone, -1);
        sizes.push(run.reports.at(-1)?.stateBytes ?? 0);
      }
      assert.ok((sizes[5] ?? 0) <= 1.1 * (sizes[1] ?? 0), `state grows: ${sizes.join()}`);
      const stay = all.filter(({ row }) => typeof row[0] === "string").map(({ row }) => row);
      assert.deepEqual(folded(decodeOutput(run.snapshot().batches, query.width)), asKeys(query.naive(stay)));
    });
  }

  it("keeps every encoded batch below its limit", () => {
    const plan = streamPlan(["t"], (source) => source, {
      emit: { kind: "pull" },
      output: outputColumns("t"),
    });
    const run = new Run(plan, { kind: "emit" }, 8192);
    run.feed([
      {
        kind: "records",
        source: 0,
        batches: [storedBatch(Array.from({ length: 300 }, (_, i) => ({ t: `${i} ${"x".repeat(20_000)}` })))],
      },
    ]);
    const output = outputOf(run.reports);
    assert.ok(output.every((bytes) => bytes.length <= limits.resultBatchBytesMax));
    assert.equal(decodeOutput(output, 1).length, 300);
  });
});
