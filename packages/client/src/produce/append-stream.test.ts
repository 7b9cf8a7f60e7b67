import assert from "node:assert/strict";
import { HStreamClient, HStreamClientError, jsonRecord } from "../index.js";
import { type RealServer, startRealServer } from "../real-server.test.helper.js";

interface Order {
  readonly customer: string;
  readonly n: number;
}
const orders = jsonRecord<Order>({ key: ({ customer }) => customer });

describe("producing", () => {
  let server: RealServer;
  let client: HStreamClient;

  before(async () => {
    server = await startRealServer();
    client = await HStreamClient.connect(server.url);
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  let made = 0;
  const newStream = async (shardCount = 1) => {
    const name = `produced_${made++}`;
    await client.streams.create(name, { shardCount });
    return name;
  };
  const stored = async (name: string) => {
    const all = [];
    for await (const record of client.read(name, { until: "latest" })) all.push(record);
    return all;
  };

  it("by append answers ids in the order of the values, over several shards", async () => {
    const name = await newStream(4);
    const values = Array.from({ length: 40 }, (_, n): Order => ({ customer: `c${n % 9}`, n }));
    const ids = await client.append(name, values, { type: orders, compression: "zstd" });
    const byId = new Map((await stored(name)).map((record) => [record.id, record]));
    const shards = new Set(ids.map(({ shardId }) => shardId));
    assert.ok(shards.size > 1, "the keys lie in several shards");
    ids.forEach((id, place) => {
      const found = byId.get(`${id.shardId}-${id.batchId}-${id.batchIndex}`);
      assert.deepEqual(found?.json, values[place]);
      assert.equal(found?.key, values[place]?.customer);
    });
  });

  it("by append stream keeps the order of a key, whatever is under way", async () => {
    const name = await newStream(3);
    const perCustomer = new Map<string, number[]>();
    {
      await using appends = await client.appendStream(name, { type: orders });
      for (let n = 0; n < 300; n += 1) {
        const customer = `c${n % 7}`;
        perCustomer.set(customer, [...(perCustomer.get(customer) ?? []), n]);
        // Compressed batches take their time, and must not be overtaken.
        void appends.append([{ customer, n }], { compression: n % 3 === 0 ? "gzip" : "none" });
      }
      await appends.flush();
      assert.equal(appends.bytesInFlight, 0);
    }
    const found = new Map<string, number[]>();
    for (const record of await stored(name)) {
      found.set(record.key, [...(found.get(record.key) ?? []), Number(record.json?.["n"])]);
    }
    assert.deepEqual(new Map([...found].sort()), new Map([...perCustomer].sort()));
  });

  it("by append stream waits for room, and answers every id", async () => {
    const name = await newStream();
    await using appends = await client.appendStream(name, { bytesInFlightMax: 10_000 });
    let largest = 0;
    const ids = await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        const [id] = await appends.append([new Uint8Array(1_000).fill(n)]);
        largest = Math.max(largest, appends.bytesInFlight);
        return id;
      }),
    );
    assert.ok(largest < 12_000, `${largest} bytes in flight`);
    assert.equal(new Set(ids.map((id) => `${id?.batchId}-${id?.batchIndex}`)).size, 50);
  });

  it("by append stream fails what follows a refusal, and says so at the end", async () => {
    const name = await newStream();
    const appends = await client.appendStream(name);
    await appends.append([{ n: 1 }]);
    await client.streams.delete(name);
    await assert.rejects(appends.append([{ n: 2 }]), { reason: "refused" });
    await assert.rejects(appends.append([{ n: 3 }]), { reason: "refused" });
    await assert.rejects(appends.close(), { reason: "refused" });
    await assert.rejects(appends.append([{ n: 4 }]), { reason: "closed" });
  });

  it("by append stream refuses a value that is no record, and goes on", async () => {
    const name = await newStream();
    await using appends = await client.appendStream(name);
    await assert.rejects(appends.append([{ n: 1n as unknown as number }]), { reason: "usage" });
    assert.equal((await appends.append([{ n: 1 }])).length, 1);
  });

  it("by an idempotent buffered producer stores all once, in order", async () => {
    const name = await newStream(2);
    {
      await using producer = await client.bufferedProducer(name, {
        type: orders,
        idempotent: true,
        recordsMax: 7,
        ageMs: 1,
        compression: "gzip",
      });
      for (let n = 0; n < 500; n += 1) await producer.write({ customer: `c${n % 5}`, n });
    }
    const found = await stored(name);
    assert.equal(found.length, 500);
    for (const customer of ["c0", "c1", "c2", "c3", "c4"]) {
      const numbers = found.filter(({ key }) => key === customer).map(({ json }) => Number(json?.["n"]));
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
    }
  });

  it("ends when its signal is aborted, and what waits for room, too", async () => {
    const name = await newStream();
    for (const idempotent of [true, false]) {
      const stop = new AbortController();
      const producer = await client.bufferedProducer(name, {
        idempotent,
        signal: stop.signal,
        bytesInFlightMax: 1,
        ageMs: 60_000,
      });
      const [first, second] = [producer.append({ n: 1 }), producer.append({ n: 2 })];
      const failed = Promise.all(
        [first, second].map((each) => assert.rejects(each, { reason: "cancelled" })),
      );
      stop.abort();
      // The first waits for its batch to fill, the second for room.
      await assert.rejects(producer.flush(), { reason: "cancelled" });
      await failed;
      await assert.rejects(producer.write({ n: 3 }), { reason: "cancelled" });
      await assert.rejects(producer.close(), { reason: "cancelled" });
    }
    const stop = new AbortController();
    const appends = await client.appendStream(name, { signal: stop.signal, bytesInFlightMax: 1 });
    const waiting = Array.from({ length: 20 }, (_, n) => appends.append([{ n }]));
    stop.abort();
    const outcomes = await Promise.allSettled(waiting);
    assert.ok(outcomes.some(({ status }) => status === "rejected"));
    for (const outcome of outcomes)
      if (outcome.status === "rejected") assert.equal(outcome.reason.reason, "cancelled");
    await assert.rejects(appends.append([{ n: 1 }]), { reason: "cancelled" });
    await assert.rejects(appends.close(), { reason: "cancelled" });
  });

  it("ends with reason closed when the client is closed meanwhile", async () => {
    const name = await newStream();
    const other = await HStreamClient.connect(server.url);
    const appends = await other.appendStream(name);
    await appends.append([{ n: 1 }]);
    const late = appends.append([{ n: 2 }]);
    await other.close();
    await assert.rejects(
      late.then(() => appends.append([{ n: 3 }])),
      (error) => error instanceof HStreamClientError && error.reason === "closed",
    );
  });
});
