import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { renderDiagnostic } from "../diagnostics/render.js";
import { parseScript } from "../parse/parse-script.js";
import { bindText, bindQuery, findingsOf } from "../testing/bind-text.js";
import { testCatalog } from "../testing/catalog.js";
import { bindStatement } from "./bind-statement.js";
import type { SqlValue } from "../types/sql-value.js";

const outputNames = (text: string): readonly string[] => bindQuery(text).output.map((column) => column.name);
const outputTypes = (text: string): readonly string[] =>
  bindQuery(text).output.map((column) => column.type.kind);
const messages = (text: string): readonly string[] =>
  findingsOf(text).map((one) => `${one.severity}: ${one.message}`);

function insertedRows(text: string): readonly (readonly (readonly [string, SqlValue])[])[] {
  const bound = bindText(text);
  assert(bound.kind === "insert");
  return bound.rows.map((row) => {
    assert(row.kind === "object");
    return [...row.fields];
  });
}

describe("names of output columns", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ["SELECT sum( a ), a + 1, f.b, a AS x FROM flights AS f GROUP BY a, b", ["SUM(a)", "a+1", "b", "x"]],
    ["SELECT a BETWEEN 0 AND 42, count(*) FROM flights GROUP BY a", ["aBETWEEN0AND42", "COUNT(*)"]],
    ["SELECT a, a FROM flights", ["a", "a_2"]],
    ["SELECT *, a AS b FROM flights", ["*", "b"]],
    ["SELECT * FROM closed", ["a", "s"]],
  ];
  for (const [text, names] of cases) it(text, () => assert.deepEqual(outputNames(text), names));
});

describe("types", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [
      "SELECT a, a + 1, a + b, a / 2, a / 2.0, a = 1 FROM typed",
      ["integer", "integer", "float", "integer", "float", "boolean"],
    ],
    [
      "SELECT x, x + 1, x / 2, x = 1, x || 'a' FROM flights",
      ["dynamic", "dynamic", "float", "boolean", "string"],
    ],
    [
      "SELECT SUM(a), SUM(b), SUM(x), AVG(a), COUNT(*), MIN(s) FROM typed",
      ["integer", "float", "dynamic", "float", "integer", "string"],
    ],
    [
      "SELECT CASE WHEN a > 1 THEN 1 ELSE 1.5 END, COALESCE(a, b), at - at, at + INTERVAL 1 DAY FROM typed",
      ["float", "float", "interval", "timestamp"],
    ],
    ["SELECT at > '2024-01-01', [1, 2], _append_time FROM typed", ["boolean", "array", "timestamp"]],
  ];
  for (const [text, types] of cases) it(text, () => assert.deepEqual(outputTypes(text), types));
});

describe("grouping", () => {
  it("takes aliases, positions and expressions", () => {
    const texts = [
      "SELECT a + 1 AS x, COUNT(*) FROM flights GROUP BY x ORDER BY x",
      "SELECT a + 1 AS x, COUNT(*) FROM flights GROUP BY 1 ORDER BY 2 DESC",
      "SELECT a + 1 AS x, COUNT(*) FROM flights GROUP BY a + 1 HAVING a + 1 > 2",
      "SELECT a, COUNT(*) AS n FROM flights GROUP BY a HAVING n > 2 ORDER BY n + 1",
    ];
    for (const text of texts) assert.deepEqual(messages(text), [], text);
  });

  it("groups by a column where an alias is made of it", () => {
    assert.deepEqual(
      messages("SELECT TO_UPPER(origin) AS origin, COUNT(*) FROM flights GROUP BY origin"),
      [],
    );
  });

  it("takes an ungrouped column over a stream as the latest record's, with a notice", () => {
    assert.deepEqual(messages("SELECT origin, delay FROM flights GROUP BY origin"), [
      "notice: delay is neither grouped nor inside an aggregate: the group's latest record gives its value",
    ]);
    assert.deepEqual(messages("SELECT flights FROM per_origin GROUP BY origin"), [
      "error: flights is neither grouped nor inside an aggregate",
    ]);
  });

  it("orders by the item of a name, and finds nothing twice", () => {
    const { plan } = bindQuery("SELECT b + 1 AS a FROM typed ORDER BY a");
    assert(plan.kind === "project" && plan.input.kind === "sort");
    assert.equal(plan.input.keys[0]?.expression.kind, "call");
    assert.equal(messages("SELECT origin, delay AS d FROM flights GROUP BY origin ORDER BY d").length, 1);
  });

  it("computes each aggregate once", () => {
    const { plan } = bindQuery("SELECT COUNT(*), COUNT(*) + 1 FROM flights HAVING COUNT(*) > 1");
    assert(plan.kind === "project" && plan.input.kind === "filter" && plan.input.input.kind === "aggregate");
    assert.equal(plan.input.input.calls.length, 1);
  });
});

