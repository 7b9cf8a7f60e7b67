import assert from "node:assert/strict";
import { DispatchPolicy, type HStreamApiClient, must, type RecordId, SpecialOffset } from "@hstream/proto";
import { openQueries } from "../queries/open-queries.js";
import { FetchClient } from "./fetch-client.test.helper.js";
import { batchOf, call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";

interface Table {
  readonly headers: string[];
  readonly rows: string[][];
}

describe("statistics and admin commands over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  /** Of the stream "counted": three batches of 1, 2 and 3 records. */
  let ids: RecordId[];

  const refused = async (answer: Promise<unknown>) => {
    const { status, error } = await failureOf(answer);
    return [status, error];
  };
  const admin = async (command: string) =>
    JSON.parse((await call(api, api.sendAdminCommand, { command })).result) as {
      type: string;
      content: Table;
    };
  const table = async (command: string) => {
    const { type, content } = await admin(command);
    assert.equal(type, "table", `${command}: ${JSON.stringify(content)}`);
    for (const row of content.rows) {
      assert.equal(row.length, content.headers.length);
      assert.ok(row.every((cell) => typeof cell === "string"));
    }
    return content;
  };
  const rows = async (command: string) => (await table(command)).rows;
  const ok = { type: "plain", content: "OK" };
  const run = async (sql: string) => {
    for await (const event of test.ext.executeSql({ sql })) assert.ok(event);
  };

  before(async () => {
    test = await startTestServer({ openSql: openQueries });
    api = test.api;
    await call(api, api.createStream, {
      streamName: "counted",
      replicationFactor: 1,
      backlogDuration: 0,
      shardCount: 1,
    });
    const { shards } = await call(api, api.listShards, { streamName: "counted" });
    const shardId = must(shards[0], "it has one").shardId;
    ids = [];
    for (const texts of [["a"], ["b", "c"], ["d", "e", "f"]]) {
      const records = batchOf(...texts);
      ids.push(...(await call(api, api.append, { streamName: "counted", shardId, records })).recordIds);
    }
    const unknown = { streamName: "counted", shardId, records: { ...batchOf("x"), batchSize: 9 } };
    assert.equal((await failureOf(call(api, api.append, unknown))).status, 3);
    await call(test.ext, test.ext.createSubscriptionWith, {
      subscriptionId: "sub",
      streamName: "counted",
      ackTimeoutSeconds: 600,
      maxUnackedRecords: 1_000,
      offset: SpecialOffset.EARLIEST,
      dispatch: DispatchPolicy.DISPATCH_ROUND_ROBIN,
      maxDeliveries: 0,
      deadLetterStream: "",
    });
    const consumer = new FetchClient(api, "sub", "c");
    await consumer.records(6);
    await call(test.ext, test.ext.negativeAck, {
      subscriptionId: "sub",
      recordIds: ids.slice(1, 3),
      delayMs: 0,
    });
    await consumer.records(8);
    consumer.ack(ids.slice(0, 5));
    const unacked = async () =>
      await call(api, api.getStats, { stats: [{ stat: { $case: "subStat", value: 8 } }] });
    while ((await unacked()).statsValues[0]?.statValues.get("sub") !== 1n);
    consumer.stream.cancel();
    await consumer.ended;
    await run("CREATE VIEW totals AS SELECT n, COUNT(*) AS c FROM counted GROUP BY n;");
  });
  after(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  it("count what was appended and delivered, by object", async () => {
    const stream = await call(api, api.getStats, {
      stats: [0, 1, 2, 3, 4, 5, 99].map((value) => ({
        stat: { $case: "streamStat" as const, value: value as 0 },
      })),
    });
    const counted = stream.statsValues.map(({ statValues }) => Number(statValues.get("counted")));
    assert.ok((counted[0] ?? 0) > 20);
    assert.deepEqual(counted.slice(1, 3), [6, 3]);
    assert.ok((counted[4] ?? 0) > 0 && (counted[5] ?? 0) > 0);
    const [error] = stream.errors;
    assert.deepEqual([stream.errors.length, error?.statType?.stat?.value], [1, 99]);
    assert.match(error?.message ?? "", /^invalid stat type/);

    const { statsValues } = await call(api, api.getStats, {
      stats: [0, 1, 2, 3, 4, 5, 6, 7, 8].map((value) => ({
        stat: { $case: "subStat" as const, value: value as 0 },
      })),
    });
    const sub = statsValues.map(({ statValues }) => Number(statValues.get("sub")));
    assert.ok((sub[0] ?? 0) > 20);
    // Records, failed, resent, failed, acks; the consumer came and acked once; 4 answers; one is unacked.
    assert.deepEqual(sub.slice(1), [8, 0, 2, 0, 5, 2, 4, 1]);
  });

  it("count for all kinds of objects", async () => {
    await call(api, api.createConnector, {
      name: "hole",
      type: "SINK",
      target: "blackhole",
      config: '{"stream":"counted"}',
    });
    await call(api, api.executeViewQuery, { sql: "SELECT * FROM totals;" });
    const of = async (stat: Parameters<HStreamApiClient["getStats"]>[0]["stats"][number]["stat"]) => {
      const { statsValues } = await call(api, api.getStats, { stats: [{ stat }] });
      return Object.fromEntries(must(statsValues[0], "it is counted").statValues);
    };
    assert.deepEqual(await of({ $case: "connStat", value: 2 }), { hole: 0n });
    assert.deepEqual(await of({ $case: "viewStat", value: 0 }), { totals: 1n });
    assert.deepEqual(Object.keys(await of({ $case: "queryStat", value: 0 })), ["totals"]);
    assert.deepEqual(await of({ $case: "cacheStoreStat", value: 8 }), {});
    assert.deepEqual(await refused(call(api, api.getStats, { stats: [] })), [3, 0]);
    assert.deepEqual(await refused(call(api, api.getStats, { stats: [{}] })), [3, 0]);
    const many = Array.from({ length: 101 }, () => ({
      stat: { $case: "viewStat" as const, value: 0 as const },
    }));
    assert.deepEqual(await refused(call(api, api.getStats, { stats: many })), [3, 0]);
    await call(api, api.deleteConnector, { name: "hole" });
  });

  it("give rates per second, in the order of the intervals", async () => {
    const series = (method: string, streamName: string, intervals: number[]) =>
      call(api, api.perStreamTimeSeriesStats, { method, streamName, intervals: { intervals } });
    const { stats } = await series("append_in_records", "counted", [60_000, 3_600_000]);
    assert.ok(stats?.vals.length === 2 && stats.vals.every((value) => value > 0), JSON.stringify(stats));
    const requests = await series("append_in_requests", "counted", [60_000]);
    assert.ok(Math.abs(2 * (requests.stats?.vals[0] ?? 0) - (stats.vals[0] ?? 0)) < (stats.vals[0] ?? 0) / 2);
    assert.equal((await series("appends", "counted", [])).stats, undefined);
    const all = await call(api, api.perStreamTimeSeriesStatsAll, {
      method: "appends",
      intervals: { intervals: [60_000] },
    });
    assert.deepEqual([...all.stats.keys()], ["counted"]);
    assert.deepEqual(await refused(series("appends", "absent", [1_000])), [5, 200]);
    assert.deepEqual(await refused(series("appends", "counted", [-1])), [3, 0]);
    assert.deepEqual(await refused(series("constructor", "counted", [])), [3, 0]);
    const bad = { method: "appends", intervals: { intervals: [0] } };
    assert.deepEqual(await refused(call(api, api.perStreamTimeSeriesStatsAll, bad)), [3, 0]);
  });

  it("show statistics as tables, and set counters back", async () => {
    assert.deepEqual(await table("server stats stream_counter append_in_records"), {
      headers: ["stream_name", "append_in_records"],
      rows: [["counted", "6"]],
    });
    assert.deepEqual(await rows("server stats subscription_counter resend_records"), [["sub", "2"]]);
    const rates = await table("server stats stream appends");
    assert.deepEqual(rates.headers, ["stream_name", "appends_1min", "appends_5min", "appends_10min"]);
    assert.match(rates.rows[0]?.[1] ?? "", /^\d+$/);
    const chosen = await table("server stats subscription sends -i 10s -i 500ms");
    assert.deepEqual(chosen.headers, ["subscription_id", "sends_10s", "sends_500ms"]);
    const first = async (command: string) => (await table(command)).headers[0];
    assert.equal(await first("server stats connector_counter is_alive"), "task_name");
    assert.equal(await first("server stats query_counter total_input_records"), "query_name");
    assert.equal(await first("server stats view_counter total_execute_queries"), "view_name");
    assert.equal(await first("server stats handle queries"), "handle_name");
    const histogram = await table("server stats server_histogram append_latency");
    assert.deepEqual(histogram.headers, ["p50", "p75", "p95", "p99"]);
    assert.deepEqual((await table("server stats server_histogram read_latency -p 50 -p 99.9")).headers, [
      "p50",
      "p99.9",
    ]);
    for (const command of [
      "stream x",
      "stream appends -i 1y",
      "x appends",
      "constructor_counter appends",
      "server_histogram append_latency -p 101",
      "",
    ]) {
      assert.equal((await admin(`server stats ${command}`)).type, "error", command);
    }
    assert.deepEqual(await admin("server reset-stats"), ok);
    assert.deepEqual(await rows("server stats stream_counter append_in_records"), [["counted", "0"]]);
    assert.deepEqual(await rows("server stats subscription_counter received_acks"), [["sub", "0"]]);
  });

  it("carry out the commands for streams and subscriptions", async () => {
    assert.deepEqual(await admin("server stream create made -r 3 --shards 2"), ok);
    assert.deepEqual(await rows("server stream describe made"), [["made", "3"]]);
    assert.ok((await rows("server  stream\tlist")).some(([name]) => name === "made"));
    const { shards } = await call(api, api.listShards, { streamName: "made" });
    assert.equal(shards.length, 2);
    assert.deepEqual(await admin("server sub create s1 --stream made --offset earliest"), ok);
    assert.deepEqual(
      (await rows("server sub list")).map(([id, stream]) => [id, stream]),
      [
        ["s1", "made"],
        ["sub", "counted"],
      ],
    );
    assert.deepEqual(await table("server sub describe s1"), {
      headers: ["Subscription ID", "Stream Name", "Timeout", "Max Unacked", "CreatedTime", "Sub Offset"],
      rows: [["s1", "made", "60", "10000", (await rows("server sub list"))[0]?.[2], "EARLIEST"]],
    });
    assert.equal((await admin("server stream delete made")).type, "error");
    assert.deepEqual(await admin("server sub delete s1 -f"), ok);
    assert.equal((await admin("server sub describe s1")).type, "error");
    assert.deepEqual(await admin("server stream delete made -f"), ok);
    assert.equal((await admin("server stream describe made")).type, "error");
    assert.equal((await admin("server stream create made --shards many")).type, "error");
  });

  it("tell of the cluster", async () => {
    const [status] = await rows("server status");
    assert.deepEqual(status?.slice(1), ["Running", test.server.address]);
    const [lookup] = await rows("server lookup stream counted");
    assert.deepEqual(lookup, ["counted", "127.0.0.1", String(test.server.port)]);
    assert.deepEqual(await admin("server ready"), { type: "plain", content: "Cluster is ready" });
    assert.deepEqual(await admin("server init"), {
      type: "plain",
      content: "Server successfully received init signal",
    });
  });

  it("tell of views and queries", async () => {
    const [view] = await rows("server view list");
    assert.deepEqual(view?.slice(0, 2), ["totals", "RUNNING"]);
    const [query] = await rows("server query list");
    assert.deepEqual(query?.slice(0, 3), ["totals", "view", "RUNNING"]);
    assert.deepEqual(await table("server query status -i totals"), {
      headers: ["Query ID", "Thread Status", "Consumer Status"],
      rows: [["totals", "RUNNING", "RUNNING"]],
    });
    assert.deepEqual(await admin("server query status -i absent"), {
      type: "error",
      content: 'Query "absent" not found, or already dead',
    });
    const described = await table("server query describe -i totals");
    assert.deepEqual(described.headers, [
      ...["Query ID", "Type", "Status", "Source ID", "Result ID", "CreatedTime", "Node", "SQL"],
    ]);
    assert.equal((await admin("server query describe -i absent")).type, "error");
    assert.equal((await admin("server query resume -i totals")).type, "error");
  });

  it("tell of connectors", async () => {
    assert.deepEqual(await rows("server connector list"), []);
    const config = '{"stream":"counted"}';
    await call(api, api.createConnector, { name: "hole", type: "SINK", target: "blackhole", config });
    await call(api, api.pauseConnector, { name: "hole" });
    assert.deepEqual(await table("server connector resume -i hole"), {
      headers: ["Connector Name", "Type", "Target", "Status", "Config"],
      rows: [["hole", "SINK", "blackhole", "NEW", config]],
    });
    const described = await table("server connector describe -i hole");
    assert.deepEqual(described.headers, [
      ...["Connector Name", "Task ID", "Node", "Target", "Status", "Offsets", "Config"],
      ...["Docker Image", "Docker Status"],
    ]);
    assert.deepEqual(
      await rows("server meta get -r connectors -i hole"),
      await rows("server meta list -r connector"),
    );
    assert.deepEqual(await admin("server connector delete -i hole"), ok);
    assert.equal((await admin("server connector delete -i hole")).type, "error");
    assert.deepEqual(await admin("server meta clean-connectors"), ok);
  });

  it("tell of what is kept", async () => {
    assert.deepEqual(
      (await rows("server meta list -r subscription")).map(([id]) => id),
      ["sub"],
    );
    assert.deepEqual((await rows("server meta get -r subscription -i sub")).length, 1);
    assert.deepEqual(await admin("server meta get -r subscription -i absent"), {
      type: "plain",
      content: "Not Found",
    });
    for (const category of ["query-info", "query-status", "view-info", "qv-relation"]) {
      assert.deepEqual((await rows(`server meta list -r ${category}`))[0]?.[0], "totals", category);
    }
    assert.deepEqual((await table("server meta info")).headers, ["Meta Type", "Connection Info"]);
    assert.equal((await rows("server meta get-task -r subscription -i sub"))[0]?.[0], "sub");
  });

  it("refuse what is no command", async () => {
    for (const command of [
      "",
      "stream list",
      "server",
      "server x",
      "server lookup thing x",
      "server __proto__ y",
      "server meta x",
      "server meta list -r x",
      "server meta list -r __proto__",
    ]) {
      assert.deepEqual(await refused(call(api, api.sendAdminCommand, { command })), [13, 0], command);
    }
    assert.deepEqual(await admin("server sub deleteall"), ok);
    assert.deepEqual(await rows("server sub list"), []);
  });
});
