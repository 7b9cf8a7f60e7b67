import assert from "node:assert/strict";
import { TestRoom } from "./test-room.js";

/** Resolves once the query is aborted; gives the reason. */
async function aborted(room: TestRoom, query: string): Promise<string> {
  for (;;) {
    const [row] = await room.rows(`SELECT state, last_error FROM queries WHERE name = '${query}';`);
    if (row?.["state"] === "ABORTED") return String(row["last_error"]);
  }
}

describe("a query that misbehaves", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open(undefined, undefined, {
      stepBusyMsMax: 300,
      limits: { queryStateBytesMax: 300_000 },
    });
    await room.run(`CREATE STREAM s; CREATE STREAM bad;
      CREATE VIEW good AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;
      CREATE STREAM copy AS SELECT k FROM s;`);
  });
  afterEach(() => room.close());

  /** The others go on, and nothing is lost of what is appended meanwhile. */
  const others = async (query: string): Promise<string> => {
    let appended = 0;
    const state = { over: false };
    const ended = aborted(room, query).finally(() => {
      state.over = true;
    });
    while (!state.over) {
      await room.run("INSERT INTO s (k) VALUES ('x');");
      appended += 1;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(await room.rows("SELECT n FROM good WHERE k = 'x';"), [{ n: appended }]);
    const states = await room.rows("SELECT name, state FROM queries WHERE name <> '' ORDER BY name;");
    assert.deepEqual(
      states.filter(({ name }) => name !== query).map(({ state }) => state),
      ["RUNNING", "RUNNING"],
    );
    return ended;
  };

  /** A query that takes seconds for a step on any machine: texts that nearly match, very often. */
  const makeStuck = async (): Promise<void> => {
    const long = "a".repeat(1_000);
    const rows = Array.from({ length: 800 }, () => `('${long}')`).join(", ");
    for (let i = 0; i < 2; i++) await room.run(`INSERT INTO bad (text) VALUES ${rows};`);
    const patterns = Array.from({ length: 40 }, (_, i) => `text LIKE '%${"a".repeat(300 + i)}b%'`);
    await room.run(
      `CREATE STREAM stuck WITH (START = EARLIEST) AS SELECT text FROM bad WHERE ${patterns.join(" OR ")};`,
    );
  };

  it("in a step without end is aborted the third time; the others resume", async function () {
    this.timeout(60_000);
    await makeStuck();
    assert.match(await others("stuck"), /The query was busy with one step for more than 300 ms/);
    await assert.rejects(room.run("PAUSE QUERY stuck;"), /aborted/);
  });

  it("is counted across restarts of the server, until its user starts it again", async function () {
    this.timeout(60_000);
    const crashes = async (): Promise<number> => {
      const stored = await room.meta.get("queries/stuck");
      return (JSON.parse(stored?.value ?? "{}") as { crashes?: number }).crashes ?? 0;
    };
    await makeStuck();
    while ((await crashes()) === 0) await new Promise((resolve) => setImmediate(resolve));
    await room.close();
    const before = await crashes();
    assert.ok(before < 3, `${before} of 3`);
    room = await TestRoom.open(room, undefined, { stepBusyMsMax: 300 });
    assert.match(await aborted(room, "stuck"), /more than 300 ms/);
    assert.equal(await crashes(), 3);
    await room.run("RESUME QUERY stuck;");
    assert.ok((await crashes()) < 3);
  });

  it("that needs too much memory is aborted, with the operator and the limit", async () => {
    const rows = Array.from({ length: 5_000 }, (_, i) => `(${i})`).join(", ");
    await room.run(`CREATE VIEW greedy AS SELECT n, COUNT(*) AS c FROM bad GROUP BY n;
      INSERT INTO bad (n) VALUES ${rows};`);
    assert.match(await others("greedy"), /300000 bytes of state .*queryStateBytesMax/);
    await assert.rejects(room.rows("SELECT * FROM greedy;"), /was aborted/);
  });

  it("is started again by RESUME, once its reason is gone", async () => {
    const rows = Array.from({ length: 5_000 }, (_, i) => `(${i})`).join(", ");
    await room.run(`CREATE VIEW greedy AS SELECT n, COUNT(*) AS c FROM bad GROUP BY n;
      INSERT INTO bad (n) VALUES ${rows};`);
    await aborted(room, "greedy");
    await room.close();
    room = await TestRoom.open(room);
    assert.equal(
      (await room.rows("SELECT state FROM views WHERE name = 'greedy';"))[0]?.["state"],
      "ABORTED",
    );
    await room.run("RESUME VIEW greedy;");
    assert.deepEqual(await room.rows("SELECT COUNT(*) AS n FROM greedy;"), [{ n: 5_000 }]);
  });
});

