/**
 * The embedded log in process, against the floor of the machine: a bare loop of write + fdatasync over the
 * same bytes in chunks of the group size that the log really reached, `cat` of the files, or the log itself
 * without the load. `npm run bench log -- NAME …` runs the cases whose names begin so.
 */
import { spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv } from "../packages/server/dist/env/node-env.js";
import { EmbeddedLog } from "../packages/server/dist/log/embedded-log.js";
import { bench } from "./harness.mjs";

const names = process.argv.slice(2).filter((arg) => !arg.startsWith("--"));
const wanted = (name) => names.length === 0 || names.some((start) => name.startsWith(start));

const inFlight = 4_096;
const turnMs = Number(process.env.HSTREAM_BENCH_TURN_MS ?? 500);
const scratch = mkdtempSync(join(process.env.HSTREAM_BENCH_DIR ?? tmpdir(), "hstream-bench-log-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
let directories = 0;

const freshDirectory = () => join(scratch, `${++directories}`);

async function startLog(directory = freshDirectory(), options = {}) {
  const log = await EmbeddedLog.start(createNodeEnv(), directory, options);
  return { log, directory };
}

/** Shards 1 … count with their fences. */
async function withShards(count, options) {
  const started = await startLog(undefined, options);
  const ids = Array.from({ length: count }, (_, i) => i + 1);
  await Promise.all(ids.map((id) => started.log.createShard(id)));
  const fences = await Promise.all(ids.map((id) => started.log.open(id)));
  return { ...started, fences };
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

const cases = [
  ...appends({
    name: "1 KB appends, 1 shard",
    shards: 1,
    bytes: 1024,
    target: "ratio ≥ 0.8",
    cpuTarget: "≤ 1.2",
  }),
  ...appends({
    name: "1 KB appends, 1,000 shards",
    shards: 1_000,
    bytes: 1024,
    target: "ratio ≥ 0.8",
    cpuTarget: "≤ 1.2",
  }),
  ...appends({
    name: "100 KB appends, 1 shard",
    shards: 1,
    bytes: 100 * 1024,
    atOnce: 64,
    target: "ratio ≥ 0.9",
  }),
  manyShards(),
];
await bench(cases.filter((one) => wanted(one.case)));
