import assert from "node:assert/strict";
import { HStreamClient } from "../index.js";
import { type RealServer, startRealServer } from "../real-server.test.helper.js";
import { done, FakeServer, header, rows } from "../test-kit/fake-server.js";

interface Total {
  readonly customer: string;
  readonly total: number;
}

describe("a query", () => {
  let server: RealServer;
  let client: HStreamClient;

  before(async () => {
    server = await startRealServer();
    client = await HStreamClient.connect(server.url);
    await client.streams.create("sales");
    await client.append("sales", [
      { customer: "ada", price: 3 },
      { customer: "bob", price: 8 },
      { customer: "ada", price: 21 },
    ]);
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  const totals = "SELECT customer, SUM(price) AS total FROM sales GROUP BY customer ORDER BY customer;";

  it("that ends gives its rows as objects", async () => {
    const expected = [
      { customer: "ada", total: 24 },
      { customer: "bob", total: 8 },
    ];
    assert.deepEqual(await client.query<Total>(totals).all(), expected);
    const found: string[] = [];
    for await (const { customer, total } of client.query<Total>(totals)) found.push(`${customer}: ${total}`);
    assert.deepEqual(found, ["ada: 24", "bob: 8"]);
  });

  it("checks its rows where it is told how", async () => {
    const strict = client.query<Total>(totals, {
      parse: (row) => {
        if (row["customer"] === "bob") throw new RangeError("no bobs");
        return row as unknown as Total;
      },
    });
    await assert.rejects(strict.all(), { name: "RangeError" });
  });

  it("that goes on gives rows as they come, until its reader leaves", async () => {
    await using dear = client.query<{ readonly price: number }>(
      "SELECT price FROM sales WHERE price > 10 EMIT CHANGES;",
    );
    const found: number[] = [];
    const reading = (async () => {
      for await (const { price } of dear) {
        found.push(price);
        if (found.length === 2) return;
      }
    })();
    let done = false;
    void reading.then(() => {
      done = true;
    });
    for (let price = 30; !done; price += 1) await client.append("sales", [{ customer: "eve", price }]);
    const [first, second] = found;
    assert.ok(first !== undefined && second !== undefined && first > 10 && second > first);
  });

  it("that takes rows back tells so among its changes, and not among its rows", async () => {
    const fake = await FakeServer.start();
    fake.onSql = async function* () {
      yield header(0, 2, [{ name: "n", type: "INTEGER" }]);
      yield rows([[1], [1], [2]], 1, [], Uint8Array.of(0, 1, 0));
      yield done();
    };
    await using other = await HStreamClient.connect(fake.url);
    const changes = [];
    for await (const { kind, row } of other.query<{ readonly n: number }>("x").changes())
      changes.push([kind, row.n]);
    assert.deepEqual(changes, [
      ["insert", 1],
      ["delete", 1],
      ["insert", 2],
    ]);
    assert.deepEqual(await other.query("x").all(), [{ n: 1 }, { n: 2 }]);
    fake.stop();
  });

  it("is one statement that has rows", async () => {
    await assert.rejects(client.query("SELECT 1; SELECT 2;").all(), {
      reason: "usage",
      message: /one statement/,
    });
    await assert.rejects(client.query("CREATE STREAM other;").all(), { reason: "usage", message: /no rows/ });
  });

  it("that is wrong says where", async () => {
    await assert.rejects(client.query("SELECT nope FROM;").all(), (error: unknown) => {
      assert.ok(error instanceof Error && "diagnostics" in error && Array.isArray(error.diagnostics));
      assert.equal(error.diagnostics[0].line, 1);
      return "reason" in error && error.reason === "sql";
    });
  });

  it("can be cancelled by its signal", async () => {
    const stop = new AbortController();
    const endless = client.query("SELECT price FROM sales EMIT CHANGES;", { signal: stop.signal });
    const waiting = endless.all();
    await client.echo("");
    stop.abort();
    await assert.rejects(waiting, { reason: "cancelled" });
  });

  it("of many runs in a script, which says how each ended", async () => {
    const outcomes = await client
      .sql("CREATE STREAM scripted; INSERT INTO scripted (a) VALUES (1), (2); SELECT a FROM scripted;")
      .finish();
    assert.deepEqual(
      outcomes.map(({ rowsAffected }) => rowsAffected),
      [0, 2, 0],
    );
  });
});
