import assert from "node:assert/strict";
import { once } from "node:events";
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";
import {
  AppendRequest,
  BatchHStreamRecords,
  CommandQuery,
  HStreamApiService,
  type HStreamApiClient,
  must,
  type RecordId,
  type Stream,
  StreamingFetchRequest,
  type Subscription,
} from "@hstream/proto";
import { limits } from "../limits.js";
import { FetchClient } from "./fetch-client.test.helper.js";
import { frame, framed, openSocket, RawClient, sendFrames } from "./raw-client.test.helper.js";
import { batchOf, call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";

const uint64Max = 2n ** 64n - 1n;
const stream = (streamName: string, fields: Partial<Stream> = {}): Stream => ({
  streamName,
  replicationFactor: 1,
  backlogDuration: 0,
  shardCount: 1,
  ...fields,
});
const subscription = (subscriptionId: string, fields: Partial<Subscription> = {}): Subscription => ({
  subscriptionId,
  streamName: "stream",
  ackTimeoutSeconds: 60,
  maxUnackedRecords: 100,
  offset: 0,
  ...fields,
});
const codes = async (answer: Promise<unknown>) => {
  const { status, error } = await failureOf(answer);
  return [status, error];
};

/** The forty bad inputs: the right answer, no crash, and others are served as before. */
describe("bad inputs over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  let raw: RawClient;
  let shardId: bigint;

  before(async () => {
    test = await startTestServer();
    api = test.api;
    await call(api, api.createStream, stream("stream"));
    shardId = must(
      (await call(api, api.listShards, { streamName: "stream" })).shards[0],
      "it has one",
    ).shardId;
  });
  beforeEach(() => {
    raw = new RawClient(test.server.address);
  });
  afterEach(async () => {
    raw.close();
    // Others are served as before, and nothing unforeseen has happened.
    const other = test.connect();
    assert.equal((await call(other, other.echo, { msg: "still here" })).msg, "still here");
    other.close();
    assert.deepEqual(test.defects, []);
  });
  after(() => test.close());

  const append = (records: ReturnType<typeof batchOf> | Record<string, unknown>, shard = shardId) =>
    call(api, api.append, { streamName: "stream", shardId: shard, records: { ...batchOf("x"), ...records } });
  const echo = (msg: string) => framed(Buffer.concat([Buffer.from([0x0a, msg.length]), Buffer.from(msg)]));
  const unaryNames = Object.values(HStreamApiService)
    .filter(({ requestStream, responseStream }) => !requestStream && !responseStream)
    .map(({ path }) => path);

  it("1: an unknown method", async () => {
    assert.equal((await raw.send("NoSuchThing", framed(new Uint8Array()))).grpc, 12);
    assert.equal((await raw.send("__proto__", framed(new Uint8Array()))).grpc, 12);
  });

  it("2: an unknown service", async () => {
    for (const path of ["/no.Service/Echo", "/", "/a", "//", "/hstream.server.HStreamApi/"]) {
      assert.equal((await raw.send(path, framed(new Uint8Array()))).grpc, 12, path);
    }
  });

  it("3: GET instead of POST", async () => {
    const { http, grpc, failure } = await raw.send("Echo", new Uint8Array(), { ":method": "GET" });
    assert.ok(grpc !== 0 && (http !== undefined || failure !== undefined));
  });

  it("4: a wrong content type", async () => {
    assert.equal((await raw.send("Echo", echo("x"), { "content-type": "text/html" })).http, 415);
  });

  it("5: no te: trailers", async () => {
    assert.equal((await raw.send("Echo", echo("x"), { te: undefined })).grpc, 0);
  });

  it("6: a message marked as compressed, without an encoding", async () => {
    assert.notEqual((await raw.send("Echo", framed(Buffer.from("x"), 1))).grpc ?? 2, 0);
  });

  it("7: an unknown encoding", async () => {
    const { grpc } = await raw.send("Echo", framed(Buffer.from("x"), 1), { "grpc-encoding": "rot13" });
    assert.equal(grpc, 12);
  });

  it("8: a small message that inflates beyond the limit", async () => {
    const bomb = gzipSync(Buffer.alloc(256 * 1_048_576));
    const before = process.memoryUsage().arrayBuffers;
    const { grpc } = await raw.send("Echo", framed(bomb, 1), { "grpc-encoding": "gzip" });
    assert.ok(grpc === 8 || grpc === 13, String(grpc));
    assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1_048_576);
  });

  it("9: a length larger than the data", async () => {
    assert.notEqual((await raw.send("Echo", framed(Buffer.from("x"), 0, 100))).grpc ?? 13, 0);
  });

  it("10: a length of 4 GiB - 1", async () => {
    assert.equal((await raw.send("Echo", framed(Buffer.from("x"), 0, 2 ** 32 - 1))).grpc, 8);
  });

  it("11: a message one byte above the limit", async () => {
    assert.equal((await raw.send("Append", framed(Buffer.alloc(limits.requestBytesMax + 1)))).grpc, 8);
  });

  it("12: a message of exactly the limit", async () => {
    const request = {
      streamName: "stream",
      shardId,
      records: batchOf("x".repeat(limits.requestBytesMax - 100)),
    };
    const { length } = AppendRequest.encode(AppendRequest.fromPartial(request)).finish();
    const text = "x".repeat(limits.requestBytesMax - 100 - (length - limits.requestBytesMax));
    const message = AppendRequest.encode(
      AppendRequest.fromPartial({ ...request, records: batchOf(text) }),
    ).finish();
    assert.equal(message.length, limits.requestBytesMax);
    const { grpc, message: refusal } = await raw.send("Append", framed(message));
    assert.deepEqual([grpc, (JSON.parse(refusal) as { error: number }).error], [3, 207]);
  });

  it("13: an empty message to every call", async () => {
    for (const path of unaryNames) {
      const { grpc } = await raw.send(path, framed(new Uint8Array()));
      assert.ok(grpc !== undefined && ![2, 4].includes(grpc), `${path}: ${grpc}`);
    }
  });

  it("14: random bytes to every call", async () => {
    const noise = Buffer.from("f3ff07e1d2a8c49b0f5577", "hex");
    for (const path of unaryNames) {
      const { grpc } = await raw.send(path, framed(noise));
      // A request without fields has nothing that could be wrong.
      assert.ok(grpc === 3 || grpc === 0 || grpc === 12, `${path}: ${grpc}`);
    }
  });

  it("15: truncated and overlong varints", async () => {
    for (const bytes of [[0x10, 0xff], [0x10, ...Array.from({ length: 11 }, () => 0xff), 1], [0x80]]) {
      assert.equal((await raw.send("Append", framed(Uint8Array.from(bytes)))).grpc, 3);
      const known = Uint8Array.from(bytes, (byte) => (byte === 0x10 ? 0x08 : byte));
      assert.equal((await raw.send("LookupShard", framed(known))).grpc, 3);
    }
  });

  it("16: unknown fields and groups", async () => {
    // Field 1000 as a varint; fields 15 as a group with a varint inside.
    const unknown = Buffer.from([0xc0, 0x3e, 0x01, 0x7b, 0x08, 0x01, 0x7c]);
    const { grpc } = await raw.send("Echo", framed(Buffer.concat([unknown, Buffer.from([0x0a, 1, 0x78])])));
    assert.equal(grpc, 0);
    assert.notEqual((await raw.send("Echo", framed(Uint8Array.from([0x7b, 0x08])))).grpc, undefined);
  });

  it("17: a deeply nested Struct", async () => {
    let payload = Buffer.alloc(0);
    const pieces: Buffer[] = [];
    // Each level is a list with one value; lengths are wrong from some depth on, which nobody may trip on.
    for (let i = 0; i < 100_000; i++) pieces.push(Buffer.from([0x32, 0x04, 0x0a, 0x02]));
    payload = Buffer.concat([Buffer.from([0x0a, 0x04, 0x12]), ...pieces]);
    const header = { flag: 0 as const, attributes: new Map<string, string>(), key: "deep" };
    const records = BatchHStreamRecords.encode({ records: [{ header, payload }] }).finish();
    await append({ payload: Buffer.from(records) });
    const deep = Buffer.concat(Array.from({ length: 10_000 }, () => Buffer.from([0x0b])));
    assert.ok([0, 3].includes((await raw.send("Echo", framed(deep))).grpc ?? -1));
  });

  it("18: invalid UTF-8 in a name", async () => {
    const { grpc } = await raw.send(
      "CreateStream",
      framed(Uint8Array.from([0x0a, 2, 0xc3, 0x28, 0x10, 1, 0x20, 1])),
    );
    assert.equal(grpc, 3);
  });

  it("19: NUL, marks of direction, emoji, combining letters in names", async () => {
    for (const name of ["a\0b", "a\u202eb", "a😀", "a\u0301", "😀", "\ufeffa"]) {
      assert.deepEqual(
        await codes(call(api, api.createStream, stream(name))),
        [3, 204],
        JSON.stringify(name),
      );
    }
    assert.deepEqual(await codes(call(api, api.getStream, { name: "a\0b" })), [5, 200]);
  });

  it("20: names that are empty, long, or those of Object's properties", async () => {
    for (const name of ["", "x".repeat(256), "x".repeat(1_000_000), "__proto__"]) {
      assert.deepEqual(await codes(call(api, api.createStream, stream(name))), [3, 204]);
    }
    for (const name of ["x", "x".repeat(255), "constructor", "toString", "hasOwnProperty"]) {
      assert.deepEqual(await codes(call(api, api.getStream, { name })), [5, 200]);
      await call(api, api.createStream, stream(name));
      assert.equal((await call(api, api.getStream, { name })).stream?.streamName, name);
      await call(api, api.deleteStream, { streamName: name, force: false, ignoreNonExist: false });
    }
    assert.deepEqual(await codes(call(api, api.getSubscription, { id: "__proto__" })), [5, 300]);
  });

  it("21: names that look like paths", async () => {
    for (const name of ["a/b", "../a", "a\\b", "a%2eb", "a\nb", "a\r\nb", ".."]) {
      assert.deepEqual(await codes(call(api, api.createStream, stream(name))), [3, 204]);
      assert.deepEqual(await codes(call(api, api.createSubscription, subscription(name))), [3, 304]);
    }
  });

  it("22: numbers that an enumeration does not have", async () => {
    for (const value of [99, -1] as unknown as 0[]) {
      assert.deepEqual(
        await codes(call(api, api.createSubscription, subscription("s", { offset: value }))),
        [3, 303],
      );
      assert.deepEqual(await codes(call(api, api.lookupResource, { resType: value, resId: "a" })), [3, 0]);
      assert.deepEqual(await codes(append({ compressionType: value })), [3, 0]);
    }
  });

  it("23: ids at the ends of uint64", async () => {
    for (const id of [uint64Max, 0n, 2n ** 63n, 2n ** 53n]) {
      assert.deepEqual(await codes(append({}, id)), [3, 210]);
      assert.equal((await call(api, api.lookupShard, { shardId: id })).shardId, id);
      assert.deepEqual(await codes(call(api, api.getTailRecordId, { streamName: "", shardId: id })), [5, 0]);
    }
    const trimPoint = {
      offset: { $case: "recordOffset" as const, value: { shardId, batchId: uint64Max, batchIndex: 0 } },
    };
    await call(api, api.trimShard, { streamName: "stream", shardId, trimPoint });
  });

  it("24: two members of a oneof", async () => {
    // TrimStreamRequest: trimPoint with both a special offset and a time; the last one counts.
    const point = [0x08, 0x00, 0x12, 0x02, 0x08, 0x01];
    const message = Buffer.from([0x0a, 6, ...Buffer.from("stream"), 0x12, point.length, ...point]);
    assert.equal((await raw.send("TrimStream", framed(message))).grpc, 0);
  });

  it("25: more shards than can be", async () => {
    assert.deepEqual(
      await codes(call(api, api.createStream, stream("a", { shardCount: 2 ** 32 - 1 }))),
      [3, 205],
    );
  });

  it("26: a replication factor that cannot be", async () => {
    const replicationFactor = 2 ** 32 - 1;
    assert.deepEqual(await codes(call(api, api.createStream, stream("a", { replicationFactor }))), [3, 203]);
  });

  it("27: ack timeouts at the ends", async () => {
    for (const ackTimeoutSeconds of [-1, 0, -(2 ** 31)]) {
      assert.deepEqual(
        await codes(call(api, api.createSubscription, subscription("t", { ackTimeoutSeconds }))),
        [3, 0],
      );
    }
    await call(api, api.createSubscription, subscription("t", { ackTimeoutSeconds: 2 ** 31 - 1 }));
    await append(batchOf("long"));
    const consumer = new FetchClient(api, "t", "c");
    assert.ok((await consumer.records(1)).length >= 1);
    consumer.stream.cancel();
    await consumer.ended;
  });

  it("28: bounds of unacked records at the ends", async () => {
    for (const maxUnackedRecords of [0, -5]) {
      assert.deepEqual(
        await codes(call(api, api.createSubscription, subscription("u", { maxUnackedRecords }))),
        [3, 0],
      );
    }
    await call(api, api.createSubscription, subscription("u", { maxUnackedRecords: 2 ** 31 - 1 }));
  });

  it("29: counts that are not those of the payload", async () => {
    const texts = Array.from({ length: 10 }, (_, i) => `t${i}`);
    assert.deepEqual(await codes(append({ ...batchOf(...texts), batchSize: 1 })), [3, 0]);
    assert.deepEqual(await codes(append({ batchSize: 2 ** 32 - 1, payload: new Uint8Array() })), [3, 206]);
    assert.equal((await failureOf(append({ ...batchOf("x"), batchSize: 2 ** 32 - 1 }))).status, 3);
    assert.deepEqual(await codes(append({ ...batchOf("x"), batchSize: 0 })), [3, 206]);
  });

  it("30: payloads that are not what they say, and bombs", async () => {
    await call(api, api.createStream, stream("poison"));
    const { shards } = await call(api, api.listShards, { streamName: "poison" });
    const poisoned = must(shards[0], "it has one").shardId;
    const store = (compressionType: number, payload: Uint8Array) =>
      call(api, api.append, {
        streamName: "poison",
        shardId: poisoned,
        records: { compressionType: compressionType as 0, payload, batchSize: 1 },
      });
    // Compressed batches stay opaque: they are stored, and delivered as they came if they cannot be read.
    await store(2, Buffer.from("not zstd"));
    await store(1, Buffer.from("not gzip"));
    await store(1, gzipSync(Buffer.alloc(100 * 1_048_576)));
    // A zstd frame that declares 2^64 - 1 bytes: magic, descriptor of an 8 byte size, the size.
    await store(2, Buffer.from("28b52ffde0ffffffffffffffff010000", "hex"));
    await store(0, batchOf("sound").payload);
    const before = process.memoryUsage().arrayBuffers;
    await call(api, api.createSubscription, subscription("poison", { streamName: "poison" }));
    const consumer = new FetchClient(api, "poison", "c");
    while (consumer.received.length < 5) await once(consumer.stream, "received");
    assert.deepEqual(
      consumer.received.map(({ record }) => record?.compressionType),
      [2, 1, 1, 2, 0],
    );
    assert.ok(process.memoryUsage().arrayBuffers - before < 128 * 1_048_576);
    consumer.stream.cancel();
    await consumer.ended;
    const until = { offset: { $case: "specialOffset" as const, value: 1 as const } };
    const byKey = api.readStreamByKey();
    byKey.write({
      readerId: "r",
      streamName: "poison",
      key: "",
      from: undefined,
      until,
      readRecordCount: 9n,
    });
    const texts: string[] = [];
    byKey.on("data", (answer: { receivedRecords: { payload: Uint8Array }[] }) => {
      texts.push(...answer.receivedRecords.map(({ payload }) => Buffer.from(payload).toString()));
    });
    await once(byKey, "end");
    assert.deepEqual(texts, ["sound"]);
  });

  it("31: acks of foreign records, and the same one over and over", async () => {
    await call(api, api.createSubscription, subscription("acks"));
    const consumer = new FetchClient(api, "acks", "c");
    const foreign = (i: number): RecordId => ({
      shardId: uint64Max - BigInt(i),
      batchId: BigInt(i),
      batchIndex: i,
    });
    consumer.ack(Array.from({ length: 10_000 }, (_, i) => foreign(i)));
    const one = { shardId, batchId: 1n, batchIndex: 0 };
    for (let i = 0; i < 20; i++) consumer.ack(Array.from({ length: 5_000 }, () => one));
    await append(batchOf("after"));
    await consumer.records(1);
    consumer.ack(Array.from({ length: limits.acksPerRequestMax + 1 }, () => one));
    assert.equal((await consumer.ended)?.status, 3);
  });

  it("32: fetches without a word, without a subscription, and with another one", async () => {
    const silent = api.streamingFetch();
    silent.on("error", () => {});
    assert.equal((await new FetchClient(api, "", "c").ended)?.error, 300);
    assert.equal((await new FetchClient(api, "acks", "").ended)?.status, 3);
    const consumer = new FetchClient(api, "u", "c");
    consumer.stream.write({ subscriptionId: "acks", consumerName: "other", ackIds: [] });
    await append(batchOf("mine"));
    await consumer.records(1);
    const { consumers } = await call(api, api.listConsumers, { subscriptionId: "acks" });
    assert.deepEqual(consumers, []);
    silent.cancel();
    consumer.stream.cancel();
    await consumer.ended;
  });

  it("33: a thousand consumers, and one name many times at once", async () => {
    await call(api, api.createSubscription, subscription("many"));
    // A connection on which a thousand calls are broken off at once is closed, as an attack.
    const connections = Array.from({ length: 4 }, () => test.connect());
    const consumers = Array.from(
      { length: 1_000 },
      (_, i) => new FetchClient(must(connections[i % 4], "there are four"), "many", `c${i}`),
    );
    const listed = async () =>
      (await call(api, api.listConsumers, { subscriptionId: "many" })).consumers.length;
    while ((await listed()) < 1_000);
    const same = Array.from({ length: 100 }, () => new FetchClient(api, "many", "same"));
    const refused = await Promise.all(
      same.map(
        async ({ ended }) => await Promise.race([ended, new Promise((r) => setTimeout(r, 2_000, "stays"))]),
      ),
    );
    assert.equal(refused.filter((outcome) => outcome === "stays").length, 1);
    for (const { stream: each } of [...consumers, ...same]) each.cancel();
    while ((await listed()) > 0);
    for (const connection of connections) connection.close();
  });

  it("34: a consumer that never reads while much is due", async () => {
    await call(api, api.createStream, stream("much"));
    const { shards } = await call(api, api.listShards, { streamName: "much" });
    const shard = must(shards[0], "it has one").shardId;
    const records = batchOf("x".repeat(1_000_000));
    await call(
      api,
      api.createSubscription,
      subscription("much", { streamName: "much", maxUnackedRecords: 1_000_000 }),
    );
    for (let i = 0; i < 100; i++) {
      await call(api, api.append, { streamName: "much", shardId: shard, records });
    }
    const before = process.memoryUsage().arrayBuffers;
    const deaf = new RawClient(test.server.address, { initialWindowSize: 0 });
    const request = StreamingFetchRequest.fromPartial({ subscriptionId: "much", consumerName: "deaf" });
    const fetch = deaf.session.request({
      ":method": "POST",
      ":path": "/hstream.server.HStreamApi/StreamingFetch",
      "content-type": "application/grpc",
      te: "trailers",
    });
    fetch.on("error", () => {});
    fetch.write(framed(StreamingFetchRequest.encode(request).finish()));
    await once(fetch, "response");
    // A thousand calls beside it are answered.
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 100 }, () => call(api, api.echo, { msg: "x" })));
    }
    assert.ok(process.memoryUsage().arrayBuffers - before < 64 * 1_048_576);
    deaf.close();
  });

  it("35: a hundred thousand calls that are cancelled at once", async () => {
    await new Promise((resolve) => raw.session.once("connect", resolve));
    let made = 0;
    for (; made < 100_000 && !raw.session.destroyed; made++) {
      const request = raw.session.request({
        ":method": "POST",
        ":path": "/hstream.server.HStreamApi/StreamingFetch",
        "content-type": "application/grpc",
        te: "trailers",
      });
      request.on("error", () => {});
      request.close(8);
      if (made % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    // The connection does not live to see the end.
    assert.ok(made < 100_000, String(made));
  });

  it("36: headers without end", async () => {
    const large = await raw.send("Echo", echo("x"), { "x-large": "x".repeat(1_000_000) });
    assert.notEqual(large.grpc, 0);
    const other = new RawClient(test.server.address);
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`x-${i}`, "1"]));
    assert.notEqual((await other.send("Echo", echo("x"), many)).grpc, 0);
    other.close();
    // HEADERS without END_HEADERS, then CONTINUATION after CONTINUATION.
    const flood = [frame(1, 0, 1, Buffer.from([0x82]))];
    for (let i = 0; i < 1_000; i++) flood.push(frame(9, 0, 1, Buffer.alloc(1_000, 0x82)));
    assert.equal(await sendFrames(test.server.address, Buffer.concat(flood), 3_000), "closed");
  });

  it("37: floods of SETTINGS and PING, and window updates that cannot be", async () => {
    const { address } = test.server;
    const pings = Buffer.concat(Array.from({ length: 20_000 }, () => frame(6, 0, 0, Buffer.alloc(8))));
    await sendFrames(address, pings, 300);
    const settings = Buffer.concat(Array.from({ length: 20_000 }, () => frame(4, 0, 0, new Uint8Array())));
    await sendFrames(address, settings, 300);
    assert.equal(await sendFrames(address, frame(8, 0, 0, Buffer.alloc(4)), 3_000), "closed");
    const most = Buffer.from([0x7f, 0xff, 0xff, 0xff]);
    assert.equal(await sendFrames(address, frame(8, 0, 0, most), 3_000), "closed");
  });

  it("38: many connections that say next to nothing", async () => {
    const sockets: Socket[] = [];
    for (let i = 0; i < 1_000; i++) sockets.push(await openSocket(test.server.address));
    for (const socket of sockets) socket.write("P");
    const answers = await Promise.all(Array.from({ length: 100 }, () => call(api, api.echo, { msg: "x" })));
    assert.equal(answers.length, 100);
    for (const socket of sockets) socket.destroy();
  });

  it("39: TLS to a port without it, and half a handshake", async () => {
    const socket = await openSocket(test.server.address);
    const closed = once(socket, "close");
    // The head of a ClientHello.
    socket.write(Buffer.from("160301020001000001fc0303", "hex"));
    socket.resume();
    await closed;
  });

  it("40: one stream made and deleted by many, and look-ups of what is not there", async () => {
    const contest = async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 50 }, async (_, i) => {
          if (i % 2 === 0) await call(api, api.createStream, stream("contested"));
          else
            await call(api, api.deleteStream, {
              streamName: "contested",
              force: true,
              ignoreNonExist: false,
            });
        }),
      );
      for (const outcome of outcomes) {
        if (outcome.status === "rejected") {
          assert.ok([5, 6].includes((outcome.reason as { code: number }).code), String(outcome.reason));
        }
      }
    };
    for (let round = 0; round < 5; round++) await contest();
    for (let round = 0; round < 20; round++) {
      await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          call(api, api.lookupSubscription, { subscriptionId: `absent${round}_${i}` }),
        ),
      );
    }
    const statement = CommandQuery.encode({ stmtText: "x".repeat(1_000) }).finish();
    assert.equal((await raw.send("ExecuteQuery", framed(statement))).grpc, 3);
  });
});
