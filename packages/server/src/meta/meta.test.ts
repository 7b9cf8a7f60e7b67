import assert from "node:assert/strict";
import { SimulatedEnv } from "../env/simulated-env.js";
import { EmbeddedLog } from "../log/embedded-log.js";
import { LogError, type LogStore } from "../log/log-store.js";
import { MemoryLog, MemoryLogContents } from "../log/memory-log.js";
import { metaStoreConformance, rejectsWith } from "./conformance.js";
import { EmbeddedMeta, type EmbeddedMetaOptions } from "./embedded-meta.js";
import { MemoryMeta } from "./memory-meta.js";
import { MetaState } from "./meta-state.js";

metaStoreConformance("the metadata in memory", async () => {
  const env = new SimulatedEnv();
  const contents = new MetaState();
  return {
    start: async () => new MemoryMeta(env.clock, contents),
    passTime: (ms) => env.timers.advance(ms),
    dispose: async () => undefined,
  };
});

const overLog = (
  open: (env: SimulatedEnv) => () => Promise<LogStore>,
  options: Partial<EmbeddedMetaOptions>,
) => {
  return async () => {
    const env = new SimulatedEnv();
    const startLog = open(env);
    let log: LogStore | undefined;
    return {
      start: async () => {
        await log?.close();
        log = await startLog();
        return EmbeddedMeta.start(log, env, options);
      },
      passTime: (ms: number) => env.timers.advance(ms),
      dispose: async () => log?.close(),
    };
  };
};
const embeddedLog = (env: SimulatedEnv) => () => EmbeddedLog.start(env, "/log", { segmentBytes: 2000 });
const memoryLog = (env: SimulatedEnv) => {
  const contents = new MemoryLogContents();
  return async () => new MemoryLog(env.clock, contents);
};

metaStoreConformance("the metadata in the embedded log", overLog(embeddedLog, {}));
metaStoreConformance(
  "the metadata in the embedded log with a snapshot at every turn",
  overLog(embeddedLog, { snapshotBytesMin: 1, snapshotPartBytes: 1 }),
);
metaStoreConformance("the metadata in the log in memory", overLog(memoryLog, { snapshotBytesMin: 300 }));

