import assert from "node:assert/strict";
import { type HStreamClient, textRecord } from "./index.js";
import { KillableServer } from "./real-server.test.helper.js";

const type = textRecord();

describe("when the server is killed and comes back", function () {
  // Starting a server takes its time where much else is going on.
  this.timeout(60_000);
  let server: KillableServer;
  let client: HStreamClient;

  beforeEach(async () => {
    server = await KillableServer.start();
    client = await server.connect();
  });
  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  async function stored(name: string): Promise<string[]> {
    const found: string[] = [];
    for await (const { value } of client.read(name, { type, until: "latest" })) found.push(value);
    return found;
  }

  it("an append stream stores everything exactly once, in order", async () => {
    await client.streams.create("exact", { shardCount: 2 });
    const appends = await client.appendStream("exact", { type, bytesInFlightMax: 20_000 });
    const ids: (readonly { readonly batchId: bigint }[])[] = [];
    const appending: Promise<void>[] = [];
    const append = async (n: number) => {
      ids[n] = await appends.append([`${n} ${"x".repeat(300)}`], { key: `k${n % 2}` });
    };
    // Some have been answered, some are on their way, others wait for room.
    for (let n = 0; n < 200; n += 1) appending.push(append(n));
    await appending[20];
    for (let kills = 0; kills < 2; kills += 1) {
      await server.kill();
      for (let n = 200 + kills * 100; n < 300 + kills * 100; n += 1) appending.push(append(n));
      await server.start();
      await appending[150 + kills * 100];
    }
    await Promise.all(appending);
    await appends.close();
    const numbers = (await stored("exact")).map((text) => Number.parseInt(text));
    assert.deepEqual(
      [...numbers].sort((a, b) => a - b),
      Array.from({ length: 400 }, (_, n) => n),
    );
    for (const half of [0, 1]) {
      const ofKey = numbers.filter((n) => n % 2 === half);
      assert.deepEqual(
        ofKey,
        [...ofKey].sort((a, b) => a - b),
      );
    }
    assert.equal(ids.length, 400);
  });

  it("an idempotent producer stores everything exactly once, in order", async () => {
    await client.streams.create("exact");
    const producer = await client.bufferedProducer("exact", {
      type,
      idempotent: true,
      recordsMax: 10,
      ageMs: 1,
    });
    let [killed, written] = [false, 0];
    const writing = (async () => {
      while (!killed || written < 500) {
        await producer.write(`${written++}`);
        if (written % 50 === 0) await client.echo("").catch(() => {});
      }
    })();
    while (written < 100) await client.echo("");
    await server.kill();
    killed = true;
    await server.start();
    await writing;
    await producer.close();
    assert.deepEqual(
      await stored("exact"),
      Array.from({ length: written }, (_, n) => `${n}`),
    );
  });

  it("an append stream gives up after a time, and fails what is not stored", async () => {
    await client.streams.create("lost");
    const appends = await client.appendStream("lost", { type, outageMsMax: 300 });
    await appends.append(["stored"]);
    await server.kill();
    await assert.rejects(appends.append(["lost"]), { reason: "unavailable" });
    await assert.rejects(appends.append(["later"]), { reason: "unavailable" });
    await assert.rejects(appends.close(), { reason: "unavailable" });
  });

  it("a plain producer tries again, and stores everything at least once", async () => {
    await client.streams.create("plain");
    await using patient = await server.connect({ retryPauseMs: 2_000 });
    const producer = await patient.bufferedProducer("plain", { type, recordsMax: 5 });
    for (let n = 0; n < 20; n += 1) await producer.write(`${n}`);
    await producer.flush();
    await server.kill();
    const writing = (async () => {
      for (let n = 20; n < 40; n += 1) await producer.write(`${n}`);
      await producer.close();
    })();
    await server.start();
    await writing;
    const found = new Set(await stored("plain"));
    assert.deepEqual(found, new Set(Array.from({ length: 40 }, (_, n) => `${n}`)));
  });

  it("a consumer goes on, and gets what it has not acked again", async () => {
    await client.streams.create("worked", { shardCount: 2 });
    await client.subscriptions.create("working", { stream: "worked", offset: "earliest" });
    for (let n = 0; n < 20; n += 1) await client.append("worked", [`${n}`], { type, key: `k${n}` });
    const times = new Map<string, number>();
    let restarted = false;
    let ackedByThen = 0;
    for await (const record of client.consume("working", { type })) {
      times.set(record.value, (times.get(record.value) ?? 0) + 1);
      if (restarted || Number(record.value) % 2 === 0) record.ack();
      if (!restarted && times.size === 20) {
        // Acks are durable within 100 ms of their arrival.
        while (ackedByThen < 10) {
          const { shards } = await client.subscriptions.describe("working");
          ackedByThen = 20 - shards.reduce((sum, { unackedRecords }) => sum + unackedRecords, 0);
        }
        // Nothing says when acks are on disk, but it is within 100 ms.
        await new Promise((resolve) => setTimeout(resolve, 300));
        await server.kill();
        await server.start();
        restarted = true;
        await client.append("worked", ["after"], { type });
      }
      if (restarted && times.has("after") && [...times.values()].filter((n) => n === 2).length === 10) break;
    }
    for (const [value, count] of times) {
      const odd = value !== "after" && Number(value) % 2 === 1;
      assert.equal(count, odd ? 2 : 1, value);
    }
  });

  it("a reader goes on where it was, and one by key too", async () => {
    await client.streams.create("read", { shardCount: 2 });
    for (let n = 0; n < 30; n += 1)
      await client.append("read", [`${n}a`, `${n}b`], { type, key: `k${n % 4}` });
    const found: string[] = [];
    for await (const { value } of client.read("read", { type })) {
      found.push(value);
      if (found.length === 31) {
        await server.kill();
        await server.start();
        await client.append("read", ["last"], { type, key: "k0" });
      }
      if (found.length === 61) break;
    }
    const expected = Array.from({ length: 30 }, (_, n) => [`${n}a`, `${n}b`]).flat();
    assert.deepEqual([...found].sort(), [...expected, "last"].sort());

    const ofKey: string[] = [];
    const many = Array.from({ length: 3_000 }, (_, n) => `m${n}`);
    await client.append("read", many, { type, key: "many" });
    for await (const { value } of client.read("read", { type, key: "many" })) {
      ofKey.push(value);
      if (ofKey.length !== 1_001) continue;
      await server.kill();
      await server.start();
    }
    assert.deepEqual(ofKey, many);
  });

  it("a push query fails, since what it had counted is gone", async () => {
    await client.streams.create("queried");
    const rows = client.query("SELECT a FROM queried EMIT CHANGES;")[Symbol.asyncIterator]();
    const next = rows.next();
    for (let n = 0; n < 5; n += 1) await client.echo("");
    const failed = assert.rejects(next, { reason: "unavailable" });
    await server.kill();
    await failed;
    await server.start();
    let isBack = false;
    while (!isBack) {
      isBack = await client.echo("").then(
        () => true,
        () => false,
      );
    }
    assert.deepEqual(await client.query("SELECT 1 AS one;").all(), [{ one: 1 }]);
  });
});
