import assert from "node:assert/strict";
import { DiskError } from "../env/env.js";
import { SeededRandom } from "../env/seeded-random.js";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { EmbeddedLog } from "./embedded-log.js";
import {
  type AppendResult,
  type BatchId,
  type Fence,
  LogError,
  type ShardId,
  type StoredBatch,
} from "./log-store.js";
import type { EmbeddedLogOptions } from "./options.js";

const everything = { batchesMax: 1_000_000, bytesMax: 1_000_000_000 };
const directory = "/log";

/** What the outside knows of a shard: the answers it got, and what it asked without getting one. */
class ShardModel {
  readonly id: ShardId;
  fence: Fence = 0;
  highestFence: Fence = 0;
  sent = 0;
  readonly sentTexts = new Set<string>();
  /** Text of every batch that was acknowledged, by id. */
  readonly acknowledged = new Map<BatchId, string>();
  /** Texts that certainly were not appended. */
  readonly refused = new Set<string>();
  /** What was read in earlier lives: must be read again. */
  readonly seen = new Map<BatchId, string>();
  trimAcknowledged: BatchId = 0;
  trimAsked: BatchId = 0;
  hold: BatchId | undefined;
  holdCertain = true;
  /** The step that the producer tries to get in. */
  step = 1;
  created = false;
  deletion: "no" | "asked" | "done" = "no";

  constructor(id: ShardId) {
    this.id = id;
  }
}

/**
 * One random history of a log on the simulated disk, with crashes, failed syncs and a full disk, checked
 * after every restart. The same seed gives the same history.
 */
export async function runHistory(seed: number): Promise<void> {
  const random = new SeededRandom(seed);
  const env = new SimulatedEnv(seed);
  const pick = <T>(...values: T[]): T => values[random.below(values.length)] as T;
  const options: Partial<EmbeddedLogOptions> = {
    reserveBytes: pick(0, 2000),
    segmentBytes: pick(1, 600, 3000, 100_000),
    groupCommitBytesMax: pick(1, 500, 100_000),
    appendBytesInFlightMax: pick(1, 1000, 100_000),
    tailCacheBytesMax: pick(0, 200, 100_000),
    indexCacheBytesMax: pick(1, 100_000),
    openSegmentsMax: pick(1, 64),
  };
  const models: ShardModel[] = [];
  for (let life = 0; life < 6; life++) {
    let log: EmbeddedLog | undefined;
    // Crashes may hit the start as well.
    for (let tries = 0; log === undefined; tries++) {
      armFaults(env, random, tries < 3 && life > 0 && random.below(3) === 0 ? 12 : 0);
      try {
        log = await EmbeddedLog.start(env, directory, options);
      } catch (error) {
        assert.ok(tries < 4, error instanceof Error ? error : new Error(String(error)));
        env.disk.faults = undefined;
        env.disk.stop();
        await settle();
        env.disk.crash(random);
      }
    }
    env.disk.faults = undefined;
    await check(log, models);
    armFaults(env, random, pick(40, 150, 1000));
    const work: Promise<void>[] = [];
    for (let i = 0, count = 20 + random.below(100); i < count; i++) {
      // Now and then many at once, so that a group has many frames.
      for (let burst = random.below(12) === 0 ? 30 : 1; burst > 0; burst--) {
        work.push(act(log, models, random));
      }
      if (random.below(3) === 0) await Promise.resolve();
      if (random.below(8) === 0) await Promise.all(work);
      if (random.below(10) === 0) env.timers.elapsedMs += random.below(1000);
    }
    await Promise.all(work);
    if (random.below(3) === 0) await log.close().catch(() => undefined);
    const machineRuns = !env.disk.isDown;
    env.disk.faults = undefined;
    env.disk.stop();
    await settle();
    // A killed process leaves behind what it wrote, also what a failed sync was for.
    if (machineRuns && random.below(3) === 0) env.disk.endProcess();
    else env.disk.crash(random);
  }
}

