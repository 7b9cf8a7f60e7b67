import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type HInputObject, must } from "@hstream/proto";
import {
  bindStatement,
  type BoundQuery,
  type Catalog,
  arrayOf,
  BOOLEAN,
  DATE,
  DECIMAL,
  FLOAT,
  functionTable,
  INTEGER,
  type LogicalPlan,
  optimise,
  parseScript,
  type PhysicalPlan,
  type Relation,
  type SqlType,
  type SqlValue,
  STRING,
  TIMESTAMP,
  toPhysical,
  toText,
} from "@hstream/sql";
import { toStored } from "@hstream/sql/runtime";
import { runsUpTo } from "@hstream/proto/testing";
import * as fc from "fast-check";
import {
  type Change,
  decodeOutput,
  encodeRows,
  folded,
  loadInflateForTests,
  outputOf,
  pieces,
  Run,
} from "../executor/run.test.helper.js";
import { hrecord, recordBatch } from "../executor/plans.test.helper.js";
import type { RecordBatchInput, StepInput } from "../executor/step-input.js";
import { aggregateCalls, calls, rules } from "./duckdb-calls.test.helper.js";
import { duckDbSql } from "./duckdb-sql.test.helper.js";
import { duckDbType, literal } from "./duckdb-types.test.helper.js";
import { type Kind, rowOf } from "./random-expression.test.helper.js";
import {
  type Form,
  queryOf,
  type RelationSpec,
  relations,
  sortedQueryOf,
} from "./random-query.test.helper.js";
import { uncovered } from "./uncovered.test.helper.js";

const typeOf: Readonly<Record<Kind, SqlType>> = {
  integer: INTEGER,
  float: FLOAT,
  decimal: DECIMAL,
  real: FLOAT,
  string: STRING,
  boolean: BOOLEAN,
  date: DATE,
  timestamp: TIMESTAMP,
  array: arrayOf(INTEGER),
};

/** A change of one of the relations. */
interface Fed {
  readonly relation: number;
  readonly change: Change;
}

interface Case {
  readonly specs: readonly RelationSpec[];
  readonly sql: string;
  readonly changes: readonly Fed[];
  readonly sizes: readonly number[];
  readonly stepRowsMax: number;
}

const cases = (forms: readonly Form[], deletions: boolean, query = queryOf): fc.Arbitrary<Case> =>
  relations.chain((specs) =>
    fc.record({
      specs: fc.constant(specs),
      sql: query(specs, forms).map(({ text }) => text),
      changes: changesOf(specs, deletions),
      sizes: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 1, maxLength: 3 }),
      stepRowsMax: fc.integer({ min: 2, max: 40 }),
    }),
  );

function changesOf(specs: readonly RelationSpec[], deletions: boolean): fc.Arbitrary<Fed[]> {
  const step = fc.nat(specs.length - 1).chain((relation) =>
    fc.record({
      relation: fc.constant(relation),
      row: rowOf(must(specs[relation], "the relation").columns),
      deletes: fc.option(fc.nat(), { freq: 2 }),
    }),
  );
  return fc.array(step, { maxLength: 16 }).map((steps) => {
    const present: SqlValue[][][] = specs.map(() => []);
    return steps.map(({ relation, row, deletes }): Fed => {
      const rows = must(present[relation], "the relation");
      if (!deletions || deletes === null || rows.length === 0) {
        rows.push(row);
        return { relation, change: { row, weight: 1 } };
      }
      const [gone = row] = rows.splice(deletes % rows.length, 1);
      return { relation, change: { row: gone, weight: -1 } };
    });
  });
}

function bound(
  sql: string,
  specs: readonly RelationSpec[],
  appendOnly: boolean,
  kind: "view" | "stream" = "view",
): BoundQuery {
  const catalog: Catalog = {
    relation: (name): Relation | undefined => {
      const spec = specs.find((one) => one.name === name);
      if (spec === undefined) return undefined;
      const columns = spec.columns.map((column) => ({ name: column.name, type: typeOf[column.kind] }));
      return { kind, id: name, name, columns, open: false, appendOnly };
    },
    relationNames: () => specs.map(({ name }) => name),
  };
  const { statements, diagnostics } = parseScript(`${sql};`);
  assert.deepEqual(diagnostics, [], sql);
  const result = bindStatement(must(statements[0], "a statement"), catalog);
  assert.deepEqual(
    result.diagnostics.filter(({ severity }) => severity === "error"),
    [],
    sql,
  );
  assert(result.bound?.kind === "query");
  return result.bound.query;
}

