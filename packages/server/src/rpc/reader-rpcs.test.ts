import assert from "node:assert/strict";
import { once } from "node:events";
import { gzipSync } from "node:zlib";
import type { ClientReadableStream, ServiceError } from "@grpc/grpc-js";
import {
  BatchHStreamRecords,
  type HStreamApiClient,
  must,
  type ReadStreamByKeyResponse,
  type ReceivedRecord,
  type RecordId,
  type ShardOffset,
  SpecialOffset,
  type StreamOffset,
} from "@hstream/proto";
import {
  batchOf,
  call,
  type Failure,
  failureIn,
  failureOf,
  startTestServer,
  type TestServer,
} from "./test-server.test.helper.js";

const special = (value: number) =>
  ({ offset: { $case: "specialOffset", value: value as SpecialOffset } }) as const;
const earliest = special(SpecialOffset.EARLIEST);
const latest = special(SpecialOffset.LATEST);
const at = (value: RecordId): ShardOffset => ({ offset: { $case: "recordOffset", value } });
const time = (timestampInMs: number) =>
  ({
    offset: {
      $case: "timestampOffset",
      value: { timestampInMs: BigInt(timestampInMs), strictAccuracy: true },
    },
  }) as const;

const textsOf = (received: readonly ReceivedRecord[]) =>
  received.flatMap(({ record }) =>
    BatchHStreamRecords.decode(must(record, "there is a batch").payload).records.map(({ payload }) =>
      Buffer.from(payload).toString(),
    ),
  );

/** All that a server stream gives, and how it ended: undefined for OK. */
async function drain(stream: ClientReadableStream<{ receivedRecords: ReceivedRecord[] }>) {
  const received: ReceivedRecord[] = [];
  const sizes: number[] = [];
  stream.on("data", (answer: { receivedRecords: ReceivedRecord[] }) => {
    received.push(...answer.receivedRecords);
    sizes.push(answer.receivedRecords.length);
  });
  const failure = await new Promise<Failure | undefined>((resolve) => {
    stream.on("error", (error: ServiceError) => resolve(failureIn(error)));
    stream.on("end", () => resolve(undefined));
  });
  return { texts: textsOf(received), sizes, failure };
}