/** A fault at some of the next operations, none if `within` is 0. */
function armFaults(env: SimulatedEnv, random: SeededRandom, within: number): void {
  const at = env.disk.operations + random.below(within + 1);
  const kind = (["crash", "crash", "io", "no-space"] as const)[random.below(4)] ?? "crash";
  env.disk.faults =
    within === 0
      ? undefined
      : ({ name, count }) => {
          if (kind === "crash" || kind === "io") return count === at ? kind : undefined;
          const short = count >= at && count < at + 6;
          return short && (name === "write" || name === "open") ? "no-space" : undefined;
        };
}

async function act(log: EmbeddedLog, models: ShardModel[], random: SeededRandom): Promise<void> {
  const living = models.filter((model) => model.created && model.deletion === "no");
  const model = living[random.below(living.length)];
  try {
    if (model === undefined || (random.below(40) === 0 && models.length < 6)) {
      const made = new ShardModel(models.length + 1);
      models.push(made);
      await log.createShard(made.id);
      made.created = true;
      return;
    }
    const choice = random.below(100);
    if (choice < 60) await append(log, model, random);
    else if (choice < 75) await appendAsProducer(log, model);
    else if (choice < 82) await open(log, model);
    else if (choice < 90) await trim(log, model, random);
    else if (choice < 94) await hold(log, model, random);
    else if (choice < 95) await remove(log, model);
    else await readSome(log, model, random);
  } catch (error) {
    if (error instanceof DiskError) return; // The disk is failing under a read.
    if (!(error instanceof LogError)) throw error;
    const expected = ["failed", "full", "shard-not-found"];
    assert.ok(expected.includes(error.kind), error);
  }
}

async function open(log: EmbeddedLog, model: ShardModel): Promise<void> {
  const fence = await log.open(model.id);
  assert.ok(fence > model.highestFence, "fences rise");
  model.highestFence = fence;
  model.fence = fence;
}

async function append(log: EmbeddedLog, model: ShardModel, random: SeededRandom): Promise<void> {
  const text = `${model.sent++}:${"x".repeat(random.below(12) === 0 ? random.below(9000) : random.below(60))}`;
  model.sentTexts.add(text);
  const batch = { recordCount: 1, compression: 0, payload: Buffer.from(text) };
  const result = await log.append(model.id, batch, { fence: model.fence });
  note(model, text, result);
  if (result.kind === "fenced") await open(log, model);
}

async function appendAsProducer(log: EmbeddedLog, model: ShardModel): Promise<void> {
  const { step } = model;
  const text = `producer ${step}`;
  const batch = { recordCount: 1, compression: 0, payload: Buffer.from(text) };
  const sequence = { step, chunk: 0 };
  const producer = { id: "client", mode: "contiguous", sequence } as const;
  const result = await log.append(model.id, batch, { fence: model.fence, producer });
  assert.ok(
    result.kind !== "sequence-gap",
    "a producer that repeats until it is answered leaves nothing out",
  );
  if (result.kind === "appended") {
    model.acknowledged.set(result.batchId, text);
    model.step = Math.max(model.step, step + 1);
  }
}

function note(model: ShardModel, text: string, result: AppendResult): void {
  if (result.kind === "appended") {
    assert.ok(!model.acknowledged.has(result.batchId), "an id is given once");
    model.acknowledged.set(result.batchId, text);
  } else {
    model.refused.add(text);
  }
}

async function trim(log: EmbeddedLog, model: ShardModel, random: SeededRandom): Promise<void> {
  const ids = [...model.acknowledged.keys()];
  const upTo = ids[random.below(ids.length)];
  if (upTo === undefined) return;
  model.trimAsked = Math.max(model.trimAsked, upTo);
  const result = await log.trim(model.id, upTo);
  if (result.kind === "trimmed") model.trimAcknowledged = Math.max(model.trimAcknowledged, result.upTo);
}

