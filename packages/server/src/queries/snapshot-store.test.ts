import assert from "node:assert/strict";
import { SimulatedEnv } from "../env/simulated-env.js";
import { MemoryLog } from "../log/memory-log.js";
import { noTotals } from "./query-progress.js";
import { SnapshotStore } from "./snapshot-store.js";

const shardId = 7;
const head = (n: number) => ({ positions: [[1, n] as [number, number]], takenMs: n, totals: noTotals });
const state = (...bytes: number[]) => bytes.map((byte) => Uint8Array.from([byte, byte]));

describe("the snapshots of a query", () => {
  let log: MemoryLog;
  beforeEach(async () => {
    log = new MemoryLog(new SimulatedEnv().clock);
    await log.createShard(shardId);
  });

  const load = () => new SnapshotStore(log, shardId).load();
  const append = async (kind: number, json: unknown) => {
    const payload = Buffer.concat([Buffer.from([kind]), Buffer.from(JSON.stringify(json))]);
    await log.append(
      shardId,
      { recordCount: 1, compression: 0, payload },
      { fence: await log.open(shardId) },
    );
  };

  it("are none at first, then the newest, and older ones are gone", async () => {
    assert.deepEqual(await load(), { kind: "none" });
    const store = new SnapshotStore(log, shardId);
    for (let n = 1; n <= 3; n++) {
      await store.store(head(n), state(...Array.from({ length: 6 }, (_, i) => n + i)));
      const found = await load();
      assert.ok(found.kind === "found");
      assert.deepEqual(found.snapshot.head, head(n));
      assert.deepEqual(
        found.snapshot.state.map((chunk) => chunk[0]),
        [n, n + 1, n + 2, n + 3, n + 4, n + 5],
      );
    }
    const { batches } = await log.read(shardId, 0, { batchesMax: 100, bytesMax: 10_000 });
    assert.equal(batches.length, 8);
  });

  it("do not count before they are complete", async () => {
    await new SnapshotStore(log, shardId).store(head(1), state(1));
    await append(1, { format: 1, number: 2, head: head(2) });
    const found = await load();
    assert.deepEqual(found.kind === "found" ? found.snapshot.head.takenMs : undefined, 1);
    const store = new SnapshotStore(log, shardId);
    await store.load();
    await store.store(head(3), state(3));
    const next = await load();
    assert.deepEqual(next.kind === "found" ? next.snapshot.state[0] : undefined, state(3)[0]);
  });

  it("of another format, or with a part missing, are not used", async () => {
    await append(1, { format: 2, number: 1, head: {} });
    await append(3, { number: 1, chunks: 0 });
    const other = await load();
    assert.ok(other.kind === "unreadable" && /format 2/.test(other.detail));
    await append(1, { format: 1, number: 2, head: head(2) });
    await append(3, { number: 2, chunks: 1 });
    assert.equal((await load()).kind, "unreadable");
  });
});
