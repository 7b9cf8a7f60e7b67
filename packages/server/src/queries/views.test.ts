import assert from "node:assert/strict";
import { HStreamError } from "../errors.js";
import { AnswerBuilder, TestRoom } from "./test-room.js";

const refusedAs = (kind: string) => (error: unknown) => error instanceof HStreamError && error.kind === kind;

/** The rows that a push query gives until there are `count` of them; `meanwhile` runs once it has begun. */
async function pushed(
  room: TestRoom,
  sql: string,
  count: number,
  meanwhile: () => Promise<unknown> = () => Promise.resolve(),
): Promise<readonly Record<string, unknown>[]> {
  let answer: AnswerBuilder | undefined;
  for await (const event of room.events(sql)) {
    if (event.kind === "header") {
      answer = new AnswerBuilder(event);
      await meanwhile();
    } else if (answer?.take(event) === "rows" && answer.rows.length >= count) break;
  }
  return answer?.rows ?? [];
}

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
      CREATE VIEW v AS SELECT k, SUM(a) AS total FROM s GROUP BY k;`);
  });
  afterEach(() => room.close());

  it("give the rows that there are, then the changes", async () => {
    const rows = await pushed(room, "SELECT * FROM v EMIT CHANGES;", 2, async () => {
      await room.rows("SELECT * FROM v;");
    });
    assert.equal(rows.length, 2);
  });
});
