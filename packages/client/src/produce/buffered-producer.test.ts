import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { HStreamClient } from "../client.js";
import { decodeBatch } from "../records/decode.test.helper.js";
import { ShardMap } from "./shard-map.js";
import { FakeError, FakeServer } from "../test-kit/fake-server.js";

describe("a buffered producer", () => {
  let server: FakeServer;
  let client: HStreamClient;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = await HStreamClient.connect(server.url, { retryPauseMs: 1 });
    await client.streams.create("demo", { shardCount: 3 });
  });
  afterEach(async () => {
    await client.close();
    server.stop();
  });

  it("stores every record once, in order within its key, in the shard of its key", async () => {
    const shards = new ShardMap("demo", server.shards("demo"));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 60 }),
        fc.integer({ min: 1, max: 7 }),
        async (keys, recordsMax) => {
          server.batches.length = 0;
          const producer = await client.bufferedProducer("demo", { recordsMax, ageMs: 1 });
          await Promise.all(keys.map((key, place) => producer.write({ place }, { key })));
          await producer.close();
          const stored = new Map<string, unknown[]>();
          for (const { batch, ids } of server.batches) {
            assert(ids.length <= recordsMax);
            for (const record of await decodeBatch(batch)) {
              assert.equal(ids[0]?.shardId, shards.shardOf(record.key));
              stored.set(record.key, [...(stored.get(record.key) ?? []), record.json?.["place"]]);
            }
          }
          for (const key of new Set(keys)) {
            const expected = keys.flatMap((other, place) => (other === key ? [place] : []));
            assert.deepEqual(stored.get(key), expected);
          }
          assert.equal(producer.bytesInFlight, 0);
        },
      ),
      { numRuns: runs(25) },
    );
  });

  it("has one batch of a shard under way at a time", async () => {
    let underWay = 0;
    server.beforeAppend = async () => {
      underWay += 1;
      assert.equal(underWay, 1);
      await new Promise((resolve) => setImmediate(resolve));
      underWay -= 1;
    };
    const producer = await client.bufferedProducer("demo", { recordsMax: 2 });
    for (let place = 0; place < 20; place += 1) await producer.write({ place }, { key: "k" });
    await producer.close();
    assert.equal(server.batches.flatMap(({ ids }) => ids).length, 20);
  });

  it("stores what was written before it was closed, though nobody waited", async () => {
    const producer = await client.bufferedProducer("demo", { ageMs: 60_000, bytesInFlightMax: 1 });
    // Two of them wait for room.
    const written = [producer.write({ a: 1 }), producer.write({ a: 2 }), producer.write({ a: 3 })];
    await producer.close();
    await Promise.all(written);
    assert.equal(server.batches.flatMap(({ ids }) => ids).length, 3);
    await assert.rejects(producer.write({ a: 3 }), { reason: "closed" });
  });

  it("answers with the id of each record", async () => {
    const producer = await client.bufferedProducer("demo", { ageMs: 1 });
    const ids = await Promise.all([producer.append({ a: 1 }), producer.append({ a: 2 })]);
    assert.deepEqual(
      ids.map(({ batchIndex }) => batchIndex),
      [0, 1],
    );
    await producer.close();
  });

  it("makes its caller wait while too many bytes are in flight", async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    server.beforeAppend = () => held;
    const producer = await client.bufferedProducer("demo", { recordsMax: 1, bytesInFlightMax: 1_000 });
    let taken = 0;
    const writing = (async () => {
      for (let place = 0; place < 30; place += 1) {
        await producer.write(new Uint8Array(100));
        taken += 1;
      }
    })();
    await new Promise((resolve) => setImmediate(resolve));
    assert(taken < 12, `${taken} taken`);
    assert(producer.bytesInFlight < 1_300);
    release();
    await writing;
    await producer.close();
    assert.equal(server.batches.flatMap(({ ids }) => ids).length, 30);
  });

  it("fails all that follows a batch that was refused", async () => {
    server.beforeAppend = () => {
      throw new FakeError(3, 207, "too large");
    };
    const producer = await client.bufferedProducer("demo", { recordsMax: 1 });
    await assert.rejects(producer.append({ a: 1 }), { code: 207 });
    await assert.rejects(producer.write({ a: 2 }), { code: 207 });
    await assert.rejects(producer.close(), { code: 207 });
  });

  it("cannot be opened on a stream that does not exist", async () => {
    await assert.rejects(client.bufferedProducer("none"), { code: 200 });
  });
});
