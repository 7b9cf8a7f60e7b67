import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { encodeHRecord, encodeRecordBatch, HStreamRecordHeader_Flag } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { AnswerBuilder, TestRoom } from "./test-room.js";

const refusedAs = (kind: string) => (error: unknown) => error instanceof HStreamError && error.kind === kind;

describe("statements", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
  });
  afterEach(() => room.close());

  it("create, list and drop streams", async () => {
    assert.equal((await room.run("CREATE STREAM s;"))[0]?.message, "Stream s created.");
    await assert.rejects(room.run("CREATE STREAM s;"), refusedAs("StreamExists"));
    await room.run("CREATE STREAM IF NOT EXISTS s; CREATE STREAM t WITH (REPLICATE = 3, SHARDS = 4);");
    assert.deepEqual(
      (await room.rows("SHOW STREAMS;")).map((row) => [
        row["Stream Name"],
        row["Replica"],
        row["Shard Count"],
      ]),
      [
        ["s", 1, 1],
        ["t", 3, 4],
      ],
    );
    await room.run("DROP STREAM s; DROP STREAM IF EXISTS s; DROP STREAM t IF EXIST;");
    assert.deepEqual(await room.rows("SHOW STREAMS;"), []);
    await assert.rejects(room.run("DROP STREAM s;"), refusedAs("StreamNotFound"));
  });

  it("insert rows of columns and of JSON, and read back what was declared and what was not", async () => {
    await room.run("CREATE STREAM s (a INTEGER, b STRING);");
    const [inserted] = await room.run("INSERT INTO s (a, b) VALUES (1, 'x'), (2, NULL);");
    assert.equal(inserted?.message, "Inserted 2 records.");
    await room.run(`INSERT INTO s VALUES '{"a": 3, "c": {"d": [1, "e"]}}';`);
    assert.deepEqual(await room.rows("SELECT a, b, c FROM s;"), [
      { a: 1, b: "x", c: null },
      { a: 2, b: null, c: null },
      { a: 3, b: null, c: { d: [1, "e"] } },
    ]);
    assert.deepEqual(
      (await room.rows("DESCRIBE s;")).map((row) => [row["column"], row["type"]]).slice(0, 2),
      [
        ["a", "INTEGER"],
        ["b", "STRING"],
      ],
    );
  });

  it("answer SELECT * of a stream without columns with all fields that there are", async () => {
    await room.run(`CREATE STREAM s; INSERT INTO s (a) VALUES (1); INSERT INTO s (b, a) VALUES ('x', 2);`);
    assert.deepEqual(await room.rows("SELECT * FROM s;"), [
      { a: 1, b: null },
      { a: 2, b: "x" },
    ]);
  });

  it("group, filter, order and limit what is stored", async () => {
    await room.run("CREATE STREAM s WITH (SHARDS = 3);");
    await room.run("INSERT INTO s (k, v) VALUES ('a', 1), ('b', 2), ('a', 3), ('c', 10), ('b', NULL);");
    const rows = await room.rows(
      "SELECT k, COUNT(*) AS n, SUM(v), AVG(v) AS mean FROM s WHERE k <> 'c' GROUP BY k ORDER BY n DESC, k LIMIT 5;",
    );
    assert.deepEqual(rows, [
      { k: "a", n: 2, "SUM(v)": 4, mean: 2 },
      { k: "b", n: 2, "SUM(v)": 2, mean: 2 },
    ]);
    assert.deepEqual(await room.rows("SELECT COUNT(*) AS n FROM s WHERE k = 'z';"), [{ n: 0 }]);
    assert.deepEqual(await room.rows("SELECT 1 + 1 AS two;"), [{ two: 2 }]);
  });

  it("run up to the first error of a script, which is told with its place", async () => {
    const script = "CREATE STREAM s;\nCREATE STREAM t;\nSELEKT 1;\nCREATE STREAM u;";
    await assert.rejects(room.run(script), (error) => {
      assert.ok(error instanceof HStreamError && error.kind === "InvalidSql");
      const extra = error.extra as { statementIndex: number; diagnostics: Record<string, unknown>[] };
      assert.equal(extra.statementIndex, 2);
      assert.equal(extra.diagnostics[0]?.["line"], 3);
      assert.equal(extra.diagnostics[0]?.["column"], 1);
      assert.equal(extra.diagnostics[0]?.["sourceLine"], "SELEKT 1;");
      return true;
    });
    assert.deepEqual(
      (await room.rows("SHOW STREAMS;")).map((row) => row["Stream Name"]),
      ["s", "t"],
    );
  });

  it("tell how many expressions failed, and leave out records that are no objects", async () => {
    await room.run("CREATE STREAM s; INSERT INTO s (a) VALUES (0), (2);");
    const payload = encodeRecordBatch([
      { flag: HStreamRecordHeader_Flag.RAW, key: "", payload: Buffer.from("raw") },
    ]);
    await room.appender.appendByKey("s", "", { recordCount: 1, compression: 0, payload });
    const [answer] = await room.run("SELECT 10 DIV a AS q FROM s;");
    assert.deepEqual(answer?.rows, [{ q: null }, { q: 5 }]);
    assert.equal(answer?.notices.length, 2);
    assert.match(answer?.notices[0] ?? "", /^1 expression failed.*division by zero/i);
    assert.match(answer?.notices[1] ?? "", /^1 record /);
  });

  it("explain a query without running it", async () => {
    await room.run("CREATE STREAM s;");
    const plan = (await room.rows("EXPLAIN SELECT a FROM s WHERE b = 1;"))
      .map((row) => row["plan"])
      .join("\n");
    assert.match(plan, /Scan stream s/);
    const [json] = await room.rows("EXPLAIN (FORMAT JSON) SELECT a FROM s;");
    assert.match(String(json?.["plan"]), /^\{/);
  });
});

