/** What counting costs: CPU time per append through the append path, with the counters and without them. */
import { createNodeEnv } from "../packages/server/dist/env/node-env.js";
import { MemoryMeta } from "../packages/server/dist/meta/memory-meta.js";
import { Metrics } from "../packages/server/dist/metrics/metrics.js";
import { StreamAppender } from "../packages/server/dist/streams/stream-appender.js";
import { StreamCatalogue } from "../packages/server/dist/streams/stream-catalogue.js";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EmbeddedLog } from "../packages/server/dist/log/embedded-log.js";

const appends = 4_000;
const inFlight = 1_024;
const streamCount = 100;

/** A case of the harness: µs of CPU per append of one record of 1 KB, in process, durable. */
export async function meteringCase() {
  const env = createNodeEnv();
  const directory = mkdtempSync(join(tmpdir(), "hstream-metering-"));
  const log = await EmbeddedLog.start(env, directory, { holder: "the benchmark" });
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const streams = await StreamCatalogue.open(env, log, new MemoryMeta(env.clock));
  // A shard has one appender at a time, so each has streams of its own.
  for (const prefix of ["counting", "bare"]) {
    for (let i = 0; i < streamCount; i++) await streams.create({ name: `${prefix}${i}` });
  }
  const metrics = new Metrics(env.clock, env.timers);
  const counting = new StreamAppender(env, streams, log, { recordBytesMax: 1_048_576, metrics });
  const bare = new StreamAppender(env, streams, log, { recordBytesMax: 1_048_576 });
  // One record: 0a length { 0a 00 12 length payload }.
  const payload = Buffer.concat([
    Buffer.from([0x0a, 0x85, 0x08, 0x0a, 0x00, 0x12, 0x80, 0x08]),
    Buffer.alloc(1_024),
  ]);
  const batch = { recordCount: 1, compression: 0, payload };
  const run = (appender, prefix) => async () => {
    let next = 0;
    const worker = async () => {
      while (next < appends) await appender.appendByKey(`${prefix}${next++ % streamCount}`, "", batch);
    };
    const before = process.cpuUsage();
    await Promise.all(Array.from({ length: inFlight }, worker));
    const { user, system } = process.cpuUsage(before);
    return (user + system) / appends;
  };
  return {
    case: "append of 1 KB, in process, durable, with the counters; floor: without them",
    unit: "µs CPU",
    // Many short turns: what else the machine does meets both alike.
    turns: 300,
    quantile: 0.1,
    measure: run(counting, "counting"),
    floor: run(bare, "bare"),
    target: "ratio ≤ 1.02",
  };
}
