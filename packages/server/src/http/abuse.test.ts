import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { limits } from "../limits.js";
import { TestHttp } from "./test-http.test.helper.js";

const json = { "content-type": "application/json" };
const ndjson = { "content-type": "application/x-ndjson" };

/** What no client should send, one by one: each gets an answer or a closed connection, and nobody else is hurt. */
describe("abuse of REST", () => {
  let http: TestHttp;
  before(async () => {
    http = await TestHttp.start({ connectionsMax: 300 });
    await http.room.run("CREATE STREAM target; CREATE STREAM other;");
  });
  afterEach(async () => {
    assert.equal((await http.call("GET", "/healthz")).status, 200);
    assert.deepEqual(http.defects.splice(0), []);
  });
  after(() => http.close());

  const records = "/v1/streams/target/records";
  const status = async (method: string, path: string, body?: unknown, headers?: Record<string, string>) =>
    (await http.call(method, path, body, headers)).status;

  /** Sends bytes, gives what comes until the server closes or has answered. */
  async function raw(text: string | Buffer, more?: (socket: Socket) => void): Promise<string> {
    const socket = connect(http.server.port, "127.0.0.1");
    let answer = "";
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    socket.on("error", () => undefined);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    const answered = new Promise<void>((resolve) => {
      socket.on("data", () => {
        if (/\r\n\r\n[^]/.test(answer)) resolve();
      });
    });
    socket.write(text);
    more?.(socket);
    await Promise.race([closed, answered]);
    socket.destroy();
    return answer;
  }

  const head = (method: string, path: string, headers: readonly string[]) =>
    `${method} ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`;
  const codeOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
  const isRefused = (answer: string) => answer === "" || (codeOf(answer) >= 400 && codeOf(answer) < 500);

  it("1: malformed JSON", async () => {
    for (const text of ["{", '{"a":}', "", "nul", '{"a":1}x', "[1,]"]) {
      assert.equal(await status("POST", records, text, json), 400, text);
      assert.equal(await status("POST", "/v1/sql", text, json), 400, text);
    }
  });

  it("2: JSON with duplicate keys: the last counts", async () => {
    await http.room.run("CREATE STREAM doubled;");
    assert.equal(await status("POST", "/v1/streams/doubled/records", '{"a":1,"a":2}', json), 200);
    assert.deepEqual(await http.room.rows("SELECT a FROM doubled;"), [{ a: 2 }]);
  });

  it("3: __proto__ and constructor are ordinary names", async () => {
    const text = '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}';
    assert.equal(await status("POST", records, text, json), 200);
    assert.equal(await status("POST", "/v1/webhooks/emqx/target", text, json), 204);
    assert.equal(await status("POST", "/v1/sql", '{"__proto__":{"sql":"SELECT 1;"}}', json), 400);
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
  });

  it("4: 100 000 nested arrays", async () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    for (const path of [records, "/v1/sql", "/v1/streams", "/streams/target:publish"]) {
      assert.equal(await status("POST", path, deep, json), 400, path);
    }
    assert.equal(await status("POST", records, `{"a":${deep}}`, json), 400);
    assert.equal(await status("POST", "/v1/webhooks/emqx/target", `{"payload":${deep}}`, json), 400);
    const inText = JSON.stringify({ flag: 0, payload: `{"a":${deep}}` });
    assert.equal(await status("POST", "/streams/target:publish", inText, json), 400);
  });

  it("5: a body of 100 MB", async () => {
    const answer = await raw(
      head("POST", "/v1/sql", ["Content-Type: application/json", "Content-Length: 104857600"]),
      (socket) => {
        const chunk = Buffer.alloc(65_536, 0x20);
        let left = 1_600;
        const send = () => {
          while (left-- > 0 && !socket.destroyed)
            if (!socket.write(chunk)) return void socket.once("drain", send);
        };
        send();
      },
    );
    // Its answer may be lost with the connection, which the server closes while we still send.
    assert.ok(codeOf(answer) === 413 || answer === "");
  });

  it("6: a chunked body without end is a stream, and ends with its connection", async () => {
    const answer = await raw(
      `${head("POST", records, ["Content-Type: application/x-ndjson", "Transfer-Encoding: chunked"])}8\r\n{"a":1}\n\r\n`,
      (socket) => void http.call("GET", "/healthz").then(() => socket.destroy()),
    );
    assert.equal(answer, "");
  });

  it("7: a Content-Length that is larger or smaller than the body", async () => {
    const larger = raw(
      `${head("POST", "/v1/sql", ["Content-Type: application/json", "Content-Length: 100"])}{}`,
      (socket) => socket.end(),
    );
    assert.ok(isRefused(await larger));
    const smaller = raw(
      `${head("POST", "/v1/sql", ["Content-Type: application/json", "Content-Length: 1"])}{"sql":1}`,
    );
    assert.ok(isRefused(await smaller));
  });

  it("8: both Content-Length and Transfer-Encoding", async () => {
    const headers = ["Content-Type: application/json", "Content-Length: 4", "Transfer-Encoding: chunked"];
    assert.ok(isRefused(await raw(`${head("POST", "/v1/sql", headers)}0\r\n\r\n`)));
  });

  it("9: two Content-Length headers", async () => {
    const headers = ["Content-Type: application/json", "Content-Length: 4", "Content-Length: 5"];
    assert.ok(isRefused(await raw(`${head("POST", "/v1/sql", headers)}{}  `)));
  });

  it("10: line folding, bare LF and NUL in headers", async () => {
    for (const header of ["X-A: b\r\n folded: c", "X-A: b\u0000c", "X A: b", "X-A: b\nX-B: c"]) {
      const answer = await raw(head("GET", "/healthz", [header, "Connection: close"]));
      assert.ok(isRefused(answer) || codeOf(answer) === 200, JSON.stringify(header));
      assert.ok(!answer.includes("X-B"));
    }
    assert.ok(isRefused(await raw(head("GET", "/healthz", ["X-A: b\u0000c"]))));
  });

  it("11: a header of 1 MB, and 10 000 headers", async () => {
    assert.ok(isRefused(await raw(head("GET", "/healthz", [`X-Long: ${"x".repeat(1_048_576)}`]))));
    assert.ok(
      isRefused(
        await raw(
          head(
            "GET",
            "/healthz",
            Array.from({ length: 10_000 }, (_, i) => `X-${i}: 1`),
          ),
        ),
      ),
    );
  });

  it("12: an address of 1 MB", async () => {
    assert.ok(isRefused(await raw(head("GET", `/${"x".repeat(1_048_576)}`, []))));
    assert.equal(await status("GET", `/v1/streams/${"x".repeat(8_000)}`), 400);
  });

  it("13: encoded traversals in the address", async () => {
    for (const name of [
      "%00",
      "%2e%2e%2f",
      "..;",
      "%252e%252e%252f",
      "..%2f..%2fetc",
      "%2F",
      "%0d%0aX-A:%20b",
    ]) {
      const answer = await raw(head("GET", `/v1/streams/${name}/records`, ["Connection: close"]));
      assert.ok([400, 404].includes(codeOf(answer)), `${name}: ${answer.slice(0, 40)}`);
    }
    assert.equal(codeOf(await raw(head("GET", "/v1/../../etc/passwd", []))), 404);
  });

  it("14: streams that are called as routes are", async () => {
    for (const name of ["swagger", "cluster", "records", "sql", "constructor", "toString"]) {
      assert.equal(await status("POST", "/v1/streams", { stream_name: name }), 200, name);
      assert.equal(await status("POST", `/v1/streams/${name}/records`, { a: 1 }), 200, name);
      assert.equal(await status("GET", `/v1/streams/${name}`), 200, name);
      assert.equal(await status("DELETE", `/v1/streams/${name}`), 200, name);
    }
  });

  it("15: wrong percent escapes, and names that are no UTF-8", async () => {
    for (const name of ["%", "%zz", "%c3%28", "%ff%fe"]) {
      assert.ok([400, 404].includes(codeOf(await raw(head("GET", `/v1/streams/${name}`, [])))), name);
    }
    assert.equal(
      codeOf(
        await raw(
          Buffer.from(
            head("POST", records, ["Content-Type: application/json", "Content-Length: 9"]) + '{"a":"\xff"}',
            "latin1",
          ),
        ),
      ),
      400,
    );
  });

  it("16: the wrong method on each route, which says what is possible", async () => {
    const document = (await http.call("GET", "/openapi.json")).body as {
      paths: Record<string, Record<string, unknown>>;
    };
    for (const [path, methods] of Object.entries(document.paths)) {
      const url = path.replaceAll(/\{\w+\}/g, "x");
      for (const method of ["PUT", "PATCH", "GET", "POST", "DELETE"]) {
        // To DELETE, this is a stream with a strange name.
        const isName = method === "DELETE" && path.endsWith(":publish");
        if (isName || methods[method.toLowerCase()] !== undefined) continue;
        const answer = await http.request(method, url);
        await answer.body?.cancel();
        assert.equal(answer.status, 405, `${method} ${path}`);
        assert.ok((answer.headers.get("allow") ?? "").length > 0);
      }
    }
  });

  it("17: HEAD, OPTIONS, TRACE, CONNECT", async () => {
    for (const method of ["HEAD", "OPTIONS", "TRACE", "CONNECT"]) {
      const answer = await raw(head(method, "/v1/streams", ["Connection: close"]));
      assert.ok(isRefused(answer), `${method}: ${answer.slice(0, 60)}`);
    }
  });

  it("18: a missing or wrong Content-Type", async () => {
    for (const type of [
      "text/plain",
      "application/xml",
      "multipart/form-data; boundary=x",
      "application/jsonx",
      ";;;",
    ]) {
      assert.equal(await status("POST", records, "{}", { "content-type": type }), 415, type);
      assert.equal(
        await status("POST", "/v1/sql", '{"sql":"SELECT 1;"}', { "content-type": type }),
        415,
        type,
      );
    }
    assert.equal(codeOf(await raw(`${head("POST", "/v1/sql", ["Content-Length: 2"])}{}`)), 415);
    assert.equal(
      await status("POST", "/v1/sql", '{"sql":"SELECT 1;"}', {
        "content-type": "application/json; charset=utf-8",
      }),
      200,
    );
  });

  it("19: a gzip bomb", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000, 0x20));
    const answer = await fetch(http.url + records, {
      method: "POST",
      body: bomb,
      headers: { ...json, "content-encoding": "gzip" },
    });
    assert.equal(answer.status, 415);
    await answer.body?.cancel();
  });

  it("20: a nonsensical Accept", async () => {
    for (const accept of ["nonsense", "*/*;q=x", ",,,", "application/xml"]) {
      assert.equal(await status("GET", records, undefined, { accept }), 200);
    }
  });

  it("21: a nonsensical Range", async () => {
    assert.equal(await status("GET", records, undefined, { range: "bytes=9-1,zz" }), 200);
  });

  it("22: numbers at their ends", async () => {
    await http.room.run("CREATE STREAM numbers;");
    const path = "/v1/streams/numbers/records";
    for (const text of ["1e999", "NaN", "-Infinity", "01", "1.", "+1", "0x10"]) {
      assert.equal(await status("POST", path, `{"n":${text}}`, json), 400, text);
    }
    for (const text of ["-0", "9007199254740993", "1e-999", "123456789012345678901234567890"]) {
      assert.equal(await status("POST", path, `{"n":${text}}`, json), 200, text);
    }
    const rows = await http.room.rows("SELECT TO_STR(n) AS n FROM numbers;");
    assert.equal(rows[1]?.n, "9007199254740993");
    assert.equal(await status("POST", "/v1/streams", '{"stream_name":"x","shard_count":1e999}', json), 400);
    assert.equal(
      await status("POST", "/v1/streams", '{"stream_name":"x","shard_count":4294967295}', json),
      400,
    );
    assert.equal(await status("POST", "/v1/streams", '{"stream_name":"x","shard_count":-0.5}', json), 400);
  });

  it("23: texts for numbers and the reverse", async () => {
    assert.equal(await status("POST", "/v1/streams", { stream_name: "x", shard_count: "1" }), 400);
    assert.equal(await status("POST", "/v1/streams", { stream_name: 1 }), 400);
    assert.equal(await status("POST", "/v1/sql", { sql: 1 }), 400);
    assert.equal(await status("POST", "/streams/target:publish", { flag: "0", payload: "{}" }), 400);
    assert.equal(await status("GET", `${records}?limit=many`), 400);
  });

  it("24: null for each field", async () => {
    const bodies: [string, Record<string, unknown>][] = [
      ["/v1/streams", { stream_name: "x", replication_factor: 1, backlog_duration: 0, shard_count: 1 }],
      [
        "/v1/subscriptions",
        {
          subscription_id: "s",
          stream_name: "target",
          ack_timeout_seconds: 1,
          max_unacked_records: 1,
          offset: "EARLIEST",
        },
      ],
      ["/v1/streams/target", { key: "k", type: "RAW", data: "d" }],
      ["/streams", { streamName: "x", replicationFactor: 1, backlogDuration: 0, shardCount: 1 }],
      ["/streams/target:publish", { flag: 1, payload: "x" }],
      ["/v1/sql", { sql: "SELECT 1;" }],
    ];
    for (const [path, body] of bodies) {
      for (const field of Object.keys(body)) {
        assert.equal(await status("POST", path, { ...body, [field]: null }), 400, `${path} ${field}`);
      }
      assert.equal(await status("POST", path, "null", json), 400, path);
    }
  });

  it("25: fields that nobody knows", async () => {
    assert.equal(await status("POST", "/v1/sql", { sql: "SELECT 1;", more: 1 }), 400);
    assert.equal(await status("POST", "/v1/streams/target", { type: "RAW", data: "d", more: 1 }), 200);
  });

  it("26: RAW with an object, HRECORD with a text", async () => {
    assert.equal(await status("POST", "/v1/streams/target", { type: "RAW", data: {} }), 400);
    assert.equal(await status("POST", "/v1/streams/target", { type: "HRECORD", data: "x" }), 400);
    assert.equal(await status("POST", "/v1/streams/target", { type: "OTHER", data: "x" }), 400);
  });

  it("27: base64 that is none is any text: payloads are never decoded", async () => {
    assert.equal(await status("POST", "/streams/target:publish", { flag: 1, payload: "%%%=" }), 200);
  });

  it("28: more idle connections than there may be", async () => {
    const idle = Array.from({ length: 400 }, () =>
      connect(http.server.port, "127.0.0.1").on("error", () => undefined),
    );
    const refused = idle.map((socket) => new Promise((resolve) => socket.once("close", resolve)));
    // Those beyond the bound are closed by the server; which ones, is its business.
    await Promise.race(refused);
    for (const socket of idle) socket.destroy();
    await Promise.all(refused);
  });

  it("29: 1000 pipelined requests", async () => {
    const socket = connect(http.server.port, "127.0.0.1");
    let answer = "";
    const closed = once(socket, "close");
    socket.setEncoding("latin1").on("data", (part: string) => {
      answer += part;
    });
    const request = head("GET", "/healthz", []);
    socket.write(request.repeat(999) + head("GET", "/healthz", ["Connection: close"]));
    await closed;
    assert.equal(answer.split("HTTP/1.1 200 OK").length - 1, 1_000);
  });

  it("30: a client that closes before the answer", async () => {
    const sockets = Array.from({ length: 50 }, () => {
      const socket = connect(http.server.port, "127.0.0.1").on("error", () => undefined);
      socket.write(head("GET", "/metrics", []), () => socket.destroy());
      return new Promise((resolve) => socket.once("close", resolve));
    });
    await Promise.all(sockets);
  });

  it("31: a slow reader of a large answer costs a bounded amount", async () => {
    await http.room.run("CREATE STREAM large;");
    const lines = Array.from({ length: 5_000 }, (_, n) =>
      JSON.stringify({ n, text: "x".repeat(2_000) }),
    ).join("\n");
    assert.equal(await status("POST", "/v1/streams/large/records", lines, ndjson), 200);
    const before = http.room.metrics.reads.sum("requests");
    const socket = connect(http.server.port, "127.0.0.1");
    socket.pause();
    socket.write(head("GET", "/v1/streams/large/records", ["Accept: application/x-ndjson"]));
    while (http.room.metrics.reads.sum("requests") === before) await http.call("GET", "/healthz");
    socket.resume();
    await once(socket, "data");
    socket.destroy();
    await once(socket, "close");
  });

  it("32: intervals that are none", async () => {
    for (const interval of ["-1", "999999999999", "0s", "1", "min", "1min;drop", "1e3s"]) {
      const path = `/v1/cluster/stats?category=stream&metrics=appends&interval=${encodeURIComponent(interval)}`;
      assert.equal(await status("GET", path), 400, interval);
    }
    assert.equal(await status("GET", "/v1/cluster/stats?category=stream&metrics=__proto__"), 400);
    assert.equal(await status("GET", "/v1/cluster/stats"), 400);
  });

  it("33: limits that are negative or huge", async () => {
    for (const limit of ["-1", "0", "1e9", "99999999999999999999", "1.5", ""]) {
      assert.equal(await status("GET", `${records}?limit=${limit}`), 400, limit);
    }
    assert.equal(await status("GET", `${records}?limit=${limits.httpRecordsMax + 1}`), 413);
    assert.equal(await status("GET", `${records}?from=-1`), 400);
    assert.equal(await status("GET", `${records}?from=99999999999999999999`), 400);
    assert.equal(await status("GET", `${records}?limit=1&limit=2`), 400);
  });

  it("34: a foreign Host or Origin", async () => {
    assert.equal(codeOf(await raw("GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n")), 403);
    assert.equal(codeOf(await raw("GET /healthz HTTP/1.1\r\nHost: db.example\r\n\r\n")), 200);
    assert.equal(await status("POST", records, { a: 1 }, { origin: "https://evil.example" }), 403);
    assert.equal(await status("POST", records, { a: 1 }, { origin: "null" }), 403);
    assert.equal(await status("POST", records, { a: 1 }, { origin: http.url }), 200);
  });

  it("35: a malformed, large or repeated Authorization", async () => {
    assert.equal(await status("GET", "/healthz", undefined, { authorization: "Bearer" }), 200);
    assert.ok(
      isRefused(await raw(head("GET", "/healthz", [`Authorization: Bearer ${"x".repeat(1_048_576)}`]))),
    );
    assert.equal(codeOf(await raw(head("GET", "/healthz", ["Authorization: a", "Authorization: b"]))), 200);
  });

  it("36: an upgrade that nobody asked for", async () => {
    for (const protocol of ["websocket", "h2c"]) {
      const answer = await raw(head("GET", "/healthz", ["Connection: Upgrade", `Upgrade: ${protocol}`]));
      assert.equal(codeOf(answer), 200, protocol);
    }
  });

  it("37: smuggling by an unknown Transfer-Encoding", async () => {
    const headers = ["Content-Type: application/json", "Transfer-Encoding: xchunked"];
    assert.ok(isRefused(await raw(`${head("POST", "/v1/sql", headers)}0\r\n\r\nGET /x HTTP/1.1\r\n\r\n`)));
  });

  it("38: the same POST 1000 times", async () => {
    const body = { stream_name: "repeated" };
    const statuses: number[] = [];
    for (let round = 0; round < 20; round++) {
      statuses.push(
        ...(await Promise.all(Array.from({ length: 50 }, () => status("POST", "/v1/streams", body)))),
      );
    }
    assert.equal(statuses.filter((code) => code === 200).length, 1);
    assert.equal(statuses.filter((code) => code === 409).length, 999);
  });

  it("39: very many addresses that do not exist leave nothing in the metrics", async () => {
    await Promise.all(Array.from({ length: 200 }, (_, i) => status("GET", `/nothing/${i}/here`)));
    const text = await (await http.request("GET", "/metrics")).text();
    assert.ok(!text.includes("nothing"));
    assert.match(text, /hstream_http_requests_total\{method="GET",route="unknown",status="404"\} \d+/);
    const odd = await raw(head("MKCOL", "/x", ["Connection: close"]));
    assert.ok(isRefused(odd));
  });

  it("40: markup in names is never shown as such", async () => {
    const answer = await http.request("GET", "/v1/streams/%3Cscript%3Ealert(1)%3C%2Fscript%3E/records");
    assert.equal(answer.status, 404);
    assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
    assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    assert.match(answer.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    await answer.body?.cancel();
    assert.equal(await status("POST", "/v1/streams", { stream_name: "<script>" }), 400);
    const script = await (await http.request("GET", "/docs/page.js")).text();
    assert.ok(!script.includes("innerHTML"));
  });
});
