import assert from "node:assert/strict";
import { LogError } from "../log/log-store.js";
import { MemoryLog } from "../log/memory-log.js";
import type { Problem } from "./problem.js";
import { TestHttp } from "./test-http.test.helper.js";

const ndjson = { "content-type": "application/x-ndjson" };
const lines = (...objects: unknown[]) => objects.map((object) => `${JSON.stringify(object)}\n`).join("");

describe("REST", () => {
  let http: TestHttp;
  before(async () => {
    http = await TestHttp.start();
    await http.room.run("CREATE STREAM clicks; CREATE STREAM spread WITH (SHARDS = 4);");
  });
  after(async () => {
    await http.close();
    assert.deepEqual(http.defects, []);
  });

  describe("records", () => {
    it("takes an object, an array and lines, and gives them back in order", async () => {
      const one = await http.call("POST", "/v1/streams/clicks/records", { n: 1 });
      assert.equal(one.status, 200);
      const { ids } = one.body as { ids: string[] };
      assert.match(ids[0] ?? "", /^\d{16}-\d{16}-0$/);
      await http.call("POST", "/v1/streams/clicks/records", [{ n: 2 }, { n: 3 }]);
      const streamed = await http.call(
        "POST",
        "/v1/streams/clicks/records",
        `${lines({ n: 4 })}\n{"n":5}`,
        ndjson,
      );
      assert.deepEqual((streamed.body as { records: number }).records, 2);
      const read = await http.call("GET", "/v1/streams/clicks/records?limit=10");
      const { records } = read.body as { records: { id: string; time: string; value: unknown }[] };
      assert.deepEqual(
        records.map(({ value }) => value),
        [1, 2, 3, 4, 5].map((n) => ({ n })),
      );
      assert.equal(records[0]?.id, ids[0]);
      const asLines = await http.request("GET", "/v1/streams/clicks/records", undefined, {
        accept: "application/x-ndjson",
      });
      const text = await asLines.text();
      assert.deepEqual(
        text
          .trimEnd()
          .split("\n")
          .map((line) => JSON.parse(line) as unknown),
        records,
      );
      assert.equal(
        ((await http.call("GET", "/v1/streams/clicks/records?limit=2")).body as { records: unknown[] })
          .records.length,
        2,
      );
    });

    it("reads a range of time", async () => {
      await http.room.run("CREATE STREAM timed;");
      await http.call("POST", "/v1/streams/timed/records", { n: 1 });
      const past = "/v1/streams/timed/records?until=2020-01-01T00:00:00Z";
      assert.deepEqual((await http.call("GET", past)).body, { records: [] });
      const future = `/v1/streams/timed/records?from=${Date.now() + 3_600_000}`;
      assert.deepEqual((await http.call("GET", future)).body, { records: [] });
      const now = "/v1/streams/timed/records?from=2020-01-01&until=2200-01-01T00:00:00Z";
      assert.equal(((await http.call("GET", now)).body as { records: unknown[] }).records.length, 1);
    });

    it("takes keys and attributes from headers, and keys of lines from a field", async () => {
      const headers = { "hstream-key": "k1", "hstream-attribute-source": "test" };
      await http.call("POST", "/v1/streams/spread/records", { n: 1 }, headers);
      const keyed = lines({ user: "a", n: 2 }, { user: "b", n: 3 }, { user: 7, n: 4 });
      await http.call("POST", "/v1/streams/spread/records?key_field=user", keyed, ndjson);
      const { body } = await http.call("GET", "/v1/streams/spread/records");
      const { records } = body as { records: { key: string; attributes?: unknown; value: { n: number } }[] };
      const byNumber = records.toSorted((a, b) => a.value.n - b.value.n);
      assert.deepEqual(
        byNumber.map(({ key }) => key),
        ["k1", "a", "b", "7"],
      );
      assert.deepEqual(byNumber[0]?.attributes, { source: "test" });
      const refused = await http.call("POST", "/v1/streams/spread/records?key_field=user", { n: 5 });
      assert.match((refused.body as Problem).detail, /field "user"/);
    });

    it("takes keys and attributes from fields, of an object, an array and lines", async () => {
      await http.room.run("CREATE STREAM fields;");
      const path = "/v1/streams/fields/records?key_field=user&attributes_field=meta";
      const record = (n: number) => ({ n, user: `u${n}`, meta: { n, ok: true, text: "é", __proto__x: "p" } });
      const header = { "hstream-attribute-n": "given", "hstream-attribute-source": "test" };
      const appends: [body: unknown, headers: Record<string, string>][] = [
        [record(1), header],
        [[record(2), record(3)], header],
        [lines(record(4), record(5)), { ...header, ...ndjson }],
        [{ n: 6, user: "u6" }, header],
      ];
      for (const [body, headers] of appends) {
        assert.equal((await http.call("POST", path, body, headers)).status, 200);
      }
      const { body } = await http.call("GET", "/v1/streams/fields/records");
      const { records } = body as {
        records: { key: string; attributes: Record<string, string>; value: { n: number } }[];
      };
      assert.deepEqual(
        records.map(({ key, value }) => [key, value.n]),
        [1, 2, 3, 4, 5, 6].map((n) => [`u${n}`, n]),
      );
      for (const { attributes, value } of records.slice(0, 5)) {
        const own = { n: String(value.n), ok: "true", text: "é", __proto__x: "p" };
        assert.deepEqual(attributes, { source: "test", ...own });
      }
      assert.deepEqual(records[5]?.attributes, { n: "given", source: "test" });
      const refusals: [body: unknown, detail: RegExp, headers?: Record<string, string>][] = [
        [[record(7), { n: 8, user: "u", meta: ["a"] }], /Record 2: its field "meta"/],
        [{ n: 8, user: "u", meta: { deep: {} } }, /the attribute "deep"/],
        [{ n: 8, meta: {} }, /its field "user"/],
        [[record(7), 5], /Record 2: a record is a JSON object/],
        [`${lines(record(7))}5\n`, /Record 2: a record is a JSON object/, ndjson],
        [`${lines(record(7))}{"user": "a"} {"user": "b"}\n`, /Record 2: there is more than one/, ndjson],
      ];
      for (const [wrong, detail, headers = {}] of refusals) {
        const refused = await http.call("POST", path, wrong, headers);
        assert.equal(refused.status, 400);
        assert.match((refused.body as Problem).detail, detail);
      }
    });

    it("appends the same body with the same idempotency key once", async () => {
      await http.room.run("CREATE STREAM once;");
      const body = lines(...Array.from({ length: 3_000 }, (_, n) => ({ n, text: "x".repeat(300) })));
      const headers = { ...ndjson, "idempotency-key": "order-1" };
      const first = await http.call("POST", "/v1/streams/once/records", body, headers);
      const second = await http.call("POST", "/v1/streams/once/records", body, headers);
      assert.deepEqual(second, first);
      assert.ok((first.body as { batches: number }).batches > 1);
      assert.deepEqual(await http.room.rows("SELECT COUNT(*) AS n FROM once;"), [{ n: 3_000 }]);
    });

    it("says what was appended before a broken line, and which line it is", async () => {
      await http.room.run("CREATE STREAM broken;");
      const answer = await http.call(
        "POST",
        "/v1/streams/broken/records",
        `${lines({ n: 1 })}{"n":\n`,
        ndjson,
      );
      assert.equal(answer.status, 400);
      const problem = answer.body as Problem;
      assert.match(problem.detail, /^Record 2: /);
      assert.deepEqual([problem.title, problem.extra], ["InvalidBatch", { record: 2 }]);
      assert.deepEqual(await http.room.rows("SELECT COUNT(*) AS n FROM broken;"), [{ n: problem.appended }]);
    });

    it("answers problems of the same codes as gRPC", async () => {
      const { status, body } = await http.call("POST", "/v1/streams/missing/records", { n: 1 });
      const problem = body as Problem;
      assert.deepEqual(
        [status, problem.code, problem.title, problem.type],
        [404, 200, "StreamNotFound", "urn:hstream:error:StreamNotFound"],
      );
      assert.deepEqual((await http.call("POST", "/v1/streams/clicks/records", [])).status, 400);
    });

    it("sends what is appended as events, from the beginning if asked", async () => {
      const stop = new AbortController();
      const events = await fetch(`${http.url}/v1/streams/clicks/records/live`, { signal: stop.signal });
      const reader = new EventReader(events);
      assert.equal(await reader.next(), ": following");
      await http.call("POST", "/v1/streams/clicks/records", { live: true });
      assert.match(await reader.next(), /^data: .*"value":\{"live":true\}/);
      stop.abort();
      const all = await fetch(`${http.url}/v1/streams/clicks/records/live?from=earliest`);
      const fromStart = new EventReader(all);
      await fromStart.next();
      assert.match(await fromStart.next(), /"value":\{"n":1\}/);
      await fromStart.cancel();
    });
  });

  describe("SQL", () => {
    it("answers with a result for each statement", async () => {
      const sql = "CREATE STREAM viasql; INSERT INTO viasql (a, b) VALUES (1, 'x'); SELECT a, b FROM viasql;";
      const { body } = await http.call("POST", "/v1/sql", { sql });
      const { results } = body as { results: { rows: unknown[]; message: string; rows_affected: number }[] };
      assert.match(results[0]?.message ?? "", /created/);
      assert.equal(results[1]?.rows_affected, 1);
      assert.deepEqual(results[2]?.rows, [{ a: 1, b: "x" }]);
    });

    it("tells of errors with their place", async () => {
      const { status, body } = await http.call("POST", "/v1/sql", { sql: "SELECT FROM;" });
      const problem = body as Problem;
      assert.deepEqual([status, problem.code, problem.title], [400, 402, "InvalidSql"]);
      assert.ok(JSON.stringify(problem.extra).includes('"column"'));
    });

    it("sends push queries as events until the caller leaves", async () => {
      await http.room.run("CREATE STREAM pushed;");
      const answer = await http.request("POST", "/v1/sql", { sql: "SELECT * FROM pushed EMIT CHANGES;" });
      assert.equal(answer.headers.get("content-type"), "text/event-stream");
      const reader = new EventReader(answer);
      assert.match(await reader.next(), /^event: header\ndata: /);
      await http.call("POST", "/v1/streams/pushed/records", { n: 1 });
      assert.equal(await reader.next(), 'event: row\ndata: {"n":1}');
      await reader.cancel();
      while ((await http.room.rows("SELECT id FROM queries;")).length > 0);
    });

    it("sends finite results as events when asked", async () => {
      const headers = { accept: "text/event-stream" };
      const answer = await http.request(
        "POST",
        "/v1/sql",
        { sql: "SELECT 1 AS one; SELECT nothing;" },
        headers,
      );
      const text = await answer.text();
      assert.match(text, /event: row\ndata: \{"one":1\}\n\nevent: done\n/);
      assert.match(text, /event: problem\ndata: .*InvalidSql/);
    });
  });

  describe("the calls of 0.6", () => {
    it("make, list, write and delete streams", async () => {
      const made = await http.call("POST", "/streams", { streamName: "old", replicationFactor: 1 });
      assert.deepEqual(made.body, {
        streamName: "old",
        replicationFactor: 1,
        backlogDuration: 0,
        shardCount: 1,
      });
      const published = await http.call("POST", "/streams/old:publish", { flag: 0, payload: '{"a":1}' });
      assert.equal(published.status, 200);
      assert.equal((published.body as { recordIds: unknown[] }).recordIds.length, 1);
      await http.call("POST", "/streams/old:publish", { flag: 1, payload: "any text" });
      const { body } = await http.call("GET", "/v1/streams/old/records");
      const { records } = body as { records: { value?: unknown; payload?: string }[] };
      assert.deepEqual(records[0]?.value, { a: 1 });
      assert.equal(Buffer.from(records[1]?.payload ?? "", "base64").toString(), "any text");
      const list = await http.call("GET", "/streams");
      assert.ok(JSON.stringify(list.body).includes('"old"'));
      assert.deepEqual(await http.call("DELETE", "/streams/old"), { status: 200, body: {} });
      const gone = await http.call("DELETE", "/streams/old");
      assert.deepEqual([gone.status, (gone.body as { code: number }).code], [404, 5]);
      const bad = await http.call("POST", "/streams/clicks:publish", { flag: 0, payload: "[1]" });
      assert.equal(bad.status, 400);
    });
  });

  describe("the calls of the gateway", () => {
    it("make, describe, write and delete streams", async () => {
      const made = await http.call("POST", "/v1/streams/", { stream_name: "gate", shard_count: 2 });
      assert.deepEqual(made, { status: 200, body: { msg: "success" } });
      const { body } = await http.call("GET", "/v1/streams/gate");
      assert.deepEqual(body, {
        stream_name: "gate",
        replication_factor: 1,
        backlog_duration: 0,
        shard_count: 2,
      });
      const record = { key: "k", type: "HRECORD", data: { a: 1 } };
      const appended = await http.call("POST", "/v1/streams/gate", record);
      assert.match((appended.body as { rid: string }).rid, /^\d+-\d+-0$/);
      const again = await http.call("POST", "/v1/streams", { stream_name: "gate" });
      assert.equal(again.status, 409);
      assert.deepEqual(Object.keys(again.body as object), ["code", "message", "full_text"]);
      assert.equal((await http.call("DELETE", "/v1/streams/gate")).status, 200);
    });

    it("make, list and delete subscriptions", async () => {
      const wanted = {
        subscription_id: "s1",
        stream_name: "clicks",
        ack_timeout_seconds: 5,
        max_unacked_records: 9,
        offset: "EARLIEST",
      };
      assert.equal((await http.call("POST", "/v1/subscriptions/", wanted)).status, 200);
      assert.deepEqual((await http.call("GET", "/v1/subscriptions/s1")).body, wanted);
      assert.deepEqual((await http.call("GET", "/v1/subscriptions")).body, [wanted]);
      const refused = await http.call("DELETE", "/v1/streams/clicks");
      assert.equal((refused.body as { code: number }).code, 10_004);
      assert.equal((await http.call("DELETE", "/v1/subscriptions/s1")).status, 200);
      assert.equal((await http.call("GET", "/v1/subscriptions/s1")).status, 404);
    });

    it("tell of nodes and of rates", async () => {
      const { body } = await http.call("GET", "/v1/cluster/status");
      assert.deepEqual(body, [{ node_id: 7, state: "Running", address: "127.0.0.1:6570" }]);
      const rates = await http.call("GET", "/v1/cluster/stats?category=stream&metrics=appends&interval=1min");
      const row = (rates.body as Record<string, unknown>[]).find(
        ({ stream_name: name }) => name === "clicks",
      );
      assert.ok(Number(row?.appends_1min) >= 0);
      const totals = await http.call("GET", "/v1/cluster/stats?category=stream_counter&metrics=append_total");
      const counted = (totals.body as Record<string, unknown>[]).find(
        ({ stream_name: name }) => name === "clicks",
      );
      assert.ok(Number(counted?.append_total) > 0);
    });
  });

  it("takes EMQX's webhook as it is, so that SQL can look into the payload", async () => {
    await http.room.run("CREATE STREAM mqtt;");
    // As EMQX sent it for a message of an MQTT client.
    const message = {
      username: "meter",
      topic: "sensors/1/temperature",
      timestamp: 1_700_000_000_123,
      qos: 1,
      publish_received_at: 1_700_000_000_123,
      pub_props: { "User-Property": {} },
      peerhost: "10.0.0.8",
      payload: '{"celsius": 21.5}',
      node: "emqx@127.0.0.1",
      metadata: { rule_id: "webhook_1" },
      id: "0005F8F84FFFAFB9F44200000D810002",
      flags: { retain: false, dup: false },
      event: "message.publish",
      clientid: "c_emqx",
    };
    assert.equal((await http.call("POST", "/v1/webhooks/emqx/mqtt", message)).status, 204);
    const plain = { action: "message_publish", topic: "t", payload: "not json" };
    assert.equal((await http.call("POST", "/v1/webhooks/emqx/mqtt", plain)).status, 204);
    const rows = await http.room.rows(
      "SELECT topic, payload->>'celsius' AS celsius FROM mqtt WHERE event = 'message.publish';",
    );
    assert.deepEqual(rows, [{ topic: message.topic, celsius: "21.5" }]);
  });

  it("documents every call with the schemas that check it, and has a page that loads nothing from elsewhere", async () => {
    const document = (await http.call("GET", "/openapi.json")).body as {
      openapi: string;
      paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
    };
    assert.equal(document.openapi, "3.1.0");
    assert.ok(document.paths["/v1/streams/{name}/records"]?.post?.responses.default !== undefined);
    const page = await http.request("GET", "/docs");
    const html = await page.text();
    assert.ok(!/(src|href)="(https?:)?\/\//.test(html));
    assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'.*script-src 'self'/);
    assert.equal((await http.request("GET", "/docs/page.js")).status, 200);
  });

  it("is healthy, ready, and counts", async () => {
    assert.equal((await http.call("GET", "/healthz")).status, 200);
    assert.equal((await http.call("GET", "/readyz")).status, 200);
    const text = await (await http.request("GET", "/metrics")).text();
    assert.match(text, /^hstream_append_records_total [1-9]/m);
    assert.match(text, /^hstream_append_duration_seconds_bucket\{le="\+Inf"\} [1-9]/m);
    assert.match(text, /^hstream_http_requests_total\{method="GET",route="\/healthz",status="200"\} 1$/m);
  });
});

describe("readiness", () => {
  it("is lost while the disk is full and after the log has failed", async () => {
    const http = await TestHttp.start();
    const log = http.room.log;
    assert.ok(log instanceof MemoryLog);
    await http.room.run("CREATE STREAM s;");
    const append = async () => (await http.call("POST", "/v1/streams/s/records", { a: 1 })).status;
    const readiness = async () => {
      const { status, body } = await http.call("GET", "/readyz");
      return [status, (body as { status: string }).status];
    };
    const full = { kind: "full", reason: "disk", limitBytes: 0 } as const;
    log.inject("append", { kind: "append-result", result: full });
    assert.equal(await append(), 503);
    assert.deepEqual(await readiness(), [503, "the disk is full"]);
    assert.match(await (await http.request("GET", "/metrics")).text(), /^hstream_ready 0$/m);
    assert.equal(await append(), 200);
    assert.deepEqual(await readiness(), [200, "ready"]);
    log.inject("append", { kind: "error", error: new LogError("failed", "the sync failed") });
    assert.equal(await append(), 503);
    assert.deepEqual(await readiness(), [503, "the log has failed, restart the server"]);
    assert.equal((await http.call("GET", "/healthz")).status, 200);
    await http.close();
    assert.deepEqual(http.defects, []);
  });
});

/** Events of a stream, one at a time. */
class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(response: Response) {
    assert.ok(response.body !== null);
    this.#reader = response.body.getReader();
  }

  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end >= 0) {
        const event = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return event;
      }
      const { done, value } = await this.#reader.read();
      if (done) throw new Error("the events have ended");
      this.#text += this.#decoder.decode(value, { stream: true });
    }
  }

  cancel(): Promise<void> {
    return this.#reader.cancel();
  }
}
