import assert from "node:assert/strict";
import type { AppendResult, Batch, BatchId, LogErrorKind, LogStore, Producer, ShardId } from "./log-store.js";
import { LogError } from "./log-store.js";

/** A place where logs live. */
export interface LogHarness {
  /** Opens the log, as a new process would. */
  start(): Promise<LogStore>;
  /** Sets the log's clock. */
  setTime(ms: number): void;
  /** Frees what the harness has taken. */
  dispose(): Promise<void>;
}

const everything = { batchesMax: 1_000_000, bytesMax: 1_000_000_000 };

/** A batch with a text as its payload. */
export function textBatch(text: string, recordCount = 1, compression = 0): Batch {
  return { recordCount, compression, payload: Buffer.from(text) };
}

/** All that can be read from the shard, as texts. */
export async function readTexts(log: LogStore, shardId: ShardId, from: BatchId = 0): Promise<string[]> {
  const texts: string[] = [];
  for (let at = from; ; ) {
    const { batches, next } = await log.read(shardId, at, everything);
    for (const batch of batches) texts.push(Buffer.from(batch.payload).toString());
    if (next === at || batches.length === 0) return texts;
    at = next;
  }
}

/** The id of a batch that must have been appended. */
export async function appended(result: Promise<AppendResult>): Promise<BatchId> {
  const settled = await result;
  assert.equal(settled.kind, "appended");
  return settled.kind === "appended" ? settled.batchId : 0;
}

/** Checks that a call is refused with this kind of LogError. */
export async function rejectsWith(kind: LogErrorKind, work: () => Promise<unknown> | unknown): Promise<void> {
  await assert.rejects(
    async () => await work(),
    (error) => error instanceof LogError && error.kind === kind,
  );
}

