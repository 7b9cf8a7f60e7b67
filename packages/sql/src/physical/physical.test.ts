import assert from "node:assert/strict";
import { optimise } from "../optimize/optimise.js";
import type { PhysicalNode, PhysicalPlan } from "../plan/physical.js";
import type { Expression } from "../plan/expression.js";
import { operandsOf } from "../plan/rewrite.js";
import { bindQuery, bindText } from "../testing/bind-text.js";
import { sampleStatements } from "../testing/sample-statements.js";
import { explain } from "./explain.js";
import { toPhysical } from "./to-physical.js";
import { parseScript } from "../parse/parse-script.js";

const physical = (text: string): PhysicalPlan => toPhysical(optimise(bindQuery(text)));

function inputsOf(node: PhysicalNode): readonly PhysicalNode[] {
  if ("input" in node) return [node.input];
  if ("inputs" in node) return node.inputs;
  return "left" in node ? [node.left, node.right] : [];
}

function nodesOf(node: PhysicalNode): readonly PhysicalNode[] {
  return [node, ...inputsOf(node).flatMap(nodesOf)];
}

function expressionsOf(node: PhysicalNode): readonly Expression[] {
  switch (node.kind) {
    case "filter":
      return [node.predicate];
    case "project":
      return node.items;
    case "aggregate":
      return [
        ...node.keys,
        ...node.calls.flatMap((call) => [...call.args, ...(call.filter === undefined ? [] : [call.filter])]),
      ];
    case "session":
      return [
        node.time,
        ...node.keys,
        ...node.calls.flatMap((call) => [...call.args, ...(call.filter === undefined ? [] : [call.filter])]),
      ];
    case "assign-windows":
      return [node.time, ...node.partition];
    case "sort":
      return node.keys.map((key) => key.expression);
    case "top-n":
      return [...node.partition, ...node.keys.map((key) => key.expression)];
    case "window":
      return [
        ...node.partition,
        ...node.keys.map((key) => key.expression),
        ...node.calls.flatMap((call) => [...call.args, ...(call.filter === undefined ? [] : [call.filter])]),
      ];
    case "join":
      return node.residual === undefined ? [] : [node.residual];
    case "source":
    case "shared":
    case "values":
    case "limit":
    case "union-all":
    case "set-operation":
      return [];
  }
}

function columns(expression: Expression): readonly Extract<Expression, { kind: "column" }>[] {
  return expression.kind === "column" ? [expression] : operandsOf(expression).flatMap(columns);
}

