import assert from "node:assert/strict";
import { must } from "@hstream/proto";
import { runs } from "@hstream/proto/testing";
import {
  bindStatement,
  type Catalog,
  INTEGER,
  optimise,
  parseScript,
  type PhysicalPlan,
  type Relation,
  rowKeyText,
  type SqlValue,
  toPhysical,
} from "@hstream/sql";
import * as fc from "fast-check";
import type { SinkKind } from "../executor/execution.js";
import { hrecord, recordBatch, storedBatch } from "../executor/plans.test.helper.js";
import { decodeOutput, folded, loadInflateForTests, outputOf, Run } from "../executor/run.test.helper.js";
import type { StepInput } from "../executor/step-input.js";
import {
  type Answer,
  hopping,
  joinedWithin,
  type JoinKind,
  NaiveSource,
  type ReadRecord,
  sessions,
  sliding,
  type TimedRecord,
} from "./naive-time.test.helper.js";

/** Windows and joins within a time, in SQL, against a naive evaluation after every step. */

const latenessMs = 3;
const shards = [1, 2];
const stream = (name: string): Relation => ({
  kind: "stream",
  id: name,
  name,
  columns: ["k", "v", "t"].map((column) => ({ name: column, type: INTEGER })),
  open: true,
  appendOnly: true,
  timeColumn: "t",
  latenessMs,
});
const relations = new Map(["s", "r"].map((name) => [name, stream(name)]));
relations.set("d", { ...stream("d"), appendOnly: false });
const catalog: Catalog = {
  relation: (name) => relations.get(name),
  relationNames: () => [...relations.keys()],
};

function planOf(sql: string): PhysicalPlan {
  const { statements } = parseScript(`${sql};`);
  const { bound, diagnostics } = bindStatement(must(statements[0], "a statement"), catalog);
  assert.deepEqual(diagnostics, []);
  assert(bound?.kind === "query");
  return toPhysical(optimise(bound.query));
}

/** What happens to a source, one after the other. */
type Event =
  | {
      readonly kind: "records";
      readonly stream: string;
      readonly shard: number;
      readonly list: TimedRecord[];
    }
  | { readonly kind: "idle"; readonly stream: string; readonly shard: number; readonly elapsedMs: number }
  | { readonly kind: "watermark"; readonly stream: string; readonly shard: number; readonly timeMs: number };

const streamName = fc.constantFrom("s", "r");
const shard = fc.constantFrom(...shards);
/** Times go on, with some disorder. */
const events = fc
  .array(
    fc.record({
      stream: streamName,
      shard,
      step: fc.nat(6),
      what: fc.constantFrom("records", "records", "records", "records", "idle", "watermark"),
      list: fc.array(fc.record({ k: fc.nat(2), v: fc.nat(9), back: fc.nat(9) }), {
        minLength: 1,
        maxLength: 4,
      }),
    }),
    { maxLength: 25 },
  )
  .map((drawn): Event[] => {
    let now = 0;
    return drawn.map(({ stream: name, shard: of, step, what, list }): Event => {
      now += step;
      const at = now;
      if (what === "idle") return { kind: "idle", stream: name, shard: of, elapsedMs: step };
      if (what === "watermark") return { kind: "watermark", stream: name, shard: of, timeMs: at - 5 };
      const records = list.map(({ k, v, back }) => ({ k, v, t: Math.max(0, at - back) }));
      return { kind: "records", stream: name, shard: of, list: records };
    });
  });

interface Cut {
  /** Events that are fed at once. */
  readonly sizes: readonly number[];
  readonly stepRowsMax: number;
  /** Whether the query is saved and loaded after a feed. */
  readonly reopens: readonly boolean[];
}
const cut: fc.Arbitrary<Cut> = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }),
  stepRowsMax: fc.integer({ min: 2, max: 20 }),
  reopens: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
});

/** A run of a plan, and the same events in the naive sources. */
class Trial {
  readonly #plan: PhysicalPlan;
  readonly #run: Run;
  readonly sources = new Map(
    [...relations.keys()].map((name) => [name, new NaiveSource(latenessMs, shards)]),
  );
  readonly read = new Map<string, ReadRecord[]>([...relations.keys()].map((name) => [name, []]));

