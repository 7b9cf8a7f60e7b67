import assert from "node:assert/strict";
import { HStreamClient } from "../client.js";
import { FakeServer } from "../test-kit/fake-server.js";

describe("a consumer", () => {
  let server: FakeServer;
  let client: HStreamClient;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = await HStreamClient.connect(server.url, { retryPauseMs: 1 });
    await client.streams.create("demo");
    await client.subscriptions.create("sub", { stream: "demo", offset: "earliest" });
    await client.append("demo", [{ n: 1 }, { n: 2 }], { key: "k" });
    await client.append("demo", [new Uint8Array([7])]);
  });
  afterEach(async () => {
    await client.close();
    server.stop();
  });

  it("receives records and sends the acks that wait when it leaves", async () => {
    const seen: unknown[] = [];
    for await (const record of client.consume("sub")) {
      seen.push(record.json ?? [...record.payload]);
      record.ack();
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, [{ n: 1 }, { n: 2 }, [7]]);
    assert.equal(server.acked.length, 3);
    assert.equal(server.fetches.size, 0);
  });

  it("acknowledges by itself what the loop has done with", async () => {
    const consumer = client.consume("sub", { autoAck: true, consumerName: "me" });
    let seen = 0;
    for await (const record of consumer) {
      assert.match(record.id, /^\d+-\d{16}-\d+$/);
      seen += 1;
      if (seen === 3) break;
    }
    assert.equal(server.acked.length, 2);
  });

  it("goes on with another fetch when the server becomes unavailable", async () => {
    const seen: unknown[] = [];
    for await (const record of client.consume("sub")) {
      seen.push(record.json?.["n"]);
      if (seen.length === 3) server.dropFetches();
      if (seen.length === 6) break;
    }
    assert.deepEqual(seen, [1, 2, undefined, 1, 2, undefined]);
  });

  it("sends acks that were given while it had no server once it has one again", async () => {
    const seen: string[] = [];
    const acked = new Promise<void>((resolve) => {
      server.onAcks = () => {
        if (server.acked.length === 3) resolve();
      };
    });
    const records = [];
    for await (const record of client.consume("sub")) {
      seen.push(record.id);
      if (seen.length <= 3) records.push(record);
      if (seen.length === 3) {
        server.dropFetches();
        // The stream is over when the next record is asked for; these wait for another.
        await new Promise((resolve) => setImmediate(resolve));
        for (const one of records) one.ack();
      }
      if (seen.length === 6) {
        await acked;
        break;
      }
    }
    assert.deepEqual(seen.slice(0, 3), seen.slice(3));
  });

  it("ends quietly when its signal is aborted", async () => {
    const stop = new AbortController();
    let seen = 0;
    for await (const record of client.consume("sub", { signal: stop.signal })) {
      record.ack();
      seen += 1;
      if (seen === 3) stop.abort();
    }
    assert.equal(server.acked.length, 3);
  });

  it("fails when there is no such subscription", async () => {
    const consumer = client.consume("none");
    await assert.rejects(consumer[Symbol.asyncIterator]().next(), { code: 300 });
  });
});
