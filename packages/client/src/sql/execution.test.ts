import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { HStreamClient } from "../client.js";
import { HStreamClientError } from "../errors.js";
import { done, FakeServer, header, rows } from "../test-kit/fake-server.js";

describe("SQL through the client", () => {
  let server: FakeServer;
  let client: HStreamClient;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = await HStreamClient.connect(server.url);
  });
  afterEach(async () => {
    await client.close();
    server.stop();
  });

  it("runs statements in order, with rows as objects", async () => {
    const results: unknown[] = [];
    const script = "CREATE STREAM t; INSERT INTO t (a, b) VALUES (1, 'x'); SELECT a, b FROM t;";
    for await (const statement of client.sql(script)) {
      const found = [];
      for await (const row of statement) found.push(row);
      results.push([statement.index, statement.kind, found, (await statement.done).rowsAffected]);
    }
    assert.deepEqual(results, [
      [0, "command", [], 0],
      [1, "command", [], 1],
      [2, "rows", [{ a: 1, b: "x" }], 0],
    ]);
  });

  it("drops the rows of statements that nobody reads", async () => {
    let last = -1;
    for await (const statement of client.sql("SELECT NUMBERS 30000; SELECT NUMBERS 5;"))
      last = statement.index;
    assert.equal(last, 1);
  });

  it("decodes what was encoded, column by column", async () => {
    const column = fc.oneof(
      fc.array(fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))),
      fc.array(fc.option(fc.double({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0.5))),
      fc.array(fc.option(fc.string({ unit: "grapheme" }))),
      fc.array(fc.option(fc.boolean())),
      fc.array(fc.option(fc.oneof(fc.constant({ a: [1, "x", null] }), fc.constant([]), fc.string()))),
    );
    await fc.assert(
      fc.asyncProperty(column, async (values) => {
        server.onSql = async function* () {
          yield header(0, 1, [{ name: "v", type: "ANY" }]);
          yield rows(
            values.map((value) => [value]),
            1,
          );
          yield done();
        };
        for await (const statement of client.sql("x")) {
          for await (const batch of statement.batches()) {
            const column = batch.values(0);
            values.forEach((value, row) => {
              const found = column.value(row);
              const expected =
                typeof value === "bigint" && value <= 2n ** 53n && value >= -(2n ** 53n)
                  ? Number(value)
                  : value;
              assert.deepEqual(found, expected);
              if (typeof value !== "bigint")
                assert.deepEqual(JSON.parse(column.json(row)), value === -0 ? 0 : value);
            });
          }
        }
      }),
      { numRuns: runs(60) },
    );
  });

  it("learns columns that come later, and fills what is missing with NULL", async () => {
    server.onSql = async function* () {
      yield header(0, 1);
      yield rows([[1]], 1, [{ name: "a", type: "DYNAMIC" }]);
      yield rows([[2, "y"]], 2, [{ name: "b", type: "DYNAMIC" }]);
      yield rows([[3]], 1);
      yield done();
    };
    for await (const statement of client.sql("x")) {
      const found = [];
      for await (const row of statement) found.push(row);
      assert.deepEqual(found, [{ a: 1 }, { a: 2, b: "y" }, { a: 3, b: null }]);
      assert.deepEqual(
        statement.columns.map(({ name }) => name),
        ["a", "b"],
      );
    }
  });

  it("shows people dates and texts without what marks them in JSON", async () => {
    const values = [
      { $date: "2020-01-01" },
      "x",
      { $date: "a", b: "c" },
      { $interval: "PT5S" },
      [{ $date: "y" }],
      1.5,
    ];
    server.onSql = async function* () {
      yield header(0, 1, [{ name: "v", type: "DYNAMIC" }]);
      yield rows(
        values.map((value) => [value]),
        1,
      );
      yield done();
    };
    const shown: string[] = [];
    for await (const statement of client.sql("x")) {
      for await (const batch of statement.batches())
        values.forEach((_, row) => shown.push(batch.values(0).text(row)));
    }
    assert.deepEqual(shown, ["2020-01-01", "x", '{"$date":"a","b":"c"}', "PT5S", '[{"$date":"y"}]', "1.5"]);
  });

  it("carries the diagnostics of an error", async () => {
    const run = client.sql("CREATE STREAM t;\nSELECT a FROM nope;").finish();
    await assert.rejects(run, (error) => {
      assert(error instanceof HStreamClientError);
      assert.equal(error.reason, "sql");
      assert.equal(error.code, 402);
      assert.equal(error.statementIndex, 1);
      assert.deepEqual(error.diagnostics, [
        {
          message: 'There is no stream "nope".',
          hint: "SHOW STREAMS lists them.",
          line: 2,
          column: 15,
          length: 4,
          sourceLine: "SELECT a FROM nope;",
        },
      ]);
      assert.equal(error.hint, "SHOW STREAMS lists them.");
      return true;
    });
  });

  it("streams the rows of a push query, and tells the server when its reader leaves", async () => {
    server.tables.set("t", []);
    const cancelled = new Promise<void>((resolve) => {
      const run = server.onSql;
      server.onSql = (text, signal) => {
        signal.addEventListener("abort", () => resolve());
        return run(text, signal);
      };
    });
    for await (const statement of client.sql("SELECT a FROM t EMIT CHANGES;")) {
      assert.equal(statement.kind, "changes");
      assert.equal(statement.queryId, "q0");
      const reading = statement.rows();
      const first = reading.next();
      await client.sql("INSERT INTO t (a) VALUES (5);").finish();
      assert.deepEqual((await first).value, { a: 5 });
      break;
    }
    await cancelled;
  });

  it("fails with reason cancelled when its signal is aborted", async () => {
    server.tables.set("t", []);
    const stop = new AbortController();
    const reading = (async () => {
      for await (const statement of client.sql("SELECT a FROM t EMIT CHANGES;", { signal: stop.signal })) {
        setImmediate(() => stop.abort());
        await statement.done;
      }
    })();
    await assert.rejects(reading, { reason: "cancelled" });
  });
});
