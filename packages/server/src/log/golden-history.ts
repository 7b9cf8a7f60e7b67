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