  constructor(plan: PhysicalPlan, sink: SinkKind, stepRowsMax: number) {
    this.#plan = plan;
    this.#run = new Run(plan, sink, stepRowsMax);
    this.#run.feed(plan.sources.map((_, source): StepInput => ({ kind: "shards", source, shards })));
  }

  feed(list: readonly Event[], reopens: boolean): void {
    for (const event of list) {
      const source = must(this.sources.get(event.stream), "a stream");
      if (event.kind === "idle") source.idle(event.shard, event.elapsedMs);
      else if (event.kind === "watermark") source.tell(event.shard, event.timeMs);
      else {
        for (const record of event.list) this.read.get(event.stream)?.push(source.read(event.shard, record));
      }
    }
    this.#run.feed(list.flatMap((event) => this.#inputs(event)));
    if (reopens) this.#run.reopen();
  }

  #inputs(event: Event): StepInput[] {
    return this.#plan.sources.flatMap(({ id }, source): StepInput[] => {
      if (id !== event.stream) return [];
      const { shard: of } = event;
      if (event.kind === "idle") return [{ kind: "idle", source, shard: of, elapsedMs: event.elapsedMs }];
      if (event.kind === "watermark") return [{ kind: "watermark", source, shard: of, timeMs: event.timeMs }];
      const batches = [storedBatch(event.list.map((record) => ({ ...record })))];
      return [{ kind: "records", source, shard: of, batches }];
    });
  }

  get changes(): ReturnType<typeof decodeOutput> {
    return decodeOutput(outputOf(this.#run.reports), this.#plan.output.length);
  }

  get folded(): string[] {
    return folded(this.changes);
  }

  get kept(): string[] {
    return folded(decodeOutput(this.#run.snapshot().batches, this.#plan.output.length));
  }

  get late(): number {
    return this.#run.reports.reduce((sum, { divertedBy }) => sum + (divertedBy.late ?? 0), 0);
  }

  get rowsIn(): number {
    return this.#run.reports.reduce((sum, { rowsIn }) => sum + rowsIn, 0);
  }

  get stateBytes(): number {
    return this.#run.reports.at(-1)?.stateBytes ?? 0;
  }

  records(name: string): readonly ReadRecord[] {
    return must(this.read.get(name), "a stream");
  }

  watermark(name: string): number {
    return must(this.sources.get(name), "a stream").watermark;
  }
}

function pieces<T>(list: readonly T[], sizes: readonly number[]): T[][] {
  const result: T[][] = [];
  for (let at = 0, i = 0; at < list.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    result.push(list.slice(at, at + size));
    at += size;
  }
  return result;
}

const timestamp = (ms: number): SqlValue => ({ kind: "timestamp", ms });
/** Key, window bounds, aggregates. */
const asRow = ([k, start, end, ...rest]: readonly number[]): SqlValue[] => [
  must(k, "a key"),
  timestamp(must(start, "a start")),
  timestamp(must(end, "an end")),
  ...rest,
];
const asKeys = (rows: readonly (readonly SqlValue[])[]): string[] =>
  rows.map((row) => rowKeyText(row)).sort();
const windowRows = (answer: Answer): string[] => asKeys(answer.rows.map(({ row }) => asRow(row)));

const items = "k, window_start, window_end, COUNT(*) AS n, SUM(v) AS s, MIN(v) AS lo, MAX(v) AS hi";
const windows: readonly {
  readonly name: string;
  readonly from: string;
  readonly naive: (records: readonly ReadRecord[]) => Answer;
}[] = [
  { name: "TUMBLE", from: "TUMBLE(s, INTERVAL 7 MILLISECOND)", naive: (list) => hopping(7, 7, list) },
  {
    name: "HOP",
    from: "HOP(s, INTERVAL 7 MILLISECOND, INTERVAL 3 MILLISECOND)",
    naive: (list) => hopping(7, 3, list),
  },
  { name: "SLIDE", from: "SLIDE(s, INTERVAL 5 MILLISECOND)", naive: (list) => sliding(5, list) },
  { name: "SESSION", from: "SESSION(s, INTERVAL 3 MILLISECOND)", naive: (list) => sessions(3, list) },
  {
    name: "TUMBLE over a subquery",
    from: "TUMBLE((SELECT k, v FROM s WHERE v > 2), INTERVAL 7 MILLISECOND)",
    naive: (list) => {
      // What is filtered below is late nowhere.
      return hopping(
        7,
        7,
        list.filter(({ v }) => v > 2),
      );
    },
  },
];

describe("windows", () => {
  before(loadInflateForTests);

  for (const { name, from, naive } of windows) {
    const grouped = `SELECT ${items} FROM ${from} GROUP BY k`;

    for (const emit of ["CHANGES WITH RETRACTIONS", "CHANGES", "CHANGES COALESCED"]) {
      it(`${name}, EMIT ${emit}: after every step what was given is a recomputation`, () => {
        const plan = planOf(`${grouped} EMIT ${emit}`);
        fc.assert(
          fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
            const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
            for (const [i, piece] of pieces(list, sizes).entries()) {
              trial.feed(piece, reopens[i % reopens.length] === true);
              const expected = naive(trial.records("s"));
              const shown =
                emit === "CHANGES WITH RETRACTIONS"
                  ? trial.folded
                  : asKeys([...latest(trial.changes).values()]);
              if (emit === "CHANGES WITH RETRACTIONS" || name !== "SESSION")
                assert.deepEqual(shown, windowRows(expected));
              assert.equal(trial.late, expected.late);
              assert.equal(trial.rowsIn, trial.records("s").length);
            }
          }),
          { numRuns: runs(60) },
        );
      });
    }

    it(`${name}: what is kept is a recomputation after every step`, () => {
      const plan = planOf(`${grouped} EMIT CHANGES COALESCED`);
      fc.assert(
        fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
          const trial = new Trial(plan, { kind: "materialize" }, stepRowsMax);
          for (const [i, piece] of pieces(list, sizes).entries()) {
            trial.feed(piece, reopens[i % reopens.length] === true);
            assert.deepEqual(trial.kept, windowRows(naive(trial.records("s"))));
          }
        }),
        { numRuns: runs(60) },
      );
    });

    it(`${name}, EMIT FINAL: each window once, when the watermark has closed it`, () => {
      const plan = planOf(`${grouped} EMIT FINAL`);
      fc.assert(
        fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
          const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
          for (const [i, piece] of pieces(list, sizes).entries()) {
            trial.feed(piece, reopens[i % reopens.length] === true);
            const { rows, late } = naive(trial.records("s"));
            const closed = rows.filter(({ closedAt }) => closedAt <= trial.watermark("s"));
            assert.deepEqual(
              asKeys(trial.changes.map(({ row }) => row)),
              asKeys(closed.map(({ row }) => asRow(row))),
            );
            assert.equal(trial.late, late);
          }
        }),
        { numRuns: runs(60) },
      );
    });

    it(`${name}: a pull counts every stored record`, () => {
      const plan = planOf(grouped);
      fc.assert(
        fc.property(events, cut, (list, { sizes, stepRowsMax }) => {
          const stored = list.flatMap((event) =>
            event.kind === "records" && event.stream === "s" ? event.list : [],
          );
          const run = new Run(plan, { kind: "emit" }, stepRowsMax);
          for (const piece of pieces(stored, sizes)) {
            run.feed([
              { kind: "records", source: 0, batches: [storedBatch(piece.map((one) => ({ ...one })))] },
            ]);
          }
          run.end();
          const everything = stored.map((one) => ({ ...one, before: Number.NEGATIVE_INFINITY }));
          const given = decodeOutput(outputOf(run.reports), plan.output.length);
          assert.deepEqual(asKeys(given.map(({ row }) => row)), windowRows(naive(everything)));
        }),
        { numRuns: runs(60) },
      );
    });

    it(`${name}: the order in which rows come does not matter, but for what is late`, () => {
      const plan = planOf(grouped);
      fc.assert(
        fc.property(events, fc.nat(), (list, turn) => {
          const stored = list.flatMap((event) =>
            event.kind === "records" && event.stream === "s" ? event.list : [],
          );
          const [one, other] = [
            stored,
            [...stored.slice(turn % 7), ...stored.slice(0, turn % 7)].reverse(),
          ].map((records) => {
            const run = new Run(plan, { kind: "emit" }, 100);
            run.feed([
              { kind: "records", source: 0, batches: [storedBatch(records.map((r) => ({ ...r })))] },
            ]);
            run.end();
            return asKeys(decodeOutput(outputOf(run.reports), plan.output.length).map(({ row }) => row));
          });
          assert.deepEqual(one, other);
        }),
        { numRuns: runs(40) },
      );
    });
  }

  it("are there for every aggregate of a session that others join, in the order of arrival", () => {
    const plan = planOf(
      "SELECT k, window_start, LATEST(v) AS l, COUNT(DISTINCT v) AS d, AVG(v) AS a, TOPK(v, 2) AS t FROM SESSION(s, INTERVAL 3 MILLISECOND) GROUP BY k EMIT CHANGES WITH RETRACTIONS",
    );
    const trial = new Trial(plan, { kind: "emit" }, 100);
    const at = (v: number, t: number): TimedRecord => ({ k: 1, v, t });
    trial.feed([{ kind: "records", stream: "s", shard: 1, list: [at(1, 20), at(5, 26), at(5, 27)] }], true);
    trial.feed([{ kind: "records", stream: "s", shard: 1, list: [at(2, 23)] }], true);
    const row: SqlValue[] = [1, timestamp(20), 2, 3, 13 / 4, [5, 5]];
    assert.deepEqual(trial.folded, asKeys([row]));
  });
});

