import assert from "node:assert/strict";
import { parseScript } from "@hstream/sql";
import { TestRoom } from "../test-room.js";
import { systemTables } from "./table-list.js";

describe("system tables", () => {
  let room: TestRoom;
  before(async () => {
    room = await TestRoom.open();
  });
  after(() => room.close());

  it("can all be read, and say of every row which node it comes from", async () => {
    await room.run("CREATE STREAM readable; INSERT INTO readable (a) VALUES (1);");
    for (const { name, relation } of systemTables) {
      const [answer] = await room.run(`SELECT * FROM ${name};`);
      assert.deepEqual(
        answer?.columns,
        relation.columns.map((column) => column.name),
        name,
      );
      for (const row of answer?.rows ?? []) assert.equal(row.node_id, 7, name);
    }
  });

  it("have names and columns that need no quotes, and a line of help for each", () => {
    for (const { name, help, relation } of systemTables) {
      assert.match(help, /^[A-Z].*\.$/, name);
      const names = relation.columns.map((column) => column.name);
      assert.equal(new Set(names).size, names.length, name);
      for (const column of relation.columns) {
        assert.match(column.help ?? "", /^\S.*\.$/, `${name}.${column.name}`);
        const script = `SELECT ${column.name}, ${name}.${column.name} AS ${column.name} FROM ${name} WHERE ${column.name} IS NOT NULL GROUP BY ${column.name} ORDER BY ${column.name};`;
        assert.deepEqual(parseScript(script).diagnostics, [], script);
      }
    }
  });

  it("are listed by SHOW TABLES and described with their help", async () => {
    const shown = await room.rows("SHOW TABLES;");
    assert.deepEqual(
      shown.map((row) => row["Table Name"]),
      systemTables.map(({ name }) => name),
    );
    const described = await room.rows("DESCRIBE append_throughput;");
    assert.deepEqual(described[1], {
      column: "throughput_1min",
      type: "FLOAT",
      description: "Bytes appended per second over the last minute.",
    });
  });

  it("tell what was appended and read, and rank streams by it", async () => {
    await room.run("CREATE STREAM busy; CREATE STREAM quiet; CREATE STREAM silent;");
    for (let i = 0; i < 5; i++) await room.run(`INSERT INTO busy (a) VALUES ('${"x".repeat(1_000)}');`);
    await room.run("INSERT INTO quiet (a) VALUES (1), (2);");
    await room.run("SELECT * FROM quiet;");
    const ranked = await room.rows(
      `SELECT stream_name, SUM(throughput_1min) AS total FROM append_throughput
       WHERE stream_name IN ('busy', 'quiet', 'silent') GROUP BY stream_name ORDER BY total DESC LIMIT 0, 5;`,
    );
    assert.deepEqual(
      ranked.map((row) => row.stream_name),
      ["busy", "quiet", "silent"],
    );
    assert.deepEqual(
      await room.rows("SELECT records, requests FROM append_total WHERE stream_name = 'busy';"),
      [{ records: 5, requests: 5 }],
    );
    const [read] = await room.rows("SELECT records_60min FROM read_throughput WHERE stream_name = 'quiet';");
    assert.ok(Number(read?.records_60min) > 0);
    const [latency] = await room.rows("SELECT * FROM server_append_latency;");
    assert.ok(Number(latency?.p50) > 0 && Number(latency?.requests) >= 6);
  });

  it("answer which streams are busiest, word for word as the README asks", async () => {
    const names = ["first", "second", "third", "fourth", "fifth", "sixth"];
    for (const [place, name] of names.entries()) {
      const text = "x".repeat(20_000 - 3_000 * place);
      await room.run(`CREATE STREAM ${name}; INSERT INTO ${name} (a) VALUES ('${text}');`);
    }
    const answer =
      await room.rows(`-- Find the top 5 streams that have had the highest throughput in the last 1 minutes.
SELECT streams.name, sum(append_throughput.throughput_1min) AS total_throughput
FROM append_throughput
LEFT JOIN streams ON streams.name = append_throughput.stream_name
GROUP BY stream_name
ORDER BY total_throughput DESC
LIMIT 0, 5;`);
    assert.deepEqual(
      answer.map((row) => row.name),
      names.slice(0, 5),
    );
    assert.deepEqual(Object.keys(answer[0] ?? {}), ["name", "total_throughput"]);
  });

  it("can be joined with views", async () => {
    await room.run(
      "CREATE STREAM joined; CREATE VIEW owners AS SELECT stream, MAX(owner) AS owner FROM joined GROUP BY stream;",
    );
    await room.run("INSERT INTO joined (stream, owner) VALUES ('joined', 'ann');");
    const rows = await room.rows(
      "SELECT s.name, o.owner, s.shard_count FROM streams AS s JOIN owners AS o ON o.stream = s.name;",
    );
    assert.deepEqual(rows, [{ name: "joined", owner: "ann", shard_count: 1 }]);
    await room.run("DROP VIEW owners;");
  });

  it("tell of views and of queries that run", async () => {
    await room.run(
      "CREATE STREAM source; CREATE VIEW totals AS SELECT k, COUNT(*) AS n FROM source GROUP BY k;",
    );
    await room.run("INSERT INTO source (k) VALUES ('a'), ('b'); SELECT * FROM totals;");
    const stop = new AbortController();
    const push = room.events("SELECT * FROM source EMIT CHANGES;", stop.signal)[Symbol.asyncIterator]();
    await push.next();
    const queries = await room.rows(
      "SELECT kind, state, rows_in, rows_out, lag_ms FROM queries ORDER BY kind;",
    );
    const running = push.next();
    await room.run("INSERT INTO source (k) VALUES ('c');");
    await running;
    const later = await room.rows("SELECT rows_in, lag_ms FROM queries WHERE kind = 'push';");
    stop.abort(new Error("enough"));
    await assert.rejects(async () => push.next());
    assert.deepEqual(queries[0], { kind: "push", state: "RUNNING", rows_in: 0, rows_out: 0, lag_ms: 0 });
    assert.deepEqual([queries[1]?.kind, queries[1]?.rows_in, queries[1]?.lag_ms], ["view", 2, 0]);
    assert.deepEqual(later, [{ rows_in: 1, lag_ms: 0 }]);
    assert.equal((await room.rows("SELECT * FROM totals;")).length, 3);
    const [aggregate] = await room.rows("SELECT * FROM query_operators WHERE operator = 'aggregate';");
    assert.deepEqual([aggregate?.rows_in, aggregate?.rows_out], [3, 3]);
    assert.ok(Number(aggregate?.busy_ms) > 0 && Number(aggregate?.state_bytes) > 0);
    const [source] = await room.rows("SELECT * FROM query_operators WHERE operator = 'source';");
    assert.deepEqual([source?.rows_in, source?.rows_out], [0, 3]);
    assert.deepEqual(await room.rows("SELECT name, state, reads, lag_ms, changes, watermark FROM views;"), [
      { name: "totals", state: "RUNNING", reads: "source", lag_ms: 0, changes: 3, watermark: null },
    ]);
  });

  it("tell how far the time of a query has come, and how it failed", async () => {
    await room.run(
      "CREATE STREAM timed; CREATE STREAM minutes AS SELECT k, COUNT(*) AS n FROM timed GROUP BY k, TUMBLE(INTERVAL 1 MINUTE);",
    );
    await room.run("INSERT INTO timed (k, x) VALUES ('a', 1);");
    const state = async () => (await room.rows("SELECT * FROM queries WHERE output = 'minutes';"))[0];
    let row = await state();
    for (; Number(row?.rows_in) === 0; row = await state());
    assert.equal(row?.kind, "stream");
    assert.equal(row?.state, "RUNNING");
    assert.ok(row?.watermark !== null, "it goes by the time of appending");
    await room.run(`PAUSE QUERY ${String(row?.name)};`);
    assert.equal((await state())?.state, "PAUSED");
  });

  it("tell of subscriptions, consumers and their lag", async () => {
    await room.run("CREATE STREAM shared; INSERT INTO shared (a) VALUES (1);");
    const options = { ackTimeoutSeconds: 60, maxUnackedRecords: 10, offset: "earliest" } as const;
    await room.subscriptions.create({ id: "sub", streamName: "shared", ...options });
    // Nobody has consumed it yet, so everything waits.
    const [idle] = await room.rows("SELECT * FROM subscription_lag;");
    assert.equal(idle?.subscription_id, "sub");
    assert.equal(idle?.unacked_records, 0);
    assert.ok(Number(idle?.acked_up_to) < Number(idle?.tail_batch_id) && Number(idle?.lag_ms) >= 0);
    let delivered: () => void = () => {};
    const arrived = new Promise<void>((resolve) => {
      delivered = resolve;
    });
    const attachment = await room.subscriptions.attach("sub", {
      name: "c1",
      uri: "10.0.0.1:1",
      userAgent: "test",
      deliver: () => {
        delivered();
        return true;
      },
      end: () => {},
    });
    await arrived;
    const [consumer] = await room.rows("SELECT * FROM consumers;");
    assert.deepEqual(consumer, {
      subscription_id: "sub",
      name: "c1",
      uri: "10.0.0.1:1",
      user_agent: "test",
      node_id: 7,
    });
    const [lag] = await room.rows("SELECT acked_up_to, tail_batch_id, lag_ms FROM subscription_lag;");
    assert.ok(Number(lag?.acked_up_to) < Number(lag?.tail_batch_id) && Number(lag?.lag_ms) >= 0);
    const [rate] = await room.rows(
      "SELECT records_1min FROM subscription_throughput WHERE subscription_id = 'sub';",
    );
    assert.ok(Number(rate?.records_1min) > 0);
    assert.equal((await room.rows("SHOW SUBSCRIPTIONS;"))[0]?.["Stream Name"], "shared");
    attachment.detach();
  });

  it("stand behind relations that users made with their names", async () => {
    await room.run("CREATE STREAM errors; INSERT INTO errors (a) VALUES (1);");
    assert.deepEqual(await room.rows("SELECT * FROM errors;"), [{ a: 1 }]);
    await room.run("DROP STREAM errors;");
    room.metrics.failed("test", "Internal", "something happened");
    assert.deepEqual(await room.rows("SELECT source, message FROM ERRORS;"), [
      { source: "test", message: "something happened" },
    ]);
  });

  it("cannot be written to", async () => {
    await assert.rejects(room.run("INSERT INTO settings (name) VALUES ('x');"), /system table/);
  });
});
