/** What counting costs: CPU time per append through the append path, with the counters and without them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createNodeEnv } from "../packages/server/dist/env/node-env.js";
import { EmbeddedLog } from "../packages/server/dist/log/embedded-log.js";
import { MemoryMeta } from "../packages/server/dist/meta/memory-meta.js";
import { Metrics } from "../packages/server/dist/metrics/metrics.js";
import { StreamAppender } from "../packages/server/dist/streams/stream-appender.js";
import { StreamCatalogue } from "../packages/server/dist/streams/stream-catalogue.js";

const inFlight = 1_024;
const streamCount = 100;

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

/**
 * Two cases of the harness: µs of CPU, of all threads, per append of one record of 1 KB in process; durable, and
 * over a log that stores nothing, where what the counters cost is more of the whole and so told more exactly.
 *
 * What is told apart is a hundredth, so:
 * - All turns append to the same streams of one log and differ in nothing but the counters. Two logs, or two
 *   sets of streams, differ by more than that, for as long as they are there.
 * - Ratios are taken round by round: what else the machine does meets the turns of a round alike.
 * - Every turn collects its own garbage, and none of another's.
 * - One segment takes everything: to sort full ones would fall on whoever has his turn just then.
 */
export async function meteringCases() {
  const env = createNodeEnv();
  const directory = mkdtempSync(join(tmpdir(), "hstream-metering-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  const log = await EmbeddedLog.start(env, directory, { holder: "the benchmark", segmentBytes: 2 ** 32 });
  const target = "ratio ≤ 1.02";
  return [
    { case: "append of 1 KB, durable, with counters", ...(await turnsOver(env, log, 4_000)), target },
    { case: "the same over a log that stores nothing", ...(await turnsOver(env, new EmptyLog(), 8_000)) },
  ];
}

async function turnsOver(env, log, appends) {
  const streams = await StreamCatalogue.open(env, log, new MemoryMeta(env.clock));
  const names = Array.from({ length: streamCount }, (_, i) => `s${i}`);
  for (const name of names) await streams.create({ name });
  // One record: 0a length { 0a 00 12 length payload }.
  const payload = Buffer.concat([
    Buffer.from([0x0a, 0x85, 0x08, 0x0a, 0x00, 0x12, 0x80, 0x08]),
    Buffer.alloc(1_024),
  ]);
  const batch = { recordCount: 1, compression: 0, payload };
  const turn = (metrics) => {
    const appender = new StreamAppender(env, streams, log, { recordBytesMax: 1_048_576, ...metrics });
    return async () => {
      // A shard has one appender at a time: the first append finds it another's, the second takes it over.
      await Promise.allSettled(names.map((name) => appender.appendByKey(name, "", batch)));
      await Promise.all(names.map((name) => appender.appendByKey(name, "", batch)));
      let next = 0;
      const worker = async () => {
        while (next < appends) await appender.appendByKey(names[next++ % streamCount], "", batch);
      };
      collect({ type: "minor" });
      const before = process.cpuUsage();
      await Promise.all(Array.from({ length: inFlight }, worker));
      collect({ type: "minor" });
      const { user, system } = process.cpuUsage(before);
      return (user + system) / appends;
    };
  };
  return {
    unit: "µs CPU",
    turns: 300,
    measure: turn({ metrics: new Metrics(env.clock, env.timers) }),
    floor: turn({}),
    floorAgain: turn({}),
  };
}

/** Keeps the law of fences, and answers all appends of a turn of the event loop together. */
class EmptyLog {
  #fences = new Map();
  #waiting = [];
  #id = 1e15;

  async createShard() {}

  async open(shardId) {
    const fence = (this.#fences.get(shardId) ?? 0) + 1;
    this.#fences.set(shardId, fence);
    return fence;
  }

  append(shardId, _batch, { fence }) {
    const current = this.#fences.get(shardId);
    if (fence !== current) return Promise.resolve({ kind: "fenced", current });
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(() => this.#answer());
    });
  }

  #answer() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve({ kind: "appended", batchId: this.#id++, timeMs: 1 });
  }
}