describe("push queries", () => {
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
  });
  afterEach(() => room.close());

  it("give what is appended after their header, and end with their limit", async () => {
    await room.run("CREATE STREAM s; INSERT INTO s (a) VALUES (0);");
    let answer: AnswerBuilder | undefined;
    for await (const event of room.events("SELECT a FROM s WHERE a > 0 EMIT CHANGES LIMIT 2;")) {
      if (event.kind !== "header") answer?.take(event);
      else {
        answer = new AnswerBuilder(event);
        assert.deepEqual(
          (await room.rows("SHOW QUERIES;")).map((row) => row["Query ID"]),
          [event.queryId],
        );
        await room.run(
          "INSERT INTO s (a) VALUES (-1), (1); INSERT INTO s (a) VALUES (2); INSERT INTO s (a) VALUES (3);",
        );
      }
    }
    assert.deepEqual(answer?.rows, [{ a: 1 }, { a: 2 }]);
    assert.deepEqual(await room.rows("SHOW QUERIES;"), []);
  });

  it("give a row for every record and its group, from the beginning if asked", async () => {
    await room.run("CREATE STREAM s; INSERT INTO s (k) VALUES ('a'), ('b'), ('a');");
    const sql = "SELECT k, COUNT(*) AS n FROM s GROUP BY k EMIT CHANGES FROM EARLIEST LIMIT 3;";
    assert.deepEqual(await room.rows(sql), [
      { k: "a", n: 1 },
      { k: "b", n: 1 },
      { k: "a", n: 2 },
    ]);
  });

  it("end when they are terminated, and when the caller leaves", async () => {
    await room.run("CREATE STREAM s;");
    const terminated = (async () => {
      for await (const event of room.events("SELECT a FROM s EMIT CHANGES;")) {
        if (event.kind === "header") void room.run(`TERMINATE QUERY ${event.queryId};`);
      }
    })();
    await assert.rejects(terminated, refusedAs("QueryTerminated"));
    const caller = new AbortController();
    const left = (async () => {
      for await (const _ of room.events("SELECT a FROM s EMIT CHANGES;", caller.signal)) {
        caller.abort(new Error("left"));
      }
    })();
    await assert.rejects(left, /left/);
    assert.deepEqual(await room.rows("SHOW QUERIES;"), []);
    await assert.rejects(room.run("TERMINATE QUERY nobody;"), refusedAs("QueryNotFound"));
  });
});

