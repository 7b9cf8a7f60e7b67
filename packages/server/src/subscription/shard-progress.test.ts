import assert from "node:assert/strict";
import fc from "fast-check";
import type { AckSet } from "./ack-set.js";
import {
  type OpenBatch,
  progressCodec,
  type SavedProgress,
  ShardProgress,
  startingAfter,
} from "./shard-progress.js";

const open = (batchId: number, acks: AckSet): OpenBatch => ({ kind: "open", batchId, acks });

/** Reads batches 1 … count of so many records each and acks some; index is batch · size + record. */
function progressOf(saved: SavedProgress, count: number, size: number, acked: ReadonlySet<number>) {
  const progress = new ShardProgress<OpenBatch>(saved);
  for (let batchId = saved.upTo + 1; batchId <= count; batchId++) {
    const batch = progress.add(batchId, size, open);
    if (batch === undefined) continue;
    for (let index = 0; index < size; index++) if (acked.has(batchId * size + index)) batch.acks.add(index);
    if (batch.acks.complete) progress.finish(batch);
  }
  return progress;
}

/** What would be delivered after a restart. */
function due(saved: SavedProgress, count: number, size: number): Set<number> {
  const progress = progressOf(saved, count, size, new Set());
  const records = new Set<number>();
  for (const { batchId, acks } of progress.openUpTo(count)) {
    for (const index of acks.missing()) records.add(batchId * size + index);
  }
  return records;
}

describe("shard progress", () => {
  const acks = fc.array(fc.nat({ max: 300 }), { maxLength: 300, size: "max" });

  it("gives after a restart exactly what was not acked", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 7 }),
        acks,
        (count, size, list) => {
          const acked = new Set(list);
          const saved = progressOf(startingAfter(0), count, size, acked).save(1_000_000);
          const again = progressCodec.parse(JSON.parse(JSON.stringify(saved)));
          const all = Array.from({ length: count * size }, (_, i) => i + size);
          assert.deepEqual(
            [...due(again, count, size)],
            all.filter((record) => !acked.has(record)),
          );
          // What is saved before everything has been read again knows as much.
          const half = progressOf(again, Math.floor(count / 2), size, new Set()).save(1_000_000);
          assert.deepEqual(due(half, count, size), due(again, count, size));
        },
      ),
    );
  });

  it("loses acks, but never a record, when it must leave something out", () => {
    fc.assert(
      fc.property(fc.integer({ min: 64, max: 2_000 }), acks, (bytesMax, list) => {
        const acked = new Set(list);
        const saved = progressOf(startingAfter(0), 40, 7, acked).save(bytesMax);
        assert.ok(JSON.stringify(saved).length <= bytesMax + 64);
        const again = due(saved, 40, 7);
        for (let record = 7; record < 41 * 7; record++) assert.ok(acked.has(record) || again.has(record));
      }),
    );
  });

  it("is kept in this form", () => {
    const acked = new Set([2, 3, 4, 5, 8, 9, 10, 11, 13]);
    const saved = progressOf(startingAfter(0), 7, 2, acked).save(1_000_000);
    assert.deepEqual(saved, { version: 1, upTo: 2, runs: [[4, 5]], partial: [[6, 2, "Ag=="]] });
  });

  it("is bounded by the open batches, not by what was acked beyond a hole", () => {
    const progress = new ShardProgress<OpenBatch>(startingAfter(0));
    progress.add(1, 1, open);
    for (let batchId = 2; batchId <= 10_000; batchId++) {
      const batch = progress.add(batchId, 1, open);
      batch?.acks.add(0);
      if (batch !== undefined) progress.finish(batch);
    }
    assert.deepEqual(progress.save(1_000_000).runs, [[2, 10_000]]);
    assert.equal(progress.openBatches, 1);
  });
});
