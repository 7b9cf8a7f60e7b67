import assert from "node:assert/strict";
import { type ConsumedRecord, HStreamClient, jsonRecord, textRecord } from "../index.js";
import { type RealServer, startRealServer } from "../real-server.test.helper.js";

const text = textRecord();

describe("consuming", () => {
  let server: RealServer;
  let client: HStreamClient;
  let made = 0;

  before(async () => {
    server = await startRealServer();
    client = await HStreamClient.connect(server.url, { retryPauseMs: 200 });
  });
  after(async () => {
    await client.close();
    await server.stop();
  });

  /** A stream with these records, each a batch, and a subscription to it. */
  async function given(
    records: readonly string[],
    options: Partial<Parameters<typeof client.subscriptions.create>[1]> & { shardCount?: number } = {},
  ): Promise<{ readonly stream: string; readonly id: string }> {
    const { shardCount = 1, ...rest } = options;
    const [stream, id] = [`consumed_${made}`, `consuming_${made++}`];
    await client.streams.create(stream, { shardCount });
    for (const record of records) await client.append(stream, [record], { type: text, key: record });
    await client.subscriptions.create(id, { stream, offset: "earliest", ...rest });
    return { stream, id };
  }

  /** So many records, handled as told. */
  async function take(
    id: string,
    count: number,
    handle: (record: ConsumedRecord<string>) => void = (record) => record.ack(),
  ): Promise<string[]> {
    const found: string[] = [];
    for await (const record of client.consume(id, { type: text })) {
      found.push(record.value);
      handle(record);
      if (found.length === count) break;
    }
    return found;
  }

  it("gives what was stored and what comes, once it is acked", async () => {
    const { stream, id } = await given(["a", "b"]);
    const found: string[] = [];
    for await (const record of client.consume(id, { type: text })) {
      found.push(record.value);
      record.ack();
      if (found.length === 2) await client.append(stream, ["c"], { type: text });
      if (found.length === 3) break;
    }
    assert.deepEqual(found, ["a", "b", "c"]);
    await client.append(stream, ["d"], { type: text });
    assert.deepEqual(await take(id, 1), ["d"], "what was acked does not come again");
  });

  it("sends what was not acked again after the ack timeout, and only that", async () => {
    const { id } = await given(["a", "b", "c"], { ackTimeoutSeconds: 1 });
    const seen = new Map<string, number>();
    const found = await take(id, 4, (record) => {
      const times = (seen.get(record.value) ?? 0) + 1;
      seen.set(record.value, times);
      if (record.value !== "b" || times === 2) record.ack();
    });
    assert.deepEqual(found, ["a", "b", "c", "b"]);
  });

  it("sends what was negatively acked again at once, or after its delay", async () => {
    const { id } = await given(["a", "b"], { ackTimeoutSeconds: 600 });
    const times = { a: 0, b: 0 };
    let [bRefusedAt, bCameAt] = [0, 0];
    await take(id, 4, (record) => {
      const which = record.value as "a" | "b";
      times[which] += 1;
      if (times[which] === 2) {
        if (which === "b") bCameAt = Date.now();
        record.ack();
        return;
      }
      if (which === "b") bRefusedAt = Date.now();
      record.nack(which === "b" ? { delayMs: 400 } : {});
    });
    assert.deepEqual(times, { a: 2, b: 2 });
    assert.ok(bCameAt - bRefusedAt >= 350, `${bCameAt - bRefusedAt} ms`);
  });

  it("ends with an error when a negative ack is refused", async () => {
    const { id } = await given(["a", "b"]);
    const endless = async () => {
      for await (const record of client.consume(id)) record.nack({ delayMs: 2 ** 31 });
    };
    await assert.rejects(endless(), { reason: "refused", message: /nackDelayMsMax/ });
  });

  it("moves what failed too often to another stream", async () => {
    await client.streams.create("dead");
    const { id } = await given(["poison"], { maxDeliveries: 2, deadLetterStream: "dead" });
    await take(id, 2, (record) => record.nack());
    const dead = client.read("dead", { type: text });
    for await (const record of dead) {
      assert.equal(record.value, "poison");
      break;
    }
  });

  it("goes round all consumers of a group, or leaves each its shards", async () => {
    for (const dispatch of ["round-robin", "key-ordered"] as const) {
      const { id, stream } = await given([], { dispatch, shardCount: 4 });
      const stop = new AbortController();
      const [first, second] = [new Set<string>(), new Set<string>()];
      let left = 200;
      const work = async (consumerName: string, keys: Set<string>) => {
        const consumer = client.consume(id, { type: text, consumerName, signal: stop.signal });
        for await (const record of consumer) {
          keys.add(record.key);
          record.ack();
          if (--left === 0) stop.abort();
        }
      };
      const group = [work("first", first), work("second", second)];
      while ((await client.subscriptions.describe(id)).consumers.length < 2) await client.echo("");
      await using producer = await client.bufferedProducer(stream, { type: text, recordsMax: 5, ageMs: 1 });
      for (let n = 0; n < 200; n += 1) await producer.write(`${n}`, { key: `k${n % 20}` });
      await producer.flush();
      await Promise.all(group);
      const both = [...first].filter((key) => second.has(key));
      assert.ok(first.size > 0 && second.size > 0, dispatch);
      if (dispatch === "key-ordered") assert.deepEqual(both, []);
      else assert.ok(both.length > 0);
    }
  });

  it("tells how far it is, in every shard and for every consumer", async () => {
    const { id, stream } = await given(["a", "b", "c"], {
      dispatch: "round-robin",
      maxDeliveries: 9,
      deadLetterStream: "dead",
    });
    const consumer = client.consume(id, { type: text, consumerName: "me" });
    const reading = consumer[Symbol.asyncIterator]();
    const first = await reading.next();
    first.value?.ack();
    let found = await client.subscriptions.describe(id);
    while (found.shards[0]?.ackedBatchId !== first.value?.recordId.batchId) {
      found = await client.subscriptions.describe(id);
    }
    const { shards, consumers, ...spec } = found;
    assert.deepEqual(
      { ...spec, createdAt: undefined },
      {
        id,
        stream,
        ackTimeoutSeconds: 600,
        maxUnackedRecords: 10_000,
        offset: "earliest",
        createdAt: undefined,
        dispatch: "round-robin",
        maxDeliveries: 9,
        deadLetterStream: "dead",
      },
    );
    assert.deepEqual([shards.length, shards[0]?.unackedRecords], [1, 2]);
    assert.ok((shards[0]?.lagMs ?? 0) >= 0);
    const [me] = consumers;
    assert.deepEqual([me?.name, me?.unackedRecords], ["me", 2]);
    assert.match(me?.userAgent ?? "", /hstream-client-js/);
    assert.deepEqual(
      (await client.subscriptions.consumers(id)).map(({ name }) => name),
      ["me"],
    );
    await reading.return();
  });

  it("can be moved, also while it is consumed", async () => {
    const { id } = await given(["a", "b", "c"]);
    const found: string[] = [];
    for await (const record of client.consume(id, { type: text })) {
      found.push(record.value);
      record.ack();
      if (found.length === 3) await client.subscriptions.seek(id, "earliest");
      // What was on its way still comes; then everything from there on.
      const second = found.indexOf("a", 1);
      if (record.value === "a" && second === found.length - 1) {
        await client.subscriptions.seek(id, { ids: [record.id] });
      }
      if (record.value === "c" && found.filter((value) => value === "a").length === 3) break;
    }
    assert.deepEqual(found.slice(0, 4), ["a", "b", "c", "a"]);
    assert.deepEqual(found.slice(-3), ["a", "b", "c"]);
    await client.subscriptions.seek(id, { time: Date.now() + 60_000 });
    await client.subscriptions.seek(id, "latest");
    await assert.rejects(client.subscriptions.seek("absent", "latest"), { code: 300 });
  });

  it("comes round a record that is not of its type", async () => {
    const { stream, id } = await given([]);
    await client.append(stream, [{ n: 1 }, Uint8Array.of(1), { n: 2 }]);
    const numbers: number[] = [];
    let bad = 0;
    for await (const record of client.consume(id, { type: jsonRecord<{ readonly n: number }>() })) {
      try {
        numbers.push(record.value.n);
      } catch {
        bad += 1;
      }
      record.ack();
      if (numbers.length === 2) break;
    }
    assert.deepEqual([numbers, bad], [[1, 2], 1]);
  });

  it("reads batches however they are compressed", async () => {
    const { stream, id } = await given([]);
    await client.append(stream, ["x", "y"], { type: text, compression: "zstd" });
    await client.append(stream, ["z"], { type: text, compression: "gzip" });
    assert.deepEqual(await take(id, 3), ["x", "y", "z"]);
  });

  it("makes its server wait while its loop is slow", async () => {
    const { stream, id } = await given([]);
    const large = "x".repeat(200_000);
    for (let n = 0; n < 60; n += 1) await client.append(stream, [large], { type: text });
    for await (const record of client.consume(id, { type: text })) {
      for (let n = 0; n < 100; n += 1) await client.echo("time for what would come unasked");
      const { consumers } = await client.subscriptions.describe(id);
      assert.ok((consumers[0]?.unackedRecords ?? 60) < 50, `${consumers[0]?.unackedRecords} of 60 are out`);
      record.ack();
      break;
    }
  });

  it("is told of what cannot be, in words", async () => {
    const { id, stream } = await given([]);
    await using first = client.consume(id, { consumerName: "same" });
    const waiting = first[Symbol.asyncIterator]().next();
    while ((await client.subscriptions.consumers(id)).length === 0) await client.echo("");
    await assert.rejects(take("absent", 1), { code: 300 });
    await assert.rejects(
      async () => {
        for await (const _ of client.consume(id, { consumerName: "same" }));
      },
      { grpcStatus: 6 },
    );
    await assert.rejects(client.subscriptions.delete(id), { code: 305 });
    await assert.rejects(client.streams.delete(stream), { code: 202 });
    const ended = assert.rejects(waiting, { grpcStatus: 10 });
    await client.subscriptions.delete(id, { force: true });
    await ended;
  });

  it("leaves at the end of its block, so that others get its records", async () => {
    const { id } = await given(["a", "b"], { dispatch: "round-robin" });
    {
      await using consumer = client.consume(id, { type: text });
      const { value } = await consumer[Symbol.asyncIterator]().next();
      assert.equal(value?.value, "a");
    }
    assert.deepEqual((await take(id, 2)).sort(), ["a", "b"]);
  });

  it("fails with reason closed when its client is closed", async () => {
    const { id } = await given([]);
    const other = await HStreamClient.connect(server.url);
    const waiting = other.consume(id)[Symbol.asyncIterator]().next();
    while ((await client.subscriptions.consumers(id)).length === 0) await client.echo("");
    const ended = assert.rejects(waiting, { reason: "closed" });
    await other.close();
    await ended;
  });
});
