/**
 * The embedded log in process, against the floor of the machine: a bare loop of write + fdatasync over the
 * same bytes in chunks of the group size that the log really reached, `cat` of the files, or the log itself
 * without the load. `npm run bench log -- NAME …` runs the cases whose names begin so.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv } from "../packages/server/dist/env/node-env.js";
import { VoidDisk } from "../packages/server/dist/env/void-disk.js";
import { EmbeddedLog } from "../packages/server/dist/log/embedded-log.js";
import { bench } from "./harness.mjs";
import { streamAgainstUnary, unaryAgainstEcho } from "./log-rpc.mjs";

const names = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const wanted = (name) => names.length === 0 || names.some((start) => name.startsWith(start));

const inFlight = 4_096;
const turnMs = Number(process.env.HSTREAM_BENCH_TURN_MS ?? 500);
const catchUpBytes = Number(process.env.HSTREAM_BENCH_CATCH_UP_BYTES ?? 2 ** 30);
const scratch = mkdtempSync(join(process.env.HSTREAM_BENCH_DIR ?? tmpdir(), "hstream-bench-log-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));
let directories = 0;

const freshDirectory = () => join(scratch, `${++directories}`);

async function startLog(directory = freshDirectory(), options = {}) {
  const log = await EmbeddedLog.start(createNodeEnv(), directory, options);
  return { log, directory };
}

/** Shards 1 … count with their fences. */
async function withShards(count, options) {
  const started = await startLog(undefined, options);
  return { ...started, ...(await openShards(started.log, count)) };
}

async function openShards(log, count) {
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  await Promise.all(ids.map((id) => log.createShard(id)));
  return { fences: await Promise.all(ids.map((id) => log.open(id))) };
}

function batchOf(bytes) {
  return { recordCount: 1, compression: 0, payload: Buffer.alloc(bytes, "x") };
}

/** Appends for some time, `inFlight` at once; every answered append is followed by the next. */
async function appendFor(log, fences, batch, ms, atOnce) {
  const options = fences.map((fence) => ({ fence }));
  const shards = fences.length;
  let sent = 0;
  let done = 0;
  const cpu = process.cpuUsage();
  const started = performance.now();
  const until = started + ms;
  await new Promise((resolve, reject) => {
    let running = atOnce;
    const next = () => {
      const shard = sent++ % shards;
      log.append(shard + 1, batch, options[shard]).then(answered, reject);
    };
    const answered = ({ kind }) => {
      if (kind !== "appended") return reject(new Error(kind));
      done++;
      if ((done & 63) === 0) now = performance.now();
      if (now < until) next();
      else if (--running === 0) resolve();
    };
    let now = started;
    for (let i = 0; i < atOnce; i++) next();
  });
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: done / seconds, cpuMicros: (user + system) / done, done };
}

/** write + fdatasync of chunks, as many a second as the disk takes; bytes a second. */
async function bareLoop(chunkBytes, ms) {
  const path = freshDirectory();
  const file = await open(path, "w");
  const chunk = Buffer.alloc(Math.round(chunkBytes), "x");
  const cpu = process.cpuUsage();
  const started = performance.now();
  let bytes = 0;
  while (performance.now() - started < ms) {
    await file.write(chunk, 0, chunk.byteLength, bytes);
    await file.datasync();
    bytes += chunk.byteLength;
  }
  const perSecond = (bytes / (performance.now() - started)) * 1000;
  const { user, system } = process.cpuUsage(cpu);
  await file.close();
  rmSync(path);
  return { perSecond, cpuMicrosPerByte: (user + system) / bytes };
}

/** Appends against the bare loop, and the CPU time of one. */
function appends({ name, shards, bytes, target, cpuTarget, atOnce = inFlight, turns = 8 }) {
  const frameBytes = bytes + 72;
  const batch = batchOf(bytes);
  const cpu = [];
  const bareCpu = [];
  let groupBytes = 0;
  let started;
  return [
    {
      case: `${name}, against the bare loop`,
      unit: "MB/s",
      before: async () => {
        started = await withShards(shards);
      },
      measure: async () => {
        const { log, fences } = started;
        const before = log.statistics();
        const { perSecond, cpuMicros } = await appendFor(log, fences, batch, turnMs, atOnce);
        const after = log.statistics();
        groupBytes = (after.bytesCommitted - before.bytesCommitted) / (after.groups - before.groups);
        cpu.push(cpuMicros);
        return (perSecond * frameBytes) / 1e6;
      },
      floor: async () => {
        const { perSecond, cpuMicrosPerByte } = await bareLoop(groupBytes, turnMs);
        bareCpu.push(cpuMicrosPerByte * frameBytes);
        return perSecond / 1e6;
      },
      after: () => end(started),
      target,
      turns,
    },
    {
      case: `${name}, CPU of one (floor: the bare loop's for as many bytes)`,
      unit: "µs",
      measure: async () => cpu.shift(),
      floor: async () => bareCpu.shift(),
      target: cpuTarget,
      turns,
    },
  ];
}

