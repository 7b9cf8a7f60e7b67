import assert from "node:assert/strict";
import { runs } from "@hstream/proto/testing";
import fc from "fast-check";
import { runPass } from "../optimize/run-pass.js";
import type { LogicalPlan } from "../plan/logical.js";
import { planLines } from "../physical/explain.js";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
import { rowKeyText } from "../values/row-key.js";
import { bindQuery } from "./bind-text.js";
import { runPlan } from "./run-plan.js";

const fieldValues: fc.Arbitrary<SqlValue> = fc.oneof(
  fc.integer({ min: -2, max: 3 }),
  fc.constantFrom<SqlValue>(null, true, false, "a", "b", "1", 1.5),
);

/** Records with fields a, b and c, which may be of any type or missing. */
export const records: fc.Arbitrary<readonly SqlObject[]> = fc.array(
  fc
    .array(fc.tuple(fc.constantFrom("a", "b", "c"), fieldValues), { maxLength: 3 })
    .map((fields) => new Map(fields)),
  { maxLength: 8 },
);

/** Queries over the stream `flights` that between them use every kind of node and most of expressions. */
export const queries: fc.Arbitrary<string> = fc
  .record({
    items: fc.constantFrom(
      "a, b",
      "a + b AS s, c",
      "*",
      "b",
      "1 + 1 AS two, a",
      "CASE WHEN 1 = 1 THEN a ELSE b END AS x",
    ),
    where: fc.constantFrom(
      "",
      "WHERE a > 0",
      "WHERE TRUE",
      "WHERE FALSE",
      "WHERE a > 0 AND 2 > 1 AND b IS NOT NULL",
      "WHERE a = 1 OR NULL",
    ),
    tail: fc.constantFrom("", "LIMIT 3", "ORDER BY a DESC, b LIMIT 2 OFFSET 1", "ORDER BY 1"),
    grouped: fc.constantFrom(
      undefined,
      "a, COUNT(*) AS n, SUM(b) AS s",
      "a, MAX(b) AS m",
      "COUNT(*) AS n",
      "a, c, MIN(b) + 1 AS m",
    ),
    having: fc.constantFrom(
      "",
      "HAVING COUNT(*) > 1",
      "HAVING a > 0",
      "HAVING a > 0 AND SUM(b) > 0",
      "HAVING FALSE",
    ),
  })
  .map(({ items, where, tail, grouped, having }) => {
    if (grouped === undefined)
      return `SELECT ${items} FROM flights ${where} ${items === "*" ? tail.replace(/.*1$/, "") : tail}`;
    const group = grouped.startsWith("COUNT") ? "" : `GROUP BY a`;
    const condition = group === "" && having.includes("a >") ? "" : having;
    return `SELECT ${grouped} FROM flights ${where} ${group} ${condition}`;
  });

const pick = fc.constantFrom;

/** Queries over the streams `flights` and `closed` with every kind of relational node. Rows stand in any order. */
export const relationalQueries: fc.Arbitrary<string> = fc
  .record({
    items: pick("l.a, r.s", "l.b + 1 AS x, r.a", "l.a, l.b, r.a, r.s", "COUNT(*) AS n, MAX(r.a) AS m"),
    type: pick("JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"),
    left: pick(
      "flights",
      "(SELECT a, b, c FROM flights WHERE b IS NOT NULL)",
      "(SELECT a, MIN(b) AS b, COUNT(*) AS c FROM flights GROUP BY a)",
      "(SELECT a, b, c FROM flights UNION ALL SELECT s, a, 1 FROM closed)",
      "(SELECT DISTINCT a, b, c FROM flights)",
      "(SELECT * FROM flights)",
      "(SELECT * FROM (SELECT * FROM flights WHERE a IS NOT NULL) UNION ALL SELECT * FROM flights)",
      "(SELECT a, b, c FROM flights EXCEPT SELECT s, a, 1 FROM closed)",
      "(SELECT a, b, ROW_NUMBER() OVER (PARTITION BY a ORDER BY b, c) AS c FROM flights)",
      "(SELECT a, b, c FROM flights f WHERE f.a IN (SELECT a FROM closed))",
      "(SELECT a, b, (SELECT MAX(a) FROM closed k WHERE k.s = f.b) AS c FROM flights f)",
      "(SELECT a, b, (SELECT COUNT(*) FROM closed k WHERE k.a < f.a) AS c FROM flights f)",
      "(SELECT f.a, f.b, f.c FROM flights f SEMI JOIN closed k ON k.a = f.a AND f.b IS NOT NULL)",
      "(SELECT a, b, SUM(1) OVER (w ROWS 1 PRECEDING) AS c FROM flights WINDOW w AS (PARTITION BY a ORDER BY b, c))",
    ),
    on: pick(
      "l.a = r.a",
      "l.a = r.a AND l.b > 0",
      "l.a = r.a AND r.s = 'a' AND TRUE",
      "l.b IS NOT DISTINCT FROM r.s",
      "l.a < r.a",
      "r.a = 1",
      "l.a = r.a AND l.b = r.s OR l.c = 1",
    ),
    where: pick(
      "",
      "WHERE l.a > 0",
      "WHERE r.s IS NULL",
      "WHERE l.c <= 1 AND r.a > 0 AND l.a = r.a",
      "WHERE l.b = r.s OR r.a = 2",
      "WHERE NOT EXISTS (SELECT 1 FROM flights g WHERE g.b = l.b AND g.a > r.a)",
      "WHERE l.a NOT IN (SELECT b FROM flights)",
      "WHERE l.a >= ALL (SELECT a FROM closed)",
      "WHERE l.a > ANY (SELECT k.a FROM closed k WHERE k.s <> l.b) OR r.s = 'a'",
      "WHERE l.c = 1",
      "WHERE l.c < 2 AND l.a = 1",
    ),
  })
  .map(
    ({ items, type, left, on, where }) => `SELECT ${items} FROM ${left} l ${type} closed r ON ${on} ${where}`,
  );

