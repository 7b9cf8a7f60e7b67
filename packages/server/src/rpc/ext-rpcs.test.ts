import assert from "node:assert/strict";
import { once } from "node:events";
import type { ServiceError } from "@grpc/grpc-js";
import {
  type AppendStreamRequest,
  type AppendStreamResponse,
  DispatchPolicy,
  type HStreamApiClient,
  type HStreamExtClient,
  must,
  type RecordId,
  SpecialOffset,
  type SubscriptionSpec,
} from "@hstream/proto";
import { FetchClient } from "./fetch-client.test.helper.js";
import {
  batchOf,
  call,
  type Failure,
  failureIn,
  failureOf,
  startTestServer,
  type TestServer,
} from "./test-server.test.helper.js";

const spec = (fields: Partial<SubscriptionSpec> = {}): SubscriptionSpec => ({
  subscriptionId: "sub",
  streamName: "stream",
  ackTimeoutSeconds: 600,
  maxUnackedRecords: 1_000,
  offset: SpecialOffset.EARLIEST,
  dispatch: DispatchPolicy.DISPATCH_KEY_ORDERED,
  maxDeliveries: 0,
  deadLetterStream: "",
  ...fields,
});

describe("our own service over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  let ext: HStreamExtClient;
  let shardId: bigint;

  const createStream = async (streamName: string, shardCount = 1) => {
    await call(api, api.createStream, { streamName, replicationFactor: 1, backlogDuration: 0, shardCount });
    const { shards } = await call(api, api.listShards, { streamName });
    return must(shards[0], "it has one").shardId;
  };
  const append = async (...texts: string[]) =>
    (await call(api, api.append, { streamName: "stream", shardId, records: batchOf(...texts) })).recordIds;
  const texts = (found: { text: string }[]) => found.map(({ text }) => text);
  const leave = async (consumer: FetchClient) => {
    consumer.stream.cancel();
    await consumer.ended;
  };
  const refused = async (answer: Promise<unknown>) => {
    const { status, error } = await failureOf(answer);
    return [status, error];
  };

  beforeEach(async () => {
    test = await startTestServer();
    ({ api, ext } = test);
    shardId = await createStream("stream");
  });
  afterEach(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  describe("AppendStream", () => {
    const request = (requestId: number, fields: Partial<AppendStreamRequest> = {}): AppendStreamRequest => ({
      requestId: BigInt(requestId),
      streamName: "stream",
      shardId,
      records: batchOf(`r${requestId}`),
      producerId: "",
      sequence: 0n,
      more: [],
      ...fields,
    });
    const open = () => {
      const stream = ext.appendStream();
      const answers: AppendStreamResponse[] = [];
      let messages = 0;
      stream.on("data", (answer: AppendStreamResponse) => {
        messages++;
        answers.push(answer, ...answer.more);
      });
      const ended = new Promise<Failure | undefined>((resolve) => {
        stream.on("error", (error: ServiceError) => resolve(failureIn(error)));
        stream.on("end", () => resolve(undefined));
      });
      const finish = async () => {
        stream.end();
        const failure = await ended;
        answers.sort((a, b) => Number(a.requestId - b.requestId));
        return { failure, answers, messages };
      };
      return { stream, finish, ended };
    };
    const batchIdOf = ({ result }: AppendStreamResponse) =>
      result?.$case === "appended" ? result.value.batchId : undefined;

    it("answers every append, in the order of the shard", async () => {
      const { stream, finish } = open();
      stream.write(request(0));
      for (let i = 1; i < 500; i++) stream.write(request(i, { streamName: "" }));
      const { failure, answers } = await finish();
      assert.equal(failure, undefined);
      assert.deepEqual(
        answers.map(({ requestId }) => requestId),
        Array.from({ length: 500 }, (_, i) => BigInt(i)),
      );
      const ids = answers.map(batchIdOf);
      assert.deepEqual(ids, [...ids].sort());
      assert.ok(ids.every((id) => id !== undefined));
    });

    it("takes many appends in one message, and answers as many in one", async () => {
      const { stream, finish } = open();
      const more = Array.from({ length: 499 }, (_, i) => request(i + 1, { streamName: "" }));
      more[7] = request(8, { streamName: "", shardId: 12_345n });
      stream.write(request(0, { more }));
      const { failure, answers, messages } = await finish();
      assert.equal(failure, undefined);
      assert.deepEqual(
        answers.map(({ requestId }) => requestId),
        Array.from({ length: 500 }, (_, i) => BigInt(i)),
      );
      const ids = answers.map(batchIdOf);
      assert.deepEqual(
        ids.flatMap((id, i) => (id === undefined ? [i] : [])),
        [8],
      );
      const stored = ids.filter((id) => id !== undefined);
      assert.deepEqual(stored, [...stored].sort());
      assert.ok(messages < 50, `${messages} messages`);
    });

    it("refuses a message within a message within a message", async () => {
      const { stream, finish } = open();
      stream.write(request(1, { more: [request(2, { more: [request(3)] })] }));
      const { failure } = await finish();
      assert.equal(failure?.status, 3);
    });

    it("reads no more than may be under way, and loses nothing", async () => {
      const { stream, finish } = open();
      const large = batchOf("x".repeat(900_000));
      for (let i = 0; i < 40; i++) stream.write(request(i, { records: large }));
      const { answers } = await finish();
      assert.equal(answers.filter((answer) => batchIdOf(answer) !== undefined).length, 40);
    });

    it("answers what is refused by itself, and goes on", async () => {
      const { stream, finish } = open();
      stream.write(request(1, { streamName: "absent" }));
      stream.write(request(2, { streamName: "stream", shardId: 2n ** 64n - 1n }));
      stream.write(request(3, { records: undefined }));
      stream.write(request(4));
      const { answers } = await finish();
      const statuses = answers.map(({ result }) => (result?.$case === "failure" ? result.value.status : 0));
      assert.deepEqual(statuses, [5, 3, 3, 0]);
      const [first] = answers;
      const details = first?.result?.$case === "failure" ? first.result.value.details : "";
      assert.equal((JSON.parse(details) as { error: number }).error, 200);
    });

    it("recognises a producer's repeats, and what it left out", async () => {
      const first = open();
      first.stream.write(request(1, { producerId: "p", sequence: 1n }));
      first.stream.write(request(2, { producerId: "p", sequence: 2n }));
      const { answers } = await first.finish();
      const again = open();
      again.stream.write(request(1, { producerId: "p", sequence: 1n }));
      again.stream.write(request(2, { producerId: "p", sequence: 2n }));
      again.stream.write(request(3, { producerId: "p", sequence: 9n }));
      const repeated = (await again.finish()).answers;
      assert.deepEqual(repeated.slice(0, 2), answers);
      const gap = repeated[2]?.result;
      assert.equal(gap?.$case === "failure" ? gap.value.status : 0, 9);
    });

    it("ends with UNAVAILABLE when the server goes", async () => {
      const { stream, ended } = open();
      stream.write(request(1));
      await once(stream, "data");
      await test.server.close();
      assert.equal((await ended)?.status, 14);
    });
  });

  it("makes subscriptions with all that there is to choose, and tells it", async () => {
    await createStream("dead");
    const all = spec({
      dispatch: DispatchPolicy.DISPATCH_ROUND_ROBIN,
      maxDeliveries: 3,
      deadLetterStream: "dead",
    });
    assert.deepEqual(await call(ext, ext.createSubscriptionWith, all), all);
    const described = await call(ext, ext.describeSubscription, { subscriptionId: "sub" });
    assert.deepEqual(described.spec, all);
    assert.deepEqual(described.consumers, []);
    const create = (fields: Partial<SubscriptionSpec>) =>
      refused(call(ext, ext.createSubscriptionWith, spec({ subscriptionId: "other", ...fields })));
    assert.deepEqual(await create({ subscriptionId: "sub" }), [6, 301]);
    assert.deepEqual(await create({ dispatch: 9 as DispatchPolicy }), [3, 0]);
    assert.deepEqual(await create({ maxDeliveries: 1 }), [3, 0]);
    assert.deepEqual(await create({ deadLetterStream: "dead" }), [3, 0]);
    assert.deepEqual(await create({ maxDeliveries: 1, deadLetterStream: "absent" }), [3, 0]);
    assert.deepEqual(await create({ maxDeliveries: 1, deadLetterStream: "stream" }), [3, 0]);
    assert.deepEqual(await create({ streamName: "absent" }), [9, 302]);
    const absent = { subscriptionId: "absent" };
    assert.deepEqual(await refused(call(ext, ext.describeSubscription, absent)), [5, 300]);
    assert.deepEqual(
      await refused(call(ext, ext.negativeAck, { ...absent, recordIds: [], delayMs: 0 })),
      [5, 300],
    );
    const to = { $case: "special" as const, value: SpecialOffset.LATEST };
    assert.deepEqual(await refused(call(ext, ext.seekSubscription, { ...absent, to })), [5, 300]);
    assert.deepEqual(await refused(call(ext, ext.seekSubscription, { subscriptionId: "sub" })), [3, 208]);
  });

  it("tells how far it is, by shard and by consumer", async () => {
    await call(ext, ext.createSubscriptionWith, spec());
    const [one] = await append("1", "2");
    const [other] = await append("3");
    const describe = async () => {
      const { shards, consumers } = await call(ext, ext.describeSubscription, { subscriptionId: "sub" });
      const shard = must(shards[0], "it has one");
      return {
        shard,
        consumers: consumers.map(({ name, unackedRecords, shardIds }) => [name, unackedRecords, shardIds]),
      };
    };
    const idle = await describe();
    assert.deepEqual([idle.shard.unackedRecords, idle.consumers], [0n, []]);
    assert.equal(idle.shard.tailBatchId, other?.batchId);
    assert.equal(idle.shard.ackedBatchId, 0n);
    const consumer = new FetchClient(api, "sub", "c");
    await consumer.records(3);
    const busy = await describe();
    assert.deepEqual([busy.shard.unackedRecords, busy.consumers], [3n, [["c", 3n, [shardId]]]]);
    const first = must(one, "it was appended");
    consumer.ack([first, { ...first, batchIndex: 1 }]);
    let { shard } = await describe();
    while (shard.unackedRecords > 1n) ({ shard } = await describe());
    assert.equal(shard.ackedBatchId, first.batchId);
    consumer.ack([must(other, "it was appended")]);
    while (shard.unackedRecords > 0n) ({ shard } = await describe());
    assert.deepEqual([shard.ackedBatchId, shard.lagMs], [other?.batchId, 0n]);
    await leave(consumer);
  });

  describe("negative acks", () => {
    const nack = (recordIds: RecordId[], delayMs = 0) =>
      call(ext, ext.negativeAck, { subscriptionId: "sub", recordIds, delayMs });

    for (const dispatch of [DispatchPolicy.DISPATCH_KEY_ORDERED, DispatchPolicy.DISPATCH_ROUND_ROBIN]) {
      it(`bring back exactly what they name: ${dispatch === DispatchPolicy.DISPATCH_KEY_ORDERED ? "key-ordered" : "round-robin"}`, async () => {
        await call(ext, ext.createSubscriptionWith, spec({ dispatch }));
        const ids = await append("a", "b", "c");
        const consumer = new FetchClient(api, "sub", "c");
        await consumer.records(3);
        await nack(ids.slice(0, 1));
        consumer.ack(ids.slice(1));
        assert.deepEqual(texts(await consumer.records(4)), ["a", "b", "c", "a"]);
        consumer.ack(ids);
        await leave(consumer);
      });
    }

    it("wait for their delay, also when it is longer than the ack timeout", async () => {
      await call(ext, ext.createSubscriptionWith, spec({ ackTimeoutSeconds: 1 }));
      const ids = await append("a");
      const consumer = new FetchClient(api, "sub", "c");
      await consumer.records(1);
      const started = process.hrtime.bigint();
      await nack(ids, 1_500);
      await consumer.records(2);
      const ms = Number(process.hrtime.bigint() - started) / 1e6;
      assert.ok(ms >= 1_490, `${ms} ms`);
      consumer.ack(ids);
      await leave(consumer);
    });

    it("of foreign records, and with an endless delay, come to nothing", async () => {
      await call(ext, ext.createSubscriptionWith, spec());
      await nack([{ shardId: 2n ** 64n - 1n, batchId: 1n, batchIndex: 0 }]);
      assert.deepEqual(await refused(nack([], 2 ** 32 - 1)), [3, 0]);
    });
  });

  it("puts what was delivered too often into the dead-letter stream", async () => {
    const dead = await createStream("dead");
    await call(ext, ext.createSubscriptionWith, spec({ maxDeliveries: 2, deadLetterStream: "dead" }));
    const ids = await append("good", "bad");
    const consumer = new FetchClient(api, "sub", "c");
    await consumer.records(2);
    consumer.ack(ids.slice(0, 1));
    let { shards } = await call(ext, ext.describeSubscription, { subscriptionId: "sub" });
    while (must(shards[0], "").unackedRecords > 1n) {
      ({ shards } = await call(ext, ext.describeSubscription, { subscriptionId: "sub" }));
    }
    const nack = () =>
      call(ext, ext.negativeAck, { subscriptionId: "sub", recordIds: ids.slice(1), delayMs: 0 });
    await nack();
    assert.deepEqual(texts(await consumer.records(3)), ["good", "bad", "bad"]);
    const until = { offset: { $case: "specialOffset" as const, value: SpecialOffset.LATEST } };
    await nack();
    await call(api, api.createSubscription, {
      subscriptionId: "letters",
      streamName: "dead",
      ackTimeoutSeconds: 60,
      maxUnackedRecords: 10,
      offset: SpecialOffset.EARLIEST,
    });
    const reader = new FetchClient(api, "letters", "c");
    assert.deepEqual(texts(await reader.records(1)), ["bad"]);
    while (must(shards[0], "").unackedRecords > 0n) {
      ({ shards } = await call(ext, ext.describeSubscription, { subscriptionId: "sub" }));
    }
    assert.equal(shards[0]?.ackedBatchId, ids[0]?.batchId);
    // It is no longer delivered.
    await append("next");
    assert.deepEqual(texts(await consumer.records(4)), ["good", "bad", "bad", "next"]);
    assert.ok(dead > 0n && until.offset.value === SpecialOffset.LATEST);
    await leave(consumer);
    await leave(reader);
  });

  describe("seek", () => {
    const seek = (to: Parameters<HStreamExtClient["seekSubscription"]>[0]["to"]) =>
      call(ext, ext.seekSubscription, { subscriptionId: "sub", to });
    const consume = async (count: number) => {
      const consumer = new FetchClient(api, "sub", "c");
      const found = await consumer.records(count);
      consumer.ack(found.map(({ id }) => id));
      await append("last");
      const more = texts(await consumer.records(count + 1));
      await leave(consumer);
      return more;
    };

    it("moves to the beginning, the end, a record and a time", async () => {
      await call(ext, ext.createSubscriptionWith, spec());
      const ids = [...(await append("1")), ...(await append("2")), ...(await append("3"))];
      assert.deepEqual(await consume(3), ["1", "2", "3", "last"]);
      await seek({ $case: "special", value: SpecialOffset.EARLIEST });
      assert.deepEqual(await consume(4), ["1", "2", "3", "last", "last"]);
      await seek({ $case: "special", value: SpecialOffset.LATEST });
      assert.deepEqual(await consume(0), ["last"]);
      await seek({ $case: "records", value: { ids: [must(ids[1], "three")] } });
      assert.deepEqual((await consume(2)).slice(0, 2), ["2", "3"]);
      await seek({ $case: "timeMs", value: 0n });
      assert.deepEqual((await consume(3)).slice(0, 3), ["1", "2", "3"]);
      await seek({ $case: "timeMs", value: 2n ** 50n });
      assert.deepEqual(await consume(0), ["last"]);
      const bad = { shardId, batchId: 2n ** 64n - 1n, batchIndex: 0 };
      assert.deepEqual(await refused(seek({ $case: "records", value: { ids: [bad] } })), [3, 209]);
    });

    it("ends the consumers so that they come back, and holds after a restart of the subscription", async () => {
      await call(ext, ext.createSubscriptionWith, spec());
      await append("1");
      const consumer = new FetchClient(api, "sub", "c");
      consumer.ack((await consumer.records(1)).map(({ id }) => id));
      await seek({ $case: "special", value: SpecialOffset.EARLIEST });
      assert.equal((await consumer.ended)?.status, 14);
      const again = new FetchClient(api, "sub", "c");
      assert.deepEqual(texts(await again.records(1)), ["1"]);
      await leave(again);
      await call(api, api.deleteSubscription, { subscriptionId: "sub", force: true });
    });
  });
});