describe("emission", () => {
  it("follows the statement", () => {
    const emits = (text: string): readonly unknown[] => {
      const { emit, start, emitLimit } = bindQuery(text);
      return [emit.kind, start, emitLimit];
    };
    assert.deepEqual(emits("SELECT a FROM flights LIMIT 3"), ["pull", "earliest", undefined]);
    assert.deepEqual(emits("SELECT a FROM flights EMIT CHANGES LIMIT 3"), ["changes", "latest", 3]);
    assert.deepEqual(emits("SELECT a FROM flights EMIT CHANGES WITH RETRACTIONS FROM EARLIEST"), [
      "retractions",
      "earliest",
      undefined,
    ]);
    assert.deepEqual(emits("CREATE VIEW v AS SELECT a FROM flights EMIT CHANGES"), [
      "coalesced",
      "earliest",
      undefined,
    ]);
  });
});

describe("INSERT", () => {
  it("computes its values and casts them to the declared types", () => {
    assert.deepEqual(
      insertedRows("INSERT INTO typed (a, at, extra) VALUES (1 + 1, '2024-01-01', [1]), (3, NULL, \"x\")"),
      [
        [
          ["a", 2],
          ["at", { kind: "timestamp", ms: 1_704_067_200_000 }],
          ["extra", [1]],
        ],
        [
          ["a", 3],
          ["at", null],
          ["extra", "x"],
        ],
      ],
    );
    assert.deepEqual(insertedRows("INSERT INTO closed VALUES (1, 2)"), [
      [
        ["a", 1],
        ["s", "2"],
      ],
    ]);
  });

  it("takes JSON, and bytes", () => {
    assert.deepEqual(
      insertedRows(`INSERT INTO flights VALUES '{"n": 9007199254740993, "d": {"$date": "1970-01-02"}}'`),
      [
        [
          ["n", 9007199254740993n],
          ["d", { kind: "date", days: 1 }],
        ],
      ],
    );
    const bound = bindText("INSERT INTO flights VALUES 'é' :: BYTEA");
    assert(bound.kind === "insert");
    assert.deepEqual(bound.rows, [{ kind: "raw", bytes: Uint8Array.from([0xc3, 0xa9]) }]);
  });

  it("takes the clock that it is given", () => {
    const [statement] = parseScript("INSERT INTO flights (t) VALUES (NOW())").statements;
    assert(statement !== undefined);
    assert.equal(bindStatement(statement, testCatalog).bound, undefined);
    const { bound } = bindStatement(statement, testCatalog, { nowMs: 5 });
    assert(bound?.kind === "insert" && bound.rows[0]?.kind === "object");
    assert.deepEqual(bound.rows[0].fields.get("t"), { kind: "timestamp", ms: 5 });
  });
});

describe("CREATE STREAM", () => {
  it("keeps what WITH says and leaves the rest to the server", () => {
    assert.deepEqual(
      bindText(
        "CREATE STREAM s (a INT) WITH (replicate = 3, DURATION = INTERVAL 1 DAY, LATENESS = INTERVAL 5 SECOND)",
      ),
      {
        kind: "create-stream",
        name: "s",
        ifNotExists: false,
        orReplace: false,
        columns: [{ name: "a", type: { kind: "integer" } }],
        replicationFactor: 3,
        retentionSeconds: 86_400,
        latenessMs: 5_000,
      },
    );
  });
});

/**
 * Golden file: each statement, then what is reported for it. A new statement is added at the end without an
 * answer; the failing test prints the text to fill in.
 */
describe("findings", () => {
  const path = new URL("../../src/bind/findings.golden.txt", import.meta.url);
  const sections = readFileSync(path, "utf8")
    .split(/^===\n/m)
    .filter((section) => section.trim() !== "");
  for (const section of sections) {
    const [text = "", expected = ""] = section.split(/^---\n/m);
    const sql = text.trimEnd();
    it(sql.split("\n")[0] ?? "", () => {
      const rendered = findingsOf(sql)
        .map((one) => renderDiagnostic(sql, one))
        .join("\n");
      assert.equal(rendered, expected.trimEnd());
    });
  }

  it("has at least forty cases", () => assert(sections.length >= 40));
});
