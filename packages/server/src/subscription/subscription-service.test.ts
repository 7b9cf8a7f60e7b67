import assert from "node:assert/strict";
import { constants, deflateRawSync, gzipSync } from "node:zlib";
import { encodeRecordBatch, loadInflate, RecordBatchReader } from "@hstream/proto";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import type { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import { MemoryLog, MemoryLogContents } from "../log/memory-log.js";
import { MemoryMeta } from "../meta/memory-meta.js";
import { MetaState } from "../meta/meta-state.js";
import { StreamAppender } from "../streams/stream-appender.js";
import { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { Delivery } from "../streams/delivery.js";
import type { Attachment, RecordId } from "./subscription-driver.js";
import { type SubscriptionOptions, SubscriptionService } from "./subscription-service.js";

const inflate = await loadInflate(limits.inflatedBytesMax);

/** A server's rooms up to the subscriptions, over what survives a crash. */
class World {
  readonly env = new SimulatedEnv();
  readonly #logContents = new MemoryLogContents();
  readonly #metaContents = new MetaState();
  readonly reports: string[] = [];
  log = new MemoryLog(this.env.clock, this.#logContents);
  meta = new MemoryMeta(this.env.clock, this.#metaContents);

  async start(defaultDispatch: "key-ordered" | "round-robin" = "key-ordered") {
    const { env } = this;
    this.log = new MemoryLog(env.clock, this.#logContents);
    this.meta = new MemoryMeta(env.clock, this.#metaContents);
    const { log, meta } = this;
    const report = (where: string, error: unknown) => void this.reports.push(`${where}: ${String(error)}`);
    const streams = await StreamCatalogue.open(env, log, meta);
    const appender = new StreamAppender(env, streams, log, { recordBytesMax: limits.recordBytesMax });
    const deadLetter = () => Promise.reject(new Error("no dead letters are expected"));
    const tools = { env, log, inflate, report, deadLetter };
    const bounds = { defaultDispatch, subscriptionsMax: 3 };
    const subscriptions = await SubscriptionService.open(tools, meta, streams, bounds);
    await streams.dropUnused();
    const append = (...texts: string[]) =>
      appender.appendByKey("s", "", { ...plain(...texts), compression: 0 });
    return { streams, appender, subscriptions, append };
  }
}

function plain(...texts: string[]) {
  const records = texts.map((text) => ({ flag: 1, key: "", payload: Buffer.from(text) }));
  return { recordCount: texts.length, payload: encodeRecordBatch(records) };
}

const options = (fields: Partial<SubscriptionOptions> = {}): SubscriptionOptions => ({
  id: "sub",
  streamName: "s",
  ackTimeoutSeconds: 3,
  maxUnackedRecords: 1_000,
  offset: "earliest",
  ...fields,
});

class TestConsumer {
  readonly name: string;
  readonly uri = "";
  readonly userAgent = "";
  readonly deliveries: Delivery[] = [];
  ended: string | undefined;
  takesMore = true;
  attachment: Attachment | undefined;

  constructor(name: string) {
    this.name = name;
  }

  static async attach(
    subscriptions: SubscriptionService,
    name = "c",
    takesMore = true,
  ): Promise<TestConsumer> {
    const consumer = new TestConsumer(name);
    consumer.takesMore = takesMore;
    consumer.attachment = await subscriptions.attach("sub", consumer);
    await settle();
    return consumer;
  }

  deliver(delivery: Delivery): boolean {
    this.deliveries.push(delivery);
    return this.takesMore;
  }

  end(reason: HStreamError): void {
    this.ended = reason.kind;
  }

  /** The texts of the uncompressed deliveries. */
  get texts(): string[] {
    return this.deliveries.flatMap(({ payload }) => {
      const texts: string[] = [];
      const reader = new RecordBatchReader(payload);
      while (reader.next()) texts.push(Buffer.from(reader.payload()).toString());
      return texts;
    });
  }

  get ids(): RecordId[] {
    return this.deliveries.flatMap(({ shardId, batchId, indexes }) =>
      indexes.map((index) => ({ shardId, batchId, index })),
    );
  }

  async ack(...ids: (RecordId | undefined)[]): Promise<void> {
    this.attachment?.ack(ids.filter((id) => id !== undefined));
    await settle();
  }
}

describe("subscription service", () => {
  it("sends exactly the unacked records again after the timeout, once for each", async () => {
    const world = new World();
    const { subscriptions, streams, append } = await world.start();
    await streams.create({ name: "s" });
    await subscriptions.create(options());
    await append("a", "b", "c");
    const consumer = await TestConsumer.attach(subscriptions);
    await consumer.ack(consumer.ids[1]);
    await world.env.timers.advance(2_999);
    assert.deepEqual(consumer.texts, ["a", "b", "c"]);
    await world.env.timers.advance(2);
    assert.deepEqual(consumer.texts, ["a", "b", "c", "a", "c"]);
    assert.deepEqual(consumer.deliveries[1]?.indexes, [0, 2]);
    await consumer.ack(...consumer.ids);
    await world.env.timers.advance(10_000);
    assert.equal(consumer.deliveries.length, 2);
    assert.deepEqual(world.reports, []);
  });

  it("keeps acks durably within ackFlushMs, and after a restart sends what was not acked at once", async () => {
    const world = new World();
    const first = await world.start();
    await first.streams.create({ name: "s" });
    await first.subscriptions.create(options());
    for (const text of ["a", "b", "c"]) await first.append(text, `${text}2`);
    const before = await TestConsumer.attach(first.subscriptions);
    // All of the first batch, half of the second, all of the third.
    await before.ack(...[0, 1, 3, 4, 5].map((i) => before.ids[i]));
    await world.env.timers.advance(limits.ackFlushMs);
    const second = await world.start();
    const after = await TestConsumer.attach(second.subscriptions);
    assert.deepEqual(after.texts, ["b"]);
    await after.ack(...after.ids);
    const [offset] = second.subscriptions.offsets("sub");
    assert.equal(offset?.ackedUpTo, before.ids[5]?.batchId);
  });

  it("keeps its documents in this form", async () => {
    const world = new World();
    const { subscriptions, streams, append } = await world.start();
    const { id, shardIds } = await streams.create({ name: "s", shardCount: 1, backlogSeconds: 60 });
    await subscriptions.create(options({ dispatch: "round-robin" }));
    const { batchId } = await append("a");
    const consumer = await TestConsumer.attach(subscriptions);
    await consumer.ack(...consumer.ids);
    await world.env.timers.advance(limits.ackFlushMs);
    const { uid } = subscriptions.get("sub");
    const documents = new Map((await world.meta.range("")).map(({ key, value }) => [key, JSON.parse(value)]));
    const creationTimeMs = 1_700_000_000_000;
    const common = { version: 1, creationTimeMs };
    assert.deepEqual(
      documents,
      new Map<string, unknown>([
        [
          "streams/s",
          { ...common, name: "s", id, kind: "stream", replicationFactor: 1, backlogSeconds: 60, shardIds },
        ],
        [`subscription-progress/${uid}/${shardIds[0]}`, { version: 1, upTo: batchId, runs: [], partial: [] }],
        [
          "subscriptions/sub",
          {
            ...common,
            ...options({ dispatch: "round-robin" }),
            uid,
            streamId: id,
            start: [[shardIds[0], 0]],
          },
        ],
      ]),
    );
  });

  it("saves acks again when the disk refused them", async () => {
    const world = new World();
    const first = await world.start();
    await first.streams.create({ name: "s" });
    await first.subscriptions.create(options());
    await first.append("a");
    const consumer = await TestConsumer.attach(first.subscriptions);
    world.meta.inject({ kind: "error", error: new Error("not now") });
    await consumer.ack(...consumer.ids);
    await world.env.timers.advance(limits.ackFlushMs);
    assert.deepEqual(world.reports, ["subscription progress: Error: not now"]);
    await first.subscriptions.close();
    assert.equal(consumer.ended, "ShuttingDown");
    const second = await world.start();
    assert.deepEqual((await TestConsumer.attach(second.subscriptions)).texts, []);
  });

  it("gives what a round-robin consumer leaves to the others at once, and key-ordered after the timeout", async () => {
    for (const policy of ["round-robin", "key-ordered"] as const) {
      const world = new World();
      const { subscriptions, streams, append } = await world.start(policy);
      await streams.create({ name: "s" });
      await subscriptions.create(options());
      await append("a");
      const first = await TestConsumer.attach(subscriptions, "first");
      const second = await TestConsumer.attach(subscriptions, "second");
      first.attachment?.detach();
      await settle();
      assert.deepEqual([first.texts, second.texts], [["a"], policy === "round-robin" ? ["a"] : []]);
      await world.env.timers.advance(3_001);
      assert.deepEqual(second.texts, policy === "round-robin" ? ["a", "a"] : ["a"]);
    }
  });

  it("stops reading for a consumer that is full, and goes on when it is ready", async () => {
    const world = new World();
    const { subscriptions, streams, append } = await world.start();
    await streams.create({ name: "s" });
    await subscriptions.create(options({ maxUnackedRecords: 1_000_000 }));
    const text = "x".repeat(100_000);
    for (let i = 0; i < 100; i++) await append(text);
    const consumer = await TestConsumer.attach(subscriptions, "c", false);
    const taken = consumer.deliveries.length;
    assert.ok(taken > 0 && taken < 30, `${taken} deliveries`);
    await world.env.timers.advance(1_000);
    assert.equal(consumer.deliveries.length, taken);
    consumer.takesMore = true;
    consumer.attachment?.ready();
    await world.env.timers.advance(1);
    assert.equal(consumer.deliveries.length, 100);
  });

  it("holds back at maxUnackedRecords and goes on with the acks", async () => {
    const world = new World();
    const { subscriptions, streams, append } = await world.start();
    await streams.create({ name: "s" });
    await subscriptions.create(options({ maxUnackedRecords: 3 }));
    for (let i = 0; i < 9; i++) await append(String(i));
    const consumer = await TestConsumer.attach(subscriptions);
    assert.equal(consumer.texts.length, 3);
    await consumer.ack(...consumer.ids);
    assert.equal(consumer.texts.length, 6);
    await consumer.ack(...consumer.ids);
    assert.deepEqual(consumer.texts, [..."012345678"]);
  });

  it("sends the rest of a compressed batch uncompressed, and zstd always", async () => {
    const world = new World();
    const { subscriptions, streams, appender } = await world.start();
    await streams.create({ name: "s" });
    await subscriptions.create(options());
    const { payload } = plain("a", "b");
    await appender.appendByKey("s", "", { recordCount: 2, compression: 1, payload: gzipSync(payload) });
    const { compress } = await import("@bokuweb/zstd-wasm");
    await appender.appendByKey("s", "", {
      recordCount: 2,
      compression: 2,
      payload: compress(Buffer.from(payload)),
    });
    const consumer = await TestConsumer.attach(subscriptions);
    assert.deepEqual(
      consumer.deliveries.map(({ compression }) => compression),
      [1, 0],
    );
    await consumer.ack(consumer.ids[0], consumer.ids[2], consumer.ids[3]);
    await world.env.timers.advance(3_001);
    const { compression, indexes } = consumer.deliveries[2] ?? {};
    assert.deepEqual([compression, indexes], [0, [1]]);
    assert.deepEqual(consumer.texts.slice(-1), ["b"]);
  });

  it("splits what would be too large an answer, and sends damaged batches as they are", async () => {
    const world = new World();
    const { subscriptions, streams, appender } = await world.start();
    await streams.create({ name: "s" });
    await subscriptions.create(options());
    const big = plain(...Array.from({ length: 8 }, () => "z".repeat(900_000)));
    await appender.appendByKey("s", "", {
      recordCount: 8,
      compression: 1,
      payload: unterminatedGzip(big.payload),
    });
    await appender.appendByKey("s", "", { recordCount: 1, compression: 2, payload: Buffer.from("no zstd") });
    const consumer = await TestConsumer.attach(subscriptions);
    const parts = consumer.deliveries.slice(0, -1);
    assert.deepEqual(
      parts.flatMap(({ indexes }) => indexes),
      [0, 1, 2, 3, 4, 5, 6, 7],
    );
    assert.ok(parts.length > 1 && parts.every(({ payload }) => payload.length < limits.responseBytesMax));
    assert.deepEqual(Buffer.from(consumer.deliveries.at(-1)?.payload ?? []).toString(), "no zstd");
  });

  it("reads again after a pause when the log could not be read, also for a resend", async () => {
    const world = new World();
    const { subscriptions, streams, append } = await world.start();
    await streams.create({ name: "s" });
    await subscriptions.create(options());
    await append("a");
    const failure = { kind: "error" as const, error: new Error("unreadable") };
    world.log.inject("read", failure);
    const consumer = await TestConsumer.attach(subscriptions);
    assert.deepEqual(consumer.texts, []);
    await world.env.timers.advance(limits.failedReadPauseMs);
    assert.deepEqual(consumer.texts, ["a"]);
    world.log.inject("read", failure);
    await world.env.timers.advance(3_001);
    assert.deepEqual(consumer.texts, ["a"]);
    await world.env.timers.advance(3_001);
    assert.deepEqual(consumer.texts, ["a", "a"]);
    assert.equal(world.reports.length, 2);
  });

  it("goes on behind what was trimmed, also when it was to be sent again", async () => {
    const world = new World();
    const { subscriptions, streams, append } = await world.start();
    const { shardIds } = await streams.create({ name: "s" });
    const [shardId = 0] = shardIds;
    await subscriptions.create(options());
    const first = await append("a");
    const consumer = await TestConsumer.attach(subscriptions);
    assert.deepEqual(consumer.texts, ["a"]);
    consumer.attachment?.detach();
    const second = await append("b");
    const third = await append("c");
    await world.log.trim(shardId, second.batchId);
    const other = await TestConsumer.attach(subscriptions, "other");
    await other.ack(...other.ids);
    await world.env.timers.advance(3_001);
    assert.deepEqual(other.texts, ["c"]);
    assert.deepEqual(subscriptions.offsets("sub"), [{ shardId, ackedUpTo: third.batchId }]);
    assert.ok(first.batchId < second.batchId);
  });

  it("begins at the same place however late the first consumer comes", async () => {
    const world = new World();
    const first = await world.start();
    await first.streams.create({ name: "s" });
    await first.append("before");
    await first.subscriptions.create(options({ offset: "latest" }));
    await first.append("after");
    const second = await world.start();
    assert.deepEqual((await TestConsumer.attach(second.subscriptions)).texts, ["after"]);
  });

  for (const policy of ["key-ordered", "round-robin"] as const) {
    it(`takes so many consumers of one subscription and no more: ${policy}`, async () => {
      const { subscriptions, streams } = await new World().start(policy);
      await streams.create({ name: "s" });
      await subscriptions.create(options());
      const max = limits.consumersPerSubscriptionMax;
      const attach = (name: string) =>
        subscriptions.attach("sub", {
          ...{ name, uri: "", userAgent: "" },
          deliver: () => true,
          end: () => {},
        });
      const attached: Attachment[] = [];
      for (let i = 0; i < max; i++) attached.push(await attach(`c${i}`));
      await assert.rejects(attach("late"), /consumersPerSubscriptionMax/);
      attached[0]?.detach();
      await attach("late");
    });
  }

  it("takes so many subscriptions and no more", async () => {
    const world = new World();
    const { subscriptions, streams } = await world.start();
    await streams.create({ name: "s" });
    for (const id of ["a", "b", "c"]) await subscriptions.create(options({ id }));
    await assert.rejects(subscriptions.create(options({ id: "d" })), /subscriptionsMax/);
    const { uid } = subscriptions.get("a");
    assert.ok(subscriptions.hasUid(uid));
    await subscriptions.delete("a", { force: false });
    assert.ok(!subscriptions.hasUid(uid));
    await subscriptions.create(options({ id: "d" }));
  });

  it("lets one of several concurrent creators win, and one of several deleters", async () => {
    const world = new World();
    const { subscriptions, streams } = await world.start();
    await streams.create({ name: "s" });
    const created = await Promise.allSettled([1, 2, 3].map(() => subscriptions.create(options())));
    assert.deepEqual(created.map(({ status }) => status).sort(), ["fulfilled", "rejected", "rejected"]);
    const deleted = await Promise.allSettled(
      [1, 2, 3].map(() => subscriptions.delete("sub", { force: true })),
    );
    assert.equal(deleted.filter(({ status }) => status === "fulfilled").length, 1);
    // Nobody holds the stream any more.
    assert.equal(await streams.delete("s"), true);
  });

  it("lets go of a deleted stream's data with its last subscription, and of a crash's leftovers", async () => {
    const world = new World();
    const first = await world.start();
    await first.streams.create({ name: "s" });
    await first.subscriptions.create(options());
    await first.append("a");
    const consumer = await TestConsumer.attach(first.subscriptions);
    await consumer.ack(...consumer.ids);
    await first.streams.delete("s", { force: true });
    await world.env.timers.advance(limits.ackFlushMs);
    assert.equal((await world.meta.range("subscription-progress/")).length, 1);
    // A crash right after the subscription's document was deleted.
    const [entry] = await world.meta.range("subscriptions/");
    await world.meta.compareAndSet(entry?.key ?? "", undefined, entry?.revision ?? 0);
    await world.start();
    assert.deepEqual(await world.meta.range("subscription-progress/"), []);
    assert.deepEqual(world.log.shards(), []);
  });
});

/** What a gzip writer leaves that was flushed and never closed. */
function unterminatedGzip(bytes: Uint8Array): Buffer {
  const header = gzipSync(bytes).subarray(0, 10);
  return Buffer.concat([header, deflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })]);
}
