import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv } from "../env/node-env.js";
import { SeededRandom } from "../env/seeded-random.js";
import { SimulatedEnv } from "../env/simulated-env.js";
import { logStoreConformance } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import type { EmbeddedLogOptions } from "./options.js";

const simulated = (options: Partial<EmbeddedLogOptions>) => async () => {
  const env = new SimulatedEnv();
  return {
    start: () => EmbeddedLog.start(env, "/log", options),
    setTime: (ms: number) => {
      env.timers.clockSkewMs += ms - env.clock.now();
    },
    dispose: async () => undefined,
  };
};

logStoreConformance("the embedded log", simulated({}));
logStoreConformance("the embedded log with tiny segments", simulated({ segmentBytes: 1024 }));
logStoreConformance(
  "the embedded log without caches",
  simulated({ tailCacheBytesMax: 0, indexCacheBytesMax: 0 }),
);
logStoreConformance(
  "the embedded log with everything tiny",
  simulated({
    segmentBytes: 1,
    groupCommitBytesMax: 1,
    tailCacheBytesMax: 3,
    indexCacheBytesMax: 1,
    openSegmentsMax: 1,
    appendBytesInFlightMax: 300,
  }),
);

const seed = Number(process.env["HSTREAM_TEST_SEED"] ?? 1);
const random = new SeededRandom(seed);
for (let i = 0; i < 3; i++) {
  const pick = <T>(...values: T[]): T => values[random.below(values.length)] as T;
  const options: Partial<EmbeddedLogOptions> = {
    fsync: pick("always", "always", "interval", "never"),
    segmentBytes: pick(1, 500, 1024, 10_000),
    groupCommitBytesMax: pick(1, 300, 5_000),
    tailCacheBytesMax: pick(0, 3, 200, 100_000),
    indexCacheBytesMax: pick(0, 500, 100_000),
    openSegmentsMax: pick(1, 2, 64),
    appendBytesInFlightMax: pick(1, 300, 5_000, 1_000_000),
    reserveBytes: pick(0, 2000),
  };
  logStoreConformance(`the embedded log with ${JSON.stringify(options)} (seed ${seed})`, simulated(options));
}

logStoreConformance("the embedded log on a real disk", async () => {
  const directory = await mkdtemp(join(tmpdir(), "hstream-log-"));
  let timeMs: number | undefined;
  const real = createNodeEnv();
  const env = { ...real, clock: { ...real.clock, now: () => timeMs ?? real.clock.now() } };
  return {
    start: () => EmbeddedLog.start(env, directory, { tailCacheBytesMax: 0 }),
    setTime: (ms: number) => {
      timeMs = ms;
    },
    dispose: () => rm(directory, { recursive: true }),
  };
});