describe("the metadata in a log", () => {
  const start = async (options: Partial<EmbeddedMetaOptions> = {}) => {
    const env = new SimulatedEnv();
    const contents = new MemoryLogContents();
    const log = new MemoryLog(env.clock, contents);
    return { env, contents, log, meta: await EmbeddedMeta.start(log, env, options) };
  };

  it("keeps the shard short by snapshots, and loses nothing by them", async () => {
    const { env, contents, log, meta } = await start({ snapshotBytesMin: 500, snapshotPartBytes: 100 });
    for (let i = 0; i < 300; i++) await meta.put(`key ${i % 7}`, `${i}`);
    await meta.close();
    const { batches } = await log.read(1, 0, { batchesMax: 1000, bytesMax: 1_000_000 });
    assert.ok(batches.length < 100, `${batches.length} batches are left`);
    const again = await EmbeddedMeta.start(new MemoryLog(env.clock, contents), env);
    const values = (await again.range("key ")).map(({ value }) => Number(value));
    assert.deepEqual(values.sort(), [293, 294, 295, 296, 297, 298, 299]);
  });

  it("refuses a change while the log is full, and takes the next", async () => {
    const { env, contents, log, meta } = await start();
    log.inject("append", { kind: "append-result", result: { kind: "full", reason: "disk", limitBytes: 0 } });
    await rejectsWith("full", () => meta.put("a", "1"));
    assert.equal(await meta.get("a"), undefined);
    await meta.put("b", "2");
    const again = await EmbeddedMeta.start(new MemoryLog(env.clock, contents), env);
    assert.deepEqual(
      (await again.range("")).map(({ key }) => key),
      ["b"],
    );
  });

  it("makes no change after one without an answer, which a restart tells of", async () => {
    const { env, contents, log, meta } = await start();
    log.inject("append", { kind: "lost-answer", error: new LogError("failed", "scripted") });
    await rejectsWith("failed", () => meta.put("a", "1"));
    await rejectsWith("failed", () => meta.put("b", "2"));
    assert.equal(await meta.get("a"), undefined);
    const again = await EmbeddedMeta.start(new MemoryLog(env.clock, contents), env);
    assert.equal((await again.get("a"))?.value, "1");
    assert.equal(await again.get("b"), undefined);
  });

  it("gives way to somebody who has taken over", async () => {
    const { env, log, meta } = await start();
    const other = await EmbeddedMeta.start(log, env);
    await rejectsWith("failed", () => meta.put("a", "1"));
    assert.ok((await other.put("a", "2")) > 0);
  });

  it("uses the snapshot before when the newest is damaged", async () => {
    const { env, contents, meta } = await start({ snapshotBytesMin: 400 });
    // Changed only once, so that nothing but snapshots has it.
    await meta.put("old", "kept");
    for (let i = 0; i < 60; i++) await meta.put(`key ${i % 5}`, `${i}`);
    await meta.close();
    const shard = contents.shards.get(1);
    const newest = shard?.batches.findLastIndex(({ payload }) => isSnapshot(payload)) ?? -1;
    assert.ok(shard !== undefined && newest >= 0);
    const damaged = shard.batches[newest];
    assert.ok(damaged !== undefined);
    const payload = Buffer.from(Buffer.from(damaged.payload).toString().replace("kept", "lost"));
    shard.batches[newest] = { ...damaged, payload };
    const again = await EmbeddedMeta.start(new MemoryLog(env.clock, contents), env);
    assert.deepEqual(
      (await again.range("key ")).map(({ value }) => value),
      ["55", "56", "57", "58", "59"],
    );
    assert.equal((await again.get("old"))?.value, "kept");
  });

  it("refuses to start when a change is lost", async () => {
    const { env, contents, meta } = await start();
    for (let i = 0; i < 5; i++) await meta.put("a", `${i}`);
    const lost = contents.shards.get(1)?.batches[2];
    assert.ok(lost !== undefined);
    contents.shards.get(1)?.batches.splice(2, 1, { ...lost, payload: Buffer.from("?") });
    const log = new MemoryLog(env.clock, contents);
    await rejectsWith("failed", () => EmbeddedMeta.start(log, env));
  });

  it("refuses to start on documents of a later version", async () => {
    const { env, contents, log } = await start();
    const payload = Buffer.from('{"version":2}');
    await log.append(1, { recordCount: 1, compression: 0, payload }, { fence: 1 });
    await rejectsWith("failed", () => EmbeddedMeta.start(new MemoryLog(env.clock, contents), env));
  });

  it("is whole after a crash at any operation of the disk", async function () {
    this.timeout(Math.max(this.timeout(), 60_000));
    for (let crashAt = 0; ; crashAt++) {
      const env = new SimulatedEnv(crashAt);
      const options = { snapshotBytesMin: 300, snapshotPartBytes: 80 };
      const open = async () => {
        const log = await EmbeddedLog.start(env, "/log", { segmentBytes: 700 });
        return { log, meta: await EmbeddedMeta.start(log, env, options) };
      };
      const acknowledged = new Map<string, number>();
      const asked = new Map<string, number>();
      let token = 0;
      env.disk.faults = ({ count }) => (count === crashAt ? "crash" : undefined);
      try {
        const { meta } = await open();
        for (let i = 1; i <= 40; i++) {
          const key = `key ${i % 4}`;
          asked.set(key, i);
          await meta.put(key, `${i}`);
          acknowledged.set(key, i);
          if (i % 5 > 0) continue;
          const lease = await meta.acquire("leader", "node 1", 1000);
          if (lease.kind === "granted") token = lease.lease.token;
        }
      } catch {
        // The machine is down.
      }
      const crashed = env.disk.operations > crashAt;
      env.disk.faults = undefined;
      env.disk.crash(env.random);
      const { log, meta } = await open();
      for (const [key, i] of asked) {
        const value = Number((await meta.get(key))?.value ?? 0);
        assert.ok(
          value === i || value === (acknowledged.get(key) ?? 0),
          `${key} after a crash at ${crashAt}`,
        );
      }
      const lease = await meta.acquire("leader", "node 1", 1000);
      assert.ok(lease.kind === "granted" && lease.lease.token > token);
      await meta.close();
      await log.close();
      if (!crashed) return;
    }
  });
});

const isSnapshot = (payload: Uint8Array) => Buffer.from(payload).toString().includes('"snapshot"');
