import assert from "node:assert/strict";
import { optimise } from "../optimize/optimise.js";
import { toPhysical } from "../physical/to-physical.js";
import { checkResolved } from "../optimize/run-pass.js";
import { planLines } from "../physical/explain.js";
import { bindQuery, bindText, findingsOf } from "../testing/bind-text.js";
import type { BoundQuery } from "./bound-statement.js";
import { runPlan, type StoredRecords } from "../testing/run-plan.js";
import type { SqlValue } from "../types/sql-value.js";
import { toText } from "../values/text.js";

const record = (fields: Readonly<Record<string, SqlValue>>): ReadonlyMap<string, SqlValue> =>
  new Map(Object.entries(fields));

/** The streams of the test catalog. */
const stored: StoredRecords = new Map([
  [
    "flights",
    [
      record({ n: 1, origin: "ATL", delay: 10 }),
      record({ n: 2, origin: "ATL", delay: 30 }),
      record({ n: 3, origin: "JFK", delay: 5 }),
      record({ n: 4, origin: "SFO", delay: null }),
    ],
  ],
  [
    "closed",
    [
      record({ a: 1, s: "ATL" }),
      record({ a: 2, s: "JFK" }),
      record({ a: 3, s: "LAX" }),
      record({ a: 4, s: null }),
    ],
  ],
  ["typed", [record({ a: 1, b: 1.5, s: "x" }), record({ a: 2, b: 2.5, s: "y" })]],
  ["per_origin", [record({ origin: "ATL", flights: 2 }), record({ origin: "JFK", flights: 1 })]],
  ["streams", [record({ name: "s1", shards: 1 }), record({ name: "s2", shards: 2 })]],
  [
    "append_throughput",
    [
      record({ stream_name: "s1", throughput_1min: 5 }),
      record({ stream_name: "s1", throughput_1min: 7 }),
      record({ stream_name: "gone", throughput_1min: 20 }),
    ],
  ],
]);

/** Rows as texts in an order of their own, unless the query orders them. */
function answer(text: string): readonly string[] {
  const query = bindQuery(text);
  checkResolved(text, query.plan);
  const optimised = optimise(query);
  const show = (rows: readonly (readonly SqlValue[])[]): string[] => {
    const shown = rows.map((row) => row.map(toText).join(" "));
    return /ORDER BY[^()]*$/.test(text) ? shown : shown.sort();
  };
  const plain = show(runPlan(query.plan, stored));
  assert.deepEqual(
    show(runPlan(optimised.plan, stored)),
    plain,
    `${text}: the optimised plan gives the same`,
  );
  const physical = toPhysical(optimised);
  assert.deepEqual(structuredClone(physical), physical);
  return plain;
}

const names = (text: string): readonly string[] => bindQuery(text).output.map((column) => column.name);

