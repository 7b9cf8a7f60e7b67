import { createNodeEnv } from "../env/node-env.js";
import { EmbeddedLog } from "./embedded-log.js";

/** A process of its own for tests: appends to shard 1 as fast as it can and tells what was acknowledged. */
const log = await EmbeddedLog.start(createNodeEnv(), process.argv[2] ?? "", { segmentBytes: 200_000 });
if (log.shards().length === 0) await log.createShard(1);
const fence = await log.open(1);
const life = process.argv[3] ?? "";
let sent = 0;

async function append(): Promise<never> {
  for (;;) {
    const text = `${life}/${sent++}`;
    const payload = Buffer.from(text.padEnd(1 + ((sent * 37) % 3000)));
    const result = await log.append(1, { recordCount: 1, compression: 0, payload }, { fence });
    if (result.kind === "appended") process.send?.([result.batchId, text]);
  }
}

await Promise.all(Array.from({ length: 50 }, append));
