import assert from "node:assert/strict";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type HInputObject, must } from "@hstream/proto";
import {
  bindStatement,
  type Catalog,
  optimise,
  parseScript,
  type PhysicalPlan,
  type Relation,
  type SqlType,
  type SqlValue,
  toPhysical,
} from "@hstream/sql";
import { storedBatch } from "../executor/plans.test.helper.js";
import { decodeOutput, encodeRows, loadInflateForTests, Run } from "../executor/run.test.helper.js";
import type { StepInput } from "../executor/step-input.js";
import {
  nexmarkQueries,
  nexmarkTables,
  sideInputColumns,
  sideInputRows,
} from "./nexmark-queries.test.helper.js";

/** Nexmark as views, against the reference in DuckDB, at five points of the same events. */

type Kind = keyof typeof nexmarkTables;

interface Generator {
  kindOf(event: number): Kind;
  event(event: number): Fields;
}

type Fields = HInputObject & Readonly<Record<string, unknown>>;

interface Arrived {
  readonly kind: Kind;
  readonly record: Fields;
  /** When it is appended. */
  readonly timeMs: number;
}

/** Many more in the long run. */
const eventCount = process.env["HSTREAM_TEST_SECONDS"] === undefined ? 4000 : 60_000;
const cuts = 5;
const generatorFile = new URL("../../../../bench/nexmark/generator.mjs", import.meta.url);

const stream = (name: Kind): Relation => ({
  kind: "stream",
  id: name,
  name,
  columns: columnsOf(nexmarkTables[name]),
  open: true,
  appendOnly: true,
  timeColumn: "date_time",
  latenessMs: 4000,
});
const sideInput: Relation = {
  kind: "view",
  id: "side_input",
  name: "side_input",
  columns: columnsOf({ key: sideInputColumns.key, value: sideInputColumns.value }),
  open: false,
  appendOnly: false,
};
const catalog: Catalog = {
  relation: (name) =>
    name === "side_input" ? sideInput : name in nexmarkTables ? stream(name as Kind) : undefined,
  relationNames: () => [...Object.keys(nexmarkTables), "side_input"],
};

function columnsOf(types: Readonly<Record<string, SqlType>>): Relation["columns"] {
  return Object.entries(types).map(([name, type]) => ({ name, type }));
}

function viewOf(sql: string): PhysicalPlan {
  const { statements } = parseScript(`CREATE VIEW v AS ${sql};`);
  const { bound, diagnostics } = bindStatement(must(statements[0], "a statement"), catalog);
  assert.deepEqual(
    diagnostics.filter(({ severity }) => severity === "error"),
    [],
  );
  assert(bound?.kind === "create-view");
  return toPhysical(optimise(bound.query));
}

async function loadEvents(shuffled: boolean): Promise<Arrived[]> {
  const { Nexmark } = (await import(generatorFile.href)) as { Nexmark: new (options: object) => Generator };
  // Slow enough that there are many windows.
  const generator = new Nexmark({ eventsPerSecond: 100 });
  return Array.from({ length: eventCount }, (_, i) => {
    const event = shuffled ? Math.min(eventCount - 1, Math.floor(i / 50) * 50 + ((i * 953) % 50)) : i;
    const kind = generator.kindOf(event);
    const record = { ...generator.event(event), ...(kind === "bid" ? { seq: i } : {}) };
    return { kind, record, timeMs: 1_600_000_000_000 + i * 7 };
  });
}

/** Neighbours of one kind are one batch of one append time, as they would be stored. */
function batchesOf(events: readonly Arrived[]): Arrived[][] {
  const batches: Arrived[][] = [];
  for (const event of events) {
    const last = batches.at(-1);
    if (last?.[0]?.kind === event.kind && last.length < 20) last.push(event);
    else batches.push([event]);
  }
  return batches;
}

function inputsOf(plan: PhysicalPlan, events: readonly Arrived[]): StepInput[] {
  return batchesOf(events).flatMap((batch) => {
    const [first] = batch;
    return plan.sources.flatMap(({ id }, source): StepInput[] => {
      if (first === undefined || id !== first.kind) return [];
      const stored = storedBatch(
        batch.map(({ record }) => record),
        { timeMs: first.timeMs },
      );
      return [{ kind: "records", source, shard: 1, batches: [stored] }];
    });
  });
}

function sideInputs(plan: PhysicalPlan): StepInput[] {
  const rows = Array.from({ length: sideInputRows }, (_, i) => ({ row: [i, String(i)], weight: 1 as const }));
  return plan.sources.flatMap(({ id }, source): StepInput[] =>
    id === "side_input" ? [{ kind: "rows", source, batches: encodeRows(rows, 2) }] : [],
  );
}