/** A statement, and its rows. */
const cases: readonly (readonly [string, readonly string[]])[] = [
  // joins
  ["SELECT n, a FROM flights JOIN closed ON origin = closed.s", ["1 1", "2 1", "3 2"]],
  ["SELECT n, a FROM flights f LEFT JOIN closed c ON f.origin = c.s", ["1 1", "2 1", "3 2", "4 NULL"]],
  [
    "SELECT n, a FROM flights f RIGHT OUTER JOIN closed c ON f.origin = c.s",
    ["1 1", "2 1", "3 2", "NULL 3", "NULL 4"],
  ],
  [
    "SELECT n, a FROM flights f FULL JOIN closed c ON f.origin = c.s",
    ["1 1", "2 1", "3 2", "4 NULL", "NULL 3", "NULL 4"],
  ],
  ["SELECT COUNT(*) FROM flights, closed", ["16"]],
  ["SELECT COUNT(*) FROM flights CROSS JOIN closed CROSS JOIN typed", ["32"]],
  ["SELECT t.a, c.s FROM typed t NATURAL JOIN closed c", []],
  ["SELECT a, t.s, c.s FROM typed t JOIN closed c USING (a)", ["1 x ATL", "2 y JFK"]],
  ["SELECT a FROM typed t FULL JOIN closed c USING (a)", ["1", "2", "3", "4"]],
  ["SELECT l.n, r.n FROM flights l JOIN flights r ON l.origin = r.origin AND l.n < r.n", ["1 2"]],
  ["SELECT n FROM flights f JOIN closed c ON f.origin = c.s AND c.a > 1 AND f.delay < 20", ["3"]],
  [
    "SELECT n, flights FROM flights f LEFT JOIN per_origin p ON f.origin = p.origin WHERE p.origin IS NULL",
    ["4 NULL"],
  ],
  ["SELECT n FROM (flights f JOIN closed c ON f.origin = c.s) JOIN typed t ON t.a = c.a", ["1", "2", "3"]],
  // subqueries
  ["SELECT x.d + 1 FROM (SELECT delay * 2 AS d FROM flights WHERE n < 3) x", ["21", "61"]],
  ["SELECT n FROM (SELECT * FROM flights) WHERE delay > 8", ["1", "2"]],
  ["SELECT n FROM flights WHERE delay = (SELECT MAX(delay) FROM flights)", ["2"]],
  [
    "SELECT n, (SELECT COUNT(*) FROM closed c WHERE c.s = f.origin) FROM flights f",
    ["1 1", "2 1", "3 1", "4 0"],
  ],
  ["SELECT n, (SELECT a FROM closed c WHERE c.s = f.origin) FROM flights f", ["1 1", "2 1", "3 2", "4 NULL"]],
  [
    "SELECT a, (SELECT n FROM flights f WHERE f.origin = c.s ORDER BY n DESC LIMIT 1) FROM closed c",
    ["1 2", "2 3", "3 NULL", "4 NULL"],
  ],
  [
    "SELECT n FROM flights f WHERE EXISTS (SELECT 1 FROM closed c WHERE c.s = f.origin AND c.a = 1)",
    ["1", "2"],
  ],
  ["SELECT n FROM flights f WHERE NOT EXISTS (SELECT * FROM closed c WHERE c.s = f.origin)", ["4"]],
  [
    "SELECT a FROM closed c WHERE EXISTS (SELECT 1 FROM flights f WHERE f.origin = c.s AND f.n > c.a)",
    ["1", "2"],
  ],
  ["SELECT n FROM flights WHERE origin IN (SELECT s FROM closed)", ["1", "2", "3"]],
  ["SELECT n FROM flights WHERE origin NOT IN (SELECT s FROM closed)", []],
  ["SELECT n FROM flights WHERE origin NOT IN (SELECT s FROM closed WHERE s IS NOT NULL)", ["4"]],
  ["SELECT n FROM flights WHERE delay NOT IN (SELECT a FROM closed WHERE FALSE)", ["1", "2", "3", "4"]],
  ["SELECT n, origin IN (SELECT s FROM closed) FROM flights", ["1 TRUE", "2 TRUE", "3 TRUE", "4 NULL"]],
  ["SELECT n FROM flights WHERE n = 4 OR EXISTS (SELECT 1 FROM closed WHERE a > 3 AND s = 'no')", ["4"]],
  [
    "SELECT n, EXISTS (SELECT 1 FROM closed WHERE s = origin) AS e FROM flights",
    ["1 TRUE", "2 TRUE", "3 TRUE", "4 FALSE"],
  ],
  [
    "SELECT n, EXISTS (SELECT 1 FROM closed WHERE s = flights.origin) AS e FROM flights",
    ["1 TRUE", "2 TRUE", "3 TRUE", "4 FALSE"],
  ],
  [
    "SELECT origin, COUNT(*), (SELECT a FROM closed c WHERE c.s = f.origin) FROM flights f GROUP BY origin",
    ["ATL 2 1", "JFK 1 2", "SFO 1 NULL"],
  ],
  [
    "SELECT origin FROM flights f GROUP BY origin HAVING COUNT(*) > (SELECT MIN(a) FROM closed) AND EXISTS (SELECT 1 FROM closed c WHERE c.s = f.origin)",
    ["ATL"],
  ],
  // common tables, VALUES
  [
    "WITH t AS (SELECT origin, COUNT(*) AS c FROM flights GROUP BY origin) SELECT a.origin FROM t a JOIN t b ON a.c = b.c AND a.origin < b.origin",
    ["JFK"],
  ],
  [
    "WITH t (x, y) AS (VALUES (1, 'a'), (2, 'b')), u AS (SELECT x + 1 AS z FROM t) SELECT z, y FROM u, t WHERE z = x",
    ["2 b"],
  ],
  ["SELECT column1, column2 FROM (VALUES (1, 2.5), (NULL, 3))", ["1 2.5", "NULL 3"]],
  ["VALUES (1), (2) ORDER BY 1 DESC", ["2", "1"]],
  // set operations, DISTINCT
  ["SELECT origin FROM flights UNION SELECT s FROM closed", ["ATL", "JFK", "LAX", "NULL", "SFO"]],
  ["SELECT 1 UNION ALL SELECT 1.5 UNION ALL SELECT 1", ["1", "1", "1.5"]],
  ["SELECT origin FROM flights EXCEPT SELECT s FROM closed", ["SFO"]],
  ["SELECT origin FROM flights EXCEPT ALL SELECT s FROM closed", ["ATL", "SFO"]],
  ["SELECT origin FROM flights INTERSECT SELECT s FROM closed", ["ATL", "JFK"]],
  ["SELECT 1 UNION SELECT 2 INTERSECT SELECT 3", ["1"]],
  ["(SELECT 1 UNION SELECT 2) EXCEPT SELECT 2 ORDER BY 1", ["1"]],
  ["SELECT DISTINCT origin FROM flights ORDER BY origin DESC LIMIT 2", ["SFO", "JFK"]],
  ["SELECT DISTINCT delay > 8 FROM flights", ["FALSE", "NULL", "TRUE"]],
  ["SELECT COUNT(DISTINCT origin) FROM flights", ["3"]],
  ["SELECT n FROM flights UNION ALL SELECT a FROM closed ORDER BY n LIMIT 3", ["1", "1", "2"]],
  // window functions
  [
    "SELECT n, ROW_NUMBER() OVER (PARTITION BY origin ORDER BY delay DESC) FROM flights",
    ["1 2", "2 1", "3 1", "4 1"],
  ],
  ["SELECT n, SUM(delay) OVER (ORDER BY n) FROM flights", ["1 10", "2 40", "3 45", "4 45"]],
  [
    "SELECT n, SUM(n) OVER (ORDER BY n ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM flights",
    ["1 3", "2 6", "3 9", "4 7"],
  ],
  [
    "SELECT n, LAG(n) OVER (ORDER BY n), COUNT(*) OVER () FROM flights",
    ["1 NULL 4", "2 1 4", "3 2 4", "4 3 4"],
  ],
  [
    "SELECT origin, RANK() OVER (ORDER BY COUNT(*) DESC) FROM flights GROUP BY origin",
    ["ATL 1", "JFK 2", "SFO 2"],
  ],
  [
    "SELECT n FROM (SELECT n, ROW_NUMBER() OVER (PARTITION BY origin ORDER BY delay DESC) AS r FROM flights) WHERE r <= 1",
    ["2", "3", "4"],
  ],
  [
    "SELECT n, r FROM (SELECT n, ROW_NUMBER() OVER (ORDER BY n) AS r FROM flights) t WHERE r < 3 AND n > 1",
    ["2 2"],
  ],
  // the statement of the manual
  [
    "SELECT streams.name, sum(append_throughput.throughput_1min) AS total_throughput FROM append_throughput LEFT JOIN streams ON streams.name = append_throughput.stream_name GROUP BY stream_name ORDER BY total_throughput DESC LIMIT 0, 5;",
    ["NULL 20", "s1 12"],
  ],
];