/** What each relation holds after the changes. */
function rowsAfter(
  specs: readonly RelationSpec[],
  changes: readonly Fed[],
): readonly (readonly SqlValue[])[][] {
  const present: (readonly SqlValue[])[][] = specs.map(() => []);
  for (const { relation, change } of changes) {
    const rows = must(present[relation], "the relation");
    if (change.weight > 0) rows.push(change.row);
    else
      rows.splice(
        rows.findIndex((row) => row.every((value, i) => value === change.row[i])),
        1,
      );
  }
  return present;
}

function relationSql(spec: RelationSpec, rows: readonly (readonly SqlValue[])[]): string {
  const select = (values: readonly SqlValue[]): string =>
    `SELECT ${spec.columns
      .map(
        ({ name, kind }, i) =>
          `CAST(${literal(values[i] ?? null, typeOf[kind])} AS ${duckDbType(typeOf[kind])}) AS "${name}"`,
      )
      .join(", ")}`;
  const none = `${select([])} WHERE FALSE`;
  return rows.length === 0 ? none : rows.map(select).join(" UNION ALL ");
}

const planKinds = [
  "scan",
  "filter",
  "project",
  "aggregate",
  "sort",
  "join",
  "union-all",
  "set-operation",
  "window",
  "values",
  "top-n",
] as const satisfies readonly LogicalPlan["kind"][];
const joinTypes = ["inner", "left", "right", "full", "cross", "semi", "anti"] as const;

/** Names of the plan's nodes, types of joins and functions; a plan is plain data. */
function coverageOf(value: unknown, found: Set<string>): void {
  if (typeof value !== "object" || value === null) return;
  if ("kind" in value && typeof value.kind === "string") found.add(value.kind);
  if ("type" in value && typeof value.type === "string") found.add(value.type);
  if ("function" in value && typeof value.function === "string") found.add(value.function);
  for (const part of Object.values(value)) coverageOf(part, found);
}

let connection: DuckDBConnection;

/** DuckDB's answer, a text for each row. */
async function theirs(
  query: BoundQuery,
  specs: readonly RelationSpec[],
  changes: readonly Fed[],
): Promise<string[]> {
  const present = rowsAfter(specs, changes);
  const sql = duckDbSql(query.plan, (name) => {
    const at = specs.findIndex((spec) => spec.name === name);
    return relationSql(must(specs[at], "the relation"), must(present[at], "its rows"));
  });
  const reader = await connection.runAndReadAll(sql).catch((error: unknown) => {
    throw new Error(`DuckDB cannot run ${sql}`, { cause: error });
  });
  return reader.getRowsJS().map(rowText);
}

function rowText(row: readonly unknown[]): string {
  return row.map(valueText).join(" | ");
}

/**
 * Numbers of all kinds alike, to 10 digits, and what is left of a difference that should be nothing as nothing: the
 * two add up in another order. Moments as milliseconds.
 */
function valueText(value: unknown): string {
  if (typeof value === "bigint" || typeof value === "number") {
    const number = Number(value);
    return String(Math.abs(number) < 1e-7 ? 0 : Number(number.toPrecision(10)) + 0);
  }
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (value instanceof Date) return `at ${value.getTime()}`;
  if (typeof value === "object" && value !== null && "kind" in value) {
    const moment = value as Extract<SqlValue, { kind: string }>;
    if (moment.kind === "decimal") return valueText(Number(toText(moment)));
    if (moment.kind === "timestamp") return `at ${moment.ms}`;
    if (moment.kind === "date") return `at ${moment.days * 86_400_000}`;
    if (moment.kind === "interval") return `for ${moment.months} months ${moment.ms} ms`;
  }
  return JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part));
}