describe("views", () => {
  const make = "CREATE VIEW v AS SELECT k, COUNT(*) AS n, SUM(a) AS total FROM s GROUP BY k;";
  let room: TestRoom;
  beforeEach(async () => {
    room = await TestRoom.open();
    await room.run("CREATE STREAM s WITH (SHARDS = 2); INSERT INTO s (k, a) VALUES ('x', 1), ('y', 2);");
  });
  afterEach(() => room.close());

  it("hold what was stored before them, and whatever was acknowledged before a pull", async () => {
    await room.run(make);
    for (let i = 0; i < 20; i++) {
      await room.run(`INSERT INTO s (k, a) VALUES ('x', ${i});`);
      const [row] = await room.rows("SELECT n FROM v WHERE k = 'x';");
      assert.deepEqual(row, { n: i + 2 });
    }
    assert.deepEqual(await room.rows("SELECT SUM(total) AS all_of_it, COUNT(*) AS groups FROM v;"), [
      { all_of_it: 193, groups: 2 },
    ]);
  });

  it("are there again after a restart", async () => {
    await room.run(make);
    await room.close();
    room = await TestRoom.open(room);
    await room.run("INSERT INTO s (k, a) VALUES ('y', 5);");
    assert.deepEqual(await room.rows("SELECT * FROM v ORDER BY k;"), [
      { k: "x", n: 1, total: 1 },
      { k: "y", n: 2, total: 7 },
    ]);
    assert.equal((await room.rows("SHOW VIEWS;"))[0]?.["Status"], "RUNNING");
  });

  it("share their names with streams, and keep the streams they read", async () => {
    await room.run(make);
    await assert.rejects(room.run("CREATE STREAM v;"), refusedAs("StreamExists"));
    await assert.rejects(
      room.run("CREATE STREAM u; CREATE VIEW u AS SELECT k, COUNT(*) FROM s GROUP BY k;"),
      refusedAs("ViewExists"),
    );
    await assert.rejects(room.run("DROP STREAM s;"), refusedAs("ViewInUse"));
    const shardId = room.streams.get("s").shardIds[0] ?? 0;
    assert.equal(room.log.describe(shardId).holds.size, 1);
    await room.run("DROP VIEW v; DROP VIEW v IF EXISTS;");
    assert.equal(room.log.describe(shardId).holds.size, 0);
    await room.run("DROP STREAM s; CREATE STREAM v;");
  });

  it("let go at the next start of records that a broken creation had held", async () => {
    const shardId = room.streams.get("s").shardIds[0] ?? 0;
    await room.log.hold(shardId, "query neverwritten (0)", 1);
    await room.close();
    room = await TestRoom.open(room);
    assert.equal(room.log.describe(shardId).holds.size, 0);
  });

  it("are made by exactly one of several creators", async () => {
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => room.run(make)));
    assert.equal(results.filter(({ status }) => status === "fulfilled").length, 1);
  });
});

describe("the flights of vega-datasets", () => {
  it("give the same counts and means in SQL as in plain JavaScript, for every origin", async () => {
    // The package does not export its data files, so they are read from where it is installed.
    const file = new URL("../../../../node_modules/vega-datasets/data/flights-20k.json", import.meta.url);
    const flights = JSON.parse(readFileSync(file, "utf8")) as { origin: string; delay: number }[];
    const room = await TestRoom.open();
    await room.run("CREATE STREAM flights WITH (SHARDS = 2);");
    for (let at = 0; at < flights.length; at += 500) {
      const records = flights.slice(at, at + 500).map((flight) => {
        const payload = encodeHRecord({ ...flight });
        assert.ok(payload instanceof Uint8Array);
        return { flag: HStreamRecordHeader_Flag.JSON, key: "", payload };
      });
      const batch = { recordCount: records.length, compression: 0, payload: encodeRecordBatch(records) };
      await room.appender.appendByKey("flights", `${at % 3}`, batch);
    }
    const expected = new Map<string, { flights: number; delay: number }>();
    for (const { origin, delay } of flights) {
      const sum = expected.get(origin) ?? { flights: 0, delay: 0 };
      expected.set(origin, { flights: sum.flights + 1, delay: sum.delay + delay });
    }
    const select =
      "SELECT origin, COUNT(*) AS flights, AVG(delay) AS mean_delay FROM flights GROUP BY origin";
    const rows = await room.rows(`${select} ORDER BY origin;`);
    assert.deepEqual(
      rows,
      [...expected]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([origin, sum]) => ({ origin, flights: sum.flights, mean_delay: sum.delay / sum.flights })),
    );
    await room.run(`CREATE VIEW busy AS ${select};`);
    assert.deepEqual(await room.rows("SELECT * FROM busy ORDER BY origin;"), rows);
    await room.close();
  });
});