/** As DuckDB prints it. */
function printed(value: SqlValue): string {
  if (value === null) return "NULL";
  if (typeof value === "object" && "kind" in value && value.kind === "timestamp") {
    return new Date(value.ms)
      .toISOString()
      .replace("T", " ")
      .replace("Z", "")
      .replace(/\.?0+$/, "");
  }
  if (typeof value === "object" && "unscaled" in value) {
    const digits = (value.unscaled * 10n ** BigInt(3 - value.scale)).toString().padStart(4, "0");
    return `${digits.slice(0, -3)}.${digits.slice(-3)}`;
  }
  return String(value);
}

/** Without what a whole second has behind its point. */
const trimmed = (time: string): string => time.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
const asText = (value: unknown): string => {
  if (value === null) return "NULL";
  const text = String(value);
  return /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/.test(text) ? trimmed(text) : text;
};

describe("Nexmark", () => {
  let connection: DuckDBConnection;
  before(async () => {
    await loadInflateForTests();
    connection = await (await DuckDBInstance.create(":memory:", { threads: "1" })).connect();
  });
  after(() => connection.closeSync());

  for (const shuffled of [false, true]) {
    describe(shuffled ? "shuffled in groups of 50" : "in order", () => {
      let events: Arrived[];
      before(async () => {
        events = await loadEvents(shuffled);
        for (const [name, types] of Object.entries(nexmarkTables)) await fill(name as Kind, types);
      });

      /** All events, each with its place, so that a view of the table is what there was at a cut. */
      async function fill(name: Kind, types: Readonly<Record<string, SqlType>>): Promise<void> {
        const columns = Object.entries(types).map(([column, { kind }]) => {
          const type = kind === "integer" || kind === "timestamp" ? "BIGINT" : "VARCHAR";
          return `${column} ${type}`;
        });
        await connection.run(
          `CREATE OR REPLACE TABLE all_${name} (place BIGINT, p_ms BIGINT, ${columns.join(", ")})`,
        );
        const rows = batchesOf(events).flatMap((batch) =>
          batch.map((one) => ({ ...one, timeMs: must(batch[0], "not empty").timeMs })),
        );
        let values: string[] = [];
        const flush = async (): Promise<void> => {
          if (values.length > 0) await connection.run(`INSERT INTO all_${name} VALUES ${values.join(", ")}`);
          values = [];
        };
        for (const [place, { kind, record, timeMs }] of rows.entries()) {
          if (kind !== name) continue;
          const fields = Object.keys(types).map((column) => {
            const value = record[column] ?? null;
            return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
          });
          values.push(`(${place}, ${timeMs}, ${fields.join(", ")})`);
          if (values.length === 1000) await flush();
        }
        await flush();
      }

      async function cutAt(count: number): Promise<void> {
        for (const [name, types] of Object.entries(nexmarkTables)) {
          const columns = Object.entries(types).map(([column, { kind }]) =>
            kind === "timestamp" ? `make_timestamp_ms(${column}) AS ${column}` : column,
          );
          await connection.run(
            `CREATE OR REPLACE VIEW ${name} AS SELECT ${columns.join(", ")}, make_timestamp_ms(p_ms) AS p_time
             FROM all_${name} WHERE place < ${count}`,
          );
        }
      }

      for (const { name, sql, reference } of nexmarkQueries) {
        it(`${name}: as a view it holds what DuckDB answers, at ${cuts} points`, async () => {
          const plan = viewOf(sql);
          const run = new Run(plan, { kind: "materialize" }, 500);
          run.feed(sideInputs(plan));
          const width = plan.output.length;
          const size = Math.ceil(eventCount / cuts);
          for (let from = 0; from < eventCount; from += size) {
            const end = Math.min(eventCount, from + size);
            run.feed(inputsOf(plan, events.slice(from, end)));
            await cutAt(end);
            const reader = await connection.runAndReadAll(`SELECT COLUMNS(*)::VARCHAR FROM (${reference})`);
            const expected = reader.getRowsJS().map((row) => row.map(asText).join(" | "));
            const given = decodeOutput(run.snapshot().batches, width).map(({ row }) =>
              row.map(printed).join(" | "),
            );
            assert.deepEqual(given.sort(), expected.sort(), `after ${end} events`);
            if (from === 0) run.reopen();
          }
          const late = run.reports.reduce((sum, { divertedBy }) => sum + (divertedBy.late ?? 0), 0);
          assert.equal(late, 0);
        });
      }
    });
  }
});