describe("the relational language", () => {
  for (const [text, rows] of cases) it(text, () => assert.deepEqual(answer(text), rows));

  it("finds nothing to say about the statement of the manual", () => {
    const text =
      "SELECT streams.name, sum(append_throughput.throughput_1min) AS total_throughput FROM append_throughput LEFT JOIN streams ON streams.name = append_throughput.stream_name GROUP BY stream_name ORDER BY total_throughput DESC LIMIT 0, 5;";
    assert.deepEqual(findingsOf(text), []);
    assert.deepEqual(
      bindQuery(text).sources.map((source) => source.kind),
      ["table", "table"],
    );
  });

  it("names the columns of joins by their relations where two are called the same", () => {
    assert.deepEqual(names("SELECT t.a, c.a, b FROM typed t JOIN closed c ON t.a = c.a"), [
      "t.a",
      "c.a",
      "t.b",
    ]);
    assert.deepEqual(names("SELECT b, c.s FROM typed t JOIN closed c ON t.a = c.a"), ["b", "s"]);
    assert.deepEqual(names("SELECT * FROM closed a JOIN closed b USING (a)"), ["a", "a.s", "b.s"]);
    const { output } = bindQuery("SELECT * FROM flights f JOIN flights g ON f.n = g.n");
    assert.deepEqual(
      output.map(({ spread, prefix }) => [spread, prefix]),
      [
        [true, "f"],
        [true, "g"],
      ],
    );
  });
});

