import assert from "node:assert/strict";
import { checkPass, checkRelationalPass, planAfter } from "../testing/pass-oracle.js";
import { foldConstants } from "./fold-constants.js";

describe("constant folding", () => {
  it("changes no answer of joins and their kind", () => checkRelationalPass("fold constants", foldConstants));

  it("changes no answer", () => checkPass("fold constants", foldConstants));

  it("computes what depends on no row", () => {
    assert.deepEqual(planAfter("SELECT a + 2 * 3 AS x FROM flights WHERE TRUE AND 1 < 2", foldConstants), [
      "Project (a + 6) AS x",
      "  Scan stream flights [a]",
    ]);
  });

  it("leaves what fails, and the clock, to each row", () => {
    assert.deepEqual(planAfter("SELECT 1 / 0 AS x, NOW() AS n FROM flights", foldConstants), [
      "Project (1 DIV 0) AS x, NOW() AS n",
      "  Scan stream flights []",
    ]);
  });

  it("stops AND at FALSE but keeps what stands before it", () => {
    assert.match(
      planAfter("SELECT 1 FROM flights WHERE a AND FALSE AND b", foldConstants)[1] ?? "",
      /\(a AND FALSE\)/,
    );
  });
});