async function hold(log: EmbeddedLog, model: ShardModel, random: SeededRandom): Promise<void> {
  model.holdCertain = false;
  if (random.below(2) === 0) {
    await log.releaseHold(model.id, "query");
    model.hold = undefined;
  } else {
    const from = log.tail(model.id);
    await log.hold(model.id, "query", from);
    model.hold = from;
  }
}

async function remove(log: EmbeddedLog, model: ShardModel): Promise<void> {
  model.deletion = "asked";
  await log.deleteShard(model.id);
  model.deletion = "done";
}

async function readSome(log: EmbeddedLog, model: ShardModel, random: SeededRandom): Promise<void> {
  const ids = [...model.acknowledged.keys()];
  const from = ids[random.below(ids.length)] ?? 0;
  const tail = log.tail(model.id);
  const { batches } = await log.read(model.id, from, { batchesMax: 5, bytesMax: 10_000 });
  for (const { batchId, payload } of batches) {
    assert.ok(batchId >= from && batchId <= Math.max(tail, log.tail(model.id)));
    const text = model.acknowledged.get(batchId);
    if (text !== undefined) assert.equal(Buffer.from(payload).toString(), text);
  }
}

/** Compares what is there after a start with what the outside knows. */
async function check(log: EmbeddedLog, models: ShardModel[]): Promise<void> {
  const present = new Set(log.shards());
  for (const model of models) {
    if (model.deletion === "done") assert.ok(!present.has(model.id), "a deleted shard stays away");
    if (model.deletion === "asked" && !present.has(model.id)) model.deletion = "done";
    if (model.deletion === "asked") model.deletion = "no";
    if (model.created && model.deletion === "no") assert.ok(present.has(model.id), "a shard stays");
    if (!present.has(model.id)) continue;
    model.created = true;
    await checkShard(log, model);
    await open(log, model);
  }
}

async function checkShard(log: EmbeddedLog, model: ShardModel): Promise<void> {
  const { trimmedUpTo, tail, holds } = log.describe(model.id);
  assert.ok(trimmedUpTo >= model.trimAcknowledged, "a trim stays");
  assert.ok(trimmedUpTo <= model.trimAsked, "nobody trims unasked");
  if (model.holdCertain) assert.equal(holds.get("query"), model.hold, "a hold stays");
  model.hold = holds.get("query");
  model.holdCertain = true;
  const batches = await readAll(log, model.id);
  const read = new Map<BatchId, string>();
  let lastId = 0;
  let lastSent = -1;
  let lastStep = 0;
  for (const { batchId, payload } of batches) {
    assert.ok(batchId > lastId && batchId > trimmedUpTo, "ids rise");
    lastId = batchId;
    const text = Buffer.from(payload).toString();
    read.set(batchId, text);
    assert.ok(!model.refused.has(text), "what was refused is not there");
    if (text.startsWith("producer ")) {
      const step = Number(text.slice(9));
      assert.ok(step > lastStep && step <= model.step, "a producer's appends are there once, in order");
      lastStep = step;
    } else {
      const sent = Number(text.split(":")[0]);
      assert.ok(model.sentTexts.has(text), "nothing is read that was not sent");
      assert.ok(sent > lastSent, "batches are in the order of the appends, each once");
      lastSent = sent;
    }
  }
  assert.ok(tail >= lastId);
  for (const earlier of [model.acknowledged, model.seen]) {
    for (const [batchId, text] of earlier) {
      if (batchId > trimmedUpTo) assert.equal(read.get(batchId), text, "what was acknowledged is there");
    }
  }
  for (const [batchId, text] of read) model.seen.set(batchId, text);
}

async function readAll(log: EmbeddedLog, shardId: ShardId): Promise<StoredBatch[]> {
  const all: StoredBatch[] = [];
  for (let from = 0; ; ) {
    const { batches, next, gap } = await log.read(shardId, from, everything);
    assert.equal(gap, undefined, "a crash is no corruption");
    all.push(...batches);
    if (next === from) return all;
    from = next;
  }
}
