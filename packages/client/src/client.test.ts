import assert from "node:assert/strict";
import { HStreamClient } from "./client.js";
import { HStreamClientError } from "./errors.js";
import { decodeBatch } from "./records/decode.test.helper.js";
import { formatRecordId } from "./records/record-id.js";
import { FakeError, FakeServer } from "./test-kit/fake-server.js";

async function failure(work: Promise<unknown>): Promise<HStreamClientError> {
  try {
    await work;
  } catch (error) {
    assert(error instanceof HStreamClientError, String(error));
    return error;
  }
  assert.fail("it should have failed");
}

describe("the client", () => {
  let server: FakeServer;
  let client: HStreamClient;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = await HStreamClient.connect(server.url, { retryPauseMs: 5 });
  });
  afterEach(async () => {
    await client.close();
    server.stop();
  });

  it("creates, lists, shows and deletes streams", async () => {
    await client.streams.create("demo", { shardCount: 3, backlogDuration: 60 });
    await client.streams.create("other");
    assert.deepEqual(
      (await client.streams.list()).map(({ name }) => name),
      ["demo", "other"],
    );
    assert.deepEqual(
      (await client.streams.list("ot")).map(({ name }) => name),
      ["other"],
    );
    const demo = await client.streams.get("demo");
    assert.equal(demo.shardCount, 3);
    assert.equal(demo.backlogDuration, 60);
    assert.equal(demo.createdAt?.toISOString(), "2023-11-14T22:13:20.000Z");
    assert.equal((await client.streams.listShards("demo")).length, 3);
    await client.streams.delete("demo");
    assert.equal((await failure(client.streams.get("demo"))).code, 200);
  });

  it("reads the server's refusal", async () => {
    await client.streams.create("demo");
    const error = await failure(client.streams.create("demo"));
    assert.equal(error.reason, "refused");
    assert.equal(error.code, 201);
    assert.equal(error.grpcStatus, 6);
    assert.match(error.message, /"demo" exists already/);
  });

  it("creates, lists, shows and deletes subscriptions", async () => {
    await client.streams.create("demo");
    await client.subscriptions.create("sub", { stream: "demo", offset: "earliest", ackTimeoutSeconds: 7 });
    const [listed] = await client.subscriptions.list();
    assert.equal(listed?.ackTimeoutSeconds, 7);
    assert.equal((await client.subscriptions.get("sub")).offset, "earliest");
    assert.equal(await client.subscriptions.exists("sub"), true);
    assert.deepEqual(await client.subscriptions.consumers("sub"), []);
    await client.subscriptions.delete("sub", { force: true });
    assert.equal((await failure(client.subscriptions.get("sub"))).code, 300);
    assert.equal((await failure(client.subscriptions.create("x", { stream: "none" }))).code, 302);
  });

  it("makes plain subscriptions where a server knows no others, and refuses what that lacks", async () => {
    const old = await FakeServer.start(0, { ext: false });
    await using other = await HStreamClient.connect(old.url);
    await other.streams.create("demo");
    assert.equal((await other.subscriptions.create("sub", { stream: "demo" })).stream, "demo");
    const error = await failure(
      other.subscriptions.create("two", { stream: "demo", dispatch: "round-robin" }),
    );
    assert.deepEqual([error.reason, error.grpcStatus], ["refused", 12]);
    assert.equal(await other.subscriptions.exists("two"), false);
    old.stop();
  });

  it("appends JSON and raw records to the shard of their key", async () => {
    await client.streams.create("demo", { shardCount: 4 });
    const ids = await client.append("demo", [{ a: 1, b: [true, null, "é"] }, new Uint8Array([1, 2])], {
      key: "k",
      attributes: { from: "test" },
      compression: "gzip",
    });
    assert.equal(ids.length, 2);
    const [stored] = server.batches;
    assert(stored !== undefined);
    assert.deepEqual(stored.ids.map(formatRecordId), ids.map(formatRecordId));
    const [json, raw] = await decodeBatch(stored.batch);
    assert.deepEqual(json?.json, { a: 1, b: [true, null, "é"] });
    assert.equal(json?.key, "k");
    assert.deepEqual([...(json?.attributes ?? [])], [["from", "test"]]);
    assert.equal(raw?.json, undefined);
    assert.deepEqual([...(raw?.payload ?? [])], [1, 2]);
  });

  it("splits what is too much for one batch, and refuses a record that fits none", async () => {
    await client.streams.create("demo");
    const big = new Uint8Array(400_000);
    assert.equal((await client.append("demo", [big, big, big])).length, 3);
    assert.deepEqual(
      server.batches.map(({ ids }) => ids.length),
      [2, 1],
    );
    const error = await failure(client.append("demo", [new Uint8Array(2_000_000)]));
    assert.equal(error.reason, "usage");
    assert.match(error.message, /batchBytesMax/);
  });

  it("tries an append again after UNAVAILABLE, and gives up after five", async () => {
    await client.streams.create("demo");
    let calls = 0;
    server.beforeAppend = () => {
      calls += 1;
      if (calls < 3) throw new FakeError(14, 0, "not now");
    };
    await client.append("demo", [{ a: 1 }]);
    assert.equal(calls, 3);
    server.beforeAppend = () => {
      calls += 1;
      throw new FakeError(14, 0, "never");
    };
    calls = 0;
    assert.equal((await failure(client.append("demo", [{ a: 1 }]))).reason, "unavailable");
    assert.equal(calls, 5);
  });

  it("finds a living server in a list, and says when there is none", async () => {
    const other = await FakeServer.start();
    const dead = other.port;
    other.stop();
    const found = await HStreamClient.connect(`hstream://127.0.0.1:${dead},127.0.0.1:${server.port}`, {
      retryPauseMs: 1,
    });
    assert.equal(await found.echo("hé"), "hé");
    assert.deepEqual(found.addresses, [{ host: "127.0.0.1", port: server.port }]);
    await found.close();
    const error = await failure(HStreamClient.connect(`hstream://127.0.0.1:${dead}`));
    assert.equal(error.reason, "unavailable");
  });

  it("goes to the next server when one is gone, and learns from it which there are", async () => {
    const [second, third] = [await FakeServer.start(), await FakeServer.start()];
    server.otherPorts = [second.port];
    const found = await HStreamClient.connect(server.url, { retryPauseMs: 1 });
    const ports = () => found.addresses.map(({ port }) => port);
    assert.deepEqual(ports(), [server.port, second.port]);
    second.otherPorts = [third.port];
    server.stop();
    assert.equal(await found.echo("hé"), "hé");
    assert.deepEqual(ports(), [second.port, third.port]);
    await found.close();
    second.stop();
    third.stop();
  });

  it("can be cancelled, while it waits for another try too", async () => {
    await client.streams.create("demo");
    const stop = new AbortController();
    server.beforeAppend = () => {
      stop.abort();
      throw new FakeError(14, 0, "not now");
    };
    assert.equal(
      (await failure(client.append("demo", [{ a: 1 }], { signal: stop.signal }))).reason,
      "cancelled",
    );
    assert.equal((await failure(client.streams.list("", { signal: stop.signal }))).reason, "cancelled");
  });

  it("can be stopped from connecting", async () => {
    const dead = await FakeServer.start();
    dead.stop();
    const stop = new AbortController();
    const connecting = HStreamClient.connect(`hstream://127.0.0.1:${dead.port},127.0.0.1:${dead.port}`, {
      signal: stop.signal,
    });
    setImmediate(() => stop.abort());
    assert.equal((await failure(connecting)).reason, "cancelled");
  });

  it("refuses to be used after close", async () => {
    await client.close();
    assert.equal((await failure(client.streams.list())).reason, "closed");
  });
});