describe("queries without end", () => {
  const errors = (text: string): readonly string[] =>
    findingsOf(text)
      .filter((one) => one.severity === "error")
      .map((one) => one.message);
  const plan = (text: string): readonly string[] => planLines(optimise(bindQuery(text)).plan).slice(1);

  it("join two streams only WITHIN a time, which is a condition and is kept for the state", () => {
    assert.deepEqual(errors("SELECT f.n FROM flights f JOIN closed c ON f.n = c.a EMIT CHANGES"), [
      "A join of two streams without end needs WITHIN",
    ]);
    assert.deepEqual(
      plan("SELECT f.n FROM flights f JOIN closed c ON f.n = c.a WITHIN (INTERVAL 5 SECOND) EMIT CHANGES")[0],
      "  Join inner on n = a where ((_append_time <= (_append_time + INTERVAL 'PT5S')) AND (_append_time <= (_append_time + INTERVAL 'PT5S'))), within 5000 ms, append-only",
    );
    assert.deepEqual(
      errors(
        "SELECT f.n FROM flights f LEFT JOIN flights g WITHIN (INTERVAL 1 DAY) ON f.n = g.n EMIT CHANGES",
      ),
      [],
    );
  });

  it("look a view up for each record of a stream", () => {
    const look = "  Join inner look-up on origin = origin";
    assert.equal(
      plan("SELECT n FROM flights f JOIN per_origin p ON f.origin = p.origin EMIT CHANGES")[0],
      look,
    );
    assert.equal(
      plan("SELECT n FROM per_origin p JOIN flights f ON f.origin = p.origin EMIT CHANGES")[0],
      look,
    );
    assert.match(
      plan("CREATE VIEW v AS SELECT n FROM per_origin p RIGHT JOIN flights f ON f.origin = p.origin")[0] ??
        "",
      /Join left look-up/,
    );
    assert.equal(
      errors("CREATE VIEW v AS SELECT n FROM flights f FULL JOIN per_origin p ON f.origin = p.origin").length,
      1,
    );
    const grouped =
      "CREATE VIEW v AS SELECT p.flights, COUNT(*) AS c FROM flights f JOIN per_origin p ON f.origin = p.origin GROUP BY p.flights";
    assert.match(plan(grouped)[0] ?? "", /append-only/);
  });

  it("keep joins of views true on both sides", () => {
    assert.equal(
      plan(
        "CREATE VIEW v AS SELECT a.flights FROM per_origin a JOIN per_origin b ON a.flights = b.flights",
      )[0],
      "  Join inner on flights = flights",
    );
  });

  it("keep the first rows under ORDER BY and LIMIT", () => {
    const top = plan("CREATE VIEW v AS SELECT origin, flights FROM per_origin ORDER BY flights DESC LIMIT 3");
    assert.deepEqual(top, ["  Top first 3 by flights DESC", "    Scan view per_origin [origin, flights]"]);
    const { emitLimit } = bindQuery("SELECT n FROM flights ORDER BY n LIMIT 3 EMIT CHANGES");
    assert.equal(emitLimit, undefined);
    assert.match(
      plan(
        "SELECT a, (SELECT n FROM flights f WHERE f.n = c.a ORDER BY n LIMIT 1) AS m FROM closed c EMIT CHANGES",
      ).join(),
      /Top first 1 per/,
    );
    assert.deepEqual(errors("CREATE VIEW v AS SELECT n FROM flights LIMIT 3"), ["A view takes no LIMIT"]);
  });

  it("start where they say", () => {
    const query = (text: string): BoundQuery => bindQuery(text);
    assert.equal(query("CREATE VIEW v AS SELECT n FROM flights").start, "earliest");
    assert.equal(query("CREATE VIEW v AS SELECT n FROM flights WITH (START = LATEST)").start, "latest");
    assert.equal(
      query("CREATE VIEW v AS SELECT n FROM flights WITH (START = TIMESTAMP '1970-01-01T00:00:01Z')")
        .startAtMs,
      1000,
    );
    const stream = bindText(
      "CREATE STREAM s AS SELECT n, origin FROM flights PARTITION BY n WITH (START = 'EARLIEST', REPLICATE = 3)",
    );
    assert(stream.kind === "create-stream-as");
    assert.deepEqual(
      [stream.query.start, stream.query.emit.kind, stream.partitionBy, stream.replicationFactor],
      ["earliest", "changes", "n", 3],
    );
    const insert = bindText("INSERT INTO closed (a, s) SELECT n, origin FROM flights");
    assert(insert.kind === "insert-select");
    assert.deepEqual([insert.query.start, insert.columns], ["latest", ["a", "s"]]);
  });
});

