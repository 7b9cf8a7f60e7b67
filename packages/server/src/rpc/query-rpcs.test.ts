import assert from "node:assert/strict";
import { type HStreamApiClient, QueryType, ResourceType, TaskStatusPB } from "@hstream/proto";
import { openQueries } from "../queries/open-queries.js";
import { call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";

const refused = async (answer: Promise<unknown>) => {
  const { status, error } = await failureOf(answer);
  return [status, error];
};

describe("queries and views over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  const viewSql = "CREATE VIEW sums AS SELECT name, SUM(n) AS total FROM numbers GROUP BY name;";

  before(async () => {
    test = await startTestServer({ openSql: openQueries });
    api = test.api;
    await call(api, api.createStream, {
      streamName: "numbers",
      replicationFactor: 1,
      backlogDuration: 0,
      shardCount: 1,
    });
    for await (const _ of test.ext.executeSql({
      sql: "INSERT INTO numbers (name, n) VALUES ('a', 1), ('a', 2), ('b', 5);",
    })) {
      // Only that it ends.
    }
  });
  after(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  it("makes a view as a query, tells of both, reads the view, and deletes it", async () => {
    const made = await call(api, api.createQuery, { sql: viewSql, queryName: "q1" });
    assert.deepEqual(
      [made.id, made.status, made.type, made.resultName],
      ["q1", TaskStatusPB.TASK_RUNNING, QueryType.CreateViewAs, "sums"],
    );
    assert.deepEqual(made.sources, ["numbers"]);
    const { views } = await call(api, api.listViews, {});
    assert.deepEqual(
      views.map(({ viewId, status, queryName }) => [viewId, status, queryName]),
      [["sums", TaskStatusPB.TASK_RUNNING, "q1"]],
    );
    const view = await call(api, api.getView, { viewId: "sums" });
    assert.deepEqual(view.schema, ["name", "total"]);
    assert.equal((await call(api, api.getQuery, { id: "q1" })).queryText, view.sql);
    assert.deepEqual(
      (await call(api, api.listQueries, {})).queries.map(({ id }) => id),
      ["q1"],
    );

    const sql = "SELECT * FROM sums WHERE name = 'a';";
    const parsed = await call(api, api.parseSql, { sql });
    assert.deepEqual(parsed.sql, { $case: "evqSql", value: { view: "sums" } });
    const node = await call(api, api.lookupResource, { resType: ResourceType.ResView, resId: "sums" });
    assert.ok(node.port > 0);
    assert.deepEqual((await call(api, api.executeViewQuery, { sql })).results, [{ name: "a", total: 3 }]);
    assert.deepEqual(
      (await call(api, api.executeViewQueryWithNamespace, { sql, namespace: "" })).results.length,
      1,
    );

    assert.deepEqual(await refused(call(api, api.createQuery, { sql: viewSql, queryName: "q1" })), [6, 401]);
    assert.deepEqual(await refused(call(api, api.createQuery, { sql: viewSql, queryName: "q2" })), [6, 501]);
    assert.deepEqual(await refused(call(api, api.terminateQuery, { queryId: "q1" })), [9, 403]);
    assert.deepEqual(await refused(call(api, api.deleteQuery, { id: "q1" })), [9, 403]);
    assert.deepEqual(await refused(call(api, api.resumeQuery, { id: "q1" })), [9, 0]);
    await call(api, api.pauseQuery, { id: "q1" });
    assert.equal((await call(api, api.getQuery, { id: "q1" })).status, TaskStatusPB.TASK_PAUSED);
    assert.deepEqual(await refused(call(api, api.executeViewQuery, { sql })), [9, 0]);
    await call(api, api.resumeQuery, { id: "q1" });
    assert.deepEqual((await call(api, api.executeViewQuery, { sql })).results, [{ name: "a", total: 3 }]);
    await call(api, api.deleteView, { viewId: "sums", ignoreNonExist: false });
    assert.deepEqual((await call(api, api.listViews, {})).views, []);
    await call(api, api.deleteView, { viewId: "sums", ignoreNonExist: true });
  });

  it("makes a query that appends to a stream, pauses, resumes, ends and forgets it", async () => {
    const sql = "CREATE STREAM large WITH (START = EARLIEST) AS SELECT name, n FROM numbers WHERE n > 1;";
    const made = await call(api, api.createQuery, { sql, queryName: "q2" });
    assert.deepEqual(
      [made.id, made.type, made.sources, made.resultName],
      ["q2", QueryType.CreateStreamAs, ["numbers"], "large"],
    );
    const other = { sql: "INSERT INTO large SELECT name, n FROM numbers;", queryName: "q3" };
    assert.equal((await call(api, api.createQuery, other)).resultName, "large");
    assert.deepEqual(await refused(call(api, api.createQuery, { sql, queryName: "q4" })), [6, 201]);
    const streamName = "large";
    const deleted = failureOf(
      call(api, api.deleteStream, { streamName, ignoreNonExist: false, force: false }),
    );
    assert.match(JSON.stringify(await deleted), /used by query q[23]/);
    const statusOf = async (id: string) => (await call(api, api.getQuery, { id })).status;
    await call(api, api.pauseQuery, { id: "q2" });
    assert.equal(await statusOf("q2"), TaskStatusPB.TASK_PAUSED);
    assert.deepEqual(await refused(call(api, api.pauseQuery, { id: "q2" })), [10, 406]);
    await call(api, api.resumeQuery, { id: "q2" });
    assert.deepEqual(await refused(call(api, api.resumeQuery, { id: "q2" })), [9, 0]);
    assert.deepEqual(await refused(call(api, api.deleteQuery, { id: "q2" })), [9, 407]);
    for (const queryId of ["q2", "q3"]) {
      await call(api, api.terminateQuery, { queryId });
      assert.equal(await statusOf(queryId), TaskStatusPB.TASK_TERMINATED);
      assert.deepEqual(await refused(call(api, api.terminateQuery, { queryId })), [10, 406]);
      assert.deepEqual(await refused(call(api, api.resumeQuery, { id: queryId })), [9, 408]);
      await call(api, api.deleteQuery, { id: queryId });
      assert.deepEqual(await refused(call(api, api.getQuery, { id: queryId })), [5, 400]);
    }
    await call(api, api.deleteStream, { streamName: "large", ignoreNonExist: false, force: false });
  });

  it("refuses what it cannot make, find or read", async () => {
    const createQuery = (sql: string, queryName = "q") =>
      refused(call(api, api.createQuery, { sql, queryName }));
    assert.deepEqual(await createQuery("", "q"), [3, 402]);
    assert.deepEqual(await createQuery("SELEKT;"), [3, 402]);
    assert.deepEqual(await createQuery(viewSql, "1q"), [3, 404]);
    assert.deepEqual(await createQuery("SELECT * FROM numbers;"), [9, 0]);
    assert.deepEqual(await createQuery(`${viewSql} ${viewSql}`), [3, 402]);
    const other = { sql: viewSql, queryName: "q", namespace: "a b" };
    assert.deepEqual(await refused(call(api, api.createQueryWithNamespace, other)), [3, 404]);
    const [id, viewId, queryId] = ["absent", "absent", "absent"];
    assert.deepEqual(await refused(call(api, api.getQuery, { id })), [5, 400]);
    assert.deepEqual(await refused(call(api, api.terminateQuery, { queryId })), [5, 400]);
    assert.deepEqual(await refused(call(api, api.deleteQuery, { id })), [5, 400]);
    assert.deepEqual(await refused(call(api, api.resumeQuery, { id })), [5, 400]);
    assert.deepEqual(await refused(call(api, api.getView, { viewId })), [5, 400]);
    assert.deepEqual(await refused(call(api, api.deleteView, { viewId, ignoreNonExist: false })), [5, 400]);
    const view = { resType: ResourceType.ResView, resId: "absent" };
    assert.deepEqual(await refused(call(api, api.lookupResource, view)), [5, 400]);
    for (const sql of ["SHOW STREAMS;", "SELECT * FROM numbers EMIT CHANGES;", "SELECT 1;"]) {
      assert.deepEqual(await refused(call(api, api.parseSql, { sql })), [3, 0], sql);
      assert.deepEqual(await refused(call(api, api.executeViewQuery, { sql })), [3, 0], sql);
    }
    for (const schema of ["getSchema", "unregisterSchema"] as const) {
      assert.deepEqual(await refused(call(api, api[schema], { owner: "numbers" })), [12, 0]);
    }
  });

  it("puts a namespace before the names of streams and views", async () => {
    await call(api, api.createStream, {
      streamName: "ns_numbers",
      replicationFactor: 1,
      backlogDuration: 0,
      shardCount: 1,
    });
    for await (const _ of test.ext.executeSql({ sql: "INSERT INTO ns_numbers (name, n) VALUES ('x', 7);" })) {
      // Only that it ends.
    }
    const namespace = "ns_";
    const made = await call(api, api.createQueryWithNamespace, { sql: viewSql, queryName: "q", namespace });
    assert.equal(made.resultName, "ns_sums");
    const sql = "SELECT * FROM sums WHERE sums.total > 1;";
    const { results } = await call(api, api.executeViewQueryWithNamespace, { sql, namespace });
    assert.deepEqual(results, [{ name: "x", total: 7 }]);
    assert.deepEqual(
      (await call(api, api.listViews, {})).views.map(({ viewId }) => viewId),
      ["ns_sums"],
    );
    await call(api, api.deleteView, { viewId: "ns_sums", ignoreNonExist: false });
  });

  it("explains, and names the call of other statements", async () => {
    const { resultSet } = await call(api, api.executeQuery, { stmtText: "EXPLAIN SELECT * FROM numbers;" });
    assert.deepEqual(
      resultSet.map((row) => Object.keys(row)),
      [["explain"]],
    );
    for (const stmtText of [
      "SHOW STREAMS;",
      "CREATE STREAM x;",
      "DROP STREAM x;",
      "SELECT * FROM numbers;",
    ]) {
      assert.deepEqual(await refused(call(api, api.executeQuery, { stmtText })), [13, 0], stmtText);
    }
    assert.deepEqual(await refused(call(api, api.executeQuery, { stmtText: "?" })), [3, 402]);
  });
});
