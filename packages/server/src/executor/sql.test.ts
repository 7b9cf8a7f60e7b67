import assert from "node:assert/strict";
import { type ColumnDef, must, RowBatch } from "@hstream/proto";
import {
  bindStatement,
  type Catalog,
  optimise,
  parseScript,
  type PhysicalPlan,
  type SqlValue,
  toPhysical,
} from "@hstream/sql";
import { storedBatch } from "./plans.test.helper.js";
import { decodeOutput, loadInflateForTests, outputOf, Run } from "./run.test.helper.js";
import type { StepReport } from "./step-input.js";

/** From SQL text to rows: the plans that sql makes are those that the executor runs. */

const catalog: Catalog = {
  relation: (name) =>
    name === "flights"
      ? { kind: "stream", id: "1", name, columns: [], open: true, appendOnly: true }
      : undefined,
  relationNames: () => ["flights"],
};

function planOf(sql: string): PhysicalPlan {
  const { statements, diagnostics } = parseScript(sql);
  assert.deepEqual(diagnostics, []);
  const result = bindStatement(must(statements[0], "there is a statement"), catalog);
  assert.deepEqual(
    result.diagnostics.filter(({ severity }) => severity === "error"),
    [],
  );
  assert(result.bound?.kind === "query");
  return toPhysical(optimise(result.bound.query));
}

const flights = [
  { origin: "ABE", destination: "ATL", delay: 12, distance: 300 },
  { origin: "ATL", destination: "ABE", delay: -3, distance: 301 },
  { origin: "ABE", destination: "JFK", delay: 0.5, distance: 90 },
  { origin: "JFK", destination: "ABE", distance: 90 },
];

function run(sql: string): { columns: string[]; rows: SqlValue[][]; reports: readonly StepReport[] } {
  const plan = planOf(sql);
  const execution = new Run(plan, { kind: "emit" }, 8192);
  execution.feed([
    {
      kind: "records",
      source: 0,
      batches: [storedBatch(flights.slice(0, 2)), storedBatch(flights.slice(2))],
    },
  ]);
  if (plan.emit.kind === "pull") execution.end();
  const output = outputOf(execution.reports);
  const added: ColumnDef[] = output.flatMap((bytes) => RowBatch.decode(bytes).addedColumns);
  const columns = [...plan.output.filter(({ spread }) => !spread), ...added].map(({ name }) => name);
  const rows = decodeOutput(output, columns.length).map(({ row, weight }) =>
    weight < 0 ? ["-", ...row] : [...row],
  );
  return { columns, rows, reports: execution.reports };
}

describe("SQL in the executor", () => {
  before(loadInflateForTests);

  it("groups, sorts and limits", () => {
    const sql = `SELECT origin, count(*) AS n, avg(delay) AS mean FROM flights
                 GROUP BY origin ORDER BY n DESC, origin LIMIT 2;`;
    assert.deepEqual(run(sql).rows, [
      ["ABE", 2, 6.25],
      ["ATL", 1, -3],
    ]);
  });

  it("gives whole records", () => {
    const { columns, rows } = run("SELECT * FROM flights WHERE distance < 100;");
    assert.deepEqual(columns, ["origin", "destination", "delay", "distance"]);
    assert.deepEqual(rows, [
      ["ABE", "JFK", 0.5, 90],
      ["JFK", "ABE", null, 90],
    ]);
  });

  it("pushes a row for each record and group, and a deletion where HAVING lets a group go", () => {
    const sql = "SELECT origin, count(*) AS n FROM flights GROUP BY origin HAVING count(*) < 2 EMIT CHANGES;";
    assert.deepEqual(run(sql).rows, [
      ["ABE", 1],
      ["ATL", 1],
      ["-", "ABE", 1],
      ["JFK", 1],
    ]);
  });

  it("computes expressions, and reports their errors beside the rows", () => {
    const { rows, reports } = run(
      "SELECT distance / (delay - 12) AS speed, upper(origin) || '!' AS o FROM flights EMIT CHANGES;",
    );
    assert.deepEqual(rows[0], [null, "ABE!"]);
    assert.deepEqual(rows[1], [301 / -15, "ATL!"]);
    assert.equal(
      reports.reduce((count, { errors }) => count + errors.count, 0),
      1,
    );
  });

  it("answers without FROM, and over nothing", () => {
    const execution = new Run(planOf("SELECT 1 + 2 AS three;"), { kind: "emit" }, 8192);
    execution.end();
    assert.deepEqual(
      decodeOutput(outputOf(execution.reports), 1).map(({ row }) => row),
      [[3]],
    );
    const empty = new Run(planOf("SELECT count(*), max(delay) FROM flights;"), { kind: "emit" }, 8192);
    empty.end();
    assert.deepEqual(
      decodeOutput(outputOf(empty.reports), 2).map(({ row }) => row),
      [[0, null]],
    );
  });
});
