import assert from "node:assert/strict";
import { SimulatedEnv } from "../env/simulated-env.js";
import { logStoreConformance, readTexts, rejectsWith, textBatch } from "./conformance.js";
import { LogError } from "./log-store.js";
import { MemoryLog, MemoryLogContents } from "./memory-log.js";

logStoreConformance("the log in memory", async () => {
  const env = new SimulatedEnv();
  const contents = new MemoryLogContents();
  return {
    start: async () => new MemoryLog(env.clock, contents),
    setTime: (ms) => {
      env.timers.clockSkewMs += ms - env.clock.now();
    },
    dispose: async () => undefined,
  };
});

describe("the log in memory plays the faults that a test scripts", () => {
  const start = async () => {
    const log = new MemoryLog(new SimulatedEnv().clock);
    await log.createShard(7);
    return { log, fence: await log.open(7) };
  };

  it("rejects without doing anything, or after having done it", async () => {
    const { log, fence } = await start();
    const failed = new LogError("failed", "scripted");
    log.inject("append", { kind: "error", error: failed }, { kind: "lost-answer", error: failed });
    await rejectsWith("failed", () => log.append(7, textBatch("a"), { fence }));
    await rejectsWith("failed", () => log.append(7, textBatch("b"), { fence }));
    assert.deepEqual(await readTexts(log, 7), ["b"]);
  });

  it("gives scripted results once each", async () => {
    const { log, fence } = await start();
    const full = { kind: "full", reason: "disk", limitBytes: 0 } as const;
    const gap = { kind: "corrupt", upTo: 5, detail: "scripted" } as const;
    const held = { kind: "held", by: "somebody", from: 1 } as const;
    log.inject("append", { kind: "append-result", result: full });
    log.inject("read", { kind: "read-result", result: { batches: [], next: 6, gap } });
    log.inject("trim", { kind: "trim-result", result: held });
    assert.deepEqual(await log.append(7, textBatch("a"), { fence }), full);
    assert.deepEqual((await log.read(7, 0, { batchesMax: 1, bytesMax: 1 })).gap, gap);
    assert.deepEqual(await log.trim(7, 0), held);
    assert.equal((await log.append(7, textBatch("b"), { fence })).kind, "appended");
    assert.deepEqual(await readTexts(log, 7), ["b"]);
  });

  it("waits as long as a test wants it to", async () => {
    const { log, fence } = await start();
    let go = () => {};
    log.inject("append", { kind: "delay", until: new Promise((resolve) => (go = resolve)) });
    const append = log.append(7, textBatch("a"), { fence });
    assert.deepEqual(await readTexts(log, 7), []);
    go();
    assert.equal((await append).kind, "appended");
  });
});
