import assert from "node:assert/strict";
import type { DiskErrorKind } from "../env/env.js";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { readTexts, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import { LogError, type ShardId } from "./log-store.js";

const options = { segmentBytes: 700, tailCacheBytesMax: 0, indexCacheBytesMax: 0, reserveBytes: 500 };
const shardIds = [1, 2];

/** Texts that were acknowledged, and those that were refused, by shard. */
interface Told {
  readonly acknowledged: Map<ShardId, string[]>;
  readonly refused: Set<string>;
}

/** A history with full segments, rewrites, a trim and reads; what fails is left out. */
async function play(env: SimulatedEnv): Promise<Told> {
  const told: Told = { acknowledged: new Map(shardIds.map((id) => [id, []])), refused: new Set() };
  const tries = async <T>(work: () => Promise<T>) => {
    try {
      return await work();
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return undefined;
    }
  };
  const log = await tries(() => EmbeddedLog.start(env, "/log", options));
  if (log === undefined) return told;
  for (const id of shardIds) await tries(() => log.createShard(id));
  const fences = await Promise.all(shardIds.map((id) => tries(() => log.open(id))));
  for (let i = 0; i < 16; i++) {
    const id = 1 + (i % 2);
    const text = `${id}/${i}`.padEnd(70, ".");
    const result = await tries(() => log.append(id, textBatch(text), { fence: fences[id - 1] ?? 0 }));
    if (result?.kind === "appended") told.acknowledged.get(id)?.push(text);
    else if (result !== undefined) told.refused.add(text);
    if (i === 10) await tries(() => readTexts(log, 1));
  }
  await tries(() => log.tidied());
  await tries(() => log.close());
  return told;
}

describe("a fault at any call of the disk", () => {
  const kinds: readonly (DiskErrorKind | "crash")[] = ["crash", "io", "no-space"];
  for (const kind of kinds) {
    it(`costs nothing that was acknowledged and shows nothing that was refused: ${kind}`, async function () {
      this.timeout(Math.max(this.timeout(), 60_000));
      for (let faultAt = 0, reached = true; reached; faultAt++) {
        const env = new SimulatedEnv(faultAt);
        env.disk.faults = ({ count }) => (count === faultAt ? kind : undefined);
        const { acknowledged, refused } = await play(env);
        reached = env.disk.operations > faultAt;
        env.disk.faults = undefined;
        env.disk.stop();
        await settle();
        env.disk.crash(env.random);
        const log = await EmbeddedLog.start(env, "/log", options);
        for (const [id, texts] of acknowledged) {
          const read = log.shards().includes(id) ? await readTexts(log, id) : [];
          // What got no answer may be there as well.
          assert.deepEqual(
            read.filter((text) => texts.includes(text)),
            texts,
            `shard ${id}, ${kind} at call ${faultAt}`,
          );
          assert.ok(read.every((text) => !refused.has(text)));
        }
        await log.close();
      }
    });
  }

  it("is told to the caller, and never as an unknown kind of error", async () => {
    for (let faultAt = 0, reached = true; reached; faultAt++) {
      const env = new SimulatedEnv(faultAt);
      const log = await EmbeddedLog.start(env, "/log", options);
      await log.createShard(1);
      const fence = await log.open(1);
      const from = env.disk.operations;
      env.disk.faults = ({ count }) => (count === from + faultAt ? "io" : undefined);
      try {
        for (let i = 0; i < 12; i++) await log.append(1, textBatch("x".repeat(80)), { fence });
        await log.trim(1, log.tail(1));
      } catch (error) {
        assert.ok(error instanceof LogError && error.kind === "failed", String(error));
      }
      reached = env.disk.operations > from + faultAt;
      env.disk.faults = undefined;
      await log.close();
    }
  });
});