/** What of the CPU time of an append is the log's own: on a disk that does nothing, and before a segment is full. */
function ownCpu({ name, shards }) {
  const batch = batchOf(1024);
  let started;
  return {
    case: `${name}, CPU of one without disk and tidying`,
    unit: "µs",
    before: async () => {
      // Commits come back in a later turn of the loop, as from a disk.
      const disk = new VoidDisk(() => new Promise((resolve) => setImmediate(resolve)));
      const log = await EmbeddedLog.start({ ...createNodeEnv(), disk }, "/log", { segmentBytes: 2 ** 31 });
      started = { log, ...(await openShards(log, shards)) };
    },
    measure: async () => (await appendFor(started.log, started.fences, batch, turnMs, inFlight)).cpuMicros,
    after: () => started.log.close(),
    target: "≤ 1.2",
    turns: 8,
  };
}

/** One log with each number of shards, in turns. */
function manyShards() {
  const batch = batchOf(1024);
  let many;
  let one;
  const perSecond = async ({ log, fences }) =>
    (await appendFor(log, fences, batch, turnMs, inFlight)).perSecond / 1000;
  return {
    case: "10,000 shards against 1 shard, 1 KB appends",
    unit: "K/s",
    before: async () => {
      many = await withShards(10_000);
      one = await withShards(1);
    },
    measure: () => perSecond(many),
    floor: () => perSecond(one),
    after: async () => {
      await end(many);
      await end(one);
    },
    target: "ratio ≥ 0.8",
    turns: 6,
  };
}

async function end({ log, directory }) {
  await log.close();
  rmSync(directory, { recursive: true });
}

/** Fills a log with `bytes` in batches of `batchBytes`, in turns over the shards. */
async function fill({ log, fences }, bytes, batchBytes) {
  const batch = batchOf(batchBytes);
  const count = Math.ceil(bytes / batchBytes);
  let sent = 0;
  await Promise.all(
    Array.from({ length: 1_024 }, async () => {
      while (sent < count) {
        const shard = sent++ % fences.length;
        await log.append(shard + 1, batch, { fence: fences[shard] });
      }
    }),
  );
}

/** Makes the system forget the files: they are read from the disk again. False where that is not allowed. */
function chill() {
  return spawnSync("sh", ["-c", "sync; echo 3 > /proc/sys/vm/drop_caches"]).status === 0;
}

function filesIn(directory) {
  return readdirSync(directory).map((name) => join(directory, name));
}

function bytesIn(directory) {
  return filesIn(directory).reduce((sum, path) => sum + statSync(path).size, 0);
}

/** MB a second of `cat`. */
function cat(directory) {
  chill();
  const started = performance.now();
  spawnSync("cat", filesIn(directory), { stdio: ["ignore", openSync("/dev/null", "w"), "ignore"] });
  return bytesIn(directory) / 1e3 / (performance.now() - started);
}

/** Reads all of a shard; payload bytes. */
async function readShard(log, shard) {
  let bytes = 0;
  for (let from = 0; ; ) {
    const { batches, next } = await log.read(shard, from, { batchesMax: 4_096, bytesMax: 4 << 20 });
    for (const { payload } of batches) bytes += payload.byteLength;
    if (next === from) return bytes;
    from = next;
  }
}

/** Cold reads of a log of some shards, against `cat` of its files. */
function coldReads({ name, shards, bytes, target, rounds = 1 }) {
  let started;
  let next = 0;
  return {
    case: name,
    unit: "MB/s",
    before: async () => {
      started = await withShards(shards);
      await fill(started, bytes, 1024);
      await started.log.close();
      // What was written last is put in order as well.
      const { log } = await startLog(started.directory);
      await log.tidied();
      await log.close();
    },
    measure: async () => {
      const { log } = await startLog(started.directory);
      chill();
      const begun = performance.now();
      let read = 0;
      for (let round = 0; round < rounds; round++) read += await readShard(log, 1 + (next++ % shards));
      const seconds = (performance.now() - begun) / 1000;
      await log.close();
      return read / 1e6 / seconds;
    },
    floor: async () => cat(started.directory),
    after: async () => rmSync(started.directory, { recursive: true }),
    target,
    turns: 5,
  };
}

function hotRandomReads() {
  let started;
  const ids = [];
  return {
    case: "random read of one batch, hot",
    unit: "K/s",
    before: async () => {
      started = await withShards(1);
      for (let i = 0; i < 16; i++) await fill(started, 1 << 20, 1024);
      const { batches } = await started.log.read(1, 0, { batchesMax: 100_000, bytesMax: 1 << 30 });
      for (const { batchId } of batches) ids.push(batchId);
    },
    measure: async () => {
      const limits = { batchesMax: 1, bytesMax: 1 << 20 };
      const begun = performance.now();
      let reads = 0;
      while (performance.now() - begun < turnMs) {
        for (let i = 0; i < 100; i++) await started.log.read(1, ids[(reads++ * 7_919) % ids.length], limits);
      }
      return reads / (performance.now() - begun);
    },
    after: () => end(started),
    target: "≥ 200",
    turns: 5,
  };
}

