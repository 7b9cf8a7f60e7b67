import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { credentials } from "@grpc/grpc-js";
import {
  DispatchPolicy,
  HStreamApiClient,
  type HStreamExtClient,
  must,
  type RecordId,
  SpecialOffset,
} from "@hstream/proto";
import { createNodeEnv } from "../env/node-env.js";
import { SeededRandom } from "../env/seeded-random.js";
import { SimulatedDisk } from "../env/simulated-disk.js";
import { startProxy } from "./breakable-proxy.test.helper.js";
import { FetchClient } from "./fetch-client.test.helper.js";
import { batchOf, call, startTestServer, type TestServer } from "./test-server.test.helper.js";

const textOf = ({ shardId, batchId, batchIndex }: RecordId) => `${shardId}-${batchId}-${batchIndex}`;

async function createStream(api: HStreamApiClient, shardCount: number): Promise<bigint[]> {
  await call(api, api.createStream, {
    streamName: "stream",
    replicationFactor: 1,
    backlogDuration: 0,
    shardCount,
  });
  const { shards } = await call(api, api.listShards, { streamName: "stream" });
  return shards.map(({ shardId }) => shardId);
}

function subscribe(ext: HStreamExtClient, dispatch: DispatchPolicy, ackTimeoutSeconds: number) {
  return call(ext, ext.createSubscriptionWith, {
    subscriptionId: "sub",
    streamName: "stream",
    ackTimeoutSeconds,
    maxUnackedRecords: 100_000,
    offset: SpecialOffset.EARLIEST,
    dispatch,
    maxDeliveries: 0,
    deadLetterStream: "",
  });
}

/** Remembers what it received; acks what `acks` says. */
class Member {
  readonly received = new Set<string>();
  readonly client: FetchClient;

  constructor(api: HStreamApiClient, name: string, news: EventEmitter, acks: (id: RecordId) => boolean) {
    this.client = new FetchClient(api, "sub", name);
    this.client.stream.on("received", () => {
      const { recordIds } = must(this.client.received.pop(), "something was received");
      for (const id of recordIds) this.received.add(textOf(id));
      const acked = recordIds.filter(acks);
      if (acked.length > 0) this.client.ack(acked);
      news.emit("received");
    });
  }
}

