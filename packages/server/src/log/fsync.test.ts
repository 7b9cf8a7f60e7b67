import assert from "node:assert/strict";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { appended, readTexts, rejectsWith, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import type { FsyncPolicy } from "./options.js";

async function started(fsync: FsyncPolicy, env = new SimulatedEnv()) {
  const log = await EmbeddedLog.start(env, "/log", { fsync });
  if (log.shards().length === 0) await log.createShard(1);
  const fence = await log.open(1);
  const append = (text: string) => appended(log.append(1, textBatch(text), { fence }));
  return { env, log, append };
}

function countSyncs(env: SimulatedEnv): () => number {
  let syncs = 0;
  env.disk.faults = ({ name }) => {
    if (name === "datasync") syncs++;
    return undefined;
  };
  return () => syncs;
}

describe("fsync", () => {
  it("always: what is acknowledged survives a power failure", async () => {
    const { env, append } = await started("always");
    const syncs = countSyncs(env);
    await append("one");
    await append("two");
    assert.equal(syncs(), 2);
    env.disk.lose();
    assert.deepEqual(await readTexts((await started("always", env)).log, 1), ["one", "two"]);
  });

  it("interval: one sync for all appends of an interval, which survive from then on", async () => {
    const { env, append } = await started("interval");
    await env.timers.advance(1000);
    const syncs = countSyncs(env);
    await append("one");
    await append("two");
    assert.equal(syncs(), 0);
    await env.timers.advance(100);
    assert.equal(syncs(), 1);
    await append("three");
    env.disk.lose();
    assert.deepEqual(await readTexts((await started("interval", env)).log, 1), ["one", "two"]);
  });

  it("interval: a sync that fails stops the log", async () => {
    const { env, append } = await started("interval");
    await append("one");
    env.disk.faults = ({ name }) => (name === "datasync" ? "io" : undefined);
    await env.timers.advance(100);
    await settle();
    await rejectsWith("failed", () => append("two"));
  });

  it("never: no sync until the segment is full or the log closed", async () => {
    const { env, log, append } = await started("never");
    const syncs = countSyncs(env);
    await append("one");
    await env.timers.advance(100_000);
    assert.equal(syncs(), 0);
    await log.close();
    env.disk.lose();
    assert.deepEqual(await readTexts((await started("never", env)).log, 1), ["one"]);
  });

  for (const fsync of ["always", "interval", "never"] as const) {
    it(`${fsync}: what is acknowledged survives the end of the process`, async () => {
      const { env, append } = await started(fsync);
      await append("one");
      env.disk.endProcess();
      assert.deepEqual(await readTexts((await started(fsync, env)).log, 1), ["one"]);
    });
  }
});