describe("errors inside a query", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
    await room.run(`CREATE STREAM s;
      CREATE VIEW v AS SELECT k, SUM(10 DIV n) AS total FROM s GROUP BY k;
      INSERT INTO s (k, n) VALUES ('x', 0), ('x', 5), ('y', 0);
      INSERT INTO s VALUES 'raw' :: BYTEA;`);
    await room.rows("SELECT * FROM v;");
  });
  afterEach(() => room.close());

  it("give NULL, and an entry each in its error stream", async () => {
    assert.deepEqual(await room.rows("SELECT * FROM v ORDER BY k;"), [
      { k: "x", total: 2 },
      { k: "y", total: null },
    ]);
    const rows = await room.rows("SELECT kind, reason, count FROM errors_of_v ORDER BY kind, reason;");
    assert.deepEqual(
      rows.map(({ kind, count }) => [kind, count]),
      [
        ["diverted", 1],
        ["expression", 1],
        ["expression", 1],
      ],
    );
    assert.match(String(rows[1]?.["reason"]), /division by zero/i);
    const shown = await room.rows("SHOW ERRORS FOR QUERY v;");
    assert.deepEqual(shown.length, 3);
    await assert.rejects(room.run("SHOW ERRORS FOR QUERY nobody;"), /does not exist/);
    await assert.rejects(room.run("SELECT * FROM errors_of_nobody;"), /errors_of_nobody/);
    assert.ok((await room.rows("SHOW STREAMS;")).every((row) => row["Stream Name"] === "s"));
  });

  it("stay after a restart, and after the query has ended", async () => {
    await room.run("CREATE STREAM t WITH (START = EARLIEST) AS SELECT 1 DIV n AS q FROM s;");
    await room.run("PAUSE QUERY t; RESUME QUERY t; TERMINATE QUERY t;");
    await room.close();
    room = await TestRoom.open(room);
    assert.equal((await room.rows("SHOW ERRORS FOR QUERY v;")).length, 3);
    assert.ok((await room.rows("SELECT * FROM errors_of_t;")).length > 0);
  });

  it("keep the law: input = processed + diverted", async () => {
    const [row] = await room.rows(
      "SELECT rows_in, processed, diverted, rows_in = processed + diverted AS law FROM queries WHERE name = 'v';",
    );
    assert.deepEqual(row, { rows_in: 4, processed: 3, diverted: 1, law: true });
  });

  it("are told by EXPLAIN ANALYZE, with what each operator did", async () => {
    const lines = (await room.rows("EXPLAIN ANALYZE VIEW v;")).map(({ plan }) => String(plan));
    assert.match(lines[0] ?? "", /keeps view v: RUNNING/);
    assert.match(lines[1] ?? "", /4 in = 3 processed \+ 1 diverted.* 2 expression errors/);
    assert.match(lines[2] ?? "", /Lag: 0 ms; watermark: none; state: \d+ bytes/);
    assert.ok(lines.some((line) => /aggregate #\d+: \d+ in, \d+ out, .* ms, \d+ bytes/.test(line)));
    assert.deepEqual((await room.rows("EXPLAIN ANALYZE QUERY v;")).length, lines.length);
    await assert.rejects(room.run("EXPLAIN ANALYZE QUERY nobody;"), /does not exist/);
  });
});