/** What every LogStore must do. Describes one mocha suite. */
export function logStoreConformance(name: string, makeHarness: () => Promise<LogHarness>): void {
  describe(`${name} keeps the contract of LogStore`, () => {
    let harness: LogHarness;
    let log: LogStore;

    beforeEach(async () => {
      harness = await makeHarness();
      log = await harness.start();
    });

    afterEach(async () => {
      await log.close();
      await harness.dispose();
    });

    const restart = async () => {
      await log.close();
      log = await harness.start();
    };
    const shardWithFence = async (shardId: ShardId) => {
      await log.createShard(shardId);
      return log.open(shardId);
    };

    it("reads back what was appended, in order, with all fields", async () => {
      harness.setTime(1_700_000_000_000);
      const fence = await shardWithFence(7);
      const ids = await Promise.all(
        ["a", "b", "c"].map((text, i) => appended(log.append(7, textBatch(text, i + 1, i), { fence }))),
      );
      const { batches, next, gap } = await log.read(7, 0, everything);
      assert.deepEqual(
        batches.map(({ batchId, shardId, recordCount, compression, timeMs, payload }) => ({
          batchId,
          shardId,
          recordCount,
          compression,
          timeMs,
          text: Buffer.from(payload).toString(),
        })),
        ["a", "b", "c"].map((text, i) => ({
          batchId: ids[i],
          shardId: 7,
          recordCount: i + 1,
          compression: i,
          timeMs: 1_700_000_000_000,
          text,
        })),
      );
      assert.equal(next, (ids[2] ?? 0) + 1);
      assert.equal(gap, undefined);
    });

    it("keeps everything over a restart", async () => {
      const fence = await shardWithFence(7);
      const last = await appended(log.append(7, textBatch("a"), { fence }));
      await log.hold(7, "query 1", last);
      await restart();
      assert.deepEqual(log.shards(), [7]);
      assert.deepEqual(await readTexts(log, 7), ["a"]);
      const { tail, holds } = log.describe(7);
      assert.equal(tail, last);
      assert.deepEqual([...holds], [["query 1", last]]);
      const later = await appended(log.append(7, textBatch("b"), { fence: await log.open(7) }));
      assert.ok(later > last);
      assert.deepEqual(await readTexts(log, 7), ["a", "b"]);
    });

    it("gives ids of 16 digits that rise, over restarts too", async () => {
      let last = 0;
      await log.createShard(7);
      for (let start = 0; start < 3; start++) {
        const fence = await log.open(7);
        for (let i = 0; i < 3; i++) {
          const id = await appended(log.append(7, textBatch("x"), { fence }));
          assert.ok(id > last && String(id).length === 16);
          last = id;
        }
        await restart();
      }
    });

    it("lets append times never fall, whatever the clock does", async () => {
      const fence = await shardWithFence(7);
      const times: number[] = [];
      for (const now of [5000, 3000, 9000, 1000]) {
        harness.setTime(now);
        const result = await log.append(7, textBatch("x"), { fence });
        assert.equal(result.kind, "appended");
        if (result.kind === "appended") times.push(result.timeMs);
      }
      assert.deepEqual(times, [5000, 5000, 9000, 9000]);
      await restart();
      harness.setTime(2000);
      const result = await log.append(7, textBatch("x"), { fence: await log.open(7) });
      assert.equal(result.kind === "appended" && result.timeMs, 9000);
      assert.equal(log.describe(7).tailTimeMs, 9000);
    });

    it("keeps shards apart", async () => {
      const first = await shardWithFence(1);
      const second = await shardWithFence(2 ** 40);
      await Promise.all([
        log.append(1, textBatch("a"), { fence: first }),
        log.append(2 ** 40, textBatch("b"), { fence: second }),
        log.append(1, textBatch("c"), { fence: first }),
      ]);
      assert.deepEqual(await readTexts(log, 1), ["a", "c"]);
      assert.deepEqual(await readTexts(log, 2 ** 40), ["b"]);
      assert.deepEqual(log.shards(), [1, 2 ** 40]);
    });

    it("takes empty and large payloads", async () => {
      const fence = await shardWithFence(7);
      const large = "x".repeat(300_000);
      for (const text of ["", large, "small"]) await appended(log.append(7, textBatch(text), { fence }));
      await restart();
      assert.deepEqual(await readTexts(log, 7), ["", large, "small"]);
    });

    it("refuses what concerns a shard that does not exist", async () => {
      await rejectsWith("shard-not-found", () => log.open(9));
      await rejectsWith("shard-not-found", () => log.append(9, textBatch("x"), { fence: 1 }));
      await rejectsWith("shard-not-found", () => log.read(9, 0, everything));
      await rejectsWith("shard-not-found", () => log.tail(9));
      await rejectsWith("shard-not-found", () => log.describe(9));
      await rejectsWith("shard-not-found", () => log.watch(9, () => undefined));
      await rejectsWith("shard-not-found", () => log.findTime(9, 0));
      await rejectsWith("shard-not-found", () => log.trim(9, 1));
      await rejectsWith("shard-not-found", () => log.hold(9, "h", 1));
      await rejectsWith("shard-not-found", () => log.releaseHold(9, "h"));
      await rejectsWith("shard-not-found", () => log.forgetProducer(9, "p"));
      await rejectsWith("shard-not-found", () => log.deleteShard(9));
    });

    it("never lets the id of a shard come back", async () => {
      const fence = await shardWithFence(7);
      await rejectsWith("shard-exists", () => log.createShard(7));
      await appended(log.append(7, textBatch("x"), { fence }));
      await log.deleteShard(7);
      assert.deepEqual(log.shards(), []);
      await rejectsWith("shard-not-found", () => log.read(7, 0, everything));
      await rejectsWith("shard-exists", () => log.createShard(7));
      await restart();
      assert.deepEqual(log.shards(), []);
      await rejectsWith("shard-exists", () => log.createShard(7));
    });

    it("fences off everybody who opened the shard before", async () => {
      const first = await shardWithFence(7);
      const second = await log.open(7);
      assert.ok(second > first);
      assert.deepEqual(await log.append(7, textBatch("x"), { fence: first }), {
        kind: "fenced",
        current: second,
      });
      await appended(log.append(7, textBatch("y"), { fence: second }));
      await restart();
      const third = await log.open(7);
      assert.ok(third > second);
      assert.deepEqual(await log.append(7, textBatch("x"), { fence: second }), {
        kind: "fenced",
        current: third,
      });
      assert.deepEqual(await readTexts(log, 7), ["y"]);
    });

    it("appends under a condition only if the tail is the expected one, waiting appends included", async () => {
      const fence = await shardWithFence(7);
      const first = log.append(7, textBatch("a"), { fence, expectTail: 0 });
      const rival = log.append(7, textBatch("b"), { fence, expectTail: 0 });
      const tail = await appended(first);
      assert.deepEqual(await rival, { kind: "tail-mismatch", tail });
      await appended(log.append(7, textBatch("c"), { fence, expectTail: tail }));
      assert.deepEqual(await readTexts(log, 7), ["a", "c"]);
    });

    it("answers a repeat of a producer's last five appends with their results", async () => {
      const fence = await shardWithFence(7);
      const results: AppendResult[] = [];
      for (let step = 1; step <= 6; step++) results.push(await append(step));
      for (let i = 0; i < 2; i++) {
        for (let step = 2; step <= 6; step++) assert.deepEqual(await append(step), results[step - 1]);
        assert.deepEqual(await append(1), { kind: "duplicate" });
        await restart();
      }
      assert.deepEqual(await readTexts(log, 7), ["1", "2", "3", "4", "5", "6"]);

      async function append(step: number): Promise<AppendResult> {
        const producer: Producer = { id: "client", mode: "contiguous", sequence: { step, chunk: 0 } };
        const current = step > 0 && results.length >= 6 ? await log.open(7) : fence;
        return log.append(7, textBatch(String(step)), { fence: current, producer });
      }
    });

    it("lets a repeat join an append that is not durable yet", async () => {
      const fence = await shardWithFence(7);
      const producer: Producer = { id: "client", mode: "contiguous", sequence: { step: 1, chunk: 0 } };
      const [first, repeat] = await Promise.all([
        log.append(7, textBatch("a"), { fence, producer }),
        log.append(7, textBatch("a"), { fence, producer }),
      ]);
      assert.equal(first.kind, "appended");
      assert.deepEqual(repeat, first);
      assert.deepEqual(await readTexts(log, 7), ["a"]);
    });

    it("tells a contiguous producer which append it left out", async () => {
      const fence = await shardWithFence(7);
      const append = (step: number) =>
        log.append(7, textBatch(String(step)), {
          fence,
          producer: { id: "client", mode: "contiguous", sequence: { step, chunk: 0 } },
        });
      assert.deepEqual(await append(2), { kind: "sequence-gap", expected: { step: 1, chunk: 0 } });
      await appended(append(1));
      assert.deepEqual(await append(3), { kind: "sequence-gap", expected: { step: 2, chunk: 0 } });
      await appended(append(2));
      assert.deepEqual(await readTexts(log, 7), ["1", "2"]);
    });

    it("takes any greater sequence of a monotone producer", async () => {
      const fence = await shardWithFence(7);
      const append = (step: number, chunk: number) =>
        log.append(7, textBatch(`${step}.${chunk}`), {
          fence,
          producer: { id: "query", mode: "monotone", sequence: { step, chunk } },
        });
      const first = await append(3, 0);
      await appended(append(3, 4));
      await appended(append(9, 1));
      assert.deepEqual(await append(3, 0), first);
      assert.deepEqual(await append(9, 0), { kind: "duplicate" });
      assert.deepEqual(await readTexts(log, 7), ["3.0", "3.4", "9.1"]);
    });

    it("forgets a producer when it is told to, for good", async () => {
      let fence = await shardWithFence(7);
      const append = (id: string, mode: Producer["mode"]) =>
        log.append(7, textBatch(id), { fence, producer: { id, mode, sequence: { step: 1, chunk: 0 } } });
      const first = await append("query", "monotone");
      const other = await append("request", "transient");
      await log.forgetProducer(7, "query");
      await log.forgetProducer(7, "unknown");
      await restart();
      fence = await log.open(7);
      assert.deepEqual(await append("request", "transient"), other);
      const again = await append("query", "monotone");
      assert.ok(again.kind === "appended" && first.kind === "appended" && again.batchId > first.batchId);
      assert.deepEqual(await readTexts(log, 7), ["query", "request", "query"]);
    });

    it("keeps within the limits of a read, and always gives one batch", async () => {
      const fence = await shardWithFence(7);
      for (const text of ["aaaa", "bb", "cc", "d"]) await appended(log.append(7, textBatch(text), { fence }));
      const read = async (from: BatchId, batchesMax: number, bytesMax: number) => {
        const { batches, next } = await log.read(7, from, { batchesMax, bytesMax });
        return { texts: batches.map(({ payload }) => Buffer.from(payload).toString()), next };
      };
      assert.deepEqual((await read(0, 2, 1000)).texts, ["aaaa", "bb"]);
      const one = await read(0, 10, 1);
      assert.deepEqual(one.texts, ["aaaa"]);
      assert.deepEqual((await read(one.next, 10, 4)).texts, ["bb", "cc"]);
      const tail = log.tail(7);
      assert.deepEqual(await read(tail + 1, 10, 10), { texts: [], next: tail + 1 });
    });

    it("reads nothing, and no gap, from an empty shard", async () => {
      await log.createShard(7);
      assert.deepEqual(await log.read(7, 0, everything), { batches: [], next: 0 });
      assert.equal(log.tail(7), 0);
      assert.equal(await log.findTime(7, 0), undefined);
    });

    it("tells watchers of every advance, after it can be read", async () => {
      const fence = await shardWithFence(7);
      const seen: BatchId[] = [];
      const stop = log.watch(7, (tail) => {
        assert.equal(log.tail(7), tail);
        seen.push(tail);
      });
      const first = await appended(log.append(7, textBatch("a"), { fence }));
      assert.equal(seen.at(-1), first);
      const second = await appended(log.append(7, textBatch("b"), { fence }));
      assert.deepEqual(seen, [first, second]);
      stop();
      await appended(log.append(7, textBatch("c"), { fence }));
      assert.deepEqual(seen, [first, second]);
    });

    it("finds the first batch of a time", async () => {
      const fence = await shardWithFence(7);
      const ids: BatchId[] = [];
      for (const now of [1000, 2000, 2000, 4000]) {
        harness.setTime(now);
        ids.push(await appended(log.append(7, textBatch("x"), { fence })));
      }
      const expected: [number, BatchId | undefined][] = [
        [0, ids[0]],
        [1000, ids[0]],
        [1001, ids[1]],
        [2000, ids[1]],
        [3000, ids[3]],
        [4001, undefined],
      ];
      for (let i = 0; i < 2; i++) {
        for (const [time, id] of expected) assert.equal(await log.findTime(7, time), id);
        await restart();
      }
      await log.trim(7, ids[1] ?? 0);
      assert.equal(await log.findTime(7, 0), ids[2]);
    });

    it("removes trimmed batches and says so to those who ask for them", async () => {
      const fence = await shardWithFence(7);
      const ids: BatchId[] = [];
      for (const text of ["a", "b", "c"]) ids.push(await appended(log.append(7, textBatch(text), { fence })));
      const [a = 0, b = 0, c = 0] = ids;
      assert.deepEqual(await log.trim(7, b), { kind: "trimmed", upTo: b });
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(await readTexts(log, 7), ["c"]);
        assert.equal((await log.read(7, 0, everything)).gap, undefined);
        const { gap, batches, next } = await log.read(7, a, everything);
        assert.deepEqual(
          { kind: gap?.kind, upTo: gap?.upTo, next },
          { kind: "trimmed", upTo: b, next: c + 1 },
        );
        assert.deepEqual(
          batches.map(({ batchId }) => batchId),
          [c],
        );
        assert.equal(log.describe(7).trimmedUpTo, b);
        await restart();
      }
      assert.deepEqual(await log.trim(7, a), { kind: "trimmed", upTo: b });
      assert.deepEqual(await log.trim(7, c + 1_000_000), { kind: "trimmed", upTo: c });
      assert.deepEqual(await readTexts(log, 7), []);
      assert.equal(log.tail(7), c);
      await restart();
      assert.equal(log.tail(7), c);
      const d = await appended(log.append(7, textBatch("d"), { fence: await log.open(7), expectTail: c }));
      assert.ok(d > c);
      assert.deepEqual(await readTexts(log, 7), ["d"]);
    });

    it("lets no trim pass a hold, and names the holder", async () => {
      const fence = await shardWithFence(7);
      const ids: BatchId[] = [];
      for (const text of ["a", "b", "c"]) ids.push(await appended(log.append(7, textBatch(text), { fence })));
      const [a = 0, b = 0, c = 0] = ids;
      await log.hold(7, "query 1", b);
      assert.deepEqual(await log.trim(7, b), { kind: "held", by: "query 1", from: b });
      assert.deepEqual(await log.trim(7, a), { kind: "trimmed", upTo: a });
      await restart();
      assert.deepEqual(await log.trim(7, c), { kind: "held", by: "query 1", from: b });
      await log.hold(7, "query 1", c);
      assert.deepEqual(await log.trim(7, b), { kind: "trimmed", upTo: b });
      await log.releaseHold(7, "query 1");
      await log.releaseHold(7, "query 1");
      assert.deepEqual(await log.trim(7, c), { kind: "trimmed", upTo: c });
    });

    it("refuses everything after close", async () => {
      const fence = await shardWithFence(7);
      const waiting = log.append(7, textBatch("a"), { fence });
      await log.close();
      await appended(waiting);
      await rejectsWith("closed", () => log.append(7, textBatch("b"), { fence }));
      await rejectsWith("closed", () => log.read(7, 0, everything));
      await rejectsWith("closed", () => log.createShard(8));
      await rejectsWith("closed", () => log.shards());
      await log.close();
    });

    it("survives many appends at once to many shards", async () => {
      const shards = Array.from({ length: 20 }, (_, i) => i + 1);
      const fences = await Promise.all(shards.map(shardWithFence));
      const work: Promise<BatchId>[] = [];
      for (let i = 0; i < 600; i++) {
        const shard = i % 20;
        work.push(appended(log.append(shard + 1, textBatch(`${i}`), { fence: fences[shard] ?? 0 })));
      }
      await Promise.all(work);
      await restart();
      for (const shard of shards) {
        const expected = Array.from({ length: 30 }, (_, i) => `${i * 20 + shard - 1}`);
        assert.deepEqual(await readTexts(log, shard), expected);
      }
    });
  });
}
