import assert from "node:assert/strict";
import { SimulatedEnv } from "../env/simulated-env.js";
import { EmbeddedLog } from "../log/embedded-log.js";
import { EmbeddedMeta } from "../meta/embedded-meta.js";
import { Retention } from "./retention.js";
import { StreamCatalogue } from "./stream-catalogue.js";

async function world(backlogSeconds: number) {
  const env = new SimulatedEnv();
  const log = await EmbeddedLog.start(env, "/log");
  const streams = await StreamCatalogue.open(env, log, await EmbeddedMeta.start(log, env));
  const { shardIds } = await streams.create({ name: "s", backlogSeconds, shardCount: 2 });
  const [shardId = 0, other = 0] = shardIds;
  const fence = await log.open(shardId);
  const append = async (text: string) => {
    const result = await log.append(
      shardId,
      { recordCount: 1, compression: 0, payload: Buffer.from(text) },
      { fence },
    );
    return result.kind === "appended" ? result.batchId : 0;
  };
  const texts = async () => {
    const { batches } = await log.read(shardId, 0, { batchesMax: 100, bytesMax: 100_000 });
    return batches.map(({ payload }) => Buffer.from(payload).toString());
  };
  const defects: unknown[] = [];
  const retention = new Retention(env, streams, log, (_, error) => defects.push(error));
  return { env, log, streams, shardId, other, append, texts, defects, retention };
}

describe("retention", () => {
  it("trims what is older than the backlog, and nothing else", async () => {
    const { env, append, texts, defects, retention } = await world(60);
    await append("one");
    await env.timers.advance(40_000);
    await append("two");
    assert.deepEqual(await texts(), ["one", "two"]);
    await env.timers.advance(30_000);
    assert.deepEqual(await texts(), ["two"]);
    await env.timers.advance(60_000);
    assert.deepEqual(await texts(), []);
    await append("three");
    assert.deepEqual(await texts(), ["three"]);
    await retention.close();
    await env.timers.advance(200_000);
    assert.deepEqual(await texts(), ["three"]);
    assert.deepEqual(defects, []);
  });

  it("keeps everything for ever when the backlog is 0", async () => {
    const { env, append, texts } = await world(0);
    await append("one");
    await env.timers.advance(100_000_000);
    assert.deepEqual(await texts(), ["one"]);
  });

  it("keeps what is held, and trims it once it is let go", async () => {
    const { env, log, shardId, append, texts } = await world(60);
    await append("one");
    const two = await append("two");
    const three = await append("three");
    await log.hold(shardId, "late", three);
    await log.hold(shardId, "later", two);
    await env.timers.advance(100_000);
    assert.deepEqual(await texts(), ["two", "three"]);
    await log.releaseHold(shardId, "later");
    await env.timers.advance(10_000);
    assert.deepEqual(await texts(), ["three"]);
    await log.releaseHold(shardId, "late");
    await env.timers.advance(10_000);
    assert.deepEqual(await texts(), []);
  });

  it("goes on after streams were deleted, and after a failure", async () => {
    const { env, log, streams, append, texts, defects } = await world(60);
    await append("one");
    env.disk.faults = ({ name }) => (name === "write" ? "no-space" : undefined);
    await env.timers.advance(80_000);
    assert.ok(defects.length > 0);
    env.disk.faults = undefined;
    await env.timers.advance(10_000);
    assert.deepEqual(await texts(), []);
    const before = defects.length;
    await streams.delete("s");
    await env.timers.advance(100_000);
    assert.equal(defects.length, before);
    assert.ok(log.shards().length > 0);
  });
});
