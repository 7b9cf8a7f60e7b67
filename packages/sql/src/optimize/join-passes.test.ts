import assert from "node:assert/strict";
import { planLines } from "../physical/explain.js";
import { toPhysical } from "../physical/to-physical.js";
import { bindQuery } from "../testing/bind-text.js";
import { checkRelationalPass, planAfter } from "../testing/pass-oracle.js";
import { chooseAppendOnly } from "./choose-append-only.js";
import { chooseTopN } from "./choose-top-n.js";
import { extractEqualities } from "./extract-equalities.js";
import { optimise } from "./optimise.js";
import { mergeProjections } from "./merge-projections.js";
import { orderJoins } from "./order-joins.js";
import { pushPredicates } from "./push-predicates.js";
import { readFields } from "./read-fields.js";
import { pruneColumns } from "./prune-columns.js";

describe("passes over joins", () => {
  it("change no answer", () => {
    checkRelationalPass("extract equalities", extractEqualities);
    checkRelationalPass("order joins", (plan) => orderJoins(pushPredicates(plan)));
    checkRelationalPass("choose top-n", (plan) => chooseTopN(pushPredicates(plan)));
    checkRelationalPass("choose append-only", (plan) => chooseAppendOnly(plan, true));
  });

  it("read fields of records in the scan", () => {
    checkRelationalPass("read fields", (plan) => readFields(mergeProjections(pushPredicates(plan))));
    checkRelationalPass("merge projections", mergeProjections);
    const { plan } = optimise(bindQuery("SELECT n + 1 AS x FROM (SELECT * FROM flights) WHERE delay > 8"));
    assert.deepEqual(planLines(plan), [
      "Project (n + 1) AS x",
      "  Filter (delay > 8)",
      "    Scan stream flights [delay, n]",
    ]);
  });

  it("change no answer one after the other", () => {
    checkRelationalPass(
      "all",
      (plan) => pruneColumns(chooseTopN(extractEqualities(orderJoins(pushPredicates(plan))))),
      false,
    );
  });

  it("push a condition only to the side whose rows it decides on", () => {
    const plan = (sql: string): string[] => planAfter(sql, pushPredicates).slice(1);
    assert.deepEqual(
      plan("SELECT f.n FROM flights f LEFT JOIN closed c ON f.n = c.a AND c.a > 1 AND f.n > 2 WHERE f.n > 3"),
      [
        "  Join left where ((n = a) AND (n > 2))",
        "    Filter (n > 3)",
        "      Scan stream flights [n]",
        "    Filter (a > 1)",
        "      Scan stream closed [a]",
      ],
    );
    assert.deepEqual(
      plan("SELECT f.n FROM flights f FULL JOIN closed c ON f.n = c.a WHERE f.n > 3")[0],
      "  Filter (n > 3)",
    );
    assert.deepEqual(plan("SELECT f.n FROM flights f, closed c WHERE f.n = c.a AND f.n > 3"), [
      "  Join inner where (n = a)",
      "    Filter (n > 3)",
      "      Scan stream flights [n]",
      "    Scan stream closed [a]",
    ]);
  });

  it("make keys of equalities, but not of a DATE and a TIMESTAMP", () => {
    const join = (condition: string): string | undefined =>
      planAfter(`SELECT 1 FROM typed t JOIN flights f ON ${condition}`, extractEqualities)[1];
    assert.equal(join("t.a = f.n + 1 AND t.b > f.n"), "  Join inner on a = (n + 1) where (b > n)");
    assert.equal(join("f.n IS NOT DISTINCT FROM t.a"), "  Join inner on a IS NOT DISTINCT FROM n");
    assert.match(join("t.at = f.n::DATE") ?? "", /where/);
  });

  it("order joins so that none makes all pairs needlessly", () => {
    const lines = planAfter(
      "SELECT 1 FROM flights x, closed y, typed z WHERE x.n = z.a AND z.s = y.s",
      pushPredicates,
      orderJoins,
      extractEqualities,
    );
    assert.equal(
      lines.some((line) => line.includes("cross")),
      false,
      lines.join("\n"),
    );
  });

  it("make a top-n of a filter on row numbers", () => {
    const lines = planAfter(
      "SELECT n, r FROM (SELECT n, ROW_NUMBER() OVER (PARTITION BY origin ORDER BY n DESC) AS r FROM flights) WHERE r <= 3",
      pushPredicates,
      chooseTopN,
    );
    assert(
      lines.some((line) => line.trim() === "Top first 3 per [origin] by n DESC"),
      lines.join("\n"),
    );
  });

  it("prove what only grows", () => {
    const join = (sql: string, finite: boolean): boolean =>
      planAfter(sql, (plan) => chooseAppendOnly(plan, finite)).some((line) => line.includes("append-only"));
    assert.equal(join("SELECT 1 FROM flights f JOIN closed c ON f.n = c.a", false), true);
    assert.equal(join("SELECT 1 FROM flights f JOIN per_origin p ON f.n = p.flights", false), false);
    assert.equal(join("SELECT COUNT(*) FROM flights f LEFT JOIN closed c ON f.n = c.a", false), true);
  });
});

describe("shared parts", () => {
  it("are computed once", () => {
    const text =
      "WITH t AS (SELECT origin, COUNT(*) AS c FROM flights GROUP BY origin) SELECT x.origin FROM t x JOIN t y ON x.c = y.c";
    const plan = toPhysical(optimise(bindQuery(text)));
    assert.equal(plan.sources.length, 1);
    assert.equal(plan.shared?.length, 1);
    assert.equal(plan.shared?.[0]?.kind === "project" || plan.shared?.[0]?.kind === "aggregate", true);
  });

  it("are read as one source by a self join", () => {
    const plan = toPhysical(optimise(bindQuery("SELECT x.n FROM flights x JOIN flights y ON x.n = y.n")));
    assert.equal(plan.sources.length, 1);
    assert.equal(plan.shared, undefined);
  });

  it("grow with the statement, however often it uses itself", () => {
    const tables = Array.from(
      { length: 6 },
      (_, i) => `t${i + 1} AS (SELECT a.n FROM t${i} a JOIN t${i} b ON a.n = b.n)`,
    );
    const text = `WITH t0 AS (SELECT n FROM flights), ${tables.join(", ")} SELECT COUNT(*) FROM t6`;
    const plan = toPhysical(optimise(bindQuery(text)));
    assert((plan.shared?.length ?? 0) <= 12);
  });
});
