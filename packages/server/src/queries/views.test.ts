import assert from "node:assert/strict";
import { HStreamError } from "../errors.js";
import { pushed } from "./durable-world.test.helper.js";
import { TestRoom } from "./test-room.js";

const refusedAs = (kind: string) => (error: unknown) => error instanceof HStreamError && error.kind === kind;

describe("views over views", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
    await room.run(`CREATE STREAM s;
      INSERT INTO s (k, g, a) VALUES ('x', 'p', 1), ('y', 'p', 2), ('z', 'q', 4);
      CREATE VIEW by_k AS SELECT k, g, SUM(a) AS total FROM s GROUP BY k, g;
      CREATE VIEW by_g AS SELECT g, COUNT(*) AS ks, SUM(total) AS total FROM by_k GROUP BY g;`);
  });
  afterEach(() => room.close());

  it("answer with all that was acknowledged before, in every single pull", async () => {
    for (let i = 0; i < 20; i++) {
      await room.run(`INSERT INTO s (k, g, a) VALUES ('x', 'p', 1), ('new${i}', 'q', 1);`);
      assert.deepEqual(await room.rows("SELECT * FROM by_g ORDER BY g;"), [
        { g: "p", ks: 2, total: 4 + i },
        { g: "q", ks: 2 + i, total: 5 + i },
      ]);
    }
  });

  it("begin with the rows that there are, also those of streams that were trimmed since", async () => {
    const [shardId = 0] = room.streams.get("s").shardIds;
    assert.equal((await room.log.trim(shardId, room.log.tail(shardId))).kind, "held");
    await room.run("CREATE VIEW big AS SELECT k FROM by_k WHERE total > 1;");
    assert.deepEqual(await room.rows("SELECT * FROM big;"), [{ k: "y" }, { k: "z" }]);
    await room.run("INSERT INTO s (k, g, a) VALUES ('y', 'p', -2), ('x', 'p', 3);");
    assert.deepEqual(await room.rows("SELECT * FROM big;"), [{ k: "x" }, { k: "z" }]);
  });

  it("are there again after a restart, and go on", async () => {
    await room.close();
    room = await TestRoom.open(room);
    assert.deepEqual(await room.rows("SELECT g, total FROM by_g ORDER BY g;"), [
      { g: "p", total: 3 },
      { g: "q", total: 4 },
    ]);
    await room.run("INSERT INTO s (k, g, a) VALUES ('x', 'p', 10);");
    assert.deepEqual(await room.rows("SELECT total FROM by_g WHERE g = 'p';"), [{ total: 13 }]);
  });

  it("answer at once when they have just been made", async () => {
    for (let i = 0; i < 10; i++) {
      await room.run(`CREATE VIEW v${i} AS SELECT COUNT(*) AS n FROM by_k;`);
      assert.deepEqual(await room.rows(`SELECT * FROM v${i};`), [{ n: 3 }]);
    }
  });

  it("keep the views that they read", async () => {
    await assert.rejects(room.run("DROP VIEW by_k;"), refusedAs("ViewInUse"));
    await assert.rejects(
      room.run("CREATE OR REPLACE VIEW by_k AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"),
      refusedAs("ViewInUse"),
    );
    await room.run("DROP VIEW by_g; DROP VIEW by_k; DROP STREAM s;");
  });

  it("are replaced by CREATE OR REPLACE", async () => {
    await room.run("CREATE OR REPLACE VIEW by_g AS SELECT g, MAX(total) AS most FROM by_k GROUP BY g;");
    assert.deepEqual(await room.rows("SELECT * FROM by_g ORDER BY g;"), [
      { g: "p", most: 2 },
      { g: "q", most: 4 },
    ]);
    await room.close();
    room = await TestRoom.open(room);
    assert.deepEqual(await room.rows("SELECT most FROM by_g WHERE g = 'q';"), [{ most: 4 }]);
  });
});

describe("push queries over views", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
    await room.run(`CREATE STREAM s; INSERT INTO s (k, a) VALUES ('x', 1), ('y', 2);
      CREATE VIEW v AS SELECT k, SUM(a) AS total FROM s GROUP BY k;
      SELECT * FROM v;`);
  });
  afterEach(() => room.close());

  it("give the rows that there are, then the changes", async () => {
    const rows = await pushed(room, "SELECT * FROM v EMIT CHANGES;", 2, async () => {
      await room.rows("SELECT * FROM v;");
    });
    assert.deepEqual(
      [...rows].sort((a, b) => String(a["k"]).localeCompare(String(b["k"]))),
      [
        { k: "x", total: 1 },
        { k: "y", total: 2 },
      ],
    );
  });

  it("give an update as the new state, and a row that goes as a deletion", async () => {
    const sql = "SELECT k, total FROM v WHERE total < 5 EMIT CHANGES;";
    const rows = await pushed(room, sql, 4, async () => {
      for (const a of [1, 10]) {
        await room.run(`INSERT INTO s (k, a) VALUES ('x', ${a});`);
        await room.rows("SELECT * FROM v;");
      }
    });
    assert.deepEqual(rows.slice(2), [
      { k: "x", total: 2 },
      { k: "x", total: 2, $op: "delete" },
    ]);
  });

  it("look a view up at the moment of a stream's record", async () => {
    await room.run(
      "CREATE STREAM orders; CREATE STREAM names; INSERT INTO names (k, name) VALUES ('x', 'old');",
    );
    await room.run("CREATE VIEW latest AS SELECT k, LATEST(name) AS name FROM names GROUP BY k;");
    const sql = "SELECT o.n, l.name FROM orders AS o LEFT JOIN latest AS l ON l.k = o.k EMIT CHANGES;";
    const rows = await pushed(room, sql, 3, () =>
      room.run(`INSERT INTO orders (k, n) VALUES ('x', 1);
        INSERT INTO names (k, name) VALUES ('x', 'new');
        INSERT INTO orders (k, n) VALUES ('x', 2), ('none', 3);`),
    );
    assert.deepEqual(rows.slice(1), [
      { n: 2, name: "new" },
      { n: 3, name: null },
    ]);
  });
});
