import assert from "node:assert/strict";
import { once } from "node:events";
import { request as requestHttps, type RequestOptions } from "node:https";
import { connect as connectPlain } from "node:net";
import { connect as connectTls } from "node:tls";
import { must } from "@hstream/proto";
import { createNodeEnv } from "./env/node-env.js";
import { SimulatedDisk } from "./env/simulated-disk.js";
import { certificates } from "@hstream/proto/testing";
import { startTestServer, type TestServer } from "./rpc/test-server.test.helper.js";
import { TestHttp } from "./http/test-http.test.helper.js";
import { authorizeBy } from "./http/access.js";

const { ca, server: serverPair, renewed, client, expired } = certificates;

/** The status of a GET over TLS, or why there was none. */
function get(port: number, path: string, options: RequestOptions = {}): Promise<number | string> {
  return new Promise((resolve) => {
    const request = requestHttps({ host: "127.0.0.1", port, path, ca: ca.cert, agent: false, ...options });
    request.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    request.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    request.end();
  });
}

describe("REST over TLS", () => {
  let test: TestServer | undefined;
  let disk: SimulatedDisk;
  afterEach(async () => {
    await test?.close();
    test = undefined;
  });

  const write = async (name: string, text: string) => {
    const path = `/secrets/${name}`;
    if (await disk.exists(path)) await disk.remove(path);
    const file = await disk.open(path, "create");
    await file.write([Buffer.from(text)], 0);
    await file.close();
  };
  /** The port of REST. */
  const start = async (flags: Record<string, string>, files: Record<string, string> = {}) => {
    disk = new SimulatedDisk();
    await disk.makeDirectory("/secrets");
    const all = { cert: serverPair.cert, key: serverPair.key, ca: ca.cert, ...files };
    for (const [name, text] of Object.entries(all)) await write(name, text);
    // Any free one, as far as nobody takes it in between.
    const probe = await TestHttp.start();
    await probe.close();
    test = await startTestServer({
      env: { ...createNodeEnv(), disk },
      flags: {
        ...{ "tls.cert": "/secrets/cert", "tls.key": "/secrets/key" },
        "http-port": String(probe.server.port),
        ...flags,
      },
    });
    return must(test.server.httpPort, "it was asked for");
  };

  it("serves with the certificate of gRPC, and speaks nothing else", async () => {
    const port = await start({});
    assert.equal(await get(port, "/healthz"), 200);
    assert.equal(await get(port, "/metrics"), 200);
    const plain = connectPlain(port, "127.0.0.1", () =>
      plain.write("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"),
    );
    const answered: Buffer[] = [];
    plain.on("data", (chunk: Buffer) => answered.push(chunk));
    plain.on("error", () => undefined);
    await once(plain, "close");
    assert.ok(!Buffer.concat(answered).toString().includes("HTTP/1.1 200"));
    const old = connectTls({
      port,
      host: "127.0.0.1",
      ca: ca.cert,
      maxVersion: "TLSv1.1",
      minVersion: "TLSv1.1",
    });
    await assert.rejects(once(old, "secureConnect"));
    assert.equal(await get(port, "/healthz"), 200);
    assert.deepEqual(test?.defects, []);
  });

  it("asks for certificates of clients where gRPC does", async () => {
    const port = await start({ "tls.ca": "/secrets/ca" });
    assert.equal(await get(port, "/healthz", { cert: client.cert, key: client.key }), 200);
    assert.equal(typeof (await get(port, "/healthz")), "string");
    assert.equal(typeof (await get(port, "/healthz", { cert: expired.cert, key: expired.key })), "string");
    assert.deepEqual(test?.defects, []);
  });

  it("shows a renewed certificate to new connections, and keeps the old one beside a key of another", async () => {
    const port = await start({});
    const shown = async () => {
      const socket = connectTls({ host: "127.0.0.1", port, ca: ca.cert });
      await once(socket, "secureConnect");
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const first = await shown();
    await write("cert", renewed.cert);
    await must(test, "it runs").server.reload();
    assert.equal(await shown(), first);
    assert.match(must(test, "it runs").defects.splice(0).join(), /not the key/);
    await write("key", renewed.key);
    await must(test, "it runs").server.reload();
    assert.notEqual(await shown(), first);
  });

  it("asks for tokens with the same roles, before anything of the request is read", async () => {
    const tokens = "admin root\nwrite writer\nread reader\nread:team_ guest\n";
    const port = await start({ "tokens-file": "/secrets/tokens" }, { tokens });
    const as = (...authorization: string[]) => ({ headers: { authorization } as Record<string, string[]> });
    assert.equal(await get(port, "/healthz"), 200);
    assert.equal(await get(port, "/readyz"), 200);
    assert.equal(await get(port, "/metrics"), 401);
    assert.equal(await get(port, "/metrics", as("Bearer reader")), 200);
    assert.equal(await get(port, "/metrics", as("Basic reader")), 200);
    assert.equal(await get(port, "/metrics", as("Bearer guest")), 403);
    assert.equal(await get(port, "/v1/cluster/status", as("Bearer guest")), 200);
    assert.equal(await get(port, "/v1/streams/team_a", as("Bearer guest")), 404);
    assert.equal(await get(port, "/v1/streams/a", as("Bearer guest")), 403);
    assert.equal(await get(port, "/v1/streams", as("Bearer guest")), 403);
    assert.equal(await get(port, "/v1/sql", { method: "POST", ...as("Bearer reader") }), 415);
    assert.equal(await get(port, "/v1/sql", { method: "POST" }), 401);
    assert.equal(await get(port, "/v1/sql", { method: "POST", ...as("Bearer writer") }), 415);
    for (const wrong of [
      "",
      "reader",
      "Bearer",
      "Bearer wrong",
      `Bearer ${"x".repeat(10_000)}`,
      "Digest reader",
    ]) {
      assert.equal(await get(port, "/metrics", as(wrong)), 401, wrong.slice(0, 20));
    }
    assert.equal(await get(port, "/metrics", as("Bearer reader", "Bearer reader")), 401);
    await write("tokens", "admin fresh\n");
    await must(test, "it runs").server.reload();
    assert.equal(await get(port, "/metrics", as("Bearer reader")), 401);
    assert.equal(await get(port, "/metrics", as("Bearer fresh")), 200);
    assert.deepEqual(test?.defects, []);
  });
});

describe("tokens over REST", () => {
  it("let a reader run SQL that only reads, and a writer any", async () => {
    const roles = new Map<string, "read" | "write">([
      ["Bearer reader", "read"],
      ["Bearer writer", "write"],
    ]);
    const http = await TestHttp.start({
      authorize: authorizeBy((given) => {
        const role = roles.get(given);
        return role === undefined ? undefined : { role, prefix: "" };
      }),
    });
    const status = async (sql: string, token: string) =>
      (await http.call("POST", "/v1/sql", { sql }, { authorization: `Bearer ${token}` })).status;
    const insert = "INSERT INTO s (a) VALUES (1);";
    assert.equal(await status("CREATE STREAM s;", "reader"), 403);
    assert.equal(await status("CREATE STREAM s;", "writer"), 200);
    assert.equal(await status(insert, "reader"), 403);
    assert.equal(await status(`SELECT 1 AS one; ${insert}`, "reader"), 403);
    assert.equal(await status(insert, "writer"), 200);
    assert.equal(await status("SELECT * FROM s; SHOW STREAMS; DESCRIBE s; EXPLAIN SELECT 1;", "reader"), 200);
    assert.equal(await status("SELEKT 1;", "reader"), 400);
    const counted = await http.call(
      "POST",
      "/v1/sql",
      { sql: "SELECT COUNT(*) AS n FROM s;" },
      { authorization: "Bearer reader" },
    );
    assert.deepEqual((counted.body as { results: { rows: unknown }[] }).results[0]?.rows, [{ n: 1 }]);
    await http.close();
    assert.deepEqual(http.defects, []);
  });

  it("are asked for with a challenge, and the answer tells nothing of them", async () => {
    const http = await TestHttp.start({
      authorize: authorizeBy((given) => (given === "Bearer a" ? { role: "read", prefix: "" } : undefined)),
    });
    const response = await http.request("GET", "/v1/cluster/stats", undefined, {
      authorization: "Bearer secret",
    });
    assert.equal(response.status, 401);
    assert.equal(response.headers.get("www-authenticate"), 'Bearer realm="hstream"');
    assert.ok(!(await response.text()).includes("secret"));
    for (const path of ["/openapi.json", "/docs", "/healthz"]) {
      assert.equal((await http.request("GET", path)).status, 200, path);
    }
    const { body } = await http.call("GET", "/openapi.json");
    const document = body as {
      security: unknown;
      paths: Record<string, Record<string, { security?: unknown }>>;
      components: { securitySchemes: unknown };
    };
    assert.deepEqual(document.security, [{ token: [] }]);
    assert.deepEqual(document.components.securitySchemes, { token: { type: "http", scheme: "bearer" } });
    assert.deepEqual(document.paths["/healthz"]?.get?.security, []);
    assert.equal(document.paths["/metrics"]?.get?.security, undefined);
    await http.close();
    assert.deepEqual(http.defects, []);
  });
});
