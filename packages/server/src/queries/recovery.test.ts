import assert from "node:assert/strict";
import * as fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { HStreamError } from "../errors.js";
import { DurableWorld, pushed } from "./durable-world.test.helper.js";
import { ownStreamName } from "./query-document.js";

const insert = (k: string, n: number) => `INSERT INTO s (k, n) VALUES ('${k}', ${n});`;

describe("queries after a crash", () => {
  let world: DurableWorld;
  beforeEach(async () => {
    world = new DurableWorld();
    await world.open();
    await world.room.run(`CREATE STREAM s WITH (SHARDS = 2);
      CREATE VIEW v AS SELECT k, SUM(n) AS total FROM s GROUP BY k;
      CREATE STREAM t AS SELECT k, n FROM s;`);
  });
  afterEach(() => world.close());

  const totals = () => world.room.rows("SELECT k, total FROM v ORDER BY k;");
  const records = (count: number) => pushed(world.room, "SELECT n FROM t EMIT CHANGES FROM EARLIEST;", count);

  it("begin anew when nothing was stored of them", async () => {
    await world.room.run(insert("x", 1) + insert("y", 2));
    await world.kill();
    await world.room.run(insert("x", 3));
    assert.deepEqual(await totals(), [
      { k: "x", total: 4 },
      { k: "y", total: 2 },
    ]);
  });

  it("go on from the last snapshot: nothing is lost, what came since may be repeated", async () => {
    await world.room.run(insert("x", 1));
    await records(1);
    await world.snapshotsOf("t", "v");
    await world.room.run(insert("y", 2));
    await records(2);
    await world.kill();
    await world.room.run(insert("x", 4));
    assert.deepEqual(await totals(), [
      { k: "x", total: 5 },
      { k: "y", total: 2 },
    ]);
    const ns = (await records(4)).map(({ n }) => n);
    assert.deepEqual(ns.slice(0, 2), [1, 2]);
    assert.deepEqual([...new Set(ns)].sort(), [1, 2, 4]);
    assert.equal(ns.filter((n) => n === 1).length, 1);
  });

  it("need nothing that lies before their snapshots, and keep what lies after", async () => {
    await world.room.run(insert("x", 1) + insert("y", 2));
    await records(2);
    await world.snapshotsOf("t", "v");
    const { log, streams } = world.room;
    const [shardId = 0] = streams.get("s").shardIds.filter((id) => log.tail(id) > 0);
    const stored = log.tail(shardId);
    await world.room.run(insert("x", 5));
    await totals();
    const refused = await log.trim(shardId, log.tail(shardId));
    assert.equal(refused.kind, "held");
    assert.match(refused.kind === "held" ? refused.by : "", /^query [tv] /);
    assert.deepEqual(await log.trim(shardId, stored), { kind: "trimmed", upTo: stored });
    await world.kill();
    assert.deepEqual(await totals(), [
      { k: "x", total: 6 },
      { k: "y", total: 2 },
    ]);
  });

  it("are computed anew when their snapshot cannot be read, else aborted with the reason", async () => {
    await world.room.run(insert("x", 1));
    await world.snapshotsOf("v");
    const spoil = async () => {
      const { log, streams } = world.room;
      const [shardId = 0] = streams.get(ownStreamName(await world.room.queryId("v"))).shardIds;
      await log.trim(shardId, log.tail(shardId));
    };
    await world.room.run("PAUSE VIEW v;");
    await spoil();
    await world.room.run("RESUME VIEW v;");
    assert.deepEqual(await totals(), [{ k: "x", total: 1 }]);
    await world.room.run("TERMINATE QUERY t;");
    await world.room.run(insert("x", 2));
    await world.snapshotsOf("v");
    await world.room.run("PAUSE VIEW v;");
    await spoil();
    for (const shardId of world.room.streams.get("s").shardIds) {
      await world.room.log.trim(shardId, world.room.log.tail(shardId));
    }
    await world.room.run("RESUME VIEW v;");
    await assert.rejects(totals(), (error) => {
      return error instanceof HStreamError && /was aborted: Its state is lost/.test(error.message);
    });
    const [view] = await world.room.rows("SELECT state, reason FROM views;");
    assert.equal(view?.["state"], "ABORTED");
  });
});

