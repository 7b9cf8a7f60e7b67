import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { Server } from "@grpc/grpc-js";
import { must } from "@hstream/proto";
import { connectionLimits, guardConnections } from "./connection-guard.js";
import { framed, openSocket, RawClient } from "./raw-client.test.helper.js";
import { call, startTestServer, type TestServer } from "./test-server.test.helper.js";

describe("connections of gRPC", () => {
  let test: TestServer | undefined;
  const notices: string[] = [];

  const start = async (connections: Partial<typeof connectionLimits>) => {
    notices.length = 0;
    test = await startTestServer({
      connections,
      report: (level, message) => {
        assert.notEqual(level, "error", message);
        if (level === "warn") notices.push(message);
      },
    });
    return test;
  };
  afterEach(async () => {
    await test?.close();
    test = undefined;
  });

  const headers = {
    ":method": "POST",
    ":path": "/hstream.server.HStreamApi/StreamingFetch",
    "content-type": "application/grpc",
    te: "trailers",
  };
  const echo = framed(Buffer.from([0x0a, 1, 0x78]));

  it("are at most so many: those beyond are closed at once, until one of the others goes", async () => {
    const server = await start({ connectionsMax: 2 });
    const { address } = server.server;
    const [first, second] = [new RawClient(address), new RawClient(address)];
    assert.equal((await first.send("Echo", echo)).grpc, 0);
    assert.equal((await second.send("Echo", echo)).grpc, 0);
    const third = await openSocket(address);
    if (!third.closed) await once(third, "close");
    assert.match(must(notices[0], "it was told"), /connectionsMax/);
    assert.equal((await first.send("Echo", echo)).grpc, 0);
    const gone = once(second.session, "close");
    second.close();
    await gone;
    // The server sees it go a little later than we do.
    for (let grpc: number | undefined; grpc !== 0; ) {
      const late = new RawClient(address);
      ({ grpc } = await late.send("Echo", echo).catch(() => ({ grpc: undefined })));
      late.close();
    }
    first.close();
  });

  it("have at most so many calls at a time", async () => {
    const server = await start({ callsMax: 2 });
    const raw = new RawClient(server.server.address);
    await once(raw.session, "remoteSettings");
    assert.equal(raw.session.remoteSettings.maxConcurrentStreams, 2);
    const [first, second] = [raw.session.request(headers), raw.session.request(headers)];
    for (const each of [first, second]) each.on("error", () => {});
    let answered = false;
    const third = raw.send("Echo", echo).then(({ grpc }) => {
      answered = true;
      return grpc;
    });
    // Another connection is served meanwhile.
    await call(server.api, server.api.echo, { msg: "x" });
    assert.equal(answered, false);
    second.close(8);
    assert.equal(await third, 0);
    raw.close();
  });

  it("are closed when they break off calls as fast as they make them, and others are not", async () => {
    const server = await start({});
    const raw = new RawClient(server.server.address);
    const closed = once(raw.session, "close");
    await once(raw.session, "connect");
    let made = 0;
    while (!raw.session.destroyed && made < 100_000) {
      for (let i = 0; i < 100 && !raw.session.destroyed; i++, made++) {
        const request = raw.session.request(headers);
        request.on("error", () => {});
        // Sent, and broken off in the same breath.
        request.close(8);
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
    await closed;
    assert.ok(made < 100_000, String(made));
    assert.match(must(notices[0], "it was told"), /broke off more than 900 calls/);
    assert.deepEqual(await call(server.api, server.api.echo, { msg: "x" }), { msg: "x" });
  });

  it("are closed when they say next to nothing for too long, however many they are", async () => {
    const server = await start({ keepAliveEveryMs: 200, keepAliveAnswerMs: 200 });
    const sockets = await Promise.all(Array.from({ length: 500 }, () => openSocket(server.server.address)));
    const closed = Promise.all(sockets.map((socket) => once(socket, "close")));
    for (const [i, socket] of sockets.entries()) {
      socket.resume();
      // Nothing, a byte, or a whole preface without another word.
      if (i % 3 > 0) socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".slice(0, i % 3 === 1 ? 1 : undefined));
    }
    assert.deepEqual(await call(server.api, server.api.echo, { msg: "x" }), { msg: "x" });
    await closed;
    assert.deepEqual(await call(server.api, server.api.echo, { msg: "x" }), { msg: "x" });
  });

  it("are forgiven calls broken off long ago", () => {
    const listening = Object.assign(new EventEmitter(), { maxConnections: 0 });
    let nowMs = 0;
    const clock = { now: () => nowMs, monotonic: () => nowMs };
    const server = { http2Servers: new Map([[listening, undefined]]) } as unknown as Server;
    const told: string[] = [];
    guardConnections(
      server,
      { ...connectionLimits, resetsMax: 3, resetsForgivenPerSecond: 1 },
      clock,
      (message) => told.push(message),
    );
    assert.equal(listening.maxConnections, connectionLimits.connectionsMax);
    const session = Object.assign(new EventEmitter(), {
      destroyed: false,
      destroy: () => {
        session.destroyed = true;
      },
    });
    listening.emit("session", session);
    const breakOff = (rstCode = 8) => {
      const stream = Object.assign(new EventEmitter(), { rstCode });
      session.emit("stream", stream);
      stream.emit("close");
    };
    // Calls that end well do not count.
    for (let i = 0; i < 100; i++) breakOff(0);
    for (let i = 0; i < 3; i++) breakOff();
    for (let i = 0; i < 10; i++) {
      nowMs += 1_000;
      breakOff();
    }
    assert.deepEqual([session.destroyed, told], [false, []]);
    breakOff();
    assert.equal(session.destroyed, true);
    breakOff();
    assert.equal(told.length, 1);
  });
});
