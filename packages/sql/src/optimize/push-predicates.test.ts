import assert from "node:assert/strict";
import { type LogicalPlan } from "../plan/logical.js";
import { planLines } from "../physical/explain.js";
import { bindQuery } from "../testing/bind-text.js";
import { checkPass, checkRelationalPass, planAfter } from "../testing/pass-oracle.js";
import { pushPredicates } from "./push-predicates.js";

/** The plan of `text` with a filter over its only boolean column, as a subquery's WHERE would have it. */
function filtered(text: string): LogicalPlan {
  const { plan } = bindQuery(text);
  assert(plan.kind === "project");
  const item = plan.items.find(({ column }) => column.name === "keep");
  assert(item !== undefined);
  const { id, name, type } = item.column;
  return { kind: "filter", input: plan, predicate: { kind: "column", index: id, name, type } };
}

describe("predicate push-down", () => {
  it("changes no answer of joins and their kind", () =>
    checkRelationalPass("push predicates", pushPredicates));

  it("changes no answer", () => checkPass("push predicates", pushPredicates));

  it("goes through a projection with its expression", () => {
    assert.deepEqual(planLines(pushPredicates(filtered("SELECT a, b > 1 AS keep FROM flights"))), [
      "Project a, (b > 1) AS keep",
      "  Filter (b > 1)",
      "    Scan stream flights [a, b]",
    ]);
  });

  it("stays above all that a projection of records computes with much effort, as it would do so again", () => {
    const both = filtered("SELECT a, TO_LOWER(c) = 'x' AS keep FROM flights");
    assert.equal(pushPredicates(both), both);
    const another = planLines(
      pushPredicates(filtered("SELECT TO_LOWER(c) = 'x' AS keep, TO_UPPER(c) FROM flights")),
    );
    assert.deepEqual(
      another.map((line) => line.trim().split(" ")[0]),
      ["Project", "Filter", "Scan"],
    );
  });

  it("stays above a volatile expression and above a limit", () => {
    const clock = filtered("SELECT NOW() > TIMESTAMP '2024-01-01' AS keep FROM flights");
    assert.equal(pushPredicates(clock), clock);
    const limited = planLines(pushPredicates(filtered("SELECT a > 1 AS keep FROM flights LIMIT 2")));
    assert.deepEqual(
      limited.map((line) => line.trim().split(" ")[0]),
      ["Project", "Filter", "Limit", "Scan"],
    );
  });

  it("goes below an aggregate where it reads only keys", () => {
    assert.deepEqual(
      planAfter(
        "SELECT a, COUNT(*) FROM flights WHERE b = 1 GROUP BY a HAVING a > 1 AND COUNT(*) > 2",
        pushPredicates,
      ),
      [
        "Project a, COUNT(*)",
        "  Filter (COUNT(*) > 2)",
        "    Aggregate by [a] computing [COUNT(*)]",
        "      Filter ((b = 1) AND (a > 1))",
        "        Scan stream flights [b, a]",
      ],
    );
  });
});
