import assert from "node:assert/strict";
import fc from "fast-check";
import { SimulatedEnv } from "../env/simulated-env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import { type AppendResult, LogError } from "../log/log-store.js";
import { MemoryLog } from "../log/memory-log.js";
import { MemoryMeta } from "../meta/memory-meta.js";
import { appendLanes, Metrics } from "../metrics/metrics.js";
import { hashKey, shardIndexOf } from "./key-space.js";
import { countFrames, walkFrames } from "./record-frames.js";
import { StreamAppender } from "./stream-appender.js";
import { StreamCatalogue } from "./stream-catalogue.js";
import { StreamReader } from "./stream-reader.js";

const recordBytesMax = limits.recordBytesMax;

async function start(shardCount = 1) {
  const env = new SimulatedEnv();
  const log = new MemoryLog(env.clock);
  const streams = await StreamCatalogue.open(env, log, new MemoryMeta(env.clock));
  const stream = await streams.create({ name: "s", shardCount });
  const appender = new StreamAppender(env, streams, log, { recordBytesMax });
  const [shardId = 0] = stream.shardIds;
  return { env, log, streams, stream, appender, shardId };
}

/** A payload of empty records, and one of some size. */
const frames = (count: number) => Uint8Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 0x0a : 0));
const batch = (count = 1) => ({ recordCount: count, compression: 0, payload: frames(count) });
const opaque = (bytes: number) => ({ recordCount: 1, compression: 1, payload: new Uint8Array(bytes) });

const kindOf = async (work: Promise<unknown>) => {
  try {
    await work;
    return "done";
  } catch (error) {
    return error instanceof HStreamError ? error.kind : String(error);
  }
};

describe("stream appender", () => {
  it("appends to the shard of a key, as clients compute it", async () => {
    const { appender, stream } = await start(7);
    for (const key of ["", "a", "b", "clé"]) {
      const { shardId } = await appender.appendByKey("s", key, batch());
      assert.equal(shardId, stream.shardIds[shardIndexOf(hashKey(key), 7)]);
    }
  });

  it("opens a shard once, and anew after it was fenced off", async () => {
    const { appender, shardId, log } = await start();
    await Promise.all([appender.append("s", shardId, batch()), appender.append("s", shardId, batch())]);
    assert.equal(await log.open(shardId), 2);
    assert.equal(await kindOf(appender.append("s", shardId, batch())), "Fenced");
    assert.equal(await kindOf(appender.append("s", shardId, batch())), "done");
  });

  it("says in the API's errors what the log answers", async () => {
    const { appender, shardId, log } = await start();
    const results: [AppendResult, string][] = [
      [{ kind: "duplicate" }, "DuplicateAppend"],
      [{ kind: "sequence-gap", expected: { step: 3, chunk: 0 } }, "AppendSequenceGap"],
      [{ kind: "full", reason: "disk", limitBytes: 1 }, "AppendFull"],
    ];
    for (const [result, kind] of results) {
      log.inject("append", { kind: "append-result", result });
      assert.equal(await kindOf(appender.append("s", shardId, batch())), kind);
    }
    for (const [kind, expected] of [
      ["failed", "LogFailed"],
      ["closed", "ShuttingDown"],
      ["shard-not-found", "ShardNotFound"],
    ] as const) {
      log.inject("append", { kind: "error", error: new LogError(kind, "scripted") });
      assert.equal(await kindOf(appender.append("s", shardId, batch())), expected);
    }
  });

  it("lets callers wait for room, the impatient for as long as they say", async () => {
    const { appender, shardId, log, env } = await start();
    let release = () => {};
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    const large = opaque(recordBytesMax);
    const count = limits.appendBytesInFlightMax / recordBytesMax;
    log.inject("append", ...Array.from({ length: count }, () => ({ kind: "delay" as const, until })));
    const first = Array.from({ length: count }, () => appender.append("s", shardId, large));
    const patient = appender.append("s", shardId, large);
    const impatient = kindOf(appender.append("s", shardId, large, { patienceMs: 1_000 }));
    await env.timers.advance(999);
    const late = kindOf(appender.append("s", shardId, large, { patienceMs: 1_000 }));
    await env.timers.advance(1);
    assert.equal(await impatient, "AppendFull");
    release();
    await Promise.all([...first, patient]);
    assert.equal(await late, "done");
  });

  it("counts what it appended and what was refused, by stream, also while others take its shards", async () => {
    const { env, log, streams, stream, shardId } = await start(3);
    const metrics = new Metrics(env.clock, env.timers);
    const appender = new StreamAppender(env, streams, log, { recordBytesMax, metrics });
    const totals = () => appendLanes.map((lane) => metrics.appends.find(stream.id)?.total(lane));
    const key = (index: number) => `key ${index}`;
    for (let i = 0; i < 30; i++) await appender.appendByKey("s", key(i), batch(2));
    assert.deepEqual(totals(), [120, 60, 30, 0]);
    for (const id of stream.shardIds) await log.open(id);
    for (const id of stream.shardIds) assert.equal(await kindOf(appender.append("s", id, batch())), "Fenced");
    await appender.append("s", shardId, batch());
    assert.deepEqual(totals(), [122, 61, 31, 3]);
    assert.equal(await kindOf(appender.appendByKey("s", "", batch(0))), "EmptyBatch");
    assert.equal(await kindOf(appender.append("s", shardId, opaque(recordBytesMax + 1))), "RecordTooLarge");
    assert.equal(await kindOf(appender.append("s", 999, batch())), "ShardNotInStream");
    assert.equal(await kindOf(appender.appendByKey("none", "", batch(0))), "EmptyBatch");
    assert.equal(await kindOf(appender.appendByKey("none", "", batch())), "StreamNotFound");
    assert.deepEqual(totals(), [122, 61, 31, 6]);
    await env.timers.advance(2_000);
    assert.equal(metrics.appends.find(stream.id)?.rate("records", 60_000, metrics.now()), 61 / 2);
    assert.equal(metrics.appendLatency.count, 31);
    await streams.delete("s", { force: true });
    const again = await streams.create({ name: "s" });
    await appender.appendByKey("s", "", batch());
    assert.deepEqual(totals(), [122, 61, 31, 6]);
    assert.equal(metrics.appends.find(again.id)?.total("requests"), 1);
  });

  it("counts the records of any framing as it walks it, and refuses what is cut off", () => {
    const record = fc.uint8Array({ maxLength: 300 });
    fc.assert(
      fc.property(fc.array(record), fc.nat(), (records, cut) => {
        const payload = Buffer.concat(
          records.map((bytes) => {
            const length =
              bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7];
            return Buffer.concat([Buffer.from([0x0a, ...length]), bytes]);
          }),
        );
        assert.equal(countFrames(payload), records.length);
        const ends = [0];
        walkFrames(payload, (_, end) => ends.push(end));
        const at = payload.length === 0 ? 0 : cut % payload.length;
        if (!ends.includes(at)) assert.equal(countFrames(payload.subarray(0, at)), undefined);
      }),
    );
    for (const bad of [[0x12, 0], [0x0a], [0x0a, 0x80], [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]) {
      assert.equal(countFrames(Uint8Array.from(bad)), undefined);
    }
  });
});

