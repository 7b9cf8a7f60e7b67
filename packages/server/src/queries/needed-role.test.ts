import assert from "node:assert/strict";
import { neededRole } from "./needed-role.js";

describe("the role that SQL needs", () => {
  it("is read for what only asks, whatever it asks about", () => {
    for (const text of [
      "SELECT * FROM s;",
      "WITH a AS (SELECT 1 AS b) SELECT b FROM a;",
      "SELECT a FROM s EMIT CHANGES;",
      "SELECT * FROM append_throughput EMIT EVERY INTERVAL 1 SECOND;",
      "SHOW STREAMS; SHOW TABLES; DESCRIBE s;",
      "SHOW ERRORS OF q;",
      "EXPLAIN SELECT 1;",
      "EXPLAIN CREATE VIEW v AS SELECT a, COUNT(*) AS n FROM s GROUP BY a;",
      "EXPLAIN ANALYZE QUERY q;",
      "",
      " ; -- nothing",
      "this is no SQL",
    ]) {
      assert.equal(neededRole(text), "read", text);
    }
  });

  it("is write as soon as one statement changes something, also behind others and behind an error", () => {
    for (const text of [
      "CREATE STREAM s;",
      "CREATE STREAM t AS SELECT a FROM s EMIT CHANGES;",
      "CREATE VIEW v AS SELECT a, COUNT(*) AS n FROM s GROUP BY a;",
      "INSERT INTO s (a) VALUES (1);",
      "INSERT INTO s SELECT a FROM t;",
      "DROP STREAM s IF EXISTS;",
      "TERMINATE QUERY q;",
      "TERMINATE ALL;",
      "PAUSE QUERY q;",
      "RESUME QUERY q;",
      "CREATE SINK CONNECTOR c TO mysql WITH (host = 'a');",
      "SELECT 1; DROP VIEW v;",
      "SELEKT 1; INSERT INTO s (a) VALUES (1); SELECT 2;",
      "/* SELECT 1 */ drop stream s",
    ]) {
      assert.equal(neededRole(text), "write", text);
    }
  });
});
