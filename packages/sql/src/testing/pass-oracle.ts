import assert from "node:assert/strict";
import fc from "fast-check";
import { runPass } from "../optimize/run-pass.js";
import type { LogicalPlan } from "../plan/logical.js";
import { planLines } from "../physical/explain.js";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
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
    { numRuns: 600 },
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