describe("a query that is created, ended or replaced while the power fails", () => {
  const consistent = async (world: DurableWorld) => {
    const { streams, log } = world.room;
    const queries = await world.room.rows("SELECT id, name, state, output FROM queries;");
    const own = streams.listInternal("_query_").map(({ name }) => name);
    assert.deepEqual(own.sort(), queries.map(({ id }) => ownStreamName(String(id))).sort());
    for (const { state, output } of queries) {
      assert.equal(state === "TERMINATED" || state === "RUNNING", true);
      assert.ok(streams.find(String(output)) !== undefined);
    }
    const live = queries.filter(({ state }) => state === "RUNNING");
    const [shardId = 0] = streams.get("s").shardIds;
    assert.equal(log.describe(shardId).holds.size, live.length);
    return queries;
  };

  const steps: readonly (readonly [string, string])[] = [
    ["", "CREATE STREAM t AS SELECT n FROM s;"],
    ["CREATE STREAM t AS SELECT n FROM s;", "TERMINATE QUERY t; DROP QUERY t;"],
    ["CREATE STREAM t AS SELECT n FROM s;", "CREATE OR REPLACE STREAM t AS SELECT n + 1 AS n FROM s;"],
  ];
  for (const [before, statement] of steps) {
    it(`is whole or not there at all: ${statement}`, async function () {
      this.timeout(120_000);
      for (let operation = 0, met = true; met; operation += 4) {
        const world = new DurableWorld(operation + 1);
        await world.open();
        await world.room.run(`CREATE STREAM s; ${before}`);
        met = await world.failingAt(operation, () => world.room.run(statement));
        await world.kill();
        await consistent(world);
        // Whatever had become of it, the stream can be fed in the end.
        const made = await world.room.rows("SELECT name FROM queries WHERE state = 'RUNNING';");
        if (made.length === 0) await world.room.run("INSERT INTO s (n) VALUES (0);");
        else
          await pushed(world.room, "SELECT * FROM t EMIT CHANGES;", 1, () =>
            world.room.run("INSERT INTO s (n) VALUES (1);"),
          );
        await world.close();
      }
    });
  }
});

describe("views over views, whatever is killed when", () => {
  it("are what a computation from the records gives", async function () {
    this.timeout(60_000);
    const action = fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ k: fc.constantFrom("a", "b", "c", "d"), n: fc.integer({ min: -3, max: 9 }) }),
      },
      { weight: 1, arbitrary: fc.constant("kill" as const) },
      { weight: 1, arbitrary: fc.constant("restart" as const) },
      { weight: 2, arbitrary: fc.constant("time" as const) },
      { weight: 2, arbitrary: fc.constant("pull" as const) },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 4, maxLength: 14 }), fc.nat(), async (actions, seed) => {
        const world = new DurableWorld(seed);
        await world.open();
        try {
          await world.room.run(`CREATE STREAM s WITH (SHARDS = 2);
            CREATE VIEW sums AS SELECT k, SUM(n) AS total FROM s GROUP BY k HAVING SUM(n) <> 0;
            CREATE VIEW parity AS SELECT total % 2 AS odd, COUNT(*) AS ks, SUM(total) AS total FROM sums GROUP BY total % 2;`);
          const check = async () => {
            const view = await world.room.rows("SELECT * FROM parity ORDER BY odd;");
            const expected =
              await world.room.rows(`SELECT total % 2 AS odd, COUNT(*) AS ks, SUM(total) AS total
              FROM (SELECT k, SUM(n) AS total FROM s GROUP BY k HAVING SUM(n) <> 0) GROUP BY total % 2 ORDER BY odd;`);
            assert.deepEqual(view, expected);
          };
          for (const one of actions) {
            if (one === "kill") await world.kill();
            else if (one === "restart") await world.restart();
            else if (one === "time") await world.env.timers.advance(10_000);
            else if (one === "pull") await check();
            else await world.room.run(insert(one.k, one.n));
          }
          await check();
        } finally {
          await world.close();
        }
      }),
      { numRuns: runs(4) },
    );
  });
});
