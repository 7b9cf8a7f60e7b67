import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import type { ServiceError } from "@grpc/grpc-js";
import {
  BatchHStreamRecords,
  type HStreamApiClient,
  must,
  type ReceivedRecord,
  type RecordId,
  type Shard,
  type ShardOffset,
  SpecialOffset,
  type Stream,
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

const earliest = { offset: { $case: "specialOffset" as const, value: SpecialOffset.EARLIEST } };
const latest = { offset: { $case: "specialOffset" as const, value: SpecialOffset.LATEST } };
const at = (value: RecordId): ShardOffset => ({ offset: { $case: "recordOffset", value } });
const maxMessageBytes = 4 * 2 ** 20;

/** What the official clients rely on, point by point, through a real connection. */
describe("twenty things that a server for the official clients must get right", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  let names = 0;

  before(async () => {
    test = await startTestServer();
    api = test.api;
  });
  after(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  const create = async (fields: Partial<Stream> = {}): Promise<{ streamName: string; shards: Shard[] }> => {
    const streamName = `s${names++}`;
    const defaults = { streamName, replicationFactor: 1, backlogDuration: 0, shardCount: 1 };
    await call(api, api.createStream, { ...defaults, ...fields });
    return { streamName, shards: (await call(api, api.listShards, { streamName })).shards };
  };
  const createOne = async () => {
    const { streamName, shards } = await create();
    return { streamName, shardId: must(shards[0], "it has one").shardId };
  };
  const append = async (streamName: string, shardId: bigint, ...texts: string[]) =>
    (await call(api, api.append, { streamName, shardId, records: batchOf(...texts) })).recordIds;
  const subscribe = async (streamName: string, ackTimeoutSeconds = 600, dispatch?: string) => {
    const subscriptionId = `sub${names++}`;
    const offset = SpecialOffset.EARLIEST;
    await call(
      api,
      api.createSubscription,
      { subscriptionId, streamName, ackTimeoutSeconds, maxUnackedRecords: 10_000, offset },
      dispatch === undefined ? {} : { "hstream-dispatch": dispatch },
    );
    return subscriptionId;
  };
  const consumersOf = async (subscriptionId: string) =>
    (await call(api, api.listConsumers, { subscriptionId })).consumers.map(({ name }) => name);
  const remove = (streamName: string, force = false) =>
    call(api, api.deleteStream, { streamName, force, ignoreNonExist: false });
  /** All that a reading gives, and how it ended: undefined for OK. */
  const readShard = async (shardId: bigint, from?: ShardOffset, until?: ShardOffset) => {
    const stream = api.readShardStream({
      readerId: "r",
      shardId,
      from,
      until,
      maxReadBatches: 0n,
      streamName: "",
    });
    const received: ReceivedRecord[] = [];
    const sizes: number[] = [];
    stream.on("data", ({ receivedRecords }: { receivedRecords: ReceivedRecord[] }) => {
      received.push(...receivedRecords);
      sizes.push(receivedRecords.reduce((sum, { record }) => sum + (record?.payload.length ?? 0), 0));
    });
    const failure = await new Promise<Failure | undefined>((resolve) => {
      stream.on("error", (error: ServiceError) => resolve(failureIn(error)));
      stream.on("end", () => resolve(undefined));
    });
    return { received, sizes, failure };
  };
  const textsOf = (received: readonly ReceivedRecord[]) =>
    received.flatMap(({ record }) =>
      BatchHStreamRecords.decode(must(record, "there is a batch").payload).records.map(({ payload }) =>
        Buffer.from(payload).toString(),
      ),
    );

  it("1: errors are JSON, and plain text for ListShards on a missing stream", async () => {
    const json = await failureOf(call(api, api.getStream, { name: "absent" }));
    assert.deepEqual([json.status, json.error, json.extra], [5, 200, null]);
    assert.equal(typeof json.text, "string");
    const plain = await failureOf(call(api, api.listShards, { streamName: "absent" }));
    assert.deepEqual([plain.status, plain.error], [5, undefined]);
    assert.throws(() => void JSON.parse(plain.plain ?? "{}"));
  });

  it("2: a server that goes says UNAVAILABLE, to calls and to streams, and nothing else", async () => {
    const other = await startTestServer();
    await call(other.api, other.api.createStream, {
      streamName: "s",
      replicationFactor: 1,
      backlogDuration: 0,
      shardCount: 1,
    });
    const [shard] = (await call(other.api, other.api.listShards, { streamName: "s" })).shards;
    const shardId = must(shard, "it has one").shardId;
    await call(other.api, other.api.createSubscription, {
      subscriptionId: "sub",
      streamName: "s",
      ackTimeoutSeconds: 60,
      maxUnackedRecords: 10,
      offset: 0,
    });
    await call(other.api, other.api.append, { streamName: "s", shardId, records: batchOf("x") });
    const consumer = new FetchClient(other.api, "sub", "c");
    await consumer.records(1);
    const appends = Array.from({ length: 200 }, () =>
      call(other.api, other.api.append, { streamName: "s", shardId, records: batchOf("y") }).then(
        () => 0,
        ({ code }: ServiceError) => code,
      ),
    );
    await other.server.close();
    assert.equal((await consumer.ended)?.status, 14);
    for (const status of await Promise.all(appends)) assert.ok(status === 0 || status === 14, String(status));
    await other.close();
  });

  it("3: advertised addresses can be connected to, and stay in their order", async () => {
    const first = (await call(api, api.describeCluster, {})).serverNodes;
    assert.deepEqual((await call(api, api.describeCluster, {})).serverNodes, first);
    assert.deepEqual(
      first.map(({ host, port }) => `${host}:${port}`),
      [test.server.address],
    );
  });

  it("4: look-ups echo the id and answer for what is absent", async () => {
    const [serverNode] = (await call(api, api.describeCluster, {})).serverNodes;
    const subscriptionId = "not there";
    assert.deepEqual(await call(api, api.lookupSubscription, { subscriptionId }), {
      subscriptionId,
      serverNode,
    });
    assert.deepEqual(await call(api, api.lookupShard, { shardId: 99n }), { shardId: 99n, serverNode });
    const readerId = "not there";
    assert.deepEqual(await call(api, api.lookupShardReader, { readerId }), { readerId, serverNode });
  });

  it("5: shard ids are from 1 to 2^63 − 1, and batch ids of one width", async () => {
    const { streamName, shards } = await create({ shardCount: 50 });
    for (const { shardId } of shards) {
      assert.ok(shardId >= 1n && shardId < 2n ** 63n);
      const [id] = await append(streamName, shardId, "x");
      assert.equal(String(id?.batchId).length, 16);
    }
  });

  it("6: the shards' ranges are canonical decimals that cover the key space exactly", async () => {
    for (const shardCount of [1, 2, 3, 7, 64]) {
      const { shards } = await create({ shardCount });
      const ranges = shards
        .map(({ startHashRangeKey, endHashRangeKey }) => [startHashRangeKey, endHashRangeKey] as const)
        .sort(([a], [b]) => (BigInt(a) < BigInt(b) ? -1 : 1));
      let next = 0n;
      for (const [start, end] of ranges) {
        assert.match(start, /^(0|[1-9]\d*)$/);
        assert.match(end, /^(0|[1-9]\d*)$/);
        assert.equal(BigInt(start), next);
        next = BigInt(end) + 1n;
      }
      assert.equal(next, 2n ** 128n);
      const step = (2n ** 128n - 1n) / BigInt(shardCount);
      assert.ok(ranges.every(([start], i) => BigInt(start) === BigInt(i) * step));
    }
  });

  it("7: a key belongs where its MD5 as a big-endian number says", async () => {
    const { streamName, shards } = await create({ shardCount: 5 });
    for (let i = 0; i < 20; i++) {
      const key = i === 0 ? "" : `ключ-${i}`;
      const hash = BigInt(`0x${createHash("md5").update(key).digest("hex")}`);
      const shard = shards.find(
        ({ startHashRangeKey, endHashRangeKey }) =>
          BigInt(startHashRangeKey) <= hash && hash <= BigInt(endHashRangeKey),
      );
      const header = { flag: 1 as const, attributes: new Map<string, string>(), key };
      const payload = BatchHStreamRecords.encode({
        records: [{ header, payload: Buffer.from(key) }],
      }).finish();
      const records = { compressionType: 0 as const, batchSize: 1, payload };
      const shardId = must(shard, "every key has a shard").shardId;
      await call(api, api.append, { streamName, shardId, records });
      const reader = api.readStreamByKey();
      reader.write({
        readerId: "r",
        streamName,
        key,
        from: earliest,
        until: undefined,
        readRecordCount: 10n,
      });
      const [answer] = (await once(reader, "data")) as [{ receivedRecords: unknown[] }];
      assert.equal(answer.receivedRecords.length, 1, key);
      reader.cancel();
      await once(reader, "error");
    }
  });

  it("8: an append answers with one id for each record, in order", async () => {
    const { streamName, shardId } = await createOne();
    const ids = await append(streamName, shardId, ..."abcdefg");
    assert.deepEqual(
      ids.map((id) => [id.shardId, id.batchId, id.batchIndex]),
      [..."abcdefg"].map((_, i) => [shardId, ids[0]?.batchId, i]),
    );
  });

  it("9: three replicas are accepted on one node, a backlog of −1 is not", async () => {
    const { streamName } = await create({ replicationFactor: 3 });
    const { stream } = await call(api, api.getStream, { name: streamName });
    assert.equal(stream?.replicationFactor, 3);
    const bad = { streamName: "bad", replicationFactor: 1, backlogDuration: 4_294_967_295, shardCount: 1 };
    assert.equal((await failureOf(call(api, api.createStream, bad))).status, 3);
  });

  it("10: of several who create or delete at once exactly one succeeds", async () => {
    const stream = { streamName: "once", replicationFactor: 1, backlogDuration: 0, shardCount: 1 };
    const succeeded = async (calls: Promise<unknown>[]) =>
      (await Promise.allSettled(calls)).filter(({ status }) => status === "fulfilled").length;
    for (const force of [false, true]) {
      assert.equal(await succeeded([1, 2, 3].map(() => call(api, api.createStream, stream))), 1);
      assert.equal(await succeeded([1, 2, 3].map(() => remove("once", force))), 1);
    }
    const { streamName } = await create();
    const subscription = { subscriptionId: "once", streamName, ackTimeoutSeconds: 1, maxUnackedRecords: 1 };
    const made = [1, 2, 3].map(() => call(api, api.createSubscription, { ...subscription, offset: 0 }));
    assert.equal(await succeeded(made), 1);
  });

  it("11: a stream that was deleted by force still feeds its subscriptions, and new consumers", async () => {
    const { streamName, shardId } = await createOne();
    await append(streamName, shardId, "kept");
    const subscriptionId = await subscribe(streamName);
    assert.equal((await failureOf(remove(streamName))).error, 202);
    await remove(streamName, true);
    assert.equal((await failureOf(call(api, api.getStream, { name: streamName }))).error, 200);
    assert.equal((await failureOf(append(streamName, shardId, "late"))).status, 5);
    const { subscription } = await call(api, api.getSubscription, { id: subscriptionId });
    assert.equal(subscription?.streamName, "__deleted_stream__");
    const consumer = new FetchClient(api, subscriptionId, "c");
    assert.deepEqual(
      (await consumer.records(1)).map(({ text }) => text),
      ["kept"],
    );
    consumer.stream.cancel();
    await consumer.ended;
    // The name is free again, and nobody's data come back with it.
    await call(api, api.createStream, {
      streamName,
      replicationFactor: 1,
      backlogDuration: 0,
      shardCount: 1,
    });
    await call(api, api.deleteSubscription, { subscriptionId, force: true });
  });

  it("12: a shard has one consumer at a time, and nothing comes again when members come and go", async () => {
    const { streamName, shards } = await create({ shardCount: 4 });
    const subscriptionId = await subscribe(streamName, 600, "key-ordered");
    const members = new Map<string, FetchClient>();
    const seen: string[] = [];
    const news = new EventEmitter();
    const sendRound = async (round: number) => {
      for (const { shardId } of shards) await append(streamName, shardId, `${round}`);
      while (seen.length < (round + 1) * shards.length) await once(news, "received");
    };
    for (let i = 0; i < 8; i++) {
      const name = `c${i}`;
      const member = new FetchClient(api, subscriptionId, name);
      members.set(name, member);
      member.stream.on("received", () => {
        for (const { shardId, batchId } of member.received.at(-1)?.recordIds ?? []) {
          seen.push(`${shardId}-${batchId}`);
        }
        news.emit("received");
      });
      while (!(await consumersOf(subscriptionId)).includes(name));
      await sendRound(i);
      if (i % 3 !== 2) continue;
      // With what it has not acked, which comes again after the ack timeout only.
      const leaver = `c${i - 1}`;
      members.get(leaver)?.stream.cancel();
      while ((await consumersOf(subscriptionId)).includes(leaver));
    }
    await sendRound(8);
    assert.equal(seen.length, 9 * shards.length);
    assert.equal(new Set(seen).size, seen.length);
    for (const { stream } of members.values()) stream.cancel();
  });

  it("13: after each timeout exactly the unacked records come again, once", async () => {
    const { streamName, shardId } = await createOne();
    const subscriptionId = await subscribe(streamName, 1);
    const ids = await append(streamName, shardId, "a", "b", "c");
    const consumer = new FetchClient(api, subscriptionId, "c");
    const times: number[] = [];
    consumer.stream.on("received", () => times.push(performance.now()));
    await consumer.records(3);
    consumer.ack([must(ids[1], "there are three")]);
    await consumer.records(7);
    assert.deepEqual(
      consumer.received.map(({ recordIds }) => recordIds.map(({ batchIndex }) => batchIndex)),
      [
        [0, 1, 2],
        [0, 2],
        [0, 2],
      ],
    );
    for (const i of [1, 2]) assert.ok((times[i] ?? 0) - (times[i - 1] ?? 0) >= 990, String(times));
    assert.ok(consumer.received.every(({ record, recordIds }) => record?.batchSize === recordIds.length));
    consumer.stream.cancel();
  });

  it("14: a second consumer of one name is refused", async () => {
    const { streamName } = await createOne();
    const subscriptionId = await subscribe(streamName);
    const first = new FetchClient(api, subscriptionId, "twin");
    while ((await consumersOf(subscriptionId)).length === 0);
    assert.equal((await new FetchClient(api, subscriptionId, "twin").ended)?.status, 6);
    assert.deepEqual(await consumersOf(subscriptionId), ["twin"]);
    first.stream.cancel();
  });

  it("15: a consumer that cancels is gone within 2 s, and the subscription can be deleted", async () => {
    const { streamName } = await createOne();
    const subscriptionId = await subscribe(streamName);
    const consumer = new FetchClient(api, subscriptionId, "c");
    while ((await consumersOf(subscriptionId)).length === 0);
    const started = performance.now();
    consumer.stream.cancel();
    while ((await consumersOf(subscriptionId)).length > 0);
    assert.ok(performance.now() - started < 2_000);
    await call(api, api.deleteSubscription, { subscriptionId, force: false });
  });

  it("16: no answer reaches 4 MiB", async () => {
    const { streamName, shardId } = await createOne();
    for (let i = 0; i < 12; i++) await append(streamName, shardId, "x".repeat(1_000_000));
    const { received, sizes, failure } = await readShard(shardId, earliest, latest);
    assert.deepEqual([received.length, failure], [12, undefined]);
    assert.ok(sizes.every((bytes) => bytes < maxMessageBytes - 100_000));
    await call(api, api.createShardReader, {
      streamName,
      shardId,
      shardOffset: earliest,
      readerId: "large",
      timeout: 100,
    });
    let batches = 0;
    while (batches < 12) {
      const { receivedRecords } = await call(api, api.readShard, { readerId: "large", maxRecords: 100 });
      const bytes = receivedRecords.reduce((sum, { record }) => sum + (record?.payload.length ?? 0), 0);
      assert.ok(bytes < maxMessageBytes - 100_000);
      batches += receivedRecords.length;
    }
    // One of very many tiny records is large by its ids.
    const empty = new Map<string, string>();
    const records = Array.from({ length: 60_000 }, () => ({
      header: { flag: 1 as const, attributes: empty, key: "" },
      payload: Buffer.from("1"),
    }));
    const payload = BatchHStreamRecords.encode({ records }).finish();
    const many = { compressionType: 0 as const, batchSize: records.length, payload };
    await call(api, api.append, { streamName, shardId, records: many });
    const subscriptionId = await subscribe(streamName);
    const consumer = new FetchClient(api, subscriptionId, "c");
    await consumer.records(12 + 60_000);
    consumer.stream.cancel();
  });

  it("17: gzip without an end is accepted, and both it and zstd go out as every client can read them", async () => {
    const { streamName, shardId } = await createOne();
    const { payload } = batchOf("zipped");
    const open = Buffer.concat([
      gzipSync(payload).subarray(0, 10),
      deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }),
    ]);
    await call(api, api.append, {
      streamName,
      shardId,
      records: { compressionType: 1, batchSize: 1, payload: open },
    });
    const { compress } = await import("@bokuweb/zstd-wasm");
    const zstd = { compressionType: 2 as const, batchSize: 1, payload: compress(Buffer.from(payload)) };
    await call(api, api.append, { streamName, shardId, records: zstd });
    const { received } = await readShard(shardId, earliest, latest);
    assert.deepEqual(
      received.map(({ record }) => record?.compressionType),
      [0, 0],
    );
    assert.deepEqual(textsOf(received), ["zipped", "zipped"]);
  });

  it("18: a shard is read without the stream's name, and a reading ends on an empty shard", async () => {
    const { streamName, shardId } = await createOne();
    assert.deepEqual(await readShard(shardId, undefined, latest), {
      received: [],
      sizes: [],
      failure: undefined,
    });
    const stream = api.readStream({
      readerId: "",
      streamName,
      from: undefined,
      until: latest,
      maxReadBatches: 0n,
    });
    stream.resume();
    await once(stream, "end");
    await append(streamName, shardId, "a", "b");
    assert.deepEqual(textsOf((await readShard(shardId, earliest, latest)).received), ["a", "b"]);
  });

  it("19: TrimShard takes its point away too, TrimShards keeps it", async () => {
    const { streamName, shardId } = await createOne();
    const ids: RecordId[] = [];
    for (const text of "abcd") ids.push(must((await append(streamName, shardId, text))[0], "it has an id"));
    const [a, b, c, d] = ids.map((id) => must(id, "there are four"));
    const left = async () => textsOf((await readShard(shardId, earliest, latest)).received);
    await call(api, api.trimShard, { streamName, shardId, trimPoint: earliest });
    assert.deepEqual(await left(), ["a", "b", "c", "d"]);
    await call(api, api.trimShard, { streamName, shardId, trimPoint: at(must(a, "")) });
    assert.deepEqual(await left(), ["b", "c", "d"]);
    const text = ({ batchId, batchIndex }: RecordId) => `${shardId}-${batchId}-${batchIndex}`;
    const recordIds = [must(d, ""), must(c, "")].map(text);
    const { trimPoints } = await call(api, api.trimShards, { streamName, recordIds });
    assert.deepEqual(trimPoints, new Map([[shardId, text(must(c, ""))]]));
    assert.deepEqual(await left(), ["c", "d"]);
    await call(api, api.trimStream, { streamName, trimPoint: latest });
    assert.deepEqual(await left(), []);
    assert.ok(must(b, "").batchId > 0n);
  });

  it("20: every call is answered without a deadline, and a reader without a timeout does not spin", async () => {
    const { streamName, shardId } = await createOne();
    const shardOffset = latest;
    await call(api, api.createShardReader, {
      streamName,
      shardId,
      shardOffset,
      readerId: "idle",
      timeout: 0,
    });
    const started = performance.now();
    for (let i = 0; i < 20; i++) {
      const { receivedRecords } = await call(api, api.readShard, { readerId: "idle", maxRecords: 1 });
      assert.deepEqual(receivedRecords, []);
    }
    assert.ok(performance.now() - started >= 20 * 4);
    // On a stream that goes, endless readings end, and readers say so.
    const endless = readShard(shardId, latest);
    await call(api, api.readShard, { readerId: "idle", maxRecords: 1 });
    await remove(streamName);
    assert.equal((await endless).failure?.status, 5);
    assert.equal((await failureOf(call(api, api.readShard, { readerId: "idle", maxRecords: 1 }))).status, 5);
  });
});
