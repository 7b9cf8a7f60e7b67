import assert from "node:assert/strict";
import { credentials } from "@grpc/grpc-js";
import { HStreamApiClient, must } from "@hstream/proto";
import type { Member } from "../cluster/cluster.js";
import { FetchClient } from "./fetch-client.test.helper.js";
import {
  batchOf,
  call,
  failureIn,
  failureOf,
  startTestServer,
  type TestServer,
} from "./test-server.test.helper.js";

const stream = { streamName: "stream", replicationFactor: 1, backlogDuration: 0, shardCount: 1 };
const subscription = (subscriptionId: string) => ({
  ...{ subscriptionId, streamName: "stream", ackTimeoutSeconds: 60, maxUnackedRecords: 100 },
  offset: 0 as const,
});

/** Two servers that tell clients of each other; who serves what is for the tests to say. */
describe("a call at the wrong server", () => {
  let here: TestServer;
  let there: TestServer;
  let elsewhere: Member;
  /** What the other server serves. */
  const theirs = new Set<string>();
  let shardId: bigint;

  const shardOf = async ({ api }: TestServer) => {
    await call(api, api.createStream, stream);
    return must((await call(api, api.listShards, { streamName: "stream" })).shards[0], "it has one").shardId;
  };

  before(async () => {
    there = await startTestServer();
    elsewhere = { id: 2 ** 31, host: "127.0.0.1", port: there.server.port, version: "0" };
    const ownerOf = (resource: string) => (theirs.has(resource) ? elsewhere : undefined);
    here = await startTestServer({ peers: { members: [elsewhere], ownerOf } });
    shardId = await shardOf(here);
    await shardOf(there);
    for (const { api } of [here, there]) {
      for (const id of ["moved", "mine"]) await call(api, api.createSubscription, subscription(id));
    }
    for (const name of ["subscription/moved", "reader/moved", "query/moved", "connector/moved"])
      theirs.add(name);
  });
  afterEach(() => theirs.delete(`shard/${shardId}`));
  after(async () => {
    const started = performance.now();
    await Promise.all([here.close(), there.close()]);
    // What was refused is over, and nobody waits for it.
    assert.ok(performance.now() - started < 2_000);
    assert.deepEqual([...here.defects, ...there.defects], []);
  });

  it("can be avoided: look-ups and the description of the cluster tell of the other one", async () => {
    const { api } = here;
    const { serverNodes } = await call(api, api.describeCluster, {});
    assert.deepEqual(
      serverNodes.map(({ port }) => port),
      [here.server.port, there.server.port],
    );
    const moved = await call(api, api.lookupSubscription, { subscriptionId: "moved" });
    assert.equal(moved.serverNode?.port, there.server.port);
    const mine = await call(api, api.lookupSubscription, { subscriptionId: "mine" });
    assert.equal(mine.serverNode?.port, here.server.port);
    assert.equal((await call(api, api.lookupShard, { shardId })).serverNode?.port, here.server.port);
    theirs.add(`shard/${shardId}`);
    assert.equal((await call(api, api.lookupShard, { shardId })).serverNode?.port, there.server.port);
  });

  it("is refused with 800 and the right server, where clients look up before they call", async () => {
    const { api } = here;
    const id = "moved";
    const calls: { readonly [name: string]: () => Promise<unknown> } = {
      getSubscription: () => call(api, api.getSubscription, { id }),
      deleteSubscription: () => call(api, api.deleteSubscription, { subscriptionId: id, force: true }),
      listConsumers: () => call(api, api.listConsumers, { subscriptionId: id }),
      readShard: () => call(api, api.readShard, { readerId: id, maxRecords: 1 }),
      deleteShardReader: () => call(api, api.deleteShardReader, { readerId: id }),
      createQuery: () => call(api, api.createQuery, { queryName: id, sql: "" }),
      getQuery: () => call(api, api.getQuery, { id }),
      terminateQuery: () => call(api, api.terminateQuery, { queryId: id }),
      deleteQuery: () => call(api, api.deleteQuery, { id }),
      resumeQuery: () => call(api, api.resumeQuery, { id }),
      createConnector: () => call(api, api.createConnector, { name: id, type: "", target: "", config: "" }),
      deleteConnector: () => call(api, api.deleteConnector, { name: id }),
      pauseConnector: () => call(api, api.pauseConnector, { name: id }),
      resumeConnector: () => call(api, api.resumeConnector, { name: id }),
    };
    for (const [name, made] of Object.entries(calls)) {
      const { status, error, text, extra } = await failureOf(made());
      assert.deepEqual([status, error], [9, 800], name);
      assert.match(text ?? "", /Look it up again/);
      assert.deepEqual(extra, { host: elsewhere.host, port: elsewhere.port });
    }
  });

  it("is refused as not available when it appends, as Java and our own client expect; with 800 for Go", async () => {
    theirs.add(`shard/${shardId}`);
    const request = { streamName: "stream", shardId, records: batchOf("x") };
    const refused = await failureOf(call(here.api, here.api.append, request));
    assert.deepEqual(
      [refused.status, refused.error, refused.extra],
      [14, 0, { host: elsewhere.host, port: elsewhere.port }],
    );
    const go = new HStreamApiClient(here.server.address, credentials.createInsecure(), {
      "grpc.primary_user_agent": "grpc-go/1.53.0",
    });
    const { status, error } = await failureOf(call(go, go.append, request));
    go.close();
    assert.deepEqual([status, error], [9, 800]);
    const appends = here.ext.appendStream();
    const failed = new Promise<number>((resolve) =>
      appends.on("error", (e) => resolve(failureIn(e as never).status)),
    );
    appends.resume();
    appends.write({ more: [], requestId: 1n, ...request, producerId: "", sequence: 0n });
    assert.equal(await failed, 14);
    theirs.delete(`shard/${shardId}`);
    assert.equal((await call(here.api, here.api.append, request)).recordIds.length, 1);
  });

  it("is refused as not available when it fetches; at the right server the consumer gets its records", async () => {
    const lost = new FetchClient(here.api, "moved", "c");
    assert.equal((await lost.ended)?.status, 14);
    const { serverNode } = await call(here.api, here.api.lookupSubscription, { subscriptionId: "moved" });
    assert.equal(serverNode?.port, there.server.port);
    const found = new FetchClient(there.api, "moved", "c");
    const shards = await call(there.api, there.api.listShards, { streamName: "stream" });
    const [shard] = shards.shards;
    await call(there.api, there.api.append, {
      ...{ streamName: "stream", shardId: must(shard, "it has one").shardId },
      records: batchOf("there"),
    });
    assert.equal((await found.records(1)).length, 1);
    found.stream.cancel();
    await found.ended;
  });

  it("is what no other call is: what this server serves, and what any server answers", async () => {
    const { api } = here;
    assert.equal((await call(api, api.getSubscription, { id: "mine" })).subscription?.subscriptionId, "mine");
    await call(api, api.getStream, { name: "stream" });
    assert.equal((await call(api, api.checkSubscriptionExist, { subscriptionId: "moved" })).exists, true);
    const { status, error } = await failureOf(call(api, api.createSubscription, subscription("moved")));
    assert.deepEqual([status, error], [6, 301]);
    // A request that names nothing is refused for that.
    assert.equal((await failureOf(call(api, api.getSubscription, { id: "" }))).error, 300);
    const consumer = new FetchClient(api, "mine", "c");
    await call(api, api.append, { streamName: "stream", shardId, records: batchOf("a", "b") });
    const ids = (await consumer.records(2)).map(({ id }) => id);
    // Later requests need not name the subscription.
    consumer.stream.write({ subscriptionId: "", consumerName: "", ackIds: ids });
    const acked = async () => (await call(api, api.getSubscription, { id: "mine" })).offsets[0]?.batchId;
    while ((await acked()) !== must(ids.at(-1), "there are some").batchId);
    consumer.stream.cancel();
    await consumer.ended;
  });
});