describe("readers and trims over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;
  let shardId: bigint;
  let ids: RecordId[];

  const shardsOf = async (streamName: string) =>
    (await call(api, api.listShards, { streamName })).shards.map((shard) => shard.shardId);
  const create = (streamName: string, shardCount = 1) =>
    call(api, api.createStream, { streamName, replicationFactor: 1, backlogDuration: 0, shardCount });
  const append = async (...texts: string[]) =>
    must(
      (await call(api, api.append, { streamName: "s", shardId, records: batchOf(...texts) })).recordIds[0],
      "a record has an id",
    );
  const createReader = (
    readerId: string,
    shardOffset: ShardOffset | undefined,
    timeout = 0,
    shard = shardId,
  ) => call(api, api.createShardReader, { streamName: "s", shardId: shard, shardOffset, readerId, timeout });
  const read = async (readerId: string, maxRecords = 10) =>
    textsOf((await call(api, api.readShard, { readerId, maxRecords })).receivedRecords);
  const readShard = (
    from?: ShardOffset,
    until?: ShardOffset,
    fields: { maxReadBatches?: bigint; streamName?: string; shardId?: bigint } = {},
  ) =>
    drain(
      api.readShardStream({
        readerId: "r",
        shardId,
        from,
        until,
        maxReadBatches: 0n,
        streamName: "",
        ...fields,
      }),
    );

  beforeEach(async () => {
    test = await startTestServer();
    api = test.api;
    await create("s");
    shardId = must((await shardsOf("s"))[0], "a stream has a shard");
    ids = [await append("a1", "a2"), await append("b"), await append("c")];
  });
  afterEach(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  it("reads on with a named reader, batch by batch, and echoes its fields", async () => {
    const request = { streamName: "s", shardId, shardOffset: earliest, readerId: "r1", timeout: 7 };
    assert.deepEqual(await call(api, api.createShardReader, request), request);
    assert.deepEqual(await read("r1", 1), ["a1", "a2"]);
    assert.deepEqual(await read("r1", 10), ["b", "c"]);
    assert.deepEqual(await read("r1"), []);
    await append("d");
    assert.deepEqual(await read("r1"), ["d"]);
    await createReader("r2", at(must(ids[1], "three were appended")));
    assert.deepEqual(await read("r2"), ["b", "c", "d"]);
    await createReader("r3", time(0));
    assert.deepEqual(await read("r3", 1), ["a1", "a2"]);
    assert.deepEqual((await call(api, api.listShardReaders, {})).readerId, ["r1", "r2", "r3"]);
    await call(api, api.deleteShardReader, { readerId: "r2" });
    assert.deepEqual((await call(api, api.listShardReaders, {})).readerId, ["r1", "r3"]);
  });

  it("waits for records as long as the reader's timeout says", async () => {
    await createReader("r", latest, 30_000);
    const reading = read("r");
    await append("new");
    assert.deepEqual(await reading, ["new"]);
  });

  it("gives a reader that is shared every record once", async () => {
    await createReader("r", earliest);
    const parts = await Promise.all([read("r", 1), read("r", 1), read("r", 1)]);
    assert.deepEqual(parts.flat(), ["a1", "a2", "b", "c"]);
  });

  it("refuses wrong readers", async () => {
    const refused = async (answer: Promise<unknown>) => {
      const { status, error } = await failureOf(answer);
      return [status, error];
    };
    assert.deepEqual(await refused(createReader("1r", earliest)), [3, 900]);
    assert.deepEqual(await refused(createReader("r", undefined)), [3, 208]);
    assert.deepEqual(await refused(createReader("r", {})), [3, 208]);
    assert.deepEqual(await refused(createReader("r", special(7))), [3, 208]);
    assert.deepEqual(await refused(createReader("r", earliest, 0, 5n)), [5, 0]);
    assert.deepEqual(await refused(createReader("r", earliest, 0, 2n ** 64n - 1n)), [5, 0]);
    const elsewhere = at({ shardId: shardId + 1n, batchId: 1n, batchIndex: 0 });
    assert.deepEqual(await refused(createReader("r", elsewhere)), [3, 901]);
    await create("other");
    const [other = 0n] = await shardsOf("other");
    assert.deepEqual(await refused(createReader("r", earliest, 0, other)), [3, 210]);
    await createReader("r", earliest);
    assert.deepEqual(await refused(createReader("r", earliest)), [6, 0]);
    assert.deepEqual(await refused(read("absent")), [9, 0]);
    assert.deepEqual(await refused(call(api, api.deleteShardReader, { readerId: "absent" })), [9, 0]);
  });

  it("streams a shard from any place to any place", async () => {
    const [a, b, c] = ids;
    const ranges: [ShardOffset | undefined, ShardOffset | undefined, string[]][] = [
      [undefined, latest, ["a1", "a2", "b", "c"]],
      [earliest, latest, ["a1", "a2", "b", "c"]],
      [at(must(b, "")), latest, ["b", "c"]],
      [at({ ...must(b, ""), batchIndex: 99 }), at(must(b, "")), ["b"]],
      [earliest, at(must(b, "")), ["a1", "a2", "b"]],
      [time(0), time(2 ** 50), ["a1", "a2", "b", "c"]],
      [earliest, time(0), []],
      [latest, latest, []],
    ];
    for (const [from, until, texts] of ranges) {
      const { texts: found, failure } = await readShard(from, until);
      assert.deepEqual([found, failure], [texts, undefined]);
    }
    assert.deepEqual((await readShard(undefined, undefined, { maxReadBatches: 2n })).texts, [
      "a1",
      "a2",
      "b",
    ]);
    assert.deepEqual((await readShard(at(must(c, "")), at(must(a, "")))).failure?.error, 901);
    assert.deepEqual((await readShard(undefined, latest, { streamName: "s" })).texts.length, 4);
    assert.deepEqual((await readShard(undefined, latest, { streamName: "x" })).failure?.error, 210);
    assert.deepEqual((await readShard(undefined, latest, { shardId: 3n })).failure?.status, 5);
  });

  it("follows the tail without an end, until the caller or the server goes", async () => {
    const stream = api.readShardStream({
      readerId: "r",
      shardId,
      from: latest,
      until: undefined,
      maxReadBatches: 0n,
      streamName: "",
    });
    const ended = drain(stream);
    // The reading has begun when a record that was appended after it comes.
    let appended = 0;
    const arrived = once(stream, "data");
    const timer = setInterval(() => void append(`n${appended++}`), 20);
    await arrived;
    clearInterval(timer);
    await test.close();
    assert.equal((await ended).failure?.status, 14);
  });

  it("ends with the stream that it follows, also when its subscriptions keep the data", async () => {
    await call(api, api.createSubscription, {
      subscriptionId: "sub",
      streamName: "s",
      ackTimeoutSeconds: 60,
      maxUnackedRecords: 10,
      offset: SpecialOffset.LATEST,
    });
    const streams = [
      api.readShardStream({
        readerId: "r",
        shardId,
        from: earliest,
        until: undefined,
        maxReadBatches: 0n,
        streamName: "",
      }),
      api.readStream({
        readerId: "r",
        streamName: "s",
        from: earliest,
        until: undefined,
        maxReadBatches: 0n,
      }),
    ];
    const ended = streams.map(drain);
    await Promise.all(streams.map((stream) => once(stream, "data")));
    await call(api, api.deleteStream, { streamName: "s", force: true, ignoreNonExist: false });
    for (const { failure, texts } of await Promise.all(ended)) {
      assert.deepEqual([failure?.status, failure?.error], [5, 200]);
      assert.deepEqual(texts, ["a1", "a2", "b", "c"]);
    }
  });

  it("reads all shards of a stream, and ends on empty ones too", async () => {
    await create("three", 3);
    const shards = await shardsOf("three");
    const readStream = (from?: StreamOffset, until?: StreamOffset) =>
      drain(api.readStream({ readerId: "r", streamName: "three", from, until, maxReadBatches: 0n }));
    assert.deepEqual(await readStream(undefined, latest), { texts: [], sizes: [], failure: undefined });
    for (const [i, shard] of shards.entries()) {
      await call(api, api.append, { streamName: "three", shardId: shard, records: batchOf(`x${i}`) });
    }
    assert.deepEqual((await readStream(earliest, latest)).texts.sort(), ["x0", "x1", "x2"]);
    assert.deepEqual((await readStream(latest, latest)).failure, undefined);
    assert.deepEqual((await readStream(earliest, time(0))).texts, []);
    const missing = {
      readerId: "r",
      streamName: "absent",
      from: undefined,
      until: undefined,
      maxReadBatches: 0n,
    };
    assert.equal((await drain(api.readStream(missing))).failure?.error, 200);
    assert.equal((await drain(api.readSingleShardStream(missing))).failure?.error, 200);
    const single = { ...missing, until: latest };
    assert.equal(
      (await drain(api.readSingleShardStream({ ...single, streamName: "three" }))).failure?.error,
      902,
    );
    assert.deepEqual(
      (await drain(api.readSingleShardStream({ ...single, streamName: "s" }))).texts.length,
      4,
    );
  });

  it("keeps its answers below what clients take, however well the records were compressed", async () => {
    const text = "x".repeat(900_000);
    const records = batchOf(text, text, text, text, text, text, text, text);
    // Without its end, as the Go client sends it: no client reads it as it is.
    const payload = gzipSync(records.payload).subarray(0, -8);
    await call(api, api.append, {
      streamName: "s",
      shardId,
      records: { ...records, compressionType: 1, payload },
    });
    const { texts, failure } = await readShard(undefined, latest);
    assert.deepEqual([texts.length, failure], [12, undefined]);
    await createReader("r", earliest);
    let count = 0;
    for (let part = await read("r"); part.length > 0; part = await read("r")) count += part.length;
    assert.equal(count, 12);
  });

  describe("by key", () => {
    const keyed = (...records: [key: string, text: string][]) => ({
      compressionType: 0 as const,
      batchSize: records.length,
      payload: BatchHStreamRecords.encode({
        records: records.map(([key, text]) => ({
          header: { flag: 1 as const, attributes: new Map([["of", text]]), key },
          payload: Buffer.from(text),
        })),
      }).finish(),
    });
    const open = (fields: { key?: string; credit?: bigint; until?: ShardOffset; streamName?: string }) => {
      const stream = api.readStreamByKey();
      const answers: ReadStreamByKeyResponse[] = [];
      stream.on("data", (answer: ReadStreamByKeyResponse) => {
        answers.push(answer);
        stream.emit("received");
      });
      const ended = new Promise<Failure | undefined>((resolve) => {
        stream.on("error", (error: ServiceError) => resolve(failureIn(error)));
        stream.on("end", () => resolve(undefined));
      });
      const { key = "k", credit = 100n, until, streamName = "s" } = fields;
      const request = { readerId: "r", streamName, key, from: undefined, until, readRecordCount: credit };
      stream.write(request);
      const more = (readRecordCount: bigint) => stream.write({ ...request, readRecordCount });
      const texts = () =>
        answers.flatMap(({ recordIds, receivedRecords }) => {
          assert.equal(recordIds.length, receivedRecords.length);
          return receivedRecords.map(({ payload, header }) => {
            assert.equal(header?.attributes.get("of"), Buffer.from(payload).toString());
            return Buffer.from(payload).toString();
          });
        });
      return { stream, ended, more, texts };
    };

    it("gives the records of exactly that key, and no more than were asked for", async () => {
      const records = keyed(["k", "1"], ["kk", "2"], ["", "3"], ["k", "4"], ["k", "5"]);
      await call(api, api.append, { streamName: "s", shardId, records });
      const reader = open({ credit: 2n });
      while (reader.texts().length < 2) await once(reader.stream, "received");
      assert.deepEqual(reader.texts(), ["1", "4"]);
      reader.more(1n);
      assert.equal(await reader.ended, undefined);
      assert.deepEqual(reader.texts(), ["1", "4", "5"]);
    });

    it("ends well where nothing matches, and with an error where nothing can", async () => {
      assert.equal(await open({ key: "absent" }).ended, undefined);
      const foreign = at({ shardId: 1n, batchId: 1n, batchIndex: 0 });
      assert.equal(await open({ key: "absent", until: foreign }).ended, undefined);
      assert.equal((await open({ streamName: "absent" }).ended)?.error, 200);
    });

    it("ends when the caller wants no more", async () => {
      await call(api, api.append, { streamName: "s", shardId, records: keyed(["k", "1"], ["k", "2"]) });
      const reader = open({ credit: 1n });
      reader.stream.end();
      assert.equal(await reader.ended, undefined);
      assert.deepEqual(reader.texts(), ["1"]);
    });
  });

  it("trims up to and including a point", async () => {
    const left = async () => (await readShard(undefined, latest)).texts;
    const trimShard = (trimPoint?: ShardOffset, shard = shardId) =>
      call(api, api.trimShard, { streamName: "", shardId: shard, trimPoint });
    await trimShard(earliest);
    assert.deepEqual(await left(), ["a1", "a2", "b", "c"]);
    await trimShard(at(must(ids[0], "")));
    assert.deepEqual(await left(), ["b", "c"]);
    await call(api, api.trimStream, { streamName: "s", trimPoint: latest });
    assert.deepEqual(await left(), []);
    await append("d");
    await call(api, api.trimStream, { streamName: "s", trimPoint: time(2 ** 50) });
    assert.deepEqual(await left(), []);

    const refused = async (answer: Promise<unknown>) => {
      const { status, error } = await failureOf(answer);
      return [status, error];
    };
    assert.deepEqual(await refused(trimShard(undefined)), [3, 208]);
    assert.deepEqual(await refused(trimShard(latest, 5n)), [5, 0]);
    assert.deepEqual(await refused(trimShard(at({ shardId: 1n, batchId: 1n, batchIndex: 0 }))), [3, 208]);
    assert.deepEqual(
      await refused(call(api, api.trimStream, { streamName: "s", trimPoint: undefined })),
      [3, 208],
    );
    assert.deepEqual(
      await refused(call(api, api.trimStream, { streamName: "x", trimPoint: latest })),
      [5, 200],
    );
  });

  it("trims shards up to, and without, the smallest record named of each", async () => {
    const trim = (recordIds: string[], streamName = "s") =>
      call(api, api.trimShards, { streamName, recordIds });
    const text = ({ shardId: shard, batchId, batchIndex }: RecordId) => `${shard}-${batchId}-${batchIndex}`;
    const [a, b, c] = ids.map(text);
    assert.deepEqual((await trim([])).trimPoints, new Map());
    assert.deepEqual((await trim([`${shardId}-0-0`])).trimPoints, new Map());
    assert.deepEqual((await trim([c ?? "", b ?? "", c ?? ""])).trimPoints, new Map([[shardId, b]]));
    assert.deepEqual((await readShard(undefined, latest)).texts, ["b", "c"]);

    const refused = async (answer: Promise<unknown>) => {
      const { status, error } = await failureOf(answer);
      return [status, error];
    };
    for (const bad of ["", "1", "1-2", "1-2-x", "-1-2-3", "1-2-3-4"]) {
      assert.deepEqual(await refused(trim([bad])), [3, 209], bad);
    }
    assert.deepEqual(await refused(trim([`${shardId}-9007199254740991-0`])), [3, 209]);
    assert.deepEqual(await refused(trim(["7-1-0"])), [3, 210]);
    assert.deepEqual(await refused(trim([a ?? ""], "absent")), [5, 200]);
  });
});