describe("stream reader", () => {
  const readLimits = { batchesMax: 10, bytesMax: 1_000_000 };

  it("reads all shards in turn up to their tails, then follows them", async () => {
    const { appender, stream, log } = await start(3);
    for (const shardId of stream.shardIds) {
      for (let i = 0; i < 15; i++) await appender.append("s", shardId, batch());
    }
    const reader = new StreamReader(log, stream, { kind: "earliest" });
    const counts: number[] = [];
    for (let read = await reader.read(readLimits); read !== undefined; read = await reader.read(readLimits)) {
      counts.push(read.batches.length);
    }
    assert.deepEqual(counts, [10, 10, 10, 5, 5, 5]);
    const [, shardId = 0] = stream.shardIds;
    const abort = new AbortController();
    const waiting = reader.wait(abort.signal);
    const { batchId } = await appender.append("s", shardId, batch());
    await waiting;
    const read = await reader.read(readLimits);
    assert.deepEqual([read?.shardId, read?.batches[0]?.batchId], [shardId, batchId]);
    assert.equal(reader.positions().get(shardId), batchId + 1);
    assert.equal(await reader.read(readLimits), undefined);
    const aborted = reader.wait(abort.signal);
    abort.abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    reader.close();
  });

  it("begins at the end, or at given positions", async () => {
    const { appender, stream, log, shardId } = await start();
    const first = await appender.append("s", shardId, batch());
    const second = await appender.append("s", shardId, batch());
    assert.equal(await new StreamReader(log, stream, { kind: "latest" }).read(readLimits), undefined);
    const positions = new Map([[shardId, first.batchId + 1]]);
    const read = await new StreamReader(log, stream, { kind: "positions", positions }).read(readLimits);
    assert.deepEqual(
      read?.batches.map(({ batchId }) => batchId),
      [second.batchId],
    );
  });
});