/** Runs `work` while so many readers read everything from the beginning, again and again. */
async function withReaders(log, shards, count, work) {
  let stopped = false;
  const readers = Array.from({ length: count }, async (_, i) => {
    while (!stopped) {
      for (let from = 0; !stopped; ) {
        const { next } = await log.read(1 + (i % shards), from, { batchesMax: 1_000, bytesMax: 1 << 20 });
        if (next === from) break;
        from = next;
      }
    }
  });
  const result = await work();
  stopped = true;
  await Promise.all(readers);
  return result;
}

function appendsWithReaders() {
  let started;
  const batch = batchOf(1024);
  const perSecond = async () =>
    (await appendFor(started.log, started.fences, batch, turnMs, inFlight)).perSecond / 1000;
  return {
    case: "appends with 20 lagging readers, against alone",
    unit: "K/s",
    before: async () => {
      started = await withShards(20);
      await fill(started, 256 << 20, 1024);
      await started.log.tidied();
    },
    measure: () => withReaders(started.log, 20, 20, perSecond),
    floor: perSecond,
    after: () => end(started),
    target: "ratio ≥ 0.8",
    turns: 6,
  };
}

function commitsWithReader() {
  let started;
  const batch = batchOf(1024);
  const p99 = async () => {
    const times = [];
    const begun = performance.now();
    while (performance.now() - begun < turnMs) {
      const one = performance.now();
      await started.log.append(1, batch, { fence: started.fences[0] });
      times.push(performance.now() - one);
    }
    times.sort((a, b) => a - b);
    return times[Math.floor(times.length * 0.99)];
  };
  return {
    case: "commit p99 of single appends with a bulk reader, against alone",
    unit: "ms",
    before: async () => {
      started = await withShards(20, { tailCacheBytesMax: 1 << 20 });
      await fill(started, 256 << 20, 1024);
      await started.log.tidied();
    },
    measure: () => withReaders(started.log, 20, 1, p99),
    floor: p99,
    after: () => end(started),
    target: "ratio ≤ 1.5",
    turns: 8,
  };
}

/** A process of its own that starts on the directory and tells how long that took, and its memory. */
function startOf(directory) {
  const script = `
    import { createNodeEnv } from ${JSON.stringify(import.meta.resolve("../packages/server/dist/env/node-env.js"))};
    import { EmbeddedLog } from ${JSON.stringify(import.meta.resolve("../packages/server/dist/log/embedded-log.js"))};
    const begun = performance.now();
    const log = await EmbeddedLog.start(createNodeEnv(), ${JSON.stringify(directory)});
    console.log(JSON.stringify({ ms: performance.now() - begun, rss: process.memoryUsage.rss() / 1e6 }));
    await log.close();`;
  const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
  return JSON.parse(stdout);
}

function starts() {
  const bytes = Number(process.env.HSTREAM_BENCH_START_BYTES ?? 2e9);
  const batches = Math.round(bytes / 10_000);
  let started;
  const rss = [];
  return [
    {
      case: `start with ${bytes / 1e9} GB in ${batches} batches of 1,000 shards, cold`,
      unit: "ms",
      before: async () => {
        started = await withShards(1_000);
        await fill(started, bytes, 10_000);
        await started.log.tidied();
        await started.log.close();
      },
      measure: async () => {
        chill();
        const { ms, rss: megabytes } = startOf(started.directory);
        rss.push(megabytes);
        return ms;
      },
      after: async () => rmSync(started.directory, { recursive: true }),
      target: "≤ 2000 for 10 GB in 1,000,000 batches",
      turns: 3,
    },
    {
      case: "memory after that start",
      unit: "MB RSS",
      measure: async () => rss.shift(),
      target: "≤ 200",
      turns: 3,
    },
  ];
}

const cases = [
  ...appends({
    name: "1 KB appends, 1 shard",
    shards: 1,
    bytes: 1024,
    target: "ratio ≥ 0.8",
    cpuTarget: "≤ 1.2",
  }),
  ownCpu({ name: "1 KB appends, 1 shard", shards: 1 }),
  ...appends({
    name: "1 KB appends, 1,000 shards",
    shards: 1_000,
    bytes: 1024,
    target: "ratio ≥ 0.8",
    cpuTarget: "≤ 1.2",
  }),
  ownCpu({ name: "1 KB appends, 1,000 shards", shards: 1_000 }),
  ...appends({
    name: "100 KB appends, 1 shard",
    shards: 1,
    bytes: 100 * 1024,
    atOnce: 64,
    target: "ratio ≥ 0.9",
  }),
  manyShards(),
  coldReads({
    name: "scan of one shard, cold, against cat",
    shards: 1,
    bytes: 256 << 20,
    target: "ratio ≥ 0.5",
  }),
  coldReads({
    name: "catch-up of 1 of 1,000 shards, cold, against cat",
    shards: 1_000,
    bytes: catchUpBytes,
    target: "ratio ≥ 0.3",
  }),
  hotRandomReads(),
  appendsWithReaders(),
  commitsWithReader(),
  ...starts(),
  unaryAgainstEcho(turnMs),
  unaryAgainstEcho(turnMs, "wide"),
  streamAgainstUnary(turnMs),
];
await bench(cases.filter((one) => wanted(one.case)));
