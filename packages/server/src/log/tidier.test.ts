import assert from "node:assert/strict";
import type { Disk, DiskErrorKind } from "../env/env.js";
import { SimulatedEnv } from "../env/simulated-env.js";
import { wrapDisk } from "../env/wrap-disk.js";
import { readTexts, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import type { Fence } from "./log-store.js";
import type { EmbeddedLogOptions } from "./options.js";
import { segmentPath } from "./segment.js";

const directory = "/log";
const segmentBytes = 20_000;
const shardIds = Array.from({ length: 20 }, (_, i) => i + 1);

async function started(env = new SimulatedEnv(), options: Partial<EmbeddedLogOptions> = {}) {
  const log = await EmbeddedLog.start(env, directory, {
    segmentBytes,
    tailCacheBytesMax: 0,
    reserveBytes: 0,
    ...options,
  });
  return { env, log };
}

/** Batches of all shards, in turns, over several segments; rewriting them fails if there is a fault. */
async function filled(fault?: DiskErrorKind) {
  const { env, log } = await started();
  env.disk.faults = ({ path }) => (path.endsWith(".rewrite") ? fault : undefined);
  const fences = new Map<number, Fence>();
  for (const id of shardIds) {
    await log.createShard(id);
    fences.set(id, await log.open(id));
  }
  for (let round = 0; round < 60; round++) {
    await Promise.all(
      shardIds.map((id) =>
        log.append(id, textBatch(`${id}/${round}`.padEnd(80, ".")), { fence: fences.get(id) ?? 0 }),
      ),
    );
  }
  return { env, log, fences };
}

const expected = (id: number, from = 0, to = 60) =>
  Array.from({ length: to - from }, (_, i) => `${id}/${from + i}`.padEnd(80, "."));

async function largestSegment(env: SimulatedEnv): Promise<{ path: string; bytes: Buffer }> {
  const paths = (await env.disk.list(directory)).map((name) => `${directory}/${name}`);
  const sizes = paths.map((path) => env.disk.contents(path).byteLength);
  const path = paths[sizes.indexOf(Math.max(...sizes))] ?? "";
  return { path, bytes: Buffer.from(env.disk.contents(path)) };
}

async function assertAllThere(log: EmbeddedLog, from = 0, to = 60): Promise<void> {
  for (const id of shardIds) assert.deepEqual(await readTexts(log, id), expected(id, from, to));
}

describe("sealed segments", () => {
  it("are rewritten in the order of the shards, with nothing lost, also after a restart", async () => {
    const { env, log } = await filled();
    await log.tidied();
    const names = (await env.disk.list(directory)).filter((name) => name.includes("-"));
    assert.ok(names.length > 3);
    const bytes = Buffer.from(env.disk.contents(`${directory}/${names[0] ?? ""}`));
    const places = [1, 2, 19].map((id) => [bytes.indexOf(`${id}/0.`), bytes.indexOf(`${id}/1.`)] as const);
    for (const [first, second] of places) assert.ok(second - first < 200, "neighbours in the file");
    await assertAllThere(log);
    await log.close();
    const { log: again } = await started(env);
    assert.deepEqual(again.notices, []);
    await assertAllThere(again);
    await again.close();
  });

  it("that are sorted are merged, so that a shard's batches stand together, and stay right over a restart", async () => {
    const { env, log, fences } = await filled();
    await log.tidied();
    const { path, bytes } = await largestSegment(env);
    assert.ok(bytes.byteLength > 4 * segmentBytes, `${path} has ${bytes.byteLength} bytes`);
    for (const id of [1, 2, 19]) {
      const places = expected(id)
        .map((text) => bytes.indexOf(text))
        .filter((place) => place >= 0);
      assert.ok(places.length > 20, "many batches of each shard");
      const steps = places.slice(1).map((place, i) => place - (places[i] ?? 0));
      assert.ok(
        steps.every((step) => step === 80 + 72),
        "one behind the other",
      );
    }
    await assertAllThere(log);
    await log.trim(3, log.tail(3));
    await log.hold(4, "query", 1);
    await log.close();
    const { log: again } = await started(env);
    await again.tidied();
    assert.deepEqual(again.notices, []);
    for (const id of shardIds) assert.deepEqual(await readTexts(again, id), id === 3 ? [] : expected(id));
    assert.deepEqual([...again.describe(4).holds], [["query", 1]]);
    assert.equal((await again.append(1, textBatch("x"), { fence: fences.get(1) ?? 0 })).kind, "appended");
    await again.close();
  });

  it("of which nearly all is of one shard stay as they were written, also after a restart", async () => {
    const { env, log } = await started();
    for (const id of [1, 2]) await log.createShard(id);
    const fences = [await log.open(1), await log.open(2)];
    for (let i = 0; i < 600; i++) {
      const id = i % 100 === 50 ? 1 : 2;
      await log.append(id, textBatch(`${id}/${i}`.padEnd(80, ".")), { fence: fences[id - 1] ?? 0 });
    }
    await log.tidied();
    await log.close();
    const { log: again } = await started(env);
    await again.tidied();
    const names = await env.disk.list(directory);
    assert.ok(names.length > 3 && names.every((name) => !name.includes("-")), names.join(" "));
    assert.equal((await readTexts(again, 1)).length, 6);
    assert.equal((await readTexts(again, 2)).length, 594);
    await again.close();
  });

  it("never take more than twice what is alive and two segments, also while they are tidied", async () => {
    const { env, log } = await filled("no-space");
    await log.close();
    env.disk.faults = undefined;
    const { log: again } = await started(env);
    let highest = 0;
    env.disk.faults = () => {
      highest = Math.max(highest, env.disk.usedBytes);
      return undefined;
    };
    await again.tidied();
    const live = 20 * 60 * (80 + 72);
    assert.ok(highest <= 2 * live + 2 * segmentBytes, `${highest} of ${live}`);
    for (const id of shardIds.slice(0, 12)) await again.deleteShard(id);
    await again.tidied();
    assert.ok(env.disk.usedBytes <= (2 * (live * 8)) / 20 + 2 * segmentBytes);
    for (const id of shardIds.slice(12)) assert.deepEqual(await readTexts(again, id), expected(id));
    await again.close();
  });

  it("that turn out damaged while they are merged stay as they are", async () => {
    const { env, log } = await filled();
    await log.tidied();
    await log.close();
    const { path, bytes } = await largestSegment(env);
    bytes[bytes.indexOf("7/5.")] = 0;
    env.disk.overwrite(path, bytes);
    const { log: again } = await started(env);
    for (const id of shardIds.filter((one) => one !== 7)) await again.trim(id, again.tail(id));
    await again.tidied();
    assert.ok(await env.disk.exists(path));
    const { batches, gap, next } = await again.read(7, 0, { batchesMax: 100, bytesMax: 1_000_000 });
    assert.deepEqual([batches.length, gap], [5, undefined]);
    assert.equal((await again.read(7, next, { batchesMax: 100, bytesMax: 1_000_000 })).gap?.kind, "corrupt");
    await again.close();
  });

  it("give back the space of what was trimmed or deleted", async () => {
    const { env, log } = await filled();
    const full = env.disk.usedBytes;
    for (const id of shardIds.slice(0, 10)) await log.deleteShard(id);
    for (const id of shardIds.slice(10)) {
      const { batches } = await log.read(id, 0, { batchesMax: 50, bytesMax: 1_000_000 });
      await log.trim(id, batches.at(-1)?.batchId ?? 0);
    }
    await log.tidied();
    const live = 10 * 10 * (80 + 72);
    assert.ok(env.disk.usedBytes <= 2 * live + 2 * segmentBytes, `${env.disk.usedBytes} of ${full}`);
    for (const id of shardIds.slice(10)) assert.deepEqual(await readTexts(log, id), expected(id, 50));
  });

  it("are read and written without a gap while they are rewritten", async () => {
    const { log, fences } = await filled();
    let done = false;
    const tidied = log.tidied().then(() => {
      done = true;
    });
    let reads = 0;
    while (!done) {
      const id = 1 + (reads % 20);
      assert.deepEqual((await readTexts(log, id)).slice(0, 60), expected(id));
      await log.append(id, textBatch("more"), { fence: fences.get(id) ?? 0 });
      reads++;
    }
    await tidied;
    assert.ok(reads > 0);
  });

  it("that a crash has left beside what replaces them are removed", async () => {
    const { env, log } = await filled();
    const { env: copy, log: other } = await filled("no-space");
    await other.close();
    const olds = await copy.disk.list(directory);
    await log.tidied();
    await log.close();
    const news = await env.disk.list(directory);
    for (const name of olds) {
      const path = `${directory}/${name}`;
      if (!news.includes(name)) env.disk.overwrite(path, copy.disk.contents(path));
    }
    const { log: again } = await started(env);
    await assertAllThere(again);
    await again.tidied();
    assert.ok((await env.disk.list(directory)).length <= news.length + 2);
    await again.close();
  });

  it("stay as they are when they are damaged", async () => {
    const { env, log } = await filled("no-space");
    await log.close();
    env.disk.faults = undefined;
    const path = segmentPath(directory, 1);
    const bytes = env.disk.contents(path);
    const at = Buffer.from(bytes).indexOf("7/0.");
    bytes[at] = 0;
    env.disk.overwrite(path, bytes);
    const { log: again } = await started(env);
    await again.tidied();
    assert.ok(await env.disk.exists(path));
    assert.equal((await again.read(7, 0, { batchesMax: 100, bytesMax: 1_000_000 })).gap?.kind, "corrupt");
    assert.deepEqual(await readTexts(again, 8), expected(8));
  });

  it("stay when the disk has no room or fails, and are rewritten later", async () => {
    for (const fault of ["no-space", "io"] as const) {
      const { env, log } = await filled(fault);
      await log.tidied();
      await assertAllThere(log);
      assert.ok((await env.disk.list(directory)).every((name) => !name.includes("-")));
      env.disk.faults = undefined;
      await log.close();
      const { log: again } = await started(env);
      await again.tidied();
      assert.ok((await env.disk.list(directory)).some((name) => name.includes("-")));
      await assertAllThere(again);
    }
  });

  it("stay when tidying them goes wrong in an unexpected way, which is told and stops nothing else", async () => {
    const { env, log } = await filled("no-space");
    await log.close();
    env.disk.faults = undefined;
    const told: string[] = [];
    const { disk } = env;
    // No failure of a disk: a mistake in the program.
    const mistaken: Disk = wrapDisk(disk, (path, mode, use) => {
      if (path.endsWith(".rewrite")) throw new RangeError("a mistake");
      return disk.open(path, mode, use);
    });
    const again = await EmbeddedLog.start({ ...env, disk: mistaken }, directory, {
      segmentBytes,
      onNotice: ({ detail }) => told.push(detail),
    });
    await again.tidied();
    assert.deepEqual([told.length, told[0]?.includes("a mistake")], [1, true]);
    await assertAllThere(again);
    await again.append(1, textBatch("more"), { fence: await again.open(1) });
    await again.close();
    const { log: healthy } = await started(env);
    await healthy.tidied();
    for (const id of shardIds.slice(1)) assert.deepEqual(await readTexts(healthy, id), expected(id));
    await healthy.close();
  });
});
