import assert from "node:assert/strict";
import type { HStreamApiClient, Stream } from "@hstream/proto";
import { batchOf, call, failureOf, startTestServer, type TestServer } from "./test-server.test.helper.js";

const stream = (streamName: string, fields: Partial<Stream> = {}): Stream => ({
  streamName,
  replicationFactor: 1,
  backlogDuration: 0,
  shardCount: 1,
  ...fields,
});

async function shardsOf(api: HStreamApiClient, streamName: string) {
  return (await call(api, api.listShards, { streamName })).shards;
}

describe("streams over gRPC", () => {
  let test: TestServer;
  let api: HStreamApiClient;

  before(async () => {
    test = await startTestServer({ flags: { "max-record-size": 1_000 } });
    api = test.api;
  });
  after(async () => {
    await test.close();
    assert.deepEqual(test.defects, []);
  });

  it("creates, gets, lists and deletes streams", async () => {
    const created = await call(
      api,
      api.createStream,
      stream("s1", { replicationFactor: 3, shardCount: 2, backlogDuration: 60 }),
    );
    assert.equal(created.streamName, "s1");
    assert.equal(created.replicationFactor, 3);
    assert.equal(created.backlogDuration, 60);
    assert.equal(created.shardCount, 2);
    assert.ok((created.creationTime?.seconds ?? 0n) > 1_600_000_000n);
    assert.deepEqual((await call(api, api.getStream, { name: "s1" })).stream, created);
    await call(api, api.createStream, stream("t1"));
    const names = async () =>
      (await call(api, api.listStreams, {})).streams.map(({ streamName }) => streamName);
    assert.deepEqual(await names(), ["s1", "t1"]);
    const { streams } = await call(api, api.listStreamsWithPrefix, { prefix: "t" });
    assert.deepEqual(
      streams.map(({ streamName }) => streamName),
      ["t1"],
    );
    for (const streamName of ["s1", "t1"]) {
      await call(api, api.deleteStream, { streamName, force: false, ignoreNonExist: false });
    }
    assert.deepEqual(await names(), []);
  });

  it("accepts names of any script up to 255 characters", async () => {
    const streamName = `日本-é_${"x".repeat(250)}`;
    await call(api, api.createStream, stream(streamName));
    assert.equal((await call(api, api.getStream, { name: streamName })).stream?.streamName, streamName);
    await call(api, api.deleteStream, { streamName, force: false, ignoreNonExist: false });
  });

  it("refuses bad names, factors, counts and durations", async () => {
    const refused = async (request: Stream) => {
      const { status, error } = await failureOf(call(api, api.createStream, request));
      return [status, error];
    };
    for (const name of ["", "1a", "_a", "a b", "a/b", "x".repeat(256)]) {
      assert.deepEqual(await refused(stream(name)), [3, 204], name);
    }
    assert.deepEqual(await refused(stream("a", { replicationFactor: 0 })), [3, 203]);
    assert.deepEqual(await refused(stream("a", { shardCount: 0 })), [3, 205]);
    assert.deepEqual(await refused(stream("a", { shardCount: 1_000_000 })), [3, 205]);
    assert.deepEqual(await refused(stream("a", { backlogDuration: 4_294_967_295 })), [3, 0]);
    assert.deepEqual((await failureOf(call(api, api.listStreamsWithPrefix, { prefix: "" }))).error, 204);
  });

  it("lets exactly one of several concurrent creators and deleters win", async () => {
    const creations = await Promise.allSettled(
      Array.from({ length: 5 }, () => call(api, api.createStream, stream("race"))),
    );
    assert.equal(creations.filter(({ status }) => status === "fulfilled").length, 1);
    assert.equal((await failureOf(call(api, api.createStream, stream("race")))).error, 201);
    for (const force of [true, false]) {
      const request = { streamName: "race", force, ignoreNonExist: false };
      const deletions = await Promise.allSettled([1, 2, 3].map(() => call(api, api.deleteStream, request)));
      assert.equal(deletions.filter(({ status }) => status === "fulfilled").length, 1);
      const { status, error } = await failureOf(call(api, api.deleteStream, request));
      assert.deepEqual([status, error], [5, 200]);
      if (force) await call(api, api.createStream, stream("race"));
    }
    await call(api, api.deleteStream, { streamName: "race", force: false, ignoreNonExist: true });
  });

  it("divides the key space among the shards", async () => {
    await call(api, api.createStream, stream("shards", { shardCount: 3 }));
    const shards = await shardsOf(api, "shards");
    const max = 2n ** 128n - 1n;
    assert.equal(shards[0]?.startHashRangeKey, "0");
    assert.equal(shards[2]?.endHashRangeKey, String(max));
    for (const i of [0, 1]) {
      assert.equal(
        BigInt(shards[i]?.endHashRangeKey ?? 0) + 1n,
        BigInt(shards[i + 1]?.startHashRangeKey ?? 0),
      );
    }
    for (const { shardId, isActive } of shards) assert.ok(isActive && shardId > 0n && shardId < 2n ** 53n);
    assert.equal(new Set(shards.map(({ shardId }) => shardId)).size, 3);
  });

  it("answers ListShards and GetStream of a missing stream in the forms that clients expect", async () => {
    const shards = await failureOf(call(api, api.listShards, { streamName: "nowhere" }));
    assert.equal(shards.status, 5);
    assert.match(shards.plain ?? "", /nowhere/);
    const found = await failureOf(call(api, api.getStream, { name: "nöwhere" }));
    assert.deepEqual([found.status, found.error, found.extra], [5, 200, null]);
    assert.match(found.text ?? "", /nöwhere/);
  });

  it("answers with a shortened sentence when a name is too long to be repeated", async () => {
    for (const name of ["x".repeat(1_000_000), "日".repeat(100_000)]) {
      const { status, error, text } = await failureOf(call(api, api.getStream, { name }));
      assert.deepEqual([status, error], [5, 200]);
      assert.match(text ?? "", / …$/);
      assert.equal((await failureOf(call(api, api.listShards, { streamName: name }))).status, 5);
    }
  });

  it("appends durably, with one id for each record, and the tail is the newest", async () => {
    await call(api, api.createStream, stream("log"));
    const [shard] = await shardsOf(api, "log");
    const shardId = shard?.shardId ?? 0n;
    const append = (...texts: string[]) =>
      call(api, api.append, { streamName: "log", shardId, records: batchOf(...texts) });
    const first = await append("a", "b", "c");
    assert.equal(first.streamName, "log");
    assert.equal(first.shardId, shardId);
    assert.deepEqual(
      first.recordIds.map(({ batchIndex }) => batchIndex),
      [0, 1, 2],
    );
    assert.equal(new Set(first.recordIds.map(({ batchId }) => batchId)).size, 1);
    const second = await append("d");
    const { tailRecordId } = await call(api, api.getTailRecordId, { streamName: "log", shardId });
    assert.deepEqual(tailRecordId, { shardId, batchId: second.recordIds[0]?.batchId, batchIndex: 0 });
    const [one, two] = [first, second].map(({ recordIds }) => String(recordIds[0]?.batchId));
    assert.ok(one !== undefined && two !== undefined && one.length === 16 && one < two);
    assert.equal(
      (await failureOf(call(api, api.getTailRecordId, { streamName: "log", shardId: 5n }))).status,
      5,
    );
  });

  it("refuses bad batches, wrong shards and deleted streams", async () => {
    await call(api, api.createStream, stream("bad"));
    const [{ shardId = 0n } = {}] = await shardsOf(api, "bad");
    const [{ shardId: other = 0n } = {}] = await shardsOf(api, "log");
    const good = batchOf("x");
    type Records = Parameters<HStreamApiClient["append"]>[0]["records"];
    const refused = async (records: Records, id = shardId) => {
      const { status, error, extra } = await failureOf(
        call(api, api.append, { streamName: "bad", shardId: id, records }),
      );
      return [status, error, extra];
    };
    assert.deepEqual(await refused(undefined), [3, 206, null]);
    assert.deepEqual(await refused({ ...good, batchSize: 0 }), [3, 206, null]);
    assert.deepEqual(await refused({ ...good, payload: new Uint8Array() }), [3, 206, null]);
    assert.deepEqual(await refused(batchOf("x".repeat(1_000))), [
      3,
      207,
      batchOf("x".repeat(1_000)).payload.length,
    ]);
    assert.deepEqual(await refused({ ...good, batchSize: 2 }), [3, 0, null]);
    assert.deepEqual(await refused({ ...good, batchSize: 1_000_000 }), [3, 0, null]);
    assert.deepEqual(await refused({ ...good, payload: Buffer.from("no records") }), [3, 0, null]);
    assert.deepEqual(await refused({ ...good, compressionType: 7 as 0 }), [3, 0, null]);
    assert.deepEqual(await refused(good, other), [3, 210, null]);
    assert.deepEqual(await refused(good, 0n), [3, 210, null]);
    assert.deepEqual(await refused(good, 2n ** 64n - 1n), [3, 210, null]);
    await call(api, api.deleteStream, { streamName: "bad", force: false, ignoreNonExist: false });
    assert.deepEqual(await refused(good), [5, 200, null]);
    await call(api, api.createStream, stream("bad"));
    assert.deepEqual(await refused(good), [3, 210, null]);
  });
});
