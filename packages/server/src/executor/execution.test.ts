import assert from "node:assert/strict";
import { type ColumnDef, decodeRowBatch, isMalformed, RowBatch } from "@hstream/proto";
import {
  compareTotal,
  DYNAMIC,
  type EmitMode,
  type Expression,
  fromJson,
  type PhysicalNode,
  type PhysicalPlan,
  rowKeyText,
  type SqlValue,
} from "@hstream/sql/runtime";
import * as fc from "fast-check";
import { limits } from "../limits.js";
import { batchOfRows } from "./columns.js";
import { loadInflate, type Inflate } from "./decode/inflate.js";
import { ResultEncoder } from "./encode/result-encoder.js";
import { Execution, type SinkKind } from "./execution.js";
import type { StepInput, StepReport } from "./step-input.js";
import {
  call,
  column,
  dynamicTypes,
  hrecord,
  literal,
  outputColumns,
  recordBatch,
  storedBatch,
  streamPlan,
} from "./test-support.js";

interface Change {
  readonly row: readonly SqlValue[];
  readonly weight: 1 | -1;
}

const inputColumns = outputColumns("k", "v");
const keys = fc.constantFrom<SqlValue>(
  null,
  1,
  { kind: "decimal", unscaled: 1n, scale: 0 },
  "1",
  "a",
  "b",
  true,
  2.5,
  9_007_199_254_740_993n,
);
const values = fc.oneof(
  fc.integer({ min: -3, max: 9 }),
  fc.constantFrom(null, 9_007_199_254_740_991, 9_007_199_254_740_993n),
);
const inputRow = fc.tuple(keys, values);

/** Insertions, and deletions of what is there. */
const changes = (deletions: boolean): fc.Arbitrary<Change[]> =>
  fc
    .array(fc.record({ row: inputRow, deletes: fc.option(fc.nat(), { freq: 2 }) }), { maxLength: 25 })
    .map((steps) => {
      const present: (readonly SqlValue[])[] = [];
      return steps.map(({ row, deletes }): Change => {
        if (!deletions || deletes === null || present.length === 0) {
          present.push(row);
          return { row, weight: 1 };
        }
        const [gone = row] = present.splice(deletes % present.length, 1);
        return { row: gone, weight: -1 };
      });
    });

function encodeChanges(list: readonly Change[]): Uint8Array[] {
  const into: Uint8Array[] = [];
  const encoder = new ResultEncoder(inputColumns, limits);
  const operations = Uint8Array.from(list, ({ weight }) => (weight < 0 ? 1 : 0));
  encoder.encode(
    batchOfRows(
      list.map(({ row }) => row),
      2,
    ),
    operations,
    into,
  );
  return into;
}

/** Cuts a list into pieces of the given sizes, again and again. */
function pieces<T>(list: readonly T[], sizes: readonly number[]): T[][] {
  const result: T[][] = [];
  for (let at = 0, i = 0; at < list.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    result.push(list.slice(at, at + size));
    at += size;
  }
  return result;
}

/** Rows with whether they are there (+) or gone (−), as values again. */
function decodeOutput(batches: readonly Uint8Array[], width: number): Change[] {
  return batches.flatMap((bytes) => {
    const rows = decodeRowBatch(RowBatch.decode(bytes), width);
    assert(!isMalformed(rows));
    return Array.from(
      { length: rows.rowCount },
      (_, row): Change => ({
        row: rows.columns.map((reader) =>
          reader.kind === "json" ? fromJson(reader.get(row)) : (reader.get(row) as SqlValue),
        ),
        weight: rows.isDelete(row) ? -1 : 1,
      }),
    );
  });
}

let inflate: Inflate;

class Run {
  readonly #execution: Execution;
  readonly reports: StepReport[] = [];

  constructor(plan: PhysicalPlan, sink: SinkKind, stepRowsMax: number) {
    this.#execution = new Execution(plan, sink, 0, inflate, { ...limits, stepRowsMax });
  }

