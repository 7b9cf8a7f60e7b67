import assert from "node:assert/strict";
import { SimulatedEnv, settle } from "../env/simulated-env.js";
import { appended, textBatch } from "./conformance.js";
import { EmbeddedLog } from "./embedded-log.js";
import type { BatchId, ShardId } from "./log-store.js";

/*
 * What can happen to files, one test each. In all of them: a start succeeds, or says which file it is; what is
 * read was appended, under that id and in order; and what is not read any more is told as a gap.
 * That a copy repairs a damage, votes and terms belong to the cluster's engine and are not here.
 */
const directory = "/log";
const options = { segmentBytes: 6000, tailCacheBytesMax: 0, indexCacheBytesMax: 0, reserveBytes: 0 };
const shardIds = [1, 2, 3];

interface World {
  readonly env: SimulatedEnv;
  readonly acknowledged: Map<ShardId, Map<BatchId, string>>;
  /** Full names of the segments, oldest first. */
  readonly paths: readonly string[];
}

/** Some segments that were rewritten, some as they were written; the newest without a footer if crashed. */
async function world(end: "close" | "crash"): Promise<World> {
  const env = new SimulatedEnv();
  const log = await EmbeddedLog.start(env, directory, options);
  const acknowledged = new Map<ShardId, Map<BatchId, string>>();
  const fences = new Map<ShardId, number>();
  for (const id of shardIds) {
    await log.createShard(id);
    fences.set(id, await log.open(id));
    acknowledged.set(id, new Map());
  }
  for (let i = 0; i < 120; i++) {
    const id = 1 + (i % 3);
    const text = `${id}:${i} `.padEnd(200, "x");
    const batchId = await appended(log.append(id, textBatch(text), { fence: fences.get(id) ?? 0 }));
    acknowledged.get(id)?.set(batchId, text);
    if (i === 60) await log.tidied();
  }
  await log.tidied();
  if (end === "close") await log.close();
  env.disk.stop();
  await settle();
  env.disk.crash(env.random);
  return { env, acknowledged, paths: await segmentsOf(env) };
}

async function segmentsOf(env: SimulatedEnv): Promise<string[]> {
  const names = await env.disk.list(directory);
  const segments = names.filter((name) => name.endsWith(".segment"));
  return segments
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
    .map((name) => `${directory}/${name}`);
}

interface Outcome {
  readonly lost: number;
  readonly notices: number;
}

/** Starts on the damaged files and reads everything; the number of batches that are told as lost. */
async function survey({ env, acknowledged }: World): Promise<Outcome> {
  const log = await EmbeddedLog.start(env, directory, options);
  let lost = 0;
  for (const id of log.shards()) {
    const expected = [...(acknowledged.get(id) ?? [])];
    const tail = log.tail(id);
    const read = new Set<BatchId>();
    const gaps: { from: BatchId; upTo: BatchId }[] = [];
    let last = 0;
    for (let from = 0; ; ) {
      const { batches, next, gap } = await log.read(id, from, { batchesMax: 7, bytesMax: 100_000 });
      if (gap !== undefined) gaps.push({ from, upTo: gap.upTo });
      for (const { batchId, payload } of batches) {
        assert.ok(batchId > last, "in order");
        last = batchId;
        assert.equal(acknowledged.get(id)?.get(batchId), Buffer.from(payload).toString());
        read.add(batchId);
      }
      if (next === from) break;
      from = next;
    }
    for (const [batchId] of expected) {
      if (read.has(batchId)) continue;
      lost++;
      const isTold = gaps.some(({ from, upTo }) => from <= batchId && batchId <= upTo);
      // Nothing says that there was more than what is the end now: it will not be missed.
      if (batchId > tail) acknowledged.get(id)?.delete(batchId);
      else assert.ok(isTold, `batch ${batchId} of shard ${id} is lost in silence`);
    }
    const fence = await log.open(id);
    const batchId = await appended(log.append(id, textBatch("after"), { fence }));
    acknowledged.get(id)?.set(batchId, "after");
    for (const [earlier] of expected) assert.ok(batchId > earlier, "ids are not used again");
  }
  await log.close();
  return { lost, notices: log.notices.length };
}