/** The last state by the first three columns. */
function latest(changes: ReturnType<typeof decodeOutput>): Map<string, readonly SqlValue[]> {
  const rows = new Map<string, readonly SqlValue[]>();
  for (const { row, weight } of changes) {
    const key = rowKeyText(row.slice(0, 3));
    if (weight < 0) rows.delete(key);
    else rows.set(key, row);
  }
  return rows;
}

describe("windows over rows that are no stream's", () => {
  before(loadInflateForTests);

  /** By k, the ends of windows of 14 ms: number, sum and greatest of the rows. */
  const sums = (
    rows: readonly { readonly k: number; readonly t: number; readonly n: number }[],
  ): string[] => {
    const groups = new Map<string, SqlValue[]>();
    for (const { k, t, n } of rows) {
      const end = (Math.floor(t / 14) + 1) * 14;
      const [, , count = 0, sum = 0, most = n] = (groups.get(`${k} ${end}`) ?? []) as number[];
      groups.set(`${k} ${end}`, [k, timestamp(end), count + 1, sum + n, Math.max(most, n)]);
    }
    return asKeys([...groups.values()]);
  };
  const outer = (from: string): string =>
    `SELECT k, window_end, COUNT(*) AS c, SUM(n) AS s, MAX(n) AS m FROM TUMBLE(${from}, INTERVAL 14 MILLISECOND) GROUP BY k`;

  const union = outer("(SELECT k, v AS n FROM s UNION ALL SELECT k, v AS n FROM r WHERE v > 2) AS q");
  /** What is late is so by its own stream. */
  const inUnion = (
    trial: Trial,
  ): { readonly rows: readonly { k: number; t: number; n: number }[]; readonly late: number } => {
    const all = [...trial.records("s"), ...trial.records("r").filter(({ v }) => v > 2)];
    const isLate = ({ t, before }: ReadRecord): boolean => (Math.floor(t / 14) + 1) * 14 <= before;
    const rows = all.filter((one) => !isLate(one)).map(({ k, t, v }) => ({ k, t, n: v }));
    return { rows, late: all.length - rows.length };
  };

  it("UNION ALL: rows of both, each late by its own stream", () => {
    const plan = planOf(`${union} EMIT CHANGES WITH RETRACTIONS`);
    fc.assert(
      fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
        const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
        for (const [i, piece] of pieces(list, sizes).entries()) {
          trial.feed(piece, reopens[i % reopens.length] === true);
          const { rows, late } = inUnion(trial);
          assert.deepEqual(trial.folded, sums(rows));
          assert.equal(trial.late, late);
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it("UNION ALL, EMIT FINAL: when the watermarks of both have closed the window", () => {
    const plan = planOf(`${union} EMIT FINAL`);
    fc.assert(
      fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
        const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
        for (const [i, piece] of pieces(list, sizes).entries()) {
          trial.feed(piece, reopens[i % reopens.length] === true);
          const watermark = Math.min(trial.watermark("s"), trial.watermark("r"));
          const closed = inUnion(trial).rows.filter(({ t }) => (Math.floor(t / 14) + 1) * 14 <= watermark);
          assert.deepEqual(asKeys(trial.changes.map(({ row }) => row)), sums(closed));
        }
      }),
      { numRuns: runs(60) },
    );
  });

  for (const { name, from, naive } of windows) {
    // The last moment of a window: of SLIDE and SESSION its end belongs to it.
    const last = name === "SLIDE" || name === "SESSION" ? 0 : 1;
    const inner = `(SELECT k, COUNT(*) AS n FROM ${from} GROUP BY k) AS q`;
    const rowsOf = ({ rows }: Answer): { k: number; t: number; n: number }[] =>
      rows.map(({ row: [k = 0, , end = 0, n = 0] }) => ({ k, t: end - last, n }));

    it(`of windows, ${name}: a group has the last moment of its window as its time`, () => {
      const plan = planOf(`${outer(inner)} EMIT CHANGES WITH RETRACTIONS`);
      const pull = planOf(outer(inner));
      fc.assert(
        fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
          const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
          for (const [i, piece] of pieces(list, sizes).entries()) {
            trial.feed(piece, reopens[i % reopens.length] === true);
            const expected = naive(trial.records("s"));
            assert.deepEqual(trial.folded, sums(rowsOf(expected)));
            assert.equal(trial.late, expected.late);
          }
          const run = new Run(pull, { kind: "emit" }, stepRowsMax);
          const stored = trial.records("s").map(({ before: _, ...one }) => one);
          run.feed([{ kind: "records", source: 0, batches: [storedBatch(stored)] }]);
          run.end();
          const everything = stored.map((one) => ({ ...one, before: Number.NEGATIVE_INFINITY }));
          const given = decodeOutput(outputOf(run.reports), pull.output.length).map(({ row }) => row);
          assert.deepEqual(asKeys(given), sums(rowsOf(naive(everything))));
        }),
        { numRuns: runs(40) },
      );
    });

    it(`of windows, ${name}, EMIT FINAL: once, when all windows within have closed`, () => {
      const plan = planOf(`${outer(inner)} EMIT FINAL`);
      fc.assert(
        fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
          const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
          for (const [i, piece] of pieces(list, sizes).entries()) {
            trial.feed(piece, reopens[i % reopens.length] === true);
            const rows = rowsOf(naive(trial.records("s")));
            const closed = rows.filter(({ t }) => (Math.floor(t / 14) + 1) * 14 <= trial.watermark("s"));
            assert.deepEqual(asKeys(trial.changes.map(({ row }) => row)), sums(closed));
          }
        }),
        { numRuns: runs(40) },
      );
    });
  }

  it("are of what is left where rows are deleted, also where whole rows count", () => {
    // Each third record takes back one that came before it, at the watermark of its own moment.
    const plans = [
      "SELECT k, window_end, COUNT(*) AS n, MAX(v) AS m FROM TUMBLE(d, INTERVAL 7 MILLISECOND) GROUP BY k EMIT CHANGES WITH RETRACTIONS",
      "SELECT k, v, window_end FROM TUMBLE(d, INTERVAL 7 MILLISECOND) EMIT CHANGES WITH RETRACTIONS",
      "SELECT k, v, window_end, ROW_NUMBER() OVER (PARTITION BY k, window_end ORDER BY v) AS n FROM TUMBLE(d, INTERVAL 7 MILLISECOND) EMIT CHANGES WITH RETRACTIONS",
    ].map(planOf);
    const records = fc.array(fc.tuple(fc.nat(2), fc.nat(9), fc.nat(4), fc.nat(9), fc.nat(99)), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(records, cut, (drawn, { sizes, stepRowsMax, reopens }) => {
        const source = new NaiveSource(latenessMs, [1]);
        const trials = plans.map((plan) => new Run(plan, { kind: "emit" }, stepRowsMax));
        for (const run of trials) run.feed([{ kind: "shards", source: 0, shards: [1] }]);
        const present: TimedRecord[] = [];
        let [now, late] = [0, 0];
        /** What stands of windows by k and end: deletions of rows that were late are owed. */
        const standing = new Map<
          string,
          { readonly k: number; readonly v: number; readonly end: number; n: number }
        >();
        const list = drawn.map(([k, v, step, back, pick], i) => {
          now += step;
          const isGone = i % 3 === 2 && present.length > 0;
          const made: TimedRecord = { k, v, t: Math.max(0, now - back) };
          const [record = made] = isGone ? present.splice(pick % present.length, 1) : [made];
          if (!isGone) present.push(record);
          return { record, isGone };
        });
        for (const [i, piece] of pieces(list, sizes).entries()) {
          for (const { record, isGone } of piece) {
            const { before, t, ...row } = source.read(1, record);
            const end = (Math.floor(t / 7) + 1) * 7;
            if (end <= before) late += 1;
            else {
              const key = `${row.k} ${row.v} ${end}`;
              const known = standing.get(key) ?? { ...row, end, n: 0 };
              known.n += isGone ? -1 : 1;
              standing.set(key, known);
            }
          }
          const batch = recordBatch(
            piece.map(({ record, isGone }) => {
              const stored = hrecord({ ...record });
              return isGone ? { ...stored, attributes: new Map([["hstream.op", "delete"]]) } : stored;
            }),
          );
          for (const run of trials) {
            run.feed([{ kind: "records", source: 0, batches: [batch] }]);
            if (reopens[i % reopens.length] === true) run.reopen();
          }
          const left = [...standing.values()].flatMap(({ n, ...row }) =>
            Array.from({ length: Math.max(0, n) }, () => row),
          );
          const groups = new Map<string, typeof left>();
          for (const row of left) {
            const key = `${row.k} ${row.end}`;
            groups.set(key, [...(groups.get(key) ?? []), row]);
          }
          const [counts = [], rows = [], ranks = []] = trials.map((run, at) =>
            folded(decodeOutput(outputOf(run.reports), at === 1 ? 3 : 4)),
          );
          assert.deepEqual(rows, asKeys(left.map(({ k, v, end }) => [k, v, timestamp(end)])));
          assert.deepEqual(
            counts,
            asKeys(
              [...groups.values()].map((group) => [
                group[0]?.k ?? 0,
                timestamp(group[0]?.end ?? 0),
                group.length,
                Math.max(...group.map(({ v }) => v)),
              ]),
            ),
          );
          assert.deepEqual(
            ranks,
            asKeys(
              [...groups.values()].flatMap((group) =>
                group
                  .sort((a, b) => a.v - b.v)
                  .map(({ k, v, end }, place) => [k, v, timestamp(end), place + 1]),
              ),
            ),
          );
          for (const run of trials)
            assert.equal(
              run.reports.reduce((sum, { divertedBy }) => sum + (divertedBy.late ?? 0), 0),
              late,
            );
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it("count a record that is late for several of them once", () => {
    const two = `SELECT a.k, a.n, b.n AS m FROM (SELECT k, window_end, COUNT(*) AS n FROM TUMBLE(s, INTERVAL 7 MILLISECOND) WHERE v < 7 GROUP BY k) AS a
      FULL JOIN (SELECT k, window_end, COUNT(*) AS n FROM HOP(s, INTERVAL 14 MILLISECOND, INTERVAL 7 MILLISECOND) WHERE v > 2 GROUP BY k) AS b
      ON a.k = b.k AND a.window_end = b.window_end EMIT CHANGES`;
    const plan = planOf(two);
    fc.assert(
      fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
        const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
        for (const [i, piece] of pieces(list, sizes).entries()) {
          trial.feed(piece, reopens[i % reopens.length] === true);
          const end = (t: number): number => (Math.floor(t / 7) + 1) * 7;
          const late = trial.records("s").filter(({ t, v, before }) => {
            return (v < 7 && end(t) <= before) || (v > 2 && end(t) + 7 <= before);
          });
          assert.equal(trial.late, late.length);
        }
      }),
      { numRuns: runs(60) },
    );
  });
});

describe("joins within a time", () => {
  before(loadInflateForTests);

  const withinMs = 4;
  for (const kind of ["inner", "left", "right", "full"] satisfies JoinKind[]) {
    it(`${kind}: after every step the pairs, and the rows of which the bound has passed`, () => {
      const join = `s ${kind.toUpperCase()} JOIN r ON s.k = r.k WITHIN (INTERVAL ${withinMs} MILLISECOND)`;
      const plan = planOf(`SELECT s.k AS k, s.v AS a, r.v AS b FROM ${join} EMIT CHANGES`);
      fc.assert(
        fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
          const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
          for (const [i, piece] of pieces(list, sizes).entries()) {
            trial.feed(piece, reopens[i % reopens.length] === true);
            const watermark = Math.min(trial.watermark("s"), trial.watermark("r"));
            const expected = joinedWithin(kind, withinMs, trial.records("s"), trial.records("r"), watermark);
            assert.ok(trial.changes.every(({ weight }) => weight > 0));
            assert.deepEqual(asKeys(trial.changes.map(({ row }) => row)), asKeys(expected.rows));
            assert.equal(trial.late, expected.late);
          }
        }),
        { numRuns: runs(100) },
      );
    });
  }

  it("of three streams: pairs of pairs, by the later of two times", () => {
    const plan = planOf(
      `SELECT a.v AS a, b.v AS b, c.v AS c FROM s AS a JOIN r AS b ON a.k = b.k WITHIN (INTERVAL ${withinMs} MILLISECOND)
       JOIN s AS c ON c.k = b.k AND c.v > b.v WITHIN (INTERVAL 2 MILLISECOND) EMIT CHANGES`,
    );
    fc.assert(
      fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
        const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
        for (const [i, piece] of pieces(list, sizes).entries()) {
          trial.feed(piece, reopens[i % reopens.length] === true);
          const onTime = (name: string): ReadRecord[] =>
            trial.records(name).filter(({ t, before }) => t >= before);
          const rows = onTime("s").flatMap((a) =>
            onTime("r")
              .filter((b) => a.k === b.k && Math.abs(a.t - b.t) <= withinMs)
              .flatMap((b) =>
                onTime("s")
                  .filter((c) => c.k === b.k && c.v > b.v && Math.abs(c.t - Math.max(a.t, b.t)) <= 2)
                  .map((c) => [a.v, b.v, c.v]),
              ),
          );
          assert.deepEqual(asKeys(trial.changes.map(({ row }) => row)), asKeys(rows));
        }
      }),
      { numRuns: runs(100) },
    );
  });

  for (const kind of ["inner", "left"] satisfies JoinKind[]) {
    it(`under a window, ${kind}: no pair is late, nor a row of which the bound has passed`, () => {
      const plan = planOf(
        `SELECT s.k AS k, window_end, COUNT(*) AS n, COUNT(r.v) AS m FROM s ${kind.toUpperCase()} JOIN r ON s.k = r.k
         WITHIN (INTERVAL ${withinMs} MILLISECOND) GROUP BY s.k, TUMBLING(INTERVAL 5 MILLISECOND) EMIT CHANGES WITH RETRACTIONS`,
      );
      fc.assert(
        fc.property(events, cut, (list, { sizes, stepRowsMax, reopens }) => {
          const trial = new Trial(plan, { kind: "emit" }, stepRowsMax);
          for (const [i, piece] of pieces(list, sizes).entries()) {
            trial.feed(piece, reopens[i % reopens.length] === true);
            const watermark = Math.min(trial.watermark("s"), trial.watermark("r"));
            const onTime = (name: string): ReadRecord[] =>
              trial.records(name).filter(({ t, before }) => t >= before);
            const groups = new Map<string, number[]>();
            const add = (k: number, t: number, m: number): void => {
              const end = (Math.floor(t / 5) + 1) * 5;
              const group = groups.get(`${k} ${end}`) ?? [k, end, 0, 0];
              groups.set(`${k} ${end}`, [k, end, (group[2] ?? 0) + 1, (group[3] ?? 0) + m]);
            };
            for (const a of onTime("s")) {
              const partners = onTime("r").filter((b) => a.k === b.k && Math.abs(a.t - b.t) <= withinMs);
              for (const b of partners) add(a.k, Math.max(a.t, b.t), 1);
              if (kind === "left" && partners.length === 0 && a.t + withinMs < watermark) add(a.k, a.t, 0);
            }
            const rows = [...groups.values()].map(([k, end, n, m]): SqlValue[] => [
              must(k, "k"),
              timestamp(must(end, "end")),
              must(n, "n"),
              must(m, "m"),
            ]);
            assert.deepEqual(trial.folded, asKeys(rows));
          }
        }),
        { numRuns: runs(100) },
      );
    });
  }
});

