import assert from "node:assert/strict";
import { runs } from "@hstream/proto/testing";
import * as fc from "fast-check";
import { DurableWorld, pushed } from "./durable-world.test.helper.js";
import type { TestRoom } from "./test-room.js";

/** Streams that carry deletions: what a query writes there, another reads as the same rows. */
describe("deletions on a stream", () => {
  let world: DurableWorld;
  let room: TestRoom;
  beforeEach(async () => {
    world = new DurableWorld();
    room = await world.open();
  });
  afterEach(() => world.close());

  const sorted = async (sql: string): Promise<string[]> =>
    (await room.rows(sql)).map((row) => JSON.stringify(row)).sort();
  /** Waits until so many records stand in the stream. */
  const records = (stream: string, count: number) =>
    pushed(room, `SELECT * FROM ${stream} EMIT CHANGES FROM EARLIEST;`, count);

  it("a query over what a query has written gives what it gives over the input", async () => {
    let trial = 0;
    const rows = fc.array(fc.record({ k: fc.constantFrom("a", "b", "c"), n: fc.nat(3) }), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(rows, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 3 }),
        async (inserts, shards) => {
          trial += 1;
          const [input, sums] = [`input${trial}`, `sums${trial}`];
          await room.run(`CREATE STREAM ${input};
          CREATE STREAM ${sums} WITH (SHARDS = ${shards}) AS SELECT k, SUM(n) AS total FROM ${input} GROUP BY k EMIT CHANGES WITH RETRACTIONS;
          CREATE VIEW over_${sums} AS SELECT total, COUNT(*) AS keys, MAX(k) AS last FROM ${sums} GROUP BY total;
          CREATE VIEW joined_${sums} AS SELECT a.k, b.total FROM ${sums} AS a JOIN ${sums} AS b ON a.total = b.total;`);
          for (const list of inserts) {
            const values = list.map(({ k, n }) => `('${k}', ${n})`).join(", ");
            await room.run(`INSERT INTO ${input} (k, n) VALUES ${values};`);
          }
          const all = inserts.flat();
          // Of each record the new sum, and the old one where there was one.
          await records(sums, 2 * all.length - new Set(all.map(({ k }) => k)).size);
          const direct = `(SELECT k, SUM(n) AS total FROM ${input} GROUP BY k)`;
          assert.deepEqual(
            await sorted(`SELECT k, total FROM ${sums};`),
            await sorted(`SELECT k, total FROM ${direct} AS q;`),
          );
          assert.deepEqual(
            await sorted(`SELECT * FROM over_${sums};`),
            await sorted(
              `SELECT total, COUNT(*) AS keys, MAX(k) AS last FROM ${direct} AS q GROUP BY total;`,
            ),
          );
          assert.deepEqual(
            await sorted(`SELECT * FROM joined_${sums};`),
            await sorted(`SELECT a.k, b.total FROM ${direct} AS a JOIN ${direct} AS b ON a.total = b.total;`),
          );
        },
      ),
      { numRuns: runs(6) },
    );
  });

  it("are applied by views, push queries and pulls, and counted as rows that were processed", async () => {
    await room.run(`CREATE STREAM s;
      CREATE STREAM top AS SELECT k, SUM(n) AS total FROM s GROUP BY k HAVING SUM(n) < 5;
      CREATE VIEW small AS SELECT COUNT(*) AS n FROM top;
      INSERT INTO s (k, n) VALUES ('x', 1), ('y', 2), ('x', 9);`);
    assert.deepEqual(await records("top", 3), [
      { k: "x", total: 1 },
      { k: "y", total: 2 },
      { k: "x", total: 1, $op: "delete" },
    ]);
    assert.deepEqual(await room.rows("SELECT n FROM small;"), [{ n: 1 }]);
    assert.deepEqual(await room.rows("SELECT k, total FROM top;"), [{ k: "y", total: 2 }]);
    assert.deepEqual(await room.rows("SELECT rows_in, diverted FROM queries WHERE name = 'small';"), [
      { rows_in: 3, diverted: 0 },
    ]);
  });

  it("are kept by a view through a crash", async () => {
    await room.run(`CREATE STREAM s; CREATE STREAM c WITH (DELETIONS = TRUE);
      INSERT INTO c SELECT k, SUM(n) AS total FROM s GROUP BY k EMIT CHANGES WITH RETRACTIONS;
      CREATE VIEW highest AS SELECT MAX(total) AS hi, COUNT(*) AS n FROM c;
      INSERT INTO s (k, n) VALUES ('x', 5), ('y', 3);`);
    await records("c", 2);
    assert.deepEqual(await room.rows("SELECT hi, n FROM highest;"), [{ hi: 5, n: 2 }]);
    const [query = ""] = (await room.rows("SELECT name FROM queries WHERE output = 'c';")).map((row) =>
      String(row["name"]),
    );
    await world.snapshotsOf(query, "highest");
    room = await world.kill();
    await room.run("INSERT INTO s (k, n) VALUES ('x', -4);");
    await records("c", 4);
    assert.deepEqual(await room.rows("SELECT hi, n FROM highest;"), [{ hi: 3, n: 2 }]);
  });

  it("are left out and counted in a stream that was not made for them", async () => {
    await room.run(`CREATE STREAM s; CREATE STREAM plain;
      CREATE VIEW rest AS SELECT COUNT(*) AS n FROM plain;`);
    const [made] = await room.run(
      "INSERT INTO plain SELECT k, SUM(n) AS total FROM s GROUP BY k EMIT CHANGES WITH RETRACTIONS;",
    );
    assert.match(made?.message ?? "", /takes rows back.*DELETIONS = TRUE/);
    await room.run(`
      INSERT INTO s (k, n) VALUES ('x', 5), ('x', 3);`);
    await records("plain", 2);
    assert.deepEqual(await room.rows("SELECT n FROM rest;"), [{ n: 2 }]);
    assert.deepEqual(await room.rows("SELECT rows_in, diverted FROM queries WHERE name = 'rest';"), [
      { rows_in: 3, diverted: 1 },
    ]);
  });

  it("have the time of their rows where the stream that a query makes names its column", async () => {
    const at = (seconds: number) =>
      `TIMESTAMP '${new Date(1_600_000_000_000 + seconds * 1_000).toISOString()}'`;
    await room.run(`CREATE STREAM s (at TIMESTAMP);
      CREATE STREAM best WITH (TIMESTAMP = at, LATENESS = INTERVAL 5 SECOND) AS
        SELECT k, at, MAX(n) AS n FROM s GROUP BY k, at EMIT CHANGES WITH RETRACTIONS;
      CREATE VIEW sums AS SELECT window_start, SUM(n) AS n FROM TUMBLE(best, INTERVAL 10 SECOND) GROUP BY window_start;
      INSERT INTO s (k, at, n) VALUES ('x', ${at(1)}, 1), ('y', ${at(12)}, 10), ('x', ${at(1)}, 5), ('y', ${at(12)}, 11);`);
    await records("best", 6);
    assert.deepEqual(
      (await room.rows("SELECT n FROM sums ORDER BY window_start;")).map(({ n }) => n),
      [5, 11],
    );
  });
});
