import assert from "node:assert/strict";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import { credentials } from "@grpc/grpc-js";
import { HStreamApiClient, must, SpecialOffset, type Subscription } from "@hstream/proto";
import { startProxy } from "./breakable-proxy.test.helper.js";
import { FetchClient } from "./fetch-client.test.helper.js";
import { batchOf, call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";

const subscription = (subscriptionId: string, fields: Partial<Subscription> = {}): Subscription => ({
  subscriptionId,
  streamName: "stream",
  ackTimeoutSeconds: 600,
  maxUnackedRecords: 10_000,
  offset: SpecialOffset.EARLIEST,
  ...fields,
});

describe("subscriptions over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  let shardId: bigint;

  const append = (records: Parameters<HStreamApiClient["append"]>[0]["records"]) =>
    call(api, api.append, { streamName: "stream", shardId, records });
  const consumersOf = async (subscriptionId: string) =>
    (await call(api, api.listConsumers, { subscriptionId })).consumers;

  beforeEach(async () => {
    test = await startTestServer();
    api = test.api;
    await call(api, api.createStream, {
      streamName: "stream",
      replicationFactor: 1,
      backlogDuration: 0,
      shardCount: 1,
    });
    const { shards } = await call(api, api.listShards, { streamName: "stream" });
    shardId = shards[0]?.shardId ?? 0n;
  });
  afterEach(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  it("creates, gets, lists, checks and deletes subscriptions", async () => {
    const created = await call(
      api,
      api.createSubscription,
      subscription("a1", { offset: SpecialOffset.LATEST }),
    );
    assert.ok(created.creationTime !== undefined);
    assert.deepEqual(
      { ...created, creationTime: undefined },
      { ...subscription("a1", { offset: SpecialOffset.LATEST }), creationTime: undefined },
    );
    assert.deepEqual(await call(api, api.getSubscription, { id: "a1" }), {
      subscription: created,
      offsets: [],
    });
    await call(api, api.createSubscription, subscription("b1"));
    const ids = (list: { subscription: Subscription[] }) =>
      list.subscription.map((each) => each.subscriptionId);
    assert.deepEqual(ids(await call(api, api.listSubscriptions, {})), ["a1", "b1"]);
    assert.deepEqual(ids(await call(api, api.listSubscriptionsWithPrefix, { prefix: "b" })), ["b1"]);
    const exists = async (subscriptionId: string) =>
      (await call(api, api.checkSubscriptionExist, { subscriptionId })).exists;
    assert.deepEqual([await exists("a1"), await exists("c1")], [true, false]);
    await call(api, api.deleteSubscription, { subscriptionId: "a1", force: false });
    assert.equal(await exists("a1"), false);
  });

  it("refuses bad, duplicate and unknown ones with the API's codes", async () => {
    const refused = async (request: Subscription) => {
      const { status, error } = await failureOf(call(api, api.createSubscription, request));
      return [status, error];
    };
    await call(api, api.createSubscription, subscription("there"));
    assert.deepEqual(await refused(subscription("there")), [6, 301]);
    assert.deepEqual(await refused(subscription("1x")), [3, 304]);
    assert.deepEqual(await refused(subscription("x", { streamName: "" })), [3, 204]);
    assert.deepEqual(await refused(subscription("x", { streamName: "nowhere" })), [9, 302]);
    assert.deepEqual(await refused(subscription("x", { offset: 5 as 0 })), [3, 303]);
    assert.deepEqual(await refused(subscription("x", { ackTimeoutSeconds: 0 })), [3, 0]);
    assert.deepEqual(await refused(subscription("x", { maxUnackedRecords: -1 })), [3, 0]);
    const missing = [
      call(api, api.getSubscription, { id: "x" }),
      call(api, api.listConsumers, { subscriptionId: "x" }),
      call(api, api.deleteSubscription, { subscriptionId: "x", force: true }),
    ];
    for (const answer of missing) assert.deepEqual((await failureOf(answer)).error, 300);
    const prefix = await failureOf(call(api, api.listSubscriptionsWithPrefix, { prefix: "" }));
    assert.deepEqual([prefix.status, prefix.error], [3, 304]);
    const bad = call(api, api.createSubscription, subscription("x"), { "hstream-dispatch": "at-random" });
    assert.deepEqual((await failureOf(bad)).status, 3);
  });

  it("delivers stored and new batches as they were stored, and keeps the progress of acks", async () => {
    const stored = batchOf("a", "b");
    await append(stored);
    await call(api, api.createSubscription, subscription("sub"));
    const consumer = new FetchClient(api, "sub", "c");
    const [a, b] = await consumer.records(2);
    assert.deepEqual([a?.text, b?.text, a?.id.batchIndex, b?.id.batchIndex], ["a", "b", 0, 1]);
    const [first] = consumer.received;
    assert.deepEqual(first?.record?.payload, Buffer.from(stored.payload));
    assert.ok((first?.record?.publishTime?.seconds ?? 0n) > 1_600_000_000n);
    const appended = await append(batchOf("c"));
    const records = await consumer.records(3);
    assert.equal(records[2]?.text, "c");
    consumer.ack(records.map(({ id }) => id));
    const batchId = appended.recordIds[0]?.batchId;
    for (;;) {
      const { offsets } = await call(api, api.getSubscription, { id: "sub" });
      if (offsets[0]?.batchId === batchId) break;
    }
    consumer.stream.end();
    assert.equal(await consumer.ended, undefined);
    assert.deepEqual(await consumersOf("sub"), []);
    await call(api, api.deleteSubscription, { subscriptionId: "sub", force: false });
  });

  it("begins at the end with LATEST, as it was at the creation", async () => {
    await append(batchOf("before"));
    await call(api, api.createSubscription, subscription("sub", { offset: SpecialOffset.LATEST }));
    await append(batchOf("after"));
    const consumer = new FetchClient(api, "sub", "c");
    assert.deepEqual(
      (await consumer.records(1)).map(({ text }) => text),
      ["after"],
    );
    consumer.stream.cancel();
  });

  it("lists consumers with what is known of them, and forgets those that cancel", async () => {
    await call(api, api.createSubscription, subscription("sub"));
    await append(batchOf("x"));
    const consumer = new FetchClient(api, "sub", "c", {
      "proxy-agent": "agent",
      "x-forwarded-for": "10.1.1.1",
    });
    await consumer.records(1);
    assert.deepEqual(await consumersOf("sub"), [{ name: "c", uri: "10.1.1.1", userAgent: "agent" }]);
    assert.deepEqual(
      (await failureOf(call(api, api.deleteSubscription, { subscriptionId: "sub", force: false }))).error,
      305,
    );
    const twin = new FetchClient(api, "sub", "c");
    assert.equal((await twin.ended)?.status, 6);
    consumer.stream.cancel();
    while ((await consumersOf("sub")).length > 0);
    await call(api, api.deleteSubscription, { subscriptionId: "sub", force: false });
  });

  it("forgets consumers whose connection is gone", async () => {
    await call(api, api.createSubscription, subscription("sub"), { "hstream-dispatch": "round-robin" });
    await append(batchOf("x"));
    const { port, breakOff } = await startProxy(test.server.port);
    const other = new HStreamApiClient(`127.0.0.1:${port}`, credentials.createInsecure());
    const consumer = new FetchClient(other, "sub", "c");
    await consumer.records(1);
    breakOff();
    assert.equal((await consumer.ended)?.status, 14);
    other.close();
    while ((await consumersOf("sub")).length > 0);
    // What it had not acked goes to the next one at once.
    const next = new FetchClient(api, "sub", "d");
    assert.deepEqual(
      (await next.records(1)).map(({ text }) => text),
      ["x"],
    );
    next.stream.cancel();
  });

  it("stays with 200 consumers, of whom each gets its share", async () => {
    await call(api, api.createSubscription, subscription("sub"), { "hstream-dispatch": "round-robin" });
    const consumers = Array.from({ length: 200 }, (_, i) => new FetchClient(api, "sub", `c${i}`));
    while ((await consumersOf("sub")).length < 200);
    await Promise.all(Array.from({ length: 400 }, (_, i) => append(batchOf(String(i)))));
    const got = await Promise.all(consumers.map((consumer) => consumer.records(2)));
    assert.equal(new Set(got.flat().map(({ text }) => text)).size, 400);
    for (const consumer of consumers) consumer.stream.cancel();
  });

  it("refuses a fetch without a subscription or a name", async () => {
    const missing = await new FetchClient(api, "nowhere", "c").ended;
    assert.deepEqual([missing?.status, missing?.error], [5, 300]);
    await call(api, api.createSubscription, subscription("sub"));
    assert.equal((await new FetchClient(api, "sub", "").ended)?.status, 3);
  });

  it("ends consumers with ABORTED when their subscription is deleted by force", async () => {
    await call(api, api.createSubscription, subscription("sub"));
    await append(batchOf("x"));
    const consumer = new FetchClient(api, "sub", "c");
    await consumer.records(1);
    await call(api, api.deleteSubscription, { subscriptionId: "sub", force: true });
    assert.equal((await consumer.ended)?.status, 10);
    // One of the same name begins anew.
    await call(api, api.createSubscription, subscription("sub"));
    const again = new FetchClient(api, "sub", "c");
    assert.equal((await again.records(1)).length, 1);
    again.stream.cancel();
  });

  it("ends consumers with UNAVAILABLE when the server goes", async () => {
    await call(api, api.createSubscription, subscription("sub"));
    await append(batchOf("x"));
    const consumer = new FetchClient(api, "sub", "c");
    await consumer.records(1);
    await test.server.close();
    assert.deepEqual((await consumer.ended)?.status, 14);
  });

  it("keeps feeding the subscriptions of a stream that was deleted by force", async () => {
    await append(batchOf("kept"));
    await call(api, api.createSubscription, subscription("sub"));
    const unforced = call(api, api.deleteStream, {
      streamName: "stream",
      force: false,
      ignoreNonExist: false,
    });
    assert.deepEqual((await failureOf(unforced)).error, 202);
    await call(api, api.deleteStream, { streamName: "stream", force: true, ignoreNonExist: false });
    assert.deepEqual((await call(api, api.listStreams, {})).streams, []);
    assert.equal((await failureOf(append(batchOf("late")))).status, 5);
    const { subscription: info } = await call(api, api.getSubscription, { id: "sub" });
    assert.equal(info?.streamName, "__deleted_stream__");
    const consumer = new FetchClient(api, "sub", "c");
    assert.deepEqual(
      (await consumer.records(1)).map(({ text }) => text),
      ["kept"],
    );
    consumer.stream.cancel();
  });

  it("delivers unterminated gzip uncompressed, and closed gzip as it is", async () => {
    const { payload } = batchOf("zipped", "twice");
    const closed = gzipSync(payload);
    // What a writer that is flushed and not closed leaves: no final block, no trailer.
    const open = Buffer.concat([
      closed.subarray(0, 10),
      deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }),
    ]);
    await call(api, api.createSubscription, subscription("sub"));
    const consumer = new FetchClient(api, "sub", "c");
    await append({ compressionType: 1, batchSize: 2, payload: open });
    assert.deepEqual(
      (await consumer.records(2)).map(({ text }) => text),
      ["zipped", "twice"],
    );
    assert.equal(consumer.received[0]?.record?.compressionType, 0);
    await append({ compressionType: 1, batchSize: 2, payload: closed });
    while (consumer.received.length < 2)
      await new Promise((resolve) => consumer.stream.once("received", resolve));
    const record = must(consumer.received[1]?.record, "the second batch");
    assert.deepEqual([record.compressionType, record.payload], [1, closed]);
    consumer.stream.cancel();
  });
});