const rowsText = (changes: readonly Change[]): string[] => {
  // What cancels out must do so exactly, before numbers are rounded.
  folded(changes);
  const counts = new Map<string, { row: readonly SqlValue[]; count: number }>();
  for (const { row, weight } of changes) {
    const key = rowText(row);
    const known = counts.get(key);
    if (known === undefined) counts.set(key, { row, count: weight });
    else known.count += weight;
  }
  return [...counts.entries()].flatMap(([key, { count }]) => new Array<string>(count).fill(key)).sort();
};

function planOf(query: BoundQuery, emit: PhysicalPlan["emit"]): PhysicalPlan {
  return toPhysical(optimise({ ...query, emit }));
}

/** A change as a record of a stream with deletions. */
function stored({ columns }: RelationSpec, { row, weight }: Change): RecordBatchInput {
  const fields = new Map(columns.map(({ name }, i) => [name, row[i] ?? null]));
  const record = hrecord(toStored(fields) as HInputObject);
  const attributes = new Map([["hstream.op", "delete"]]);
  return recordBatch([weight > 0 ? record : { ...record, attributes }]);
}

/** The changes for the plan's sources: each relation is named by its id. */
function inputsOf(plan: PhysicalPlan, specs: readonly RelationSpec[], changes: readonly Fed[]): StepInput[] {
  return changes.flatMap(({ relation, change }) =>
    plan.sources.flatMap((source, index): StepInput[] => {
      const spec = must(specs[relation], "the relation");
      if (source.id !== spec.name) return [];
      if (source.kind === "stream")
        return [{ kind: "records", source: index, batches: [stored(spec, change)] }];
      return [{ kind: "rows", source: index, batches: encodeRows([change], spec.columns.length) }];
    }),
  );
}

const forms: readonly Form[] = [
  "projection",
  "grouping",
  "distinct",
  "join",
  "set operation",
  "window",
  "subquery",
  "in subquery",
  "exists",
  "scalar subquery",
  "correlated subquery",
  "quantified comparison",
  "nested",
];

/** Of each of the 69 properties below: more than 60,000 in all. */
const casesOfLongRun = 1_000;

const windowNames =
  "ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE LAG LEAD FIRST_VALUE LAST_VALUE NTH_VALUE".split(
    " ",
  );

