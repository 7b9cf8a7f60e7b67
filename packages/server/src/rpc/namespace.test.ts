import assert from "node:assert/strict";
import { parseScript } from "@hstream/sql";
import { HStreamError } from "../errors.js";
import { withNamespace } from "./namespace.js";

describe("a namespace", () => {
  const spaced = (sql: string) => {
    const result = withNamespace(sql, "ns_");
    const { diagnostics } = parseScript(result);
    assert.deepEqual(
      diagnostics.filter(({ severity }) => severity === "error"),
      [],
      result,
    );
    return result;
  };

  it("stands before the names of streams and views, which are still called by their own", () => {
    assert.equal(
      spaced("CREATE VIEW v AS SELECT s.a FROM s WHERE s.a > 1;"),
      "CREATE VIEW `ns_v` AS SELECT s.a FROM `ns_s` AS `s` WHERE s.a > 1;",
    );
    assert.equal(
      spaced('INSERT INTO "big s" SELECT a FROM `other` o;'),
      "INSERT INTO `ns_big s` SELECT a FROM `ns_other` o;",
    );
    assert.equal(
      spaced("CREATE STREAM t AS SELECT x.a FROM x JOIN y AS z ON x.a = z.a;"),
      "CREATE STREAM `ns_t` AS SELECT x.a FROM `ns_x` AS `x` JOIN `ns_y` AS z ON x.a = z.a;",
    );
  });

  it("is found in subqueries and windows, and not put before common tables", () => {
    assert.equal(
      spaced("SELECT * FROM (SELECT a FROM s) q WHERE a IN (SELECT b FROM t);"),
      "SELECT * FROM (SELECT a FROM `ns_s` AS `s`) q WHERE a IN (SELECT b FROM `ns_t` AS `t`);",
    );
    assert.equal(
      spaced("WITH w AS (SELECT a FROM s) SELECT W.a FROM W JOIN r ON w.a = r.a;"),
      "WITH w AS (SELECT a FROM `ns_s` AS `s`) SELECT W.a FROM W JOIN `ns_r` AS `r` ON w.a = r.a;",
    );
    assert.equal(
      spaced("SELECT s.a FROM TUMBLE(s, INTERVAL 1 MINUTE) GROUP BY s.a;"),
      "SELECT s.a FROM TUMBLE(`ns_s`, INTERVAL 1 MINUTE) AS `s` GROUP BY s.a;",
    );
  });

  it("must be the beginning of a name", () => {
    assert.equal(withNamespace("SELECT * FROM s;", ""), "SELECT * FROM s;");
    for (const bad of ["a b", "a`", "../", "x".repeat(256)]) {
      assert.throws(() => withNamespace("SELECT * FROM s;", bad), HStreamError);
    }
    assert.equal(withNamespace("SELEKT", "ns"), "SELEKT");
  });
});
