import assert from "node:assert/strict";
import { type IncomingMessage, request } from "node:http";
import { once } from "node:events";
import { createServer } from "node:net";
import { resolveConfig } from "../config/resolve-config.js";
import { createNodeEnv } from "../env/node-env.js";
import { SimulatedDisk } from "../env/simulated-disk.js";
import { startServer } from "../server.js";
import { TestHttp } from "./test-http.test.helper.js";

describe("the HTTP side of a server", () => {
  it("ends event streams with the reason, lets what is under way finish, and refuses what comes then", async () => {
    const http = await TestHttp.start();
    await http.room.run("CREATE STREAM s;");
    const live = await fetch(`${http.url}/v1/streams/s/records/live`);
    const push = await http.request("POST", "/v1/sql", { sql: "SELECT * FROM s EMIT CHANGES;" });
    // A request in the middle of its body.
    const headers = { "content-type": "application/x-ndjson" };
    const slow = request({ port: http.server.port, path: "/v1/streams/s/records", method: "POST", headers });
    slow.write('{"n":1}\n');
    while ((await http.room.rows("SELECT n FROM s;")).length === 0);
    const answered = once(slow, "response") as Promise<[IncomingMessage]>;
    const closing = http.close();
    slow.end('{"n":2}\n');
    const [response] = await answered;
    response.resume();
    assert.equal(response.statusCode, 200);
    assert.match(await live.text(), /event: problem\ndata: .*ShuttingDown/);
    assert.match(await push.text(), /event: problem\ndata: .*ShuttingDown/);
    await closing;
    await assert.rejects(fetch(`${http.url}/healthz`));
    assert.deepEqual(http.defects, []);
  });

  it("is off for a port of 0, and says so when its port is taken", async () => {
    const start = (flags: Record<string, unknown>) => {
      const resolved = resolveConfig({ flags: { port: 0, "data-dir": "/data", ...flags } });
      if (resolved.kind === "errors") throw new Error(JSON.stringify(resolved.errors));
      const env = { ...createNodeEnv(), disk: new SimulatedDisk() };
      return startServer({ config: resolved.config, env, version: "0.0.0-test" });
    };
    const without = await start({});
    assert.equal(without.httpPort, undefined);
    await without.close();
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const bound = other.address();
    const taken = typeof bound === "object" && bound !== null ? bound.port : 0;
    await assert.rejects(
      start({ "http-port": taken }),
      /Cannot listen on 127\.0\.0\.1:\d+: .*choose another http-port/,
    );
    other.close();
    await once(other, "close");
    const running = await start({ "http-port": taken });
    assert.equal(running.httpPort, taken);
    const answer = await fetch(`http://127.0.0.1:${taken}/readyz`);
    assert.deepEqual(await answer.json(), { status: "ready" });
    await running.close();
  });
});
