import assert from "node:assert/strict";
import { HStreamError } from "../errors.js";
import { DurableWorld, pushed } from "./durable-world.test.helper.js";
import type { TestRoom } from "./test-room.js";

const refusedAs = (kind: string) => (error: unknown) => error instanceof HStreamError && error.kind === kind;

/** The records of a stream from its beginning, once it has so many. */
const recordsOf = (room: TestRoom, stream: string, count: number) =>
  pushed(room, `SELECT * FROM ${stream} EMIT CHANGES FROM EARLIEST;`, count);

const statusOf = async (room: TestRoom, query: string) =>
  (await room.rows("SHOW QUERIES;")).find((row) => row["Query ID"] === query)?.["Status"];

describe("queries that append to streams", () => {
  const world = new DurableWorld();
  let room: TestRoom;
  before(async () => {
    room = await world.open();
  });
  after(() => world.close());

  it("append a record for each change, from now on", async () => {
    await room.run(`CREATE STREAM a; INSERT INTO a (k, n) VALUES ('x', 0);
      CREATE STREAM big AS SELECT k, n * 2 AS twice FROM a WHERE n > 1;
      INSERT INTO a (k, n) VALUES ('x', 1), ('y', 2), ('x', 3);`);
    assert.deepEqual(await recordsOf(room, "big", 2), [
      { k: "y", twice: 4 },
      { k: "x", twice: 6 },
    ]);
  });

  it("begin where START says", async () => {
    await room.run("CREATE STREAM b; INSERT INTO b (n) VALUES (1);");
    await world.env.timers.advance(1_000);
    const time = new Date(world.env.clock.now()).toISOString();
    await room.run(`INSERT INTO b (n) VALUES (2);
      CREATE STREAM all_of_b WITH (START = EARLIEST) AS SELECT n FROM b;
      CREATE STREAM late_b WITH (START = TIMESTAMP '${time}') AS SELECT n FROM b;
      CREATE STREAM new_b WITH (START = LATEST) AS SELECT n FROM b;
      CREATE VIEW new_view WITH (START = LATEST) AS SELECT COUNT(*) AS count FROM b;
      INSERT INTO b (n) VALUES (3);`);
    assert.deepEqual(await recordsOf(room, "all_of_b", 3), [{ n: 1 }, { n: 2 }, { n: 3 }]);
    assert.deepEqual(await recordsOf(room, "late_b", 2), [{ n: 2 }, { n: 3 }]);
    assert.deepEqual(await recordsOf(room, "new_b", 1), [{ n: 3 }]);
    assert.deepEqual(await room.rows("SELECT * FROM new_view;"), [{ count: 1 }]);
  });

  it("put the records of a group into one shard, in order, with the group's key", async () => {
    await room.run(`CREATE STREAM c;
      CREATE STREAM counts WITH (SHARDS = 4) AS SELECT k, COUNT(*) AS n FROM c GROUP BY k;`);
    const values = Array.from({ length: 40 }, (_, i) => `('k${i % 8}', ${i})`);
    await room.run(`INSERT INTO c (k, i) VALUES ${values.join(", ")};`);
    const records = await recordsOf(room, "counts", 40);
    for (let k = 0; k < 8; k++) {
      const ns = records.filter((record) => record["k"] === `k${k}`).map((record) => record["n"]);
      assert.deepEqual(ns, [1, 2, 3, 4, 5]);
    }
    const used = room.streams.get("counts").shardIds.filter((shardId) => room.log.tail(shardId) > 0);
    assert.ok(used.length > 1);
  });

  it("append to streams that there are, in the columns that they name", async () => {
    await room.run(`CREATE STREAM d; CREATE STREAM sink;
      INSERT INTO sink (id, label) SELECT n, k FROM d;
      INSERT INTO d (k, n) VALUES ('x', 1);`);
    assert.deepEqual(await recordsOf(room, "sink", 1), [{ id: 1, label: "x" }]);
    const [query] = (await room.rows("SHOW QUERIES;")).filter((row) => row["Sink"] === "sink");
    assert.deepEqual([query?.["Kind"], query?.["Sources"], query?.["Status"]], ["INSERT", "d", "RUNNING"]);
  });

  it("say by a record that a row is gone", async () => {
    await room.run(`CREATE STREAM e;
      CREATE STREAM small AS SELECT k, SUM(n) AS total FROM e GROUP BY k HAVING SUM(n) < 5;
      INSERT INTO e (k, n) VALUES ('x', 1), ('x', 9);`);
    const { shardIds } = room.streams.get("small");
    await pushed(room, "SELECT total FROM small EMIT CHANGES FROM EARLIEST;", 1);
    const [shardId = 0] = shardIds;
    const { batches } = await room.log.read(shardId, 0, { batchesMax: 10, bytesMax: 1_000 });
    const { RecordBatchReader } = await import("@hstream/proto");
    const records = batches.flatMap(({ payload }) => {
      const reader = new RecordBatchReader(payload);
      const found = [];
      while (reader.next()) found.push(reader.record());
      return found;
    });
    assert.deepEqual(
      records.map(({ key, attributes }) => [key, Object.fromEntries(attributes ?? [])]),
      [
        ["x", {}],
        ["x", { "hstream.op": "delete", "hstream.key": "x" }],
      ],
    );
  });

  it("pause, resume where they were, and end for good", async () => {
    await room.run(`CREATE STREAM f; CREATE STREAM copy AS SELECT n FROM f; INSERT INTO f (n) VALUES (1);`);
    await recordsOf(room, "copy", 1);
    await room.run("PAUSE QUERY copy; INSERT INTO f (n) VALUES (2);");
    assert.equal(await statusOf(room, "copy"), "PAUSED");
    await assert.rejects(room.run("DROP QUERY copy;"), refusedAs("QueryNotTerminated"));
    await room.run("RESUME QUERY copy;");
    assert.deepEqual(await recordsOf(room, "copy", 2), [{ n: 1 }, { n: 2 }]);
    await room.run("TERMINATE QUERY copy;");
    assert.equal(await statusOf(room, "copy"), "TERMINATED");
    await assert.rejects(room.run("RESUME QUERY copy;"), refusedAs("QueryAlreadyTerminated"));
    await assert.rejects(room.run("TERMINATE QUERY copy;"), refusedAs("QueryNotRunning"));
    await room.run("DROP QUERY copy; DROP STREAM copy; DROP STREAM f;");
    assert.equal(await statusOf(room, "copy"), undefined);
    await room.run("DROP QUERY copy IF EXISTS;");
  });

  it("keep what they read and write, and say so", async () => {
    await room.run("CREATE STREAM g; CREATE STREAM h AS SELECT n FROM g;");
    for (const stream of ["g", "h"]) {
      await assert.rejects(room.run(`DROP STREAM ${stream};`), (error) => {
        return error instanceof HStreamError && error.kind === "ViewInUse" && /query "h"/.test(error.message);
      });
    }
    await assert.rejects(room.run("CREATE STREAM h AS SELECT n FROM g;"), refusedAs("StreamExists"));
    await room.run("CREATE STREAM IF NOT EXISTS h AS SELECT n FROM g;");
    await room.run("TERMINATE QUERY h; DROP STREAM g; DROP STREAM h;");
  });

  it("are replaced by CREATE OR REPLACE; the stream stays with its records", async () => {
    await room.run("CREATE STREAM i; CREATE STREAM j AS SELECT n FROM i; INSERT INTO i (n) VALUES (1);");
    await recordsOf(room, "j", 1);
    await room.run("CREATE OR REPLACE STREAM j AS SELECT n * 10 AS n FROM i; INSERT INTO i (n) VALUES (2);");
    assert.deepEqual(await recordsOf(room, "j", 2), [{ n: 1 }, { n: 20 }]);
  });

  it("all end with TERMINATE ALL; views stay", async () => {
    await room.run("TERMINATE ALL;");
    const rows = await room.rows("SHOW QUERIES;");
    assert.deepEqual(
      rows.filter((row) => row["Status"] === "RUNNING").map((row) => row["Query ID"]),
      ["new_view"],
    );
  });
});
