import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { appended, readTexts, rejectsWith, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import { type BatchId, LogError, type ReadResult } from "./log-store.js";
import type { EmbeddedLogOptions } from "./options.js";
import { segmentPath } from "./segment.js";

const directory = "/log";
const everything = { batchesMax: 1000, bytesMax: 1_000_000 };
const noCaches = { tailCacheBytesMax: 0, indexCacheBytesMax: 0 };

async function started(options: Partial<EmbeddedLogOptions> = {}, env = new SimulatedEnv()) {
  const log = await EmbeddedLog.start(env, directory, { ...noCaches, ...options });
  return { env, log };
}

/** A log whose first segment has these texts in shard 1, each in a group of its own. */
async function written(texts: readonly string[], end: "close" | "crash", env = new SimulatedEnv()) {
  const { log } = await started({}, env);
  await log.createShard(1);
  const fence = await log.open(1);
  const ids: BatchId[] = [];
  for (const text of texts) ids.push(await appended(log.append(1, textBatch(text), { fence })));
  if (end === "close") await log.close();
  else env.disk.crash(env.random);
  return { env, ids, path: segmentPath(directory, 1) };
}

/** Flips a bit of the first place where `text` is. */
function damage(env: SimulatedEnv, path: string, text: string): number {
  const bytes = env.disk.contents(path);
  const at = Buffer.from(bytes).indexOf(text);
  assert.ok(at >= 0);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  env.disk.overwrite(path, bytes);
  return at;
}

/** All that reads say from the beginning, gaps included. */
async function story(log: EmbeddedLog, shardId = 1): Promise<string[]> {
  const told: string[] = [];
  for (let from = 0; ; ) {
    const { batches, next, gap }: ReadResult = await log.read(shardId, from, everything);
    if (gap !== undefined) told.push(gap.kind);
    for (const { payload } of batches) told.push(Buffer.from(payload).toString());
    if (next === from) return told;
    from = next;
  }
}

describe("damage of the files", () => {
  for (const end of ["close", "crash"] as const) {
    it(`costs only the damaged batch, and is told with file, offset and shard (after a ${end})`, async () => {
      const { env, ids, path } = await written(["one", "two", "three", "four"], end);
      const at = damage(env, path, "two");
      const { log } = await started({}, env);
      assert.deepEqual(await story(log), ["one", "corrupt", "three", "four"]);
      const { gap } = await log.read(1, ids[1] ?? 0, everything);
      assert.equal(gap?.upTo, ids[1]);
      assert.ok(gap?.detail.includes(path) && gap.detail.includes("shard 1"), gap?.detail);
      if (end === "close") assert.match(gap?.detail ?? "", new RegExp(`offset ${at - 72}`));
      else assert.ok(log.notices.some(({ path: where, offset }) => where === path && offset === at - 72));
    });
  }

  it("at the beginning and at the end is told as well", async () => {
    const { env, path } = await written(["one", "two", "three"], "close");
    damage(env, path, "one");
    damage(env, path, "three");
    const { log } = await started({}, env);
    assert.deepEqual(await story(log), ["corrupt", "two", "corrupt"]);
    assert.equal((await log.append(1, textBatch("four"), { fence: await log.open(1) })).kind, "appended");
    assert.deepEqual(await story(log), ["corrupt", "two", "corrupt", "four"]);
  });

  it("in a frame's header, its length or its checksum costs that frame", async () => {
    for (const back of [72, 68, 64, 61, 60, 40, 32]) {
      for (const end of ["close", "crash"] as const) {
        const { env, path } = await written(["one", "two", "three"], end);
        const bytes = env.disk.contents(path);
        const at = Buffer.from(bytes).indexOf("two") - back;
        bytes[at] = (bytes[at] ?? 0) ^ 0x10;
        env.disk.overwrite(path, bytes);
        const { log } = await started({}, env);
        assert.deepEqual(await story(log), ["one", "corrupt", "three"]);
      }
    }
  });

  it("by zeros, and by a block that stands for another, is told", async () => {
    const texts = Array.from({ length: 40 }, (_, i) => `${i} `.padEnd(400, "x"));
    for (const kind of ["zeros", "duplicate", "swap"]) {
      const { env, path } = await written(texts, "close");
      const bytes = Buffer.from(env.disk.contents(path));
      const block = Buffer.from(bytes.subarray(4096, 8192));
      if (kind === "zeros") bytes.fill(0, 4096, 8192);
      else block.copy(bytes, 8192);
      if (kind === "swap") Buffer.from(env.disk.contents(path)).copy(bytes, 4096, 8192, 12_288);
      env.disk.overwrite(path, bytes);
      const told = await story((await started({}, env)).log);
      assert.ok(told.includes("corrupt"));
      const batches = told.filter((text) => text !== "corrupt");
      assert.ok(batches.length >= 15 && batches.every((text) => texts.includes(text)));
      assert.deepEqual(batches, [...new Set(batches)]);
    }
  });

  it("of a footer, wherever it is, costs nothing", async () => {
    const { env, path } = await written(["one", "two"], "close");
    const bytes = env.disk.contents(path);
    const footer = Buffer.from(bytes).indexOf("two") + 3;
    for (let at = footer; at < bytes.byteLength; at += 3) {
      const other = new SimulatedEnv();
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x20;
      other.disk.overwrite(path, damaged);
      const { log } = await started({}, other);
      assert.deepEqual(await story(log), ["one", "two"], `byte ${at - footer} of the footer`);
      assert.deepEqual(log.shards(), [1]);
      assert.equal(await log.open(1), 2);
      await log.close();
    }
  });

  it("of a segment's header costs nothing", async () => {
    for (const end of ["close", "crash"] as const) {
      const { env, path } = await written(["one", "two"], end);
      const bytes = env.disk.contents(path);
      bytes[20] = 99;
      env.disk.overwrite(path, bytes);
      const { log } = await started({}, env);
      assert.deepEqual(await story(log), ["one", "two"]);
      assert.ok(log.notices.some((notice) => notice.path === path && notice.offset === 0));
    }
  });

  it("is not what data of a later version are: they are refused and left alone", async () => {
    const { env, path } = await written(["one"], "crash");
    const bytes = Buffer.from(env.disk.contents(path));
    bytes.writeUInt32LE(2, 8);
    bytes.writeUInt32LE(crc32(bytes.subarray(16, 64), 2), 12);
    env.disk.overwrite(path, bytes);
    await rejectsWith("unknown-format", () => EmbeddedLog.start(env, directory));
    assert.ok(bytes.equals(env.disk.contents(path)));
  });

  it("that leaves nothing to be known in a file leaves the file as it is", async () => {
    const { env, path } = await written(["one"], "crash");
    const noise = Buffer.alloc(5000, "noise");
    env.disk.overwrite(path, noise);
    const { log } = await started({}, env);
    assert.deepEqual(log.shards(), []);
    assert.ok(log.notices.some((notice) => notice.path === path));
    await log.createShard(1);
    await log.close();
    assert.ok(noise.equals(env.disk.contents(path)));
  });

  it("by a cut is told, and what is before the cut stays", async () => {
    const { env, path } = await written(["one", "two", "three"], "close");
    const bytes = env.disk.contents(path);
    const { log: before } = await started({}, env);
    await before.close();
    env.disk.overwrite(path, bytes.subarray(0, Buffer.from(bytes).indexOf("three")));
    const { log } = await started({}, env);
    assert.deepEqual(await story(log), ["one", "two", "corrupt"]);
  });

  it("by the loss of a whole segment is told", async () => {
    const { env, log } = await started({ segmentBytes: 300 });
    await log.createShard(1);
    const fence = await log.open(1);
    for (let i = 0; i < 12; i++) await appended(log.append(1, textBatch(`${i}`.padEnd(100, "x")), { fence }));
    await log.close();
    const { log: second } = await started({ segmentBytes: 300 }, env);
    const whole = await story(second);
    await second.close();
    env.disk.erase(segmentPath(directory, 4));
    const told = await story((await started({}, env)).log);
    const at = told.indexOf("corrupt");
    assert.ok(at > 0 && told.length < whole.length + 1);
    assert.deepEqual(
      [...told.slice(0, at), ...told.slice(at + 1)],
      whole.filter((text) => told.includes(text)),
    );
  });

  it("that one read of the disk shows costs only what it covers", async () => {
    const { env, path } = await written(["one", "two", "three"], "close");
    const { log } = await started({}, env);
    let reads = 0;
    // Those of all three (after directory and index) and of the second alone fail, and again when reading goes on.
    env.disk.faults = ({ name, path: where }) =>
      name === "read" && where === path && [2, 4, 8, 9].includes(reads++) ? "io" : undefined;
    assert.deepEqual(await story(log), ["one", "corrupt", "three"]);
  });

  it("leaves files that are none of the log's alone", async () => {
    const { env } = await written(["one"], "close");
    env.disk.overwrite("/log/notes.txt", Buffer.from("mine"));
    const { log } = await started({}, env);
    assert.deepEqual(await story(log), ["one"]);
    await log.close();
    assert.equal(Buffer.from(env.disk.contents("/log/notes.txt")).toString(), "mine");
  });
});

describe("a disk without any room left", () => {
  it("still lets trims and deletions make room, and takes appends again after that", async () => {
    const { env, log } = await started({ segmentBytes: 2000, reserveBytes: 10_000 });
    const fences: number[] = [];
    for (const id of [1, 2, 3]) {
      await log.createShard(id);
      fences.push(await log.open(id));
    }
    const append = (id: number) => log.append(id, textBatch("x".repeat(300)), { fence: fences[id - 1] ?? 0 });
    const used = async () => {
      const names = await env.disk.list(directory);
      return names.reduce((sum, name) => sum + env.disk.contents(`${directory}/${name}`).byteLength, 0);
    };
    for (let i = 0; i < 90; i++) await appended(append(1 + Math.floor(i / 30)));
    await log.tidied();
    env.disk.capacityBytes = await used();
    assert.equal((await append(3)).kind, "full");
    // Room for the trim comes from the reserve, and is not for appends.
    assert.equal((await log.trim(1, log.tail(1))).kind, "trimmed");
    await log.deleteShard(2);
    await log.tidied();
    assert.ok((await used()) < env.disk.capacityBytes - 10_000);
    await append(3);
    await settle();
    await appended(append(3));
    assert.ok(await env.disk.exists(`${directory}/reserve`));
    await log.close();
    const { log: again } = await started({}, env);
    assert.deepEqual(again.shards(), [1, 3]);
    assert.deepEqual(await readTexts(again, 1), []);
    assert.ok((await readTexts(again, 3)).length > 30);
  });
});

describe("a disk that is full", () => {
  it("refuses appends, goes on serving reads, and takes appends again when there is room", async () => {
    for (const segmentBytes of [300, 100_000]) {
      const { env, log } = await started({ segmentBytes });
      await log.createShard(1);
      const fence = await log.open(1);
      await appended(log.append(1, textBatch("before"), { fence }));
      for (let round = 0; round < 3; round++) {
        env.disk.capacityBytes = 0;
        const producer = { id: "p", mode: "contiguous", sequence: { step: round + 1, chunk: 0 } } as const;
        const refused = await Promise.all([
          log.append(1, textBatch("refused"), { fence }),
          log.append(1, textBatch("refused too"), { fence, producer }),
        ]);
        for (const result of refused) assert.ok(result.kind === "full" && result.reason === "disk");
        await rejectsWith("full", () => log.createShard(2));
        await rejectsWith("full", () => log.hold(1, "h", 1));
        await rejectsWith("full", () => log.open(1));
        assert.equal(log.describe(1).holds.size, 0);
        assert.equal((await readTexts(log, 1))[0], "before");
        env.disk.capacityBytes = Number.POSITIVE_INFINITY;
        await appended(log.append(1, textBatch(`after ${round}`), { fence, producer }));
      }
      const expected = ["before", "after 0", "after 1", "after 2"];
      assert.deepEqual(await readTexts(log, 1), expected);
      env.disk.crash(env.random);
      assert.deepEqual(await story((await started({}, env)).log), expected);
    }
  });

  it("leaves nothing behind of what it refused, however the process ends", async () => {
    for (const end of ["process", "power"] as const) {
      const { env, log } = await started();
      await log.createShard(1);
      const fence = await log.open(1);
      await appended(log.append(1, textBatch("before"), { fence }));
      // Of the two frames of the group the disk takes the first, and of a lone one a part.
      env.disk.faults = ({ name }) => (name === "write" ? "no-space" : undefined);
      const refused = ["refused", "refused too"].map((text) => log.append(1, textBatch(text), { fence }));
      for (const { kind } of await Promise.all(refused)) assert.equal(kind, "full");
      env.disk.faults = undefined;
      if (end === "process") env.disk.endProcess();
      else env.disk.lose();
      const { log: again } = await started({}, env);
      assert.deepEqual(again.notices, []);
      assert.deepEqual(await story(again), ["before"]);
    }
  });

  it("does not keep a log from starting for readers", async () => {
    const { env } = await written(["one", "two"], "crash");
    env.disk.capacityBytes = 0;
    const { log } = await started({}, env);
    assert.deepEqual(await story(log), ["one", "two"]);
    await rejectsWith("full", () => log.open(1));
    env.disk.capacityBytes = Number.POSITIVE_INFINITY;
    await appended(log.append(1, textBatch("three"), { fence: await log.open(1) }));
    assert.deepEqual(await story(log), ["one", "two", "three"]);
    await log.close();
    assert.deepEqual(await story((await started({}, env)).log), ["one", "two", "three"]);
  });
});

describe("a disk that refuses a sync", () => {
  it("ends all changes until a restart; reads go on, and nothing acknowledged is lost", async () => {
    const { env, log } = await started();
    await log.createShard(1);
    const fence = await log.open(1);
    await appended(log.append(1, textBatch("one"), { fence }));
    env.disk.faults = ({ name }) => (name === "datasync" ? "io" : undefined);
    await rejectsWith("failed", () => log.append(1, textBatch("two"), { fence }));
    env.disk.faults = undefined;
    await rejectsWith("failed", () => log.append(1, textBatch("three"), { fence }));
    await rejectsWith("failed", () => log.open(1));
    await rejectsWith("failed", () => log.trim(1, 1));
    assert.deepEqual(await readTexts(log, 1), ["one"]);
    await log.close();
    env.disk.crash(env.random);
    const { log: again } = await started({}, env);
    const texts = await story(again);
    assert.ok(texts[0] === "one" && !texts.includes("three"));
    await appended(again.append(1, textBatch("four"), { fence: await again.open(1) }));
  });
});

describe("a start after a failed sync", () => {
  it("makes durable what it shows: the system holds it for written, but only its memory may have it", async () => {
    const { env, log } = await started();
    await log.createShard(1);
    const fence = await log.open(1);
    await appended(log.append(1, textBatch("one"), { fence }));
    env.disk.faults = ({ name }) => (name === "datasync" ? "io" : undefined);
    await rejectsWith("failed", () => log.append(1, textBatch("two"), { fence }));
    env.disk.faults = undefined;
    env.disk.endProcess();
    const { log: again } = await started({}, env);
    const shown = await story(again);
    assert.deepEqual(shown, ["one", "two"]);
    env.disk.lose();
    assert.deepEqual(await story((await started({}, env)).log), shown);
  });
});

describe("a directory", () => {
  it("belongs to one log at a time", async () => {
    const { env, log } = await started({ holder: "the first" });
    await assert.rejects(
      EmbeddedLog.start(env, directory),
      (error) => error instanceof LogError && error.kind === "locked" && error.message.includes("the first"),
    );
    await log.close();
    await (await started({}, env)).log.close();
  });

  it("is given back when a start fails", async () => {
    const { env } = await written(["one"], "crash");
    env.disk.faults = ({ name }) => (name === "datasync" ? "io" : undefined);
    await assert.rejects(EmbeddedLog.start(env, directory));
    env.disk.faults = undefined;
    assert.deepEqual(await story((await started({}, env)).log), ["one"]);
  });

  it("gets smaller when shards are trimmed or deleted", async () => {
    const { env, log } = await started({ segmentBytes: 2000 });
    const segments = async () => (await env.disk.list(directory)).length;
    await log.createShard(1);
    await log.createShard(2);
    const fences = [await log.open(1), await log.open(2)] as const;
    for (let i = 0; i < 100; i++) {
      await appended(log.append(1, textBatch("x".repeat(100)), { fence: fences[0] }));
      await appended(log.append(2, textBatch("y".repeat(100)), { fence: fences[1] }));
    }
    const full = await segments();
    await log.trim(1, log.tail(1));
    assert.equal(await segments(), full);
    await log.trim(2, log.tail(2));
    await log.tidied();
    assert.ok(full > 4 && (await segments()) <= 4);
    for (let i = 0; i < 50; i++) {
      await appended(log.append(2, textBatch("y".repeat(200)), { fence: fences[1] }));
    }
    assert.ok((await segments()) > 2);
    await log.deleteShard(2);
    await log.tidied();
    assert.ok((await segments()) <= 4);
    await log.close();
    const { log: again } = await started({}, env);
    assert.deepEqual(again.shards(), [1]);
    await rejectsWith("shard-exists", () => again.createShard(2));
  });
});

describe("a read", () => {
  it("that is overtaken by a deletion or a close says so, and tells of no damage", async () => {
    const { env, path } = await written(["one", "two"], "close");
    const { log } = await started({}, env);
    const overtaken = rejectsWith("shard-not-found", () => log.read(1, 0, everything));
    env.disk.erase(path);
    await log.deleteShard(1);
    await overtaken;
    const { env: other } = await written(["one", "two"], "close");
    const { log: closing } = await started({}, other);
    const closed = rejectsWith("closed", () => closing.read(1, 0, everything));
    await closing.close();
    await closed;
  });

  it("that a trim overtakes gives what is left", async () => {
    const { env, ids } = await written(["one", "two"], "close");
    const { log } = await started({}, env);
    env.disk.faults = ({ name }) => {
      if (name === "read" && log.describe(1).trimmedUpTo === 0) void log.trim(1, ids[0] ?? 0);
      return undefined;
    };
    const { batches } = await log.read(1, 0, everything);
    assert.ok(batches.length >= 1 && batches.at(-1)?.batchId === ids[1]);
  });
});

describe("many appends at once", () => {
  const slowDisk = async (options: Partial<EmbeddedLogOptions>) => {
    const { env, log } = await started(options);
    await log.createShard(1);
    return { env, log, fence: await log.open(1) };
  };

  it("share one write and one sync", async () => {
    const { env, log, fence } = await slowDisk({});
    let syncs = 0;
    env.disk.faults = ({ name }) => {
      if (name === "datasync") syncs++;
      return undefined;
    };
    await Promise.all(Array.from({ length: 100 }, (_, i) => log.append(1, textBatch(`${i}`), { fence })));
    assert.equal(syncs, 1);
  });

  it("wait for room in the order of their calls, and are refused beyond that", async () => {
    const { log, fence } = await slowDisk({ appendBytesInFlightMax: 500, appendBytesWaitingMax: 1000 });
    const results = await Promise.all(
      Array.from({ length: 40 }, (_, i) => log.append(1, textBatch(`${i}`.padEnd(28)), { fence })),
    );
    const kinds = results.map(({ kind }) => kind);
    assert.deepEqual(kinds, [...Array(15).fill("appended"), ...Array(25).fill("full")]);
    const last = results.at(-1);
    assert.deepEqual(last, { kind: "full", reason: "in-flight", limitBytes: 1000 });
    const texts = (await readTexts(log, 1)).map((text) => Number(text));
    assert.deepEqual(
      texts,
      Array.from({ length: 15 }, (_, i) => i),
    );
  });

  it("are acknowledged only after the sync, and not seen before", async () => {
    const { env, log, fence } = await slowDisk({});
    let seen: number | undefined;
    env.disk.faults = ({ name }) => {
      if (name === "datasync") seen = log.tail(1);
      return undefined;
    };
    await appended(log.append(1, textBatch("one"), { fence }));
    assert.equal(seen, 0);
  });
});
