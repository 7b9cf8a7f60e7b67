import assert from "node:assert/strict";
import { runs } from "@hstream/proto/testing";
import * as fc from "fast-check";
import { DiskError } from "../env/env.js";
import { SimulatedEnv } from "../env/simulated-env.js";
import { wrapDisk } from "../env/wrap-disk.js";
import { EmbeddedLog } from "./embedded-log.js";
import type { ReadMemory } from "./log-store.js";

/** Memory of a size, of which parts are given out from its beginning on. */
function memoryOf(bytes: number): ReadMemory & { readonly whole: Buffer } {
  const whole = Buffer.alloc(bytes);
  let used = 0;
  const take = (length: number) => {
    if (used + length > bytes) return undefined;
    used += length;
    return whole.subarray(used - length, used);
  };
  return { whole, take };
}

async function filledLog(env: SimulatedEnv, payloads: readonly Uint8Array[], segmentBytes: number) {
  const log = await EmbeddedLog.start(env, "/log", { tailCacheBytesMax: 0, segmentBytes });
  await log.createShard(1);
  const fence = await log.open(1);
  for (const payload of payloads) await log.append(1, { recordCount: 1, compression: 0, payload }, { fence });
  return log;
}

describe("a read into memory of the caller", () => {
  it("gives what any read gives, however much room there is", async () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 3_000 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(
        payloads,
        fc.nat({ max: 20_000 }),
        fc.constantFrom(1, 4_096, 1e6),
        async (list, room, size) => {
          const log = await filledLog(new SimulatedEnv(), list, size);
          const limits = { batchesMax: 1_000, bytesMax: 1e6 };
          const plain = await log.read(1, 0, limits);
          const memory = memoryOf(room);
          const read = await log.read(1, 0, limits, memory);
          assert.deepEqual(read, plain);
          assert.equal(read.batches.length, list.length);
          if (room === 20_000 && size === 1e6)
            assert.equal(read.batches[0]?.payload.buffer, memory.whole.buffer);
          await log.close();
        },
      ),
      { numRuns: runs(40), examples: [[[new Uint8Array(10)], 20_000, 1e6]] },
    );
  });

  it("writes nothing to it after it has settled, though one of several reads under way fails", async () => {
    const env = new SimulatedEnv();
    const payload = new Uint8Array(700_000).fill(7);
    await (await filledLog(env, [payload, payload, payload, payload], 64e6)).close();
    // Of the large reads the first fails at once, for a reason that may pass; the others take their time.
    let reads = 0;
    let underWay = 0;
    const disk = wrapDisk(env.disk, async (path, mode, use) => {
      const file = await env.disk.open(path, mode, use);
      const read = file.read.bind(file);
      file.read = async (into, position) => {
        if (into.length < payload.length) return read(into, position);
        if (reads++ === 0) throw new DiskError("too-many-files", "read", path, undefined);
        underWay++;
        for (let turn = 0; turn < 100; turn++) await Promise.resolve();
        const got = await read(into, position);
        underWay--;
        return got;
      };
      return file;
    });
    const { clock, timers, random } = env;
    const log = await EmbeddedLog.start({ clock, timers, random, disk }, "/log", { tailCacheBytesMax: 0 });
    const reading = log.read(1, 0, { batchesMax: 10, bytesMax: 1e7 }, memoryOf(5_000_000));
    await assert.rejects(reading, DiskError);
    assert.ok(reads > 1, "several reads were under way");
    assert.equal(underWay, 0);
    await log.close();
  });
});