describe("shared subscriptions over gRPC", () => {
  let test: TestServer;
  let news: EventEmitter;
  beforeEach(() => {
    news = new EventEmitter();
  });

  const until = async (done: () => boolean) => {
    while (!done()) await once(news, "received");
  };
  const progress = async () => {
    const { ext } = test;
    const { shards } = await call(ext, ext.describeSubscription, { subscriptionId: "sub" });
    return shards;
  };
  const consumersOf = async () => {
    const { api } = test;
    return (await call(api, api.listConsumers, { subscriptionId: "sub" })).consumers.length;
  };
  const appendAll = async (shardId: bigint, from: number, to: number) => {
    const { api } = test;
    const answers = await Promise.all(
      Array.from({ length: to - from }, (_, i) => {
        const texts = Array.from({ length: 1 + (i % 3) }, (_, n) => `${from + i}/${n}`);
        return call(api, api.append, { streamName: "stream", shardId, records: batchOf(...texts) });
      }),
    );
    return answers.flatMap(({ recordIds }) => recordIds);
  };

  it("give two round-robin consumers of one shard 40 to 60 % each, with one progress, and one what the other had", async () => {
    test = await startTestServer();
    const [shardId = 0n] = await createStream(test.api, 1);
    await subscribe(test.ext, DispatchPolicy.DISPATCH_ROUND_ROBIN, 600);
    const { port, breakOff } = await startProxy(test.server.port);
    const viaProxy = new HStreamApiClient(`127.0.0.1:${port}`, credentials.createInsecure());
    let acks = true;
    const first = new Member(viaProxy, "first", news, () => acks);
    const second = new Member(test.connect(), "second", news, () => acks);
    while ((await consumersOf()) < 2);

    const shared = await appendAll(shardId, 0, 1_000);
    const received = () => first.received.size + second.received.size;
    await until(() => received() >= shared.length);
    const share = first.received.size / shared.length;
    assert.ok(share > 0.4 && share < 0.6, `the first one has ${share} of the records`);
    assert.equal(new Set([...first.received, ...second.received]).size, shared.length);
    const last = shared.reduce((a, { batchId }) => (batchId > a ? batchId : a), 0n);
    let [shard] = await progress();
    while (shard?.ackedBatchId !== last) [shard] = await progress();
    assert.equal(shard.unackedRecords, 0n);

    // Now nobody acks, and the first one is killed.
    acks = false;
    const pending = await appendAll(shardId, 1_000, 1_100);
    await until(() => received() >= shared.length + pending.length);
    const lost = pending.map(textOf).filter((text) => first.received.has(text));
    assert.ok(lost.length > 0.4 * pending.length);
    const before = new Set(second.received);
    breakOff();
    await first.client.ended;
    await until(() => second.received.size >= before.size + lost.length);
    const gained = [...second.received].filter((text) => !before.has(text));
    assert.deepEqual(gained.sort(), lost.sort());
    second.client.ack(pending);
    const end = pending.reduce((a, { batchId }) => (batchId > a ? batchId : a), 0n);
    while (shard?.ackedBatchId !== end) [shard] = await progress();

    second.client.stream.cancel();
    viaProxy.close();
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  for (const dispatch of [DispatchPolicy.DISPATCH_KEY_ORDERED, DispatchPolicy.DISPATCH_ROUND_ROBIN]) {
    const policy = dispatch === DispatchPolicy.DISPATCH_KEY_ORDERED ? "key-ordered" : "round-robin";
    it(`lose nothing when the power fails under 20 consumers, again and again: ${policy}`, async () => {
      const disk = new SimulatedDisk();
      const random = new SeededRandom(20);
      const env = { ...createNodeEnv(), disk };
      const stored = new Set<string>();
      const delivered = new Set<string>();
      let shardIds: readonly bigint[] = [];
      for (let life = 0; life < 4; life++) {
        test = await startTestServer({ env });
        const { api, ext } = test;
        if (life === 0) {
          shardIds = await createStream(api, 4);
          await subscribe(ext, dispatch, 1);
        }
        const isLast = life === 3;
        const acks = () => isLast || random.below(3) > 0;
        const members = Array.from({ length: 20 }, (_, i) => new Member(test.connect(), `c${i}`, news, acks));
        while ((await consumersOf()) < 20);
        const answers = Promise.allSettled(
          Array.from({ length: isLast ? 0 : 600 }, async (_, i) => {
            const shardId = must(shardIds[i % shardIds.length], "it has four");
            const records = batchOf(`${life}/${i}`, "other");
            const { recordIds } = await call(api, api.append, { streamName: "stream", shardId, records });
            for (const id of recordIds) stored.add(textOf(id));
          }),
        );
        const received = () => members.reduce((sum, { received }) => sum + received.size, 0);
        if (isLast) {
          const everything = () => {
            for (const member of members) for (const text of member.received) delivered.add(text);
            return [...stored].every((text) => delivered.has(text));
          };
          await until(everything);
          let shards = await progress();
          while (shards.some(({ unackedRecords }) => unackedRecords > 0n)) shards = await progress();
        } else {
          // Somewhere in the middle of it.
          const enough = 100 + random.below(800);
          await until(() => received() >= enough);
          disk.stop();
          await answers;
          for (const member of members) for (const text of member.received) delivered.add(text);
        }
        for (const { client } of members) client.stream.cancel();
        await test.close().catch(() => {});
        if (isLast) assert.deepEqual(test.defects, []);
        else disk.crash(random);
      }
    });
  }
});
