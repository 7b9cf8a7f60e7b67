import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { runs } from "@hstream/proto/testing";
import fc from "fast-check";
import { SimulatedEnv } from "../env/simulated-env.js";
import { limits } from "../limits.js";
import { readTexts, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import type { AppendResult, Producer, ShardId } from "./log-store.js";
import { compareSequences } from "./producer-table.js";

/*
 * One property for each thing that is promised to those whose appends carry a producer and a sequence
 * (idempotent appends), over the whole log.
 */
const options = { segmentBytes: 1500, tailCacheBytesMax: 0, reserveBytes: 0 };
const shardIds = [1, 2];
const producerIds = ["p", "q"];

interface World {
  readonly env: SimulatedEnv;
  log: EmbeddedLog;
  readonly fences: Map<ShardId, number>;
}

async function world(): Promise<World> {
  const env = new SimulatedEnv();
  const made = {
    env,
    log: await EmbeddedLog.start(env, "/log", options),
    fences: new Map<ShardId, number>(),
  };
  for (const id of shardIds) await made.log.createShard(id);
  await openAll(made);
  return made;
}

async function openAll({ log, fences }: World): Promise<void> {
  for (const id of shardIds) fences.set(id, await log.open(id));
}

async function restart(made: World): Promise<void> {
  await made.log.close();
  made.log = await EmbeddedLog.start(made.env, "/log", options);
  await openAll(made);
}

function append(made: World, shardId: ShardId, id: string, mode: Producer["mode"], step: number, chunk = 0) {
  const producer: Producer = { id, mode, sequence: { step, chunk } };
  const text = `${id} ${step}.${chunk}`.padEnd(60, ".");
  return made.log.append(shardId, textBatch(text), { fence: made.fences.get(shardId) ?? 0, producer });
}

const property = <T>(arbitrary: fc.Arbitrary<T>, check: (value: T) => Promise<void>) =>
  fc.assert(fc.asyncProperty(arbitrary, check), { numRuns: runs(40) });

const anyShard = fc.constantFrom(...shardIds);
const anyProducer = fc.constantFrom(...producerIds);

describe("appends that carry a producer and a sequence", () => {
  it("count for each producer and shard by itself", () =>
    property(fc.array(fc.tuple(anyShard, anyProducer), { maxLength: 40 }), async (picks) => {
      const made = await world();
      const last = new Map<string, number>();
      for (const [shardId, id] of picks) {
        const step = (last.get(`${shardId} ${id}`) ?? 0) + 1;
        last.set(`${shardId} ${id}`, step);
        assert.equal((await append(made, shardId, id, "contiguous", step)).kind, "appended");
      }
      await made.log.close();
    }));

  it("of a contiguous producer are taken if and only if they are the next", () =>
    property(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 40 }), async (steps) => {
      const made = await world();
      let last = 0;
      for (const step of steps) {
        const { kind } = await append(made, 1, "p", "contiguous", step);
        if (step > last + 1) assert.equal(kind, "sequence-gap");
        else if (step <= last)
          assert.equal(kind, step > last - limits.producerResultsKept ? "appended" : "duplicate");
        else assert.equal(kind, "appended");
        if (step === last + 1) last = step;
      }
      const texts = (await readTexts(made.log, 1)).map((text) => Number.parseInt(text.slice(2), 10));
      assert.deepEqual(
        texts,
        Array.from({ length: last }, (_, i) => i + 1),
      );
      await made.log.close();
    }));

  it("of a monotone producer are taken if and only if they are greater", () =>
    property(fc.array(fc.tuple(fc.nat(9), fc.nat(3)), { maxLength: 40 }), async (sequences) => {
      const made = await world();
      const taken: string[] = [];
      let last = { step: -1, chunk: 0 };
      for (const [step, chunk] of sequences) {
        const result = await append(made, 1, "q", "monotone", step, chunk);
        if (compareSequences({ step, chunk }, last) <= 0) {
          assert.ok(result.kind === "appended" || result.kind === "duplicate");
          continue;
        }
        assert.equal(result.kind, "appended");
        last = { step, chunk };
        taken.push(`q ${step}.${chunk}`);
      }
      const texts = (await readTexts(made.log, 1)).map((text) => text.replace(/\.+$/, ""));
      assert.deepEqual(texts, taken);
      await made.log.close();
    }));

  it("are answered as the first time if they are one of the last five, and as duplicates if older", () =>
    property(fc.array(fc.nat(30), { minLength: 1, maxLength: 30 }), async (repeats) => {
      const made = await world();
      const results: AppendResult[] = [];
      for (let step = 1; step <= 12; step++) results.push(await append(made, 1, "p", "contiguous", step));
      for (const pick of repeats) {
        const step = 1 + (pick % 12);
        const expected = step > 12 - limits.producerResultsKept ? results[step - 1] : { kind: "duplicate" };
        assert.deepEqual(await append(made, 1, "p", "contiguous", step), expected);
      }
      assert.equal((await readTexts(made.log, 1)).length, 12);
      await made.log.close();
    }));

  it("join the first of them if that is not durable yet, whether it succeeds or is refused", () =>
    property(
      fc.tuple(fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 12 }), fc.boolean()),
      async ([more, full]) => {
        const made = await world();
        if (full) made.env.disk.capacityBytes = 0;
        // All in one tick: nothing of it is durable.
        const steps = [1, 2, 3, 4, ...more];
        const results = await Promise.all(steps.map((step) => append(made, 1, "p", "contiguous", step)));
        for (const [i, step] of steps.entries()) {
          assert.deepEqual(results[i], results[step - 1]);
          assert.equal(results[i]?.kind, full ? "full" : "appended");
        }
        made.env.disk.capacityBytes = Number.POSITIVE_INFINITY;
        if (full) assert.equal((await append(made, 1, "p", "contiguous", 1)).kind, "appended");
        assert.equal((await readTexts(made.log, 1)).length, full ? 1 : 4);
        await made.log.close();
      },
    ));

  it("are recognised after any mixture of trims, rewrites, restarts and crashes", () => {
    const event = fc.constantFrom("append", "append", "append", "trim", "tidy", "restart", "crash");
    return property(fc.array(fc.tuple(event, anyShard), { maxLength: 40 }), async (events) => {
      const made = await world();
      const results = new Map<ShardId, AppendResult[]>(shardIds.map((id) => [id, []]));
      for (const [kind, shardId] of events) {
        const known = results.get(shardId) ?? [];
        if (kind === "append") known.push(await append(made, shardId, "p", "contiguous", known.length + 1));
        else if (kind === "trim") await made.log.trim(shardId, made.log.tail(shardId));
        else if (kind === "tidy") await made.log.tidied();
        else if (kind === "restart") await restart(made);
        else {
          await made.log.tidied();
          made.env.disk.crash(made.env.random);
          made.log = await EmbeddedLog.start(made.env, "/log", options);
          await openAll(made);
        }
      }
      for (const [shardId, known] of results) {
        for (const [i, result] of known.entries()) {
          const expected = i >= known.length - limits.producerResultsKept ? result : { kind: "duplicate" };
          assert.deepEqual(await append(made, shardId, "p", "contiguous", i + 1), expected);
        }
      }
      await made.log.close();
    });
  });

  it("of clients and requests are forgotten after 24 hours of silence, and those of a query are not", () =>
    property(fc.integer({ min: 0, max: 2 * limits.producerExpiryMs }), async (silenceMs) => {
      const made = await world();
      const first = await append(made, 1, "p", "contiguous", 1);
      const request = await append(made, 1, "r", "transient", 1);
      const query = await append(made, 1, "q", "monotone", 1);
      made.env.timers.elapsedMs += silenceMs;
      // The table is gone through when a segment is full or the log closed.
      await restart(made);
      const again = await append(made, 1, "p", "contiguous", 1);
      if (silenceMs <= limits.producerExpiryMs) assert.deepEqual(again, first);
      else assert.ok(again.kind === "appended" && first.kind === "appended" && again.batchId > first.batchId);
      const repeated = await append(made, 1, "r", "transient", 1);
      assert.equal(silenceMs <= limits.producerExpiryMs, isDeepStrictEqual(repeated, request));
      assert.deepEqual(await append(made, 1, "q", "monotone", 1), query);
      await made.log.close();
    }));

  it("of a query are forgotten when it is dropped, over crashes too, and nobody else's are", () =>
    property(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.boolean()), async ([steps, crash]) => {
      const made = await world();
      for (let step = 1; step <= steps; step++) await append(made, 1, "q", "monotone", step);
      const other = await append(made, 1, "p", "contiguous", 1);
      await made.log.forgetProducer(1, "q");
      if (crash) {
        await made.log.tidied();
        made.env.disk.crash(made.env.random);
        made.log = await EmbeddedLog.start(made.env, "/log", options);
        await openAll(made);
      } else {
        await restart(made);
      }
      assert.deepEqual(await append(made, 1, "p", "contiguous", 1), other);
      const before = made.log.tail(1);
      const again = await append(made, 1, "q", "monotone", 1);
      assert.ok(again.kind === "appended" && again.batchId > before);
      await made.log.close();
    }));

  it("of everybody are forgotten with their shard", () =>
    property(anyProducer, async (id) => {
      const made = await world();
      await append(made, 1, id, "monotone", 5);
      await made.log.deleteShard(1);
      await made.log.createShard(3);
      made.fences.set(3, await made.log.open(3));
      assert.equal((await append(made, 3, id, "monotone", 1)).kind, "appended");
      await made.log.close();
    }));
});