/** Joins by commas, of which some order makes no needless pairs. */
const commaJoins: fc.Arbitrary<string> = fc
  .shuffledSubarray(["x.a = z.a", "y.s = z.b", "x.b = y.a", "x.c = 1", "y.a > 0"], { minLength: 1 })
  .map(
    (conditions) =>
      `SELECT x.a, y.s, z.c FROM flights x, closed y, flights z WHERE ${conditions.join(" AND ")}`,
  );

const closedRecords: fc.Arbitrary<readonly SqlObject[]> = fc.array(
  fc.tuple(fc.option(fc.integer({ min: 0, max: 3 })), fc.option(fc.constantFrom("a", "b", "1"))).map(
    ([a, s]) =>
      new Map<string, SqlValue>([
        ["a", a],
        ["s", s],
      ]),
  ),
  { maxLength: 5 },
);

const sortedRows = (rows: readonly (readonly SqlValue[])[]): readonly string[] => rows.map(rowKeyText).sort();

/**
 * The same for plans with joins and their kind, where the order of rows means nothing. `settles`: a second run
 * changes nothing more.
 */
export function checkRelationalPass(
  name: string,
  pass: (plan: LogicalPlan) => LogicalPlan,
  settles = true,
): void {
  let changed = 0;
  const text = fc.oneof({ weight: 4, arbitrary: relationalQueries }, { weight: 1, arbitrary: commaJoins });
  fc.assert(
    fc.property(text, records, closedRecords, (sql, flights, closed) => {
      const { plan } = bindQuery(sql);
      const after = runPass(name, pass, plan, []);
      if (after !== plan) changed += 1;
      const stored = new Map([
        ["flights", flights],
        ["closed", closed],
      ]);
      assert.deepEqual(sortedRows(runPlan(after, stored)), sortedRows(runPlan(plan, stored)), sql);
      if (settles)
        assert.deepEqual(planLines(pass(after)), planLines(after), `${name} is done after one run: ${sql}`);
    }),
    { numRuns: runs(400) },
  );
  assert(changed > 0, `${name} changed at least one plan`);
}

/** A pass changes no answer, and what it does not change it leaves alone. */
export function checkPass(name: string, pass: (plan: LogicalPlan) => LogicalPlan): void {
  let changed = 0;
  fc.assert(
    fc.property(queries, records, (text, rows) => {
      const { plan } = bindQuery(text);
      const after = runPass(name, pass, plan, []);
      if (after !== plan) changed += 1;
      assert.deepEqual(runPlan(after, rows), runPlan(plan, rows), text);
      assert.deepEqual(planLines(pass(after)), planLines(after), `${name} is done after one run: ${text}`);
    }),
    { numRuns: runs(600) },
  );
  assert(changed > 0, `${name} changed at least one plan`);
}

/** The plan of a query after a pass, one line a node. */
export function planAfter(
  text: string,
  ...passes: readonly ((plan: LogicalPlan) => LogicalPlan)[]
): string[] {
  return planLines(passes.reduce((plan, pass) => pass(plan), bindQuery(text).plan));
}