describe("physical plan", () => {
  it("reads from a stream only the fields that the query needs", () => {
    assert.deepEqual(physical("SELECT a FROM flights WHERE b > 1 AND (TRUE OR c = 1)").sources, [
      {
        kind: "stream",
        name: "flights",
        id: "s1",
        columns: [
          { kind: "field", name: "b", type: { kind: "dynamic" } },
          { kind: "field", name: "a", type: { kind: "dynamic" } },
        ],
      },
    ]);
    assert.deepEqual(physical("SELECT COUNT(*) FROM flights").sources[0]?.columns, []);
    assert.deepEqual(physical("SELECT *, _append_time FROM flights").sources[0]?.columns, [
      { kind: "append-time" },
      { kind: "record", without: [] },
    ]);
  });

  it("reads views and tables by the positions of their columns", () => {
    const { sources } = physical("SELECT flights FROM per_origin");
    assert.deepEqual(sources, [
      {
        kind: "rows",
        relation: "view",
        name: "per_origin",
        id: "v1",
        columns: [1],
        types: [{ kind: "integer" }],
        appendOnly: false,
      },
    ]);
  });

  it("emits aggregates per record for push queries, per step otherwise", () => {
    const emission = (text: string): string | undefined => {
      const node = nodesOf(physical(text).root).find((one) => one.kind === "aggregate");
      return node?.kind === "aggregate" ? node.emission : undefined;
    };
    assert.equal(emission("SELECT COUNT(*) FROM flights EMIT CHANGES"), "per-record");
    assert.equal(emission("SELECT COUNT(*) FROM flights EMIT CHANGES WITH RETRACTIONS"), "per-record");
    assert.equal(emission("SELECT COUNT(*) FROM flights EMIT CHANGES COALESCED"), "per-step");
    assert.equal(emission("SELECT COUNT(*) FROM flights"), "per-step");
    assert.equal(emission("CREATE VIEW v AS SELECT COUNT(*) AS n FROM flights"), "per-step");
  });

  it("can be sent to another thread, and refers only to columns that its inputs have", () => {
    let checked = 0;
    for (const text of sampleStatements) {
      const [statement] = parseScript(text).statements;
      if (statement?.kind !== "query" && statement?.kind !== "create-view") continue;
      const plan = physical(text);
      assert.deepEqual(structuredClone(plan), plan);
      assert.equal(plan.output.length, plan.root.types.length);
      const ids = nodesOf(plan.root).map((node) => node.id);
      assert.equal(new Set(ids).size, ids.length);
      for (const node of nodesOf(plan.root)) {
        const types = inputsOf(node).flatMap((input) => input.types);
        for (const column of expressionsOf(node).flatMap(columns)) {
          assert.deepEqual(types[column.index], column.type, `${text}: ${column.name}`);
          checked += 1;
        }
      }
    }
    assert(checked > 50);
  });
});

describe("EXPLAIN", () => {
  const statement = (text: string): Parameters<typeof explain>[0] => {
    const bound = bindText(`EXPLAIN ${text}`);
    assert(bound.kind === "explain");
    return bound.statement;
  };

  it("shows the plan before and after", () => {
    const text = explain(
      statement(
        "SELECT origin, SUM(delay) / 2 AS x FROM flights WHERE TRUE AND delay > 10 + 5 GROUP BY origin HAVING origin <> 'X' ORDER BY x DESC LIMIT 3",
      ),
    );
    assert.deepEqual(text.split("\n"), [
      "Plan as written:",
      "  Project origin, (SUM(delay) / 2) AS x",
      "    Sort (SUM(delay) / 2) DESC first 3",
      "      Filter (origin <> 'X')",
      "        Aggregate by [origin] computing [SUM(delay)]",
      "          Filter (TRUE AND (delay > (10 + 5)))",
      "            Scan stream flights [delay, origin]",
      "Plan as run (fold constants, push predicates, choose append-only):",
      "  Project origin, (SUM(delay) / 2) AS x",
      "    Sort (SUM(delay) / 2) DESC first 3",
      "      Aggregate by [origin] computing [SUM(delay)], append-only",
      "        Filter ((delay > 15) AND (origin <> 'X'))",
      "          Scan stream flights [delay, origin]",
      "Emits: one answer",
    ]);
  });

  it("says what a push query emits", () => {
    assert.match(
      explain(statement("SELECT a FROM flights EMIT CHANGES")),
      /of what is appended from now on$/,
    );
    assert.match(
      explain(statement("CREATE VIEW v AS SELECT a FROM flights")),
      /from the first stored record on$/,
    );
  });

  it("gives JSON with each pass and the physical plan", () => {
    const json: unknown = JSON.parse(
      explain(statement("SELECT 9223372036854775807 + 0 AS n, x FROM flights"), "json"),
    );
    assert(typeof json === "object" && json !== null);
    assert.deepEqual(Object.keys(json), ["original", "passes", "start", "physical"]);
  });

  it("takes every sample query", () => {
    for (const text of sampleStatements) {
      const [parsed] = parseScript(text).statements;
      if (parsed?.kind !== "query" && parsed?.kind !== "create-view") continue;
      assert.match(explain(statement(text)), /^Plan as written:\n/);
      JSON.parse(explain(statement(text), "json"));
    }
  });
});