describe("subqueries that are not right", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["SELECT (SELECT a, s FROM closed)", "A subquery gives one column here, not 2 columns"],
    ["SELECT (SELECT * FROM flights)", "A subquery gives one column here, not all fields of a record"],
    [
      "SELECT n FROM flights f WHERE n IN (SELECT a + f.n FROM closed)",
      "A subquery can name columns of the query around it only in its WHERE",
    ],
    ["SELECT n FROM flights f JOIN closed c ON EXISTS (SELECT 1)", "A subquery cannot stand in ON"],
    ["SELECT SUM(a) OVER (ORDER BY SUM(a) OVER ()) FROM typed", "A window function cannot stand in SELECT"],
    ["SELECT a FROM typed WHERE ROW_NUMBER() OVER () = 1", "A window function cannot stand in WHERE"],
    ["SELECT ROW_NUMBER() FROM typed", "ROW_NUMBER needs OVER (…)"],
    [
      "SELECT a FROM typed UNION SELECT a, b FROM typed",
      "UNION needs as many columns on both sides: 1 and 2",
    ],
    [
      "SELECT a FROM typed UNION SELECT s FROM typed",
      "Column 1 of UNION has different types: INTEGER, STRING",
    ],
    ["SELECT DISTINCT a FROM typed ORDER BY b", "SELECT DISTINCT is ordered only by what it selects"],
    ["SELECT t.a FROM typed t JOIN closed t ON TRUE", "Two relations in FROM are called t"],
    ["SELECT 1 FROM typed a JOIN typed b", "JOIN needs a condition"],
    ["WITH t AS (SELECT 1), t AS (SELECT 2) SELECT * FROM t", "Two common tables are called t"],
  ];
  for (const [text, message] of cases)
    it(message, () => assert.equal(findingsOf(text)[0]?.message, message, text));
});