describe("the same answers as DuckDB", function () {
  this.timeout(60_000);
  before(loadInflateForTests);
  before(async () => {
    const instance = await DuckDBInstance.create(":memory:", {
      threads: "1",
      order_by_non_integer_literal: "true",
    });
    connection = await instance.connect();
  });
  after(() => connection.closeSync());

  for (const form of forms) {
    it(`${form}: a pull, over what is stored`, async () => {
      await fc.assert(
        fc.asyncProperty(cases([form], false), async ({ specs, sql, changes, sizes, stepRowsMax }) => {
          const query = bound(sql, specs, true);
          const plan = planOf(query, { kind: "pull" });
          const run = new Run(plan, { kind: "emit" }, stepRowsMax);
          for (const piece of pieces(changes, sizes)) run.feed(inputsOf(plan, specs, piece));
          run.end();
          const ours = decodeOutput(outputOf(run.reports), plan.output.length);
          assert.deepEqual(rowsText(ours), (await theirs(query, specs, changes)).sort());
        }),
        runsUpTo(20, casesOfLongRun),
      );
    });

    it(`${form}: a pull in order, and cut`, async () => {
      await fc.assert(
        fc.asyncProperty(
          cases([form], false, sortedQueryOf),
          async ({ specs, sql, changes, sizes, stepRowsMax }) => {
            const query = bound(sql, specs, true);
            const plan = planOf(query, { kind: "pull" });
            const run = new Run(plan, { kind: "emit" }, stepRowsMax);
            for (const piece of pieces(changes, sizes)) run.feed(inputsOf(plan, specs, piece));
            run.end();
            const ours = decodeOutput(outputOf(run.reports), plan.output.length).map(({ row }) =>
              rowText(row),
            );
            assert.deepEqual(ours, await theirs(query, specs, changes));
          },
        ),
        runsUpTo(10, casesOfLongRun),
      );
    });

    it(`${form}: a pull over streams with deletions`, async () => {
      await fc.assert(
        fc.asyncProperty(cases([form], true), async ({ specs, sql, changes, sizes, stepRowsMax }) => {
          const query = bound(sql, specs, false, "stream");
          const plan = planOf(query, { kind: "pull" });
          const run = new Run(plan, { kind: "emit" }, stepRowsMax);
          for (const piece of pieces(changes, sizes)) run.feed(inputsOf(plan, specs, piece));
          run.end();
          const ours = decodeOutput(outputOf(run.reports), plan.output.length);
          assert.deepEqual(rowsText(ours), (await theirs(query, specs, changes)).sort());
        }),
        runsUpTo(10, casesOfLongRun),
      );
    });

    for (const deletions of [false, true]) {
      it(`${form}: changes, folded after every step${deletions ? ", with deletions" : ""}`, async () => {
        await fc.assert(
          fc.asyncProperty(cases([form], deletions), async ({ specs, sql, changes, sizes, stepRowsMax }) => {
            const query = bound(sql, specs, !deletions);
            const pushed = planOf(query, { kind: "retractions" });
            const kept = planOf(query, { kind: "coalesced" });
            const push = new Run(pushed, { kind: "emit" }, stepRowsMax);
            const view = new Run(kept, { kind: "materialize" }, stepRowsMax);
            const so: Fed[] = [];
            for (const piece of [[], ...pieces(changes, sizes)]) {
              so.push(...piece);
              push.feed(inputsOf(pushed, specs, piece));
              view.feed(inputsOf(kept, specs, piece));
              const expected = (await theirs(query, specs, so)).sort();
              assert.deepEqual(
                rowsText(decodeOutput(outputOf(push.reports), pushed.output.length)),
                expected,
              );
              assert.deepEqual(rowsText(decodeOutput(view.snapshot().batches, kept.output.length)), expected);
            }
          }),
          runsUpTo(form === "join" || form === "nested" ? 40 : 20, casesOfLongRun),
        );
      });
    }
  }

  for (const { name, example, theirs } of Object.values(rules)) {
    it(`${name}: the difference is still there`, async () => {
      const query = bound(`SELECT ${example} AS x0`, [], true);
      const run = new Run(planOf(query, { kind: "pull" }), { kind: "emit" }, 10);
      run.end();
      const ours = decodeOutput(outputOf(run.reports), 1).map(({ row }) => rowText(row));
      const reader = await connection.runAndReadAll(`SELECT ${theirs} AS x0`);
      assert.notDeepEqual(reader.getRowsJS().map(rowText), ours);
    });
  }

  it("comes upon every kind of plan node, every type of join and every function that it can say", () => {
    const found = new Set<string>();
    const drawn = fc.sample(
      relations.chain((specs) =>
        fc.tuple(fc.constant(specs), fc.oneof(queryOf(specs, forms), sortedQueryOf(specs, forms))),
      ),
      { numRuns: 3000, seed: 5 },
    );
    for (const [specs, { text }] of drawn) coverageOf(bound(text, specs, true).plan, found);
    const wanted = [...planKinds, ...joinTypes, ...Object.keys(calls), ...Object.keys(aggregateCalls)];
    assert.deepEqual(
      wanted.filter((one) => !found.has(one)),
      [],
    );
  });

  it("says of every function that it does not come upon why", () => {
    const said = new Set([...Object.keys(calls), ...Object.keys(aggregateCalls), ...windowNames]);
    const names = functionTable.filter(({ kind }) => kind !== "form").map(({ name }) => name);
    assert.deepEqual(
      names.filter((name) => !said.has(name) && !said.has(`${name} ORDER BY`) && !uncovered.has(name)),
      [],
    );
    assert.deepEqual(
      [...uncovered.keys()].filter((name) => said.has(name) || !names.includes(name)),
      [],
    );
  });

  it("lists each difference in the manual", () => {
    const manual = readFileSync(new URL("../../../../docs/sql/differences.md", import.meta.url), "utf8");
    for (const { difference } of Object.values(rules)) assert.ok(manual.includes(difference), difference);
  });
});