describe("state over time", () => {
  before(loadInflateForTests);

  const statements: readonly string[] = [
    ...windows.flatMap(({ from }) => [
      `SELECT ${items} FROM ${from} GROUP BY k EMIT CHANGES`,
      `SELECT ${items} FROM ${from} GROUP BY k EMIT FINAL`,
    ]),
    ...windows.flatMap(({ from }) => {
      const of = `(SELECT k, COUNT(*) AS n FROM ${from} GROUP BY k) AS q`;
      const outer = `SELECT k, window_end, SUM(n) AS n FROM TUMBLE(${of}, INTERVAL 14 MILLISECOND) GROUP BY k`;
      return [`${outer} EMIT CHANGES`, `${outer} EMIT FINAL`];
    }),
    "SELECT k, window_end, COUNT(*) AS n FROM TUMBLE((SELECT k FROM s UNION ALL SELECT k FROM r) AS q, INTERVAL 7 MILLISECOND) GROUP BY k EMIT CHANGES",
    "SELECT DISTINCT k, window_end FROM TUMBLE(s, INTERVAL 7 MILLISECOND) EMIT CHANGES",
    "SELECT * FROM (SELECT k, v, window_end, ROW_NUMBER() OVER (PARTITION BY window_end ORDER BY v DESC) AS n FROM TUMBLE(s, INTERVAL 7 MILLISECOND)) AS q WHERE n <= 2 EMIT CHANGES",
    "SELECT k, v, window_end, SUM(v) OVER (PARTITION BY window_end) AS n FROM TUMBLE(s, INTERVAL 7 MILLISECOND) EMIT FINAL",
    ...["INNER", "LEFT", "RIGHT", "FULL"].map(
      (kind) =>
        `SELECT s.v AS a, r.v AS b FROM s ${kind} JOIN r ON s.k = r.k WITHIN (INTERVAL 4 MILLISECOND) EMIT CHANGES`,
    ),
    `SELECT a.k, a.n, b.n AS m FROM (SELECT k, window_end, COUNT(*) AS n FROM TUMBLE(s, INTERVAL 7 MILLISECOND) GROUP BY k) AS a
     LEFT JOIN (SELECT k, window_end, COUNT(*) AS n FROM TUMBLE(r, INTERVAL 7 MILLISECOND) GROUP BY k) AS b
     ON a.k = b.k AND a.window_end = b.window_end EMIT FINAL`,
  ];
  for (const sql of statements) {
    it(`is let go of: ${sql.replaceAll(/\s+/g, " ")}`, () => {
      const trial = new Trial(planOf(sql), { kind: "emit" }, 8192);
      const bytes: number[] = [];
      for (let round = 0; round < 60; round++) {
        const list = Array.from({ length: 200 }, (_, i) => {
          const t = (round * 200 + i) * 3;
          return { k: (t * 7) % 50, v: t % 10, t };
        });
        for (const name of ["s", "r"]) {
          for (const of of shards) trial.feed([{ kind: "records", stream: name, shard: of, list }], false);
        }
        bytes.push(trial.stateBytes);
      }
      const [early, late] = [Math.max(...bytes.slice(0, 30)), Math.max(...bytes.slice(30))];
      assert.ok(late <= early * 1.2, `${early} bytes became ${late}`);
    });
  }
});
