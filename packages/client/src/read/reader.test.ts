import assert from "node:assert/strict";
import type { RecordId } from "@hstream/proto";
import { formatRecordId, HStreamClient, textRecord } from "../index.js";
import { type RealServer, startRealServer } from "../real-server.test.helper.js";
import type { ReadOptions } from "./reader.js";

const text = textRecord();

describe("a reader", () => {
  let server: RealServer;
  let client: HStreamClient;
  let ids: RecordId[];
  let middle: Date;

  before(async () => {
    server = await startRealServer();
    client = await HStreamClient.connect(server.url);
    await client.streams.create("one");
    ids = [];
    for (const batch of [["a", "b"], ["c"], ["d", "e", "f"]]) {
      if (batch.length === 1) {
        // The time of a batch is that of its second half, too.
        while (Date.now() <= (await newest("one"))) await client.echo("");
        middle = new Date();
      }
      ids.push(...(await client.append("one", batch, { type: text, compression: "gzip" })));
    }
    await client.streams.create("many", { shardCount: 5 });
    for (let n = 0; n < 60; n += 1) await client.append("many", [`v${n}`], { type: text, key: `k${n % 11}` });
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  /** When the newest record of a stream was stored. */
  async function newest(stream: string): Promise<number> {
    let at = 0;
    for await (const { publishedAt } of client.read(stream, { until: "latest" })) at = Number(publishedAt);
    return at;
  }

  async function read(stream: string, options: Omit<ReadOptions<string>, "type">): Promise<string[]> {
    const found = [];
    for await (const { value } of client.read(stream, { ...options, type: text })) found.push(value);
    return found;
  }

  it("begins at every kind of place", async () => {
    const until = "latest";
    assert.deepEqual(await read("one", { until }), ["a", "b", "c", "d", "e", "f"]);
    assert.deepEqual(await read("one", { until, from: "earliest" }), ["a", "b", "c", "d", "e", "f"]);
    assert.deepEqual(await read("one", { until, from: "latest" }), []);
    assert.deepEqual(await read("one", { until, from: { time: middle } }), ["c", "d", "e", "f"]);
    assert.deepEqual(await read("one", { until, from: { time: 0 } }), ["a", "b", "c", "d", "e", "f"]);
    assert.deepEqual(await read("one", { until, from: { time: Date.now() + 60_000 } }), []);
    const [c, e] = [ids[2], ids[4]];
    assert.ok(c !== undefined && e !== undefined);
    assert.deepEqual(await read("one", { until, from: { id: c } }), ["c", "d", "e", "f"]);
    assert.deepEqual(await read("one", { until, from: { id: formatRecordId(e) } }), ["d", "e", "f"]);
    assert.deepEqual(await read("one", { until, after: [e] }), ["f"]);
    assert.deepEqual(await read("one", { until, after: ids.slice(-1) }), []);
  });

  it("ends at every kind of place", async () => {
    const [b, c] = [ids[1], ids[2]];
    assert.ok(b !== undefined && c !== undefined);
    assert.deepEqual(await read("one", { until: { id: b } }), ["a", "b"]);
    assert.deepEqual(await read("one", { until: { time: Number(middle) - 1 } }), ["a", "b"]);
    assert.deepEqual(await read("one", { from: { id: c }, until: { id: c } }), ["c"]);
    assert.deepEqual(await read("one", { after: [c], until: { id: c } }), []);
    await assert.rejects(read("one", { shardId: c.shardId, from: { id: c }, until: { id: b } }), {
      code: 901,
    });
  });

  it("ends at once in a stream that is empty", async () => {
    await client.streams.create("empty", { shardCount: 3 });
    assert.deepEqual(await read("empty", { until: "latest" }), []);
    assert.deepEqual(await read("empty", { from: { time: 5 }, until: { time: Date.now() } }), []);
  });

  it("reads all shards, each in order, or one of them", async () => {
    const found = await read("many", { until: "latest" });
    assert.deepEqual(new Set(found), new Set(Array.from({ length: 60 }, (_, n) => `v${n}`)));
    assert.equal(found.length, 60);
    const shards = await client.streams.listShards("many");
    const parts = await Promise.all(shards.map(({ shardId }) => read("many", { until: "latest", shardId })));
    assert.deepEqual(parts.flat().sort(), [...found].sort());
    for (const part of parts) {
      const numbers = part.map((value) => Number(value.slice(1)));
      assert.deepEqual(
        numbers,
        [...numbers].sort((a, b) => a - b),
      );
    }
  });

  it("reads the records of one key", async () => {
    const expected = Array.from({ length: 60 }, (_, n) => n).filter((n) => n % 11 === 4);
    assert.deepEqual(
      await read("many", { key: "k4" }),
      expected.map((n) => `v${n}`),
    );
    assert.deepEqual(await read("many", { key: "absent" }), []);
    await assert.rejects(read("absent", { key: "k" }), { code: 200 });
  });

  it("reads more records of one key than are sent at a time", async () => {
    await client.streams.create("keyed", { shardCount: 2 });
    const values = Array.from({ length: 2_500 }, (_, n) => `v${n}`);
    await client.append("keyed", values, { type: text, key: "k" });
    assert.deepEqual(await read("keyed", { key: "k" }), values);
  });

  it("follows a stream without end, and goes on from a place that it told", async () => {
    await client.streams.create("live", { shardCount: 2 });
    await client.append("live", ["0", "1"], { type: text, key: "x" });
    const first = client.read("live", { type: text });
    const found = [];
    for await (const { value } of first) {
      found.push(value);
      if (found.length === 2) await client.append("live", ["2", "3"], { type: text, key: "y" });
      if (found.length === 3) break;
    }
    const second = client.read("live", { type: text, after: first.position, until: "latest" });
    for await (const { value } of second) found.push(value);
    assert.deepEqual(found, ["0", "1", "2", "3"]);
  });

  it("begins now, in shards that are empty too", async () => {
    await client.streams.create("now", { shardCount: 2 });
    await client.append("now", ["before"], { type: text, key: "x" });
    const reader = client.read("now", { type: text, from: "latest" });
    const reading = reader[Symbol.asyncIterator]();
    const next = reading.next();
    // "Now" is when the server was asked: what is stored later is read, whenever that is.
    let found: string | undefined;
    void next.then(({ value }) => {
      found = value?.value;
    });
    for (let n = 0; found === undefined; n += 1) {
      await client.append("now", [`after ${n}`], { type: text, key: n % 2 === 0 ? "x" : "y" });
    }
    assert.match(found, /^after /);
    await reading.return();
  });

  it("ends quietly when its signal is aborted, or it is closed", async () => {
    const stop = new AbortController();
    const found = [];
    for await (const { value } of client.read("one", { type: text, signal: stop.signal })) {
      found.push(value);
      if (found.length === 6) setImmediate(() => stop.abort());
    }
    assert.equal(found.length, 6);
    await using reader = client.read("one", { from: "latest" });
    const waiting = reader[Symbol.asyncIterator]().next();
    await client.echo("");
    await reader.close();
    assert.equal((await waiting).done, true);
  });

  it("refuses places that make no sense, in words", async () => {
    const [a] = ids;
    assert.ok(a !== undefined);
    await assert.rejects(read("many", { from: { id: a } }), { reason: "usage", message: /one shard/ });
    await assert.rejects(read("many", { after: [a] }), { reason: "usage" });
    await assert.rejects(read("one", { after: [a, a] }), { reason: "usage" });
    await assert.rejects(read("one", { from: { time: Number.NaN } }), { reason: "usage" });
    await assert.rejects(read("one", { key: "k", after: [a] }), { reason: "usage" });
    await assert.rejects(read("absent", {}), { reason: "refused", grpcStatus: 5 });
    await assert.rejects(read("one", { shardId: 1n }), { reason: "refused" });
  });

  it("makes its server wait while nobody reads", async () => {
    await client.streams.create("large");
    const big = new Uint8Array(1_000_000);
    for (let n = 0; n < 40; n += 1) await client.append("large", [big]);
    const before = process.memoryUsage().arrayBuffers;
    const reader = client.read("large");
    const reading = reader[Symbol.asyncIterator]();
    await reading.next();
    for (let n = 0; n < 50; n += 1) await client.echo("time for what would come unasked");
    assert.ok(process.memoryUsage().arrayBuffers - before < 30_000_000);
    await reading.return();
  });
});
