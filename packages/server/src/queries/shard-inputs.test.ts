import assert from "node:assert/strict";
import { InputMemory } from "../executor/input-memory.js";
import type { LogStore, ReadMemory, StoredBatch } from "../log/log-store.js";
import { ShardInputs } from "./shard-inputs.js";

/** Batches 1 … count of shard 1, each a byte with its id, read into the reader's memory as from a disk. */
function logOf(count: number): Pick<LogStore, "read" | "watch"> {
  return {
    watch: () => () => undefined,
    read: (shardId, from, _limits, memory?: ReadMemory) => {
      const batches: StoredBatch[] = [];
      for (let batchId = Math.max(1, from); batchId <= count; batchId++) {
        const payload = memory?.take(1) ?? Buffer.alloc(1);
        payload[0] = batchId;
        batches.push({ shardId, batchId, timeMs: 0, recordCount: 1, compression: 0, payload });
      }
      return Promise.resolve({ batches, next: Math.max(from, count + 1) });
    },
  };
}

describe("the inputs of a query", () => {
  it("keep what waits behind a barrier, though the memory of what came before it is used again", async () => {
    const memory = new InputMemory();
    const inputs = new ShardInputs(logOf(5), memory, new Map([[1, 0]]), () => undefined);
    const before = (await inputs.next(() => 2)) ?? assert.fail("there are batches before the barrier");
    // Asked for again, as when the query has something else to do first, it is the same piece.
    const again = (await inputs.next(() => 2)) ?? assert.fail("there are batches before the barrier");
    assert.deepEqual(again, before);
    assert.deepEqual(
      before.batches.map(({ payload }) => payload[0]),
      [1, 2],
    );
    assert.equal(before.next, 3);
    before.memory?.release();
    inputs.advance(before);
    memory.lease().take(100)?.fill(0x5a);
    assert.equal(await inputs.next(() => 2), undefined);
    const behind = (await inputs.next(() => undefined)) ?? assert.fail("there are batches behind it");
    assert.deepEqual(
      behind.batches.map(({ payload }) => payload[0]),
      [3, 4, 5],
    );
    assert.equal(behind.memory, undefined);
    inputs.advance(behind);
    assert.equal(await inputs.next(() => undefined), undefined);
    assert.deepEqual(inputs.positions(), new Map([[1, 6]]));
    inputs.close();
  });
});