  feed(inputs: readonly StepInput[]): StepReport[] {
    this.#execution.feed(inputs);
    const reports: StepReport[] = [];
    while (this.#execution.pending) reports.push(this.#execution.step(0));
    this.reports.push(...reports);
    return reports;
  }

  end(): StepReport[] {
    const before = this.reports.length;
    this.feed([]);
    for (let done = false; !done; ) {
      const finished = this.#execution.finish();
      this.reports.push(finished.report);
      done = finished.done;
    }
    return this.reports.slice(before);
  }

  snapshot(): { batches: Uint8Array[]; columns: readonly ColumnDef[] } {
    const all = [...this.#execution.snapshot()];
    return { batches: all.flatMap(({ batches }) => batches), columns: all.at(-1)?.columns ?? [] };
  }
}

const outputOf = (reports: readonly StepReport[]): Uint8Array[] => reports.flatMap(({ output }) => output);

/** A multiset of rows as sorted texts. */
function folded(list: readonly Change[]): string[] {
  const counts = new Map<string, number>();
  for (const { row, weight } of list) {
    const key = rowKeyText(row);
    counts.set(key, (counts.get(key) ?? 0) + weight);
  }
  return [...counts]
    .flatMap(([key, count]) => {
      assert.ok(count >= 0, "nothing is taken back that was not given");
      return new Array<string>(count).fill(key);
    })
    .sort();
}

/** The last state by key. */
function upserted(list: readonly Change[], keyColumns: readonly number[]): string[] {
  const rows = new Map<string, string>();
  for (const { row, weight } of list) {
    const key = rowKeyText(keyColumns.map((index) => row[index] as SqlValue));
    if (weight < 0) rows.delete(key);
    else rows.set(key, rowKeyText(row));
  }
  return [...rows.values()].sort();
}

// --- the queries, and what they mean ---

interface Query {
  readonly over: (source: PhysicalNode) => PhysicalNode;
  readonly width: number;
  readonly keyColumns: readonly number[];
  /** Straight from the definition, over the rows that are there. */
  readonly naive: (rows: readonly (readonly SqlValue[])[]) => SqlValue[][];
}

const calls = [
  { function: "COUNT", args: [], distinct: false, type: DYNAMIC },
  { function: "SUM", args: [column(1)], distinct: false, type: DYNAMIC },
  { function: "MIN", args: [column(1)], distinct: false, type: DYNAMIC },
  { function: "COUNT", args: [column(1)], distinct: true, type: DYNAMIC },
  { function: "COUNT", args: [], distinct: false, type: DYNAMIC, filter: call(">", column(1), literal(2)) },
] as const;

function naiveGroup(group: readonly (readonly SqlValue[])[]): SqlValue[] {
  const present = group.map((row) => row[1] as SqlValue).filter((value) => value !== null);
  const sum = present.reduce<bigint>((total, value) => total + BigInt(value as number | bigint), 0n);
  const asValue =
    BigInt.asIntN(54, sum) === sum && Math.abs(Number(sum)) <= Number.MAX_SAFE_INTEGER ? Number(sum) : sum;
  return [
    group.length,
    present.length === 0 ? null : asValue,
    present.reduce<SqlValue>(
      (least, value) => (least === null || compareTotal(value, least) < 0 ? value : least),
      null,
    ),
    new Set(present.map((value) => rowKeyText([value]))).size,
    present.filter((value) => compareTotal(value, 2) > 0).length,
  ];
}

function naiveGroups(
  rows: readonly (readonly SqlValue[])[],
  keysOf: (row: readonly SqlValue[]) => SqlValue[],
): SqlValue[][] {
  const groups = new Map<string, (readonly SqlValue[])[]>();
  for (const row of rows) {
    const key = rowKeyText(keysOf(row));
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].map((group) => [...keysOf(group[0] ?? []), ...naiveGroup(group)]);
}

function aggregate(
  input: PhysicalNode,
  groupBy: readonly Expression[],
  options: { appendOnly: boolean; emission: "per-record" | "per-step" },
): PhysicalNode {
  return {
    id: 1,
    kind: "aggregate",
    input,
    keys: groupBy,
    calls,
    types: dynamicTypes(groupBy.length + calls.length),
    ...options,
  };
}

function queries(options: {
  appendOnly: boolean;
  emission: "per-record" | "per-step";
}): Record<string, Query> {
  const byKey: Query = {
    over: (source) => aggregate(source, [column(0)], options),
    width: 6,
    keyColumns: [0],
    naive: (rows) => naiveGroups(rows, (row) => [row[0] as SqlValue]),
  };
  const having = (source: PhysicalNode): PhysicalNode => {
    const input = byKey.over(source);
    const predicate = call("BETWEEN", column(1), literal(2), literal(3));
    return { id: 2, kind: "filter", input, predicate, types: input.types };
  };
  return {
    "one key": byKey,
    "two keys": {
      over: (source) => aggregate(source, [column(0), column(1)], options),
      width: 7,
      keyColumns: [0, 1],
      naive: (rows) => naiveGroups(rows, (row) => [...row]),
    },
    "no key": {
      over: (source) => aggregate(source, [], options),
      width: 5,
      keyColumns: [],
      naive: (rows) => [naiveGroup(rows)],
    },
    having: {
      ...byKey,
      over: having,
      naive: (rows) => byKey.naive(rows).filter((row) => row[1] === 2 || row[1] === 3),
    },
    "key left out": {
      over: (source) => {
        const input = byKey.over(source);
        return { id: 2, kind: "project", input, items: [column(1), column(2)], types: dynamicTypes(2) };
      },
      width: 2,
      keyColumns: [],
      naive: (rows) => byKey.naive(rows).map((row) => row.slice(1, 3)),
    },
    "filter and project": {
      over: (source) => {
        const input: PhysicalNode = {
          id: 1,
          kind: "filter",
          input: source,
          predicate: call("=", column(1), literal(3)),
          types: dynamicTypes(2),
        };
        return {
          id: 2,
          kind: "project",
          input,
          items: [column(1), call("IS NULL", column(0))],
          types: dynamicTypes(2),
        };
      },
      width: 2,
      keyColumns: [],
      naive: (rows) => rows.filter((row) => row[1] === 3).map((row) => [3, row[0] === null]),
    },
  };
}

function planOf(query: Query, emit: EmitMode, appendOnly: boolean): PhysicalPlan {
  const source: PhysicalNode = { id: 0, kind: "source", source: 0, types: dynamicTypes(2) };
  const names = Array.from({ length: query.width }, (_, i) => `c${i}`);
  return {
    sources: [{ kind: "rows", name: "r", id: "1", columns: [0, 1], types: dynamicTypes(2), appendOnly }],
    root: query.over(source),
    output: outputColumns(...names),
    emit,
  };
}

function present(list: readonly Change[]): SqlValue[][] {
  const rows: (readonly SqlValue[])[] = [];
  for (const { row, weight } of list) {
    if (weight > 0) rows.push(row);
    else
      rows.splice(
        rows.findIndex((other) => rowKeyText(other) === rowKeyText(row)),
        1,
      );
  }
  return rows.map((row) => [...row]);
}

const asKeys = (rows: readonly (readonly SqlValue[])[]): string[] =>
  rows.map((row) => rowKeyText(row)).sort();
const rowsInput = (list: readonly Change[]): StepInput[] => [
  { kind: "rows", source: 0, batches: encodeChanges(list) },
];
const cuts = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 3 }),
  stepRowsMax: fc.integer({ min: 2, max: 9 }),
});

describe("execution", () => {
  before(async () => {
    inflate = await loadInflate(limits.inflatedBytesMax);
  });

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
            { numRuns: 60 },
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
              { numRuns: 60 },
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
        { numRuns: 60 },
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
      { numRuns: 200 },
    );
  });

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
          columns: [{ kind: "field", name: "n", type: DYNAMIC }, { kind: "record" }],
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
