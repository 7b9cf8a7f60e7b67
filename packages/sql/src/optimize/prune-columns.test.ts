import assert from "node:assert/strict";
import type { LogicalPlan } from "../plan/logical.js";
import { planLines } from "../physical/explain.js";
import { bindQuery } from "../testing/bind-text.js";
import { checkPass, checkRelationalPass, planAfter } from "../testing/pass-oracle.js";
import { foldConstants } from "./fold-constants.js";
import { pruneColumns } from "./prune-columns.js";

/** Only the first column of a query, as a query over it would read it. */
function firstColumn(text: string): LogicalPlan {
  const { plan } = bindQuery(text);
  assert(plan.kind === "project");
  const [item] = plan.items;
  assert(item !== undefined);
  const { id, name, type } = item.column;
  const column = { id: 1_000, name, type };
  return {
    kind: "project",
    input: plan,
    items: [{ column, expression: { kind: "column", index: id, name, type } }],
  };
}

describe("column pruning", () => {
  it("changes no answer of joins and their kind", () => checkRelationalPass("prune columns", pruneColumns));

  it("changes no answer", () => checkPass("prune columns", (plan) => pruneColumns(foldConstants(plan))));

  it("leaves to the scan what is read after folding", () => {
    assert.deepEqual(
      planAfter("SELECT CASE WHEN TRUE THEN a ELSE b END AS x FROM flights", foldConstants, pruneColumns),
      ["Project a AS x", "  Scan stream flights [a]"],
    );
  });

  it("drops items and aggregates that nothing reads, and keeps keys", () => {
    assert.deepEqual(
      planLines(pruneColumns(firstColumn("SELECT COUNT(*) AS n, SUM(b), a FROM flights GROUP BY a"))),
      [
        "Project n",
        "  Project COUNT(*) AS n",
        "    Aggregate by [a] computing [COUNT(*)]",
        "      Scan stream flights [a]",
      ],
    );
  });
});
