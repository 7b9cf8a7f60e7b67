import { SimulatedEnv } from "../env/simulated-env.js";
import { textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import type { Producer } from "./log-store.js";
import { segmentPath } from "./segment.js";

/**
 * The segment that a fixed history writes: every kind of frame and everything that a footer can hold.
 * The golden file is this; it changes only together with the version of the format.
 */
export async function goldenSegment(): Promise<Uint8Array> {
  const env = new SimulatedEnv(1, 1_700_000_000_000);
  const log = await EmbeddedLog.start(env, "/log");
  for (const shardId of [1, 2, 3]) await log.createShard(shardId);
  const fence = await log.open(1);
  const other = await log.open(2);
  const client: Producer = { id: "client é", mode: "contiguous", sequence: { step: 1, chunk: 0 } };
  const query: Producer = { id: "query", mode: "monotone", sequence: { step: 2 ** 40, chunk: 3 } };
  const first = await log.append(1, textBatch("first", 3, 2), { fence, producer: client });
  await log.append(1, textBatch("second"), { fence, producer: query });
  env.timers.elapsedMs += 1500;
  await log.append(2, textBatch("of another shard"), { fence: other });
  await log.append(1, textBatch("large ".repeat(1000)), { fence });
  await log.append(3, textBatch("never seen"), { fence: await log.open(3) });
  await log.hold(1, "query 1", log.tail(1));
  await log.hold(2, "let go", 0);
  await log.releaseHold(2, "let go");
  await log.deleteShard(3);
  if (first.kind === "appended") await log.trim(1, first.batchId);
  await log.close();
  return env.disk.contents(segmentPath("/log", 1));
}

/** What a fixed history of several shards leaves in a directory, once it is tidied: names and bytes. */
export async function goldenLog(): Promise<Map<string, Uint8Array>> {
  const env = new SimulatedEnv(1, 1_700_000_000_000);
  const options = { segmentBytes: 2000, reserveBytes: 0 };
  // Nothing is tidied before all is written, so that the result does not hang on when.
  env.disk.faults = ({ path }) => (path.endsWith(".rewrite") ? "no-space" : undefined);
  const log = await EmbeddedLog.start(env, "/log", options);
  const fences: number[] = [];
  for (const shardId of [1, 2, 3]) {
    await log.createShard(shardId);
    fences.push(await log.open(shardId));
  }
  const step = { step: 1, chunk: 0 };
  for (const producer of [
    { id: "dropped", mode: "monotone", sequence: step },
    { id: "request", mode: "transient", sequence: step },
  ] as const) {
    await log.append(1, textBatch(producer.id), { fence: fences[0] ?? 0, producer });
  }
  await log.forgetProducer(1, "dropped");
  for (let i = 0; i < 450; i++) {
    env.timers.elapsedMs += 10;
    const shardId = 1 + (i % 3);
    const producer: Producer = {
      id: "p",
      mode: "contiguous",
      sequence: { step: 1 + (i - shardId + 1) / 3, chunk: 0 },
    };
    await log.append(shardId, textBatch(`${shardId}: ${i}`), { fence: fences[shardId - 1] ?? 0, producer });
  }
  const { batches } = await log.read(2, 0, { batchesMax: 10, bytesMax: 10_000 });
  await log.trim(2, batches.at(-1)?.batchId ?? 0);
  await log.hold(3, "query", log.tail(3));
  await log.close();
  env.disk.faults = undefined;
  const again = await EmbeddedLog.start(env, "/log", options);
  await again.tidied();
  await again.close();
  const names = (await env.disk.list("/log")).filter((name) => name.endsWith(".segment"));
  return new Map(names.map((name) => [name, env.disk.contents(`/log/${name}`)]));
}

/** A segment of two shards in turns, as it is rewritten. */
export async function goldenRewritten(): Promise<Uint8Array> {
  const env = new SimulatedEnv(1, 1_700_000_000_000);
  const options = { segmentBytes: 500, reserveBytes: 0 };
  const log = await EmbeddedLog.start(env, "/log", options);
  const fences: number[] = [];
  for (const shardId of [1, 2]) {
    await log.createShard(shardId);
    fences.push(await log.open(shardId));
  }
  for (let i = 0; i < 4; i++) {
    const shardId = 1 + (i % 2);
    await log.append(shardId, textBatch(`${i}`), { fence: fences[shardId - 1] ?? 0 });
  }
  await log.append(1, textBatch("of the next segment"), { fence: fences[0] ?? 0 });
  await log.tidied();
  await log.close();
  return env.disk.contents(segmentPath("/log", 1, 1));
}
