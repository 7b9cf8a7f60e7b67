import assert from "node:assert/strict";
import { RecordBatchReader } from "@hstream/proto";
import { DurableWorld, pushed } from "./durable-world.test.helper.js";
import type { TestRoom } from "./test-room.js";

/** A moment of event time, as SQL reads it. */
const at = (seconds: number) => new Date(1_600_000_000_000 + seconds * 1_000).toISOString();

describe("time in queries that live on", () => {
  let world: DurableWorld;
  let room: TestRoom;
  beforeEach(async () => {
    world = new DurableWorld();
    room = await world.open();
  });
  afterEach(() => world.close());

  const insert = (...rows: readonly [string, number][]) =>
    room.run(
      `INSERT INTO s (k, t) VALUES ${rows.map(([k, t]) => `('${k}', TIMESTAMP '${at(t)}')`).join(", ")};`,
    );
  const finals = (count: number) => pushed(room, "SELECT k, n FROM final EMIT CHANGES FROM EARLIEST;", count);

  it("closes windows by the records' times, and diverts what comes too late", async () => {
    await room.run(`CREATE STREAM s (t TIMESTAMP) WITH (TIMESTAMP = t, LATENESS = INTERVAL 5 SECOND);
      CREATE STREAM final AS SELECT k, COUNT(*) AS n FROM TUMBLE(s, INTERVAL 10 SECOND) GROUP BY k EMIT FINAL;
      CREATE VIEW now AS SELECT k, window_start, COUNT(*) AS n FROM TUMBLE(s, INTERVAL 10 SECOND) GROUP BY k, window_start;`);
    await insert(["a", 1], ["a", 9], ["b", 3], ["a", 14], ["c", 5]);
    await insert(["a", 15]);
    assert.deepEqual(await finals(3), [
      { k: "a", n: 2 },
      { k: "b", n: 1 },
      { k: "c", n: 1 },
    ]);
    await insert(["b", 2]);
    await room.rows("SELECT * FROM now;");
    const [query] = await room.rows("SELECT rows_in, diverted FROM queries WHERE name = 'now';");
    assert.deepEqual(query, { rows_in: 7, diverted: 1 });
  });

  it("lets time go on in a stream that is idle", async () => {
    await room.run(`CREATE STREAM s (t TIMESTAMP) WITH (TIMESTAMP = t, LATENESS = INTERVAL 0 SECOND, SHARDS = 3);
      CREATE STREAM final AS SELECT k, COUNT(*) AS n FROM TUMBLE(s, INTERVAL 10 SECOND) GROUP BY k EMIT FINAL;
      CREATE VIEW seen AS SELECT COUNT(*) AS n FROM s;`);
    await insert(["a", 1], ["a", 2]);
    assert.deepEqual(await room.rows("SELECT n FROM seen;"), [{ n: 2 }]);
    const reading = finals(1);
    assert.deepEqual(await world.advanceUntil(reading), [{ k: "a", n: 2 }]);
  });

  it("takes the append time where a stream names no column, and follows the clock", async () => {
    await room.run(`CREATE STREAM s;
      CREATE STREAM final AS SELECT k, COUNT(*) AS n FROM TUMBLE(s, INTERVAL 10 SECOND) GROUP BY k EMIT FINAL;
      INSERT INTO s (k) VALUES ('a'), ('b'), ('a');
      CREATE VIEW seen AS SELECT COUNT(*) AS n FROM s;`);
    assert.deepEqual(await room.rows("SELECT n FROM seen;"), [{ n: 3 }]);
    const reading = finals(2);
    assert.deepEqual(await world.advanceUntil(reading), [
      { k: "a", n: 2 },
      { k: "b", n: 1 },
    ]);
  });

  it("keeps the windows of a group in one shard, in order", async () => {
    await room.run(`CREATE STREAM s (t TIMESTAMP) WITH (TIMESTAMP = t, LATENESS = INTERVAL 0 SECOND);
      CREATE STREAM final WITH (SHARDS = 4) AS SELECT k, window_start, COUNT(*) AS n
        FROM TUMBLE(s, INTERVAL 10 SECOND) GROUP BY k, window_start EMIT FINAL;`);
    for (let t = 0; t < 60; t += 5) await insert(["a", t], ["b", t], ["c", t]);
    await finals(15);
    const { shardIds } = room.streams.get("final");
    const keys = new Map<string, Set<number>>();
    for (const shardId of shardIds) {
      const { batches } = await room.log.read(shardId, 0, { batchesMax: 1_000, bytesMax: 1_000_000 });
      for (const { payload } of batches) {
        const reader = new RecordBatchReader(payload);
        while (reader.next()) keys.set(reader.key(), (keys.get(reader.key()) ?? new Set()).add(shardId));
      }
    }
    assert.deepEqual([...keys.keys()].sort(), ["a", "b", "c"]);
    assert.ok([...keys.values()].every((shards) => shards.size === 1));
  });

  it("gives the latest state at intervals", async () => {
    await room.run(`CREATE STREAM s;
      CREATE STREAM final AS SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT EVERY INTERVAL 5 SECOND;
      CREATE VIEW seen AS SELECT COUNT(*) AS n FROM s;
      INSERT INTO s (k) VALUES ('a'), ('a'), ('b'); SELECT * FROM seen;`);
    const reading = finals(2);
    assert.deepEqual(await world.advanceUntil(reading), [
      { k: "a", n: 2 },
      { k: "b", n: 1 },
    ]);
  });

  it("goes on after a crash where it was", async () => {
    await room.run(`CREATE STREAM s (t TIMESTAMP) WITH (TIMESTAMP = t, LATENESS = INTERVAL 0 SECOND);
      CREATE STREAM final AS SELECT k, COUNT(*) AS n FROM TUMBLE(s, INTERVAL 1 MINUTE) GROUP BY k EMIT FINAL;
      `);
    // Minutes begin at 20, 80, 140; the ten idle seconds of the snapshot do not close the second.
    await insert(["a", 25], ["a", 82]);
    await finals(1);
    await world.snapshotsOf("final");
    room = await world.kill();
    await insert(["a", 26], ["a", 95], ["a", 143]);
    assert.deepEqual((await finals(2)).slice(0, 2), [
      { k: "a", n: 1 },
      { k: "a", n: 2 },
    ]);
  });
});