/** Damages a file of a fresh world, looks at it, and again after a restart. */
async function damaged(
  end: "close" | "crash",
  which: (paths: readonly string[]) => number,
  change: (bytes: Buffer, world: World) => Uint8Array | undefined,
): Promise<Outcome> {
  const made = await world(end);
  const path = made.paths.at(which(made.paths)) ?? "";
  const bytes = change(Buffer.from(made.env.disk.contents(path)), made);
  if (bytes === undefined) made.env.disk.erase(path);
  else made.env.disk.overwrite(path, bytes);
  const outcome = await survey(made);
  await survey(made);
  return outcome;
}

const first = () => 0;
const middle = (paths: readonly string[]) => paths.length >> 1;
const last = () => -1;

function flipped(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 0x04;
  return bytes;
}

/** Offset of the header of the n-th frame that is a batch. */
function batchAt(bytes: Buffer, n: number): number {
  let at = 64;
  for (let found = -1; ; at += bytes.readUInt32LE(at)) {
    if (bytes[at + 11] === 0 && ++found === n) return at;
  }
}

describe("files that are damaged", () => {
  const cases: [string, () => Promise<Outcome>, (outcome: Outcome) => boolean][] = [];
  const add = (name: string, run: () => Promise<Outcome>, holds: (outcome: Outcome) => boolean) =>
    cases.push([name, run, holds]);
  const nothingLost = ({ lost }: Outcome) => lost === 0;
  const oneLost = ({ lost }: Outcome) => lost === 1;
  const someLost = ({ lost }: Outcome) => lost >= 1;

  for (const [where, which] of [
    ["oldest", first],
    ["middle", middle],
  ] as const) {
    add(`${where} segment of length zero`, () => damaged("close", which, () => Buffer.alloc(0)), someLost);
    add(
      `${where} segment cut in its header`,
      () => damaged("close", which, (b) => b.subarray(0, 30)),
      someLost,
    );
    add(
      `${where} segment cut in the middle`,
      () => damaged("close", which, (b) => b.subarray(0, b.length >> 1)),
      someLost,
    );
    add(
      `${where} segment without its trailer`,
      () => damaged("close", which, (b) => b.subarray(0, b.length - 10)),
      nothingLost,
    );
    add(
      `a bit flipped in a payload, ${where}`,
      () => damaged("close", which, (b) => flipped(b, batchAt(b, 3) + 100)),
      oneLost,
    );
    add(
      `a bit flipped in a length, ${where}`,
      () => damaged("close", which, (b) => flipped(b, batchAt(b, 3))),
      oneLost,
    );
    add(
      `a bit flipped in a checksum, ${where}`,
      () => damaged("close", which, (b) => flipped(b, batchAt(b, 3) + 4)),
      oneLost,
    );
    add(
      `a bit flipped in a frame's header, ${where}`,
      () => damaged("close", which, (b) => flipped(b, batchAt(b, 3) + 33)),
      oneLost,
    );
    add(
      `a bit flipped in the file's header, ${where}`,
      () => damaged("close", which, (b) => flipped(b, 17)),
      nothingLost,
    );
    add(`a block of zeros, ${where}`, () => damaged("close", which, (b) => b.fill(0, 1024, 2048)), someLost);
    add(
      `a block twice, ${where}`,
      () => damaged("close", which, (b) => (b.copy(b, 2048, 1024, 2048), b)),
      someLost,
    );
    add(
      `two blocks swapped, ${where}`,
      () =>
        damaged("close", which, (b) => {
          const block = Buffer.from(b.subarray(1024, 2048));
          b.copy(b, 1024, 2048, 3072);
          block.copy(b, 2048);
          return b;
        }),
      someLost,
    );
    add(`${where} segment missing`, () => damaged("close", which, () => undefined), someLost);
    add(
      `${where} segment replaced by another one's bytes`,
      () => damaged("close", which, (_, { env, paths }) => env.disk.contents(paths[1] ?? "")),
      someLost,
    );
  }
  add(
    "newest segment of length zero",
    () => damaged("crash", last, () => Buffer.alloc(0)),
    () => true,
  );
  add(
    "newest segment cut in its last record",
    () => damaged("crash", last, (b) => b.subarray(0, b.length - 20)),
    () => true,
  );
  add(
    "newest segment missing",
    () => damaged("close", last, () => undefined),
    () => true,
  );
  add(
    "a directory in a footer damaged",
    () => damaged("close", middle, (b) => flipped(b, b.readDoubleLE(b.length - 64 + 32) + 3)),
    nothingLost,
  );
  add(
    "an index in a footer damaged",
    () => damaged("close", middle, (b) => flipped(b, b.readDoubleLE(b.length - 64 + 24) + 80)),
    nothingLost,
  );
  add(
    "an index and the last batch that it tells of damaged",
    () =>
      damaged("close", first, (b) => {
        // The directory's first entry: where the index of the extent is, and how many batches it has.
        const directory = b.readDoubleLE(b.length - 64 + 32);
        const [count, index] = [b.readDoubleLE(directory + 8), b.readDoubleLE(directory + 56)];
        const lastFrame = b.readUInt32LE(index + (count - 1) * 24 + 16);
        return flipped(flipped(b, lastFrame + 100), index + 3);
      }),
    oneLost,
  );
  add(
    "the newest state damaged",
    () => damaged("close", last, (b) => flipped(b, b.readDoubleLE(b.length - 64 + 40) + 9)),
    nothingLost,
  );
  add("a trailer damaged", () => damaged("close", middle, (b) => flipped(b, b.length - 30)), nothingLost);

  const changed = async (end: "close" | "crash", change: (made: World) => Promise<void> | void) => {
    const made = await world(end);
    await change(made);
    return survey(made);
  };
  add(
    "a file of an unknown name",
    () => changed("close", ({ env }) => env.disk.overwrite(`${directory}/notes.txt`, Buffer.from("hello"))),
    nothingLost,
  );
  add(
    "a rewrite that was not finished",
    () =>
      changed("close", ({ env }) =>
        env.disk.overwrite(`${directory}/000000000002-1.segment.rewrite`, Buffer.alloc(500, 1)),
      ),
    nothingLost,
  );
  add(
    "a segment renamed",
    () =>
      changed("close", async ({ env, paths }) => {
        const path = paths[1] ?? "";
        env.disk.overwrite(`${directory}/000000000900.segment`, env.disk.contents(path));
        env.disk.erase(path);
      }),
    nothingLost,
  );
  add(
    "the segments of another log beside them",
    () =>
      changed("close", async ({ env }) => {
        const other = await world("close");
        const path = other.paths[0] ?? "";
        env.disk.overwrite(`${directory}/000000000800.segment`, other.env.disk.contents(path));
      }),
    () => true,
  );
  add(
    "all files as they were some time ago",
    async () => {
      const made = await world("close");
      const old = new Map(made.paths.map((path) => [path, made.env.disk.contents(path)]));
      await survey(made);
      for (const path of await segmentsOf(made.env)) made.env.disk.erase(path);
      for (const [path, bytes] of old) made.env.disk.overwrite(path, bytes);
      for (const texts of made.acknowledged.values()) {
        for (const [id, text] of texts) if (text === "after") texts.delete(id);
      }
      return survey(made);
    },
    nothingLost,
  );
  add(
    "a lock that a dead process has left",
    () => changed("close", ({ env }) => env.disk.overwrite(`${directory}/lock-1`, Buffer.from("1 0 gone"))),
    nothingLost,
  );

  for (const [name, run, holds] of cases) {
    it(name, async () => {
      const outcome = await run();
      assert.ok(holds(outcome), JSON.stringify(outcome));
    });
  }

  it("one that may not be read says so and leaves everything alone", async () => {
    const made = await world("close");
    const [path = ""] = made.paths;
    made.env.disk.faults = (operation) =>
      operation.path === path && operation.name === "open" ? "denied" : undefined;
    await assert.rejects(EmbeddedLog.start(made.env, directory, options), (error: Error) =>
      error.message.includes(path),
    );
    made.env.disk.faults = undefined;
    assert.equal((await survey(made)).lost, 0);
  });
});
