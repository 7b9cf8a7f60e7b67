import assert from "node:assert/strict";
import { decodeRowBatch, isMalformed, RowBatch, toRows } from "@hstream/proto";
import type { PhysicalNode } from "@hstream/sql/runtime";
import { HStreamError } from "../errors.js";
import { ExecutorHost, type QueryExecution } from "./executor-host.js";
import { collectReports } from "./reports.js";
import {
  aggregateNode,
  call,
  column,
  literal,
  outputColumns,
  storedBatch,
  streamPlan,
} from "./plans.test.helper.js";
import type { WatchTimers } from "./worker-handle.js";

/** Real time: the watchdog watches another thread. */
const timers: WatchTimers = {
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

function rowsOf(batches: readonly Uint8Array[]): unknown[][] {
  return batches.flatMap((bytes) => {
    const rows = decodeRowBatch(RowBatch.decode(bytes));
    assert(!isMalformed(rows));
    return toRows(rows).map((row, i) => (rows.isDelete(i) ? ["-", ...row] : row));
  });
}

const records = Array.from({ length: 1000 }, (_, i) => ({
  id: i,
  channel: ["a", "b", "c"][i % 3] ?? "",
  price: i % 10,
}));
const input = (rows: typeof records): Parameters<QueryExecution["feed"]>[0] => [
  { kind: "records", source: 0, batches: [storedBatch(rows)] },
];
const byChannel = (source: PhysicalNode): PhysicalNode =>
  aggregateNode(source, [column(0)], { appendOnly: true, emission: "per-step" }, column(1));
const countByChannel = streamPlan(["channel", "price"], byChannel, {
  emit: { kind: "coalesced" },
  output: outputColumns("channel", "count", "sum"),
});
const filtered = streamPlan(
  ["id", "price"],
  (source) => ({
    id: 1,
    kind: "filter",
    types: source.types,
    input: source,
    predicate: call("=", column(1), literal(7)),
  }),
  { emit: { kind: "pull" }, output: outputColumns("id", "price") },
);

describe("the counts of operators", () => {
  it("can be read at any time, and are those of what each has done", async () => {
    const host = await ExecutorHost.start({ timers });
    const execution = host.open(filtered, { kind: "emit" }, 0);
    assert.deepEqual(execution.counts().get(1), {
      rowsIn: 0,
      rowsOut: 0,
      busyMs: 0,
      stateBytes: 0,
      watermarkMs: undefined,
    });
    await collectReports(execution.feed(input(records), 0));
    const [source, filter] = [execution.counts().get(0), execution.counts().get(1)];
    assert.deepEqual([source?.rowsIn, source?.rowsOut], [0, 1_000]);
    assert.deepEqual([filter?.rowsIn, filter?.rowsOut], [1_000, 100]);
    assert.ok(Number(source?.busyMs) > 0 && Number(filter?.busyMs) > 0);
    const grouping = host.open(countByChannel, { kind: "emit" }, 0);
    await collectReports(grouping.feed(input(records), 0));
    const aggregate = [...grouping.counts().values()].find(({ stateBytes }) => stateBytes > 0);
    assert.deepEqual([aggregate?.rowsIn, aggregate?.rowsOut], [1_000, 3]);
    execution.cancel();
    // What was counted stays there to be read.
    assert.equal(execution.counts().get(1)?.rowsOut, 100);
    await host.close();
  });
});

describe("executor host", () => {
  let host: ExecutorHost;

  beforeEach(async () => {
    host = await ExecutorHost.start({ timers });
  });
  afterEach(() => host.close());

  it("filters the records of a stream", async () => {
    const execution = host.open(filtered, { kind: "emit" }, 0);
    const fed = await collectReports(execution.feed(input(records), 0));
    const ended = await collectReports(execution.end(0));
    assert.equal(fed.rowsIn, 1000);
    assert.equal(fed.rowsOut, 100);
    assert.equal(ended.finished, true);
    assert.deepEqual(rowsOf(fed.output).slice(0, 2), [
      [7, 7],
      [17, 7],
    ]);
    execution.cancel();
  });

  it("leaves the caller's payload as it was", async () => {
    const execution = host.open(filtered, { kind: "emit" }, 0);
    const inputs = input(records);
    await collectReports(execution.feed(inputs, 0));
    const again = await collectReports(execution.feed(inputs, 0));
    assert.equal(again.rowsOut, 100);
    execution.cancel();
  });

  it("reads input where it lies in shared memory, which is free again when it is used up", async () => {
    const execution = host.open(filtered, { kind: "emit" }, 0);
    const memory = host.inputMemory;
    const inShared = () => {
      const lease = memory.lease();
      const inputs = input(records).map((one) => {
        if (one.kind !== "records") return one;
        return {
          ...one,
          batches: one.batches.map((batch) => ({ ...batch, payload: inLease(batch.payload) })),
        };
      });
      function inLease(bytes: Uint8Array): Uint8Array {
        const room = lease.take(bytes.length) ?? assert.fail("a block has room for a batch");
        room.set(bytes);
        return room;
      }
      return { lease, inputs };
    };
    const blocks = new Set<ArrayBufferLike | undefined>();
    for (let i = 0; i < 3; i++) {
      const { lease, inputs } = inShared();
      blocks.add(lease.take(1)?.buffer);
      const fed = await collectReports(execution.feed(inputs, 0, false, lease));
      assert.equal(fed.rowsOut, 100);
      assert.throws(() => lease.release(), /once/, "the execution has released it");
    }
    assert.equal(blocks.size, 1);
    // What does not lie there is copied into the rest of the block.
    const copied = memory.lease();
    assert.equal((await collectReports(execution.feed(input(records), 0, false, copied))).rowsOut, 100);
    assert.throws(() => copied.release(), /once/);
    // The worker of a query that is cancelled may still be reading.
    const { lease, inputs } = inShared();
    const lost = lease.take(1)?.buffer;
    void execution.feed(inputs, 0, false, lease);
    execution.cancel();
    await collectReports(host.open(filtered, { kind: "emit" }, 0).feed(input(records), 0));
    assert.notEqual(memory.lease().take(1)?.buffer, lost);
  });

  it("keeps a materialised query's rows and gives them in key order", async () => {
    const execution = host.open(countByChannel, { kind: "materialize" }, 0);
    const first = collectReports(execution.feed(input(records.slice(0, 500)), 0));
    const second = collectReports(execution.feed(input(records.slice(500)), 0));
    const snapshot = execution.snapshot();
    assert.equal((await first).rowsIn + (await second).rowsIn, 1000);
    const { batches, columns } = await snapshot;
    assert.deepEqual(
      columns.map(({ name }) => name),
      ["channel", "count", "sum"],
    );
    const sum = (channel: string): number =>
      records
        .filter((record) => record.channel === channel)
        .reduce((total, record) => total + record.price, 0);
    assert.deepEqual(rowsOf(batches), [
      ["a", 334, sum("a")],
      ["b", 333, sum("b")],
      ["c", 333, sum("c")],
    ]);
    execution.cancel();
  });

  it("goes on with other executions when one fails", async () => {
    const broken = host.open(
      {
        ...filtered,
        root: {
          id: 1,
          kind: "filter",
          types: [],
          input: filtered.root,
          predicate: call("NO SUCH", column(0)),
        },
      },
      { kind: "emit" },
      0,
    );
    const sound = host.open(filtered, { kind: "emit" }, 0);
    await assert.rejects(collectReports(broken.feed(input(records), 0)), HStreamError);
    assert.equal((await collectReports(sound.feed(input(records), 0))).rowsOut, 100);
    await assert.rejects(collectReports(broken.feed(input(records), 0)), HStreamError);
  });

  it("stops working for a reader that does not read", async () => {
    await host.close();
    host = await ExecutorHost.start({ timers, limits: { resultBatchesQueuedMax: 2, stepRowsMax: 10 } });
    const slow = host.open(filtered, { kind: "emit" }, 0);
    const other = host.open(filtered, { kind: "emit" }, 0);
    const reports = slow.feed(input(records), 0)[Symbol.asyncIterator]();
    assert.equal((await reports.next()).done, false);
    // By now the slow one's step budget of two answers is used up, or will be; the other is not held up.
    assert.equal((await collectReports(other.feed(input(records), 0))).rowsOut, 100);
    let steps = 1;
    while ((await reports.next()).done !== true) steps += 1;
    assert.ok(steps >= 100);
  });

  it("goes on from a saved state in another worker, and refuses that of another plan", async () => {
    const sink = { kind: "materialize" } as const;
    const first = host.open(countByChannel, sink, 0);
    await collectReports(first.feed(input(records), 0));
    const state = await first.save();
    await collectReports(first.feed(input(records), 0));
    const expected = await first.snapshot();
    const other = await ExecutorHost.start({ timers });
    try {
      const second = other.open(countByChannel, sink, 0, state);
      await collectReports(second.feed(input(records), 0));
      assert.deepEqual(await second.snapshot(), expected);
      const strange = other.open({ ...countByChannel, emitLimit: 1 }, sink, 0, state);
      await assert.rejects(collectReports(strange.feed(input(records), 0)), { kind: "QueryStateUnreadable" });
    } finally {
      await other.close();
    }
  });

  it("fails with QueryStateTooLarge, naming the operator", async () => {
    await host.close();
    host = await ExecutorHost.start({ timers, limits: { queryStateBytesMax: 20_000 } });
    const plan = streamPlan(
      ["id"],
      (source) => aggregateNode(source, [column(0)], { appendOnly: true, emission: "per-step" }),
      { emit: { kind: "coalesced" }, output: outputColumns("id", "count") },
    );
    const execution = host.open(plan, { kind: "emit" }, 0);
    await assert.rejects(collectReports(execution.feed(input(records), 0)), (error: unknown) => {
      assert(error instanceof HStreamError);
      assert.equal(error.kind, "QueryStateTooLarge");
      assert.match(error.message, /aggregate \(operator 1\)/);
      return true;
    });
  });

  it("replaces a worker that is stuck, and says so to its executions", async () => {
    await host.close();
    host = await ExecutorHost.start({ timers, stepBusyMsMax: 400 });
    // One step that takes a second or so: long texts that nearly match.
    const slow = streamPlan(
      ["text"],
      (source) => ({
        id: 1,
        kind: "filter",
        types: source.types,
        input: source,
        predicate: call("LIKE", column(0), literal(`%${"a".repeat(200)}b%`)),
      }),
      { emit: { kind: "pull" }, output: outputColumns("text") },
    );
    const texts = Array.from({ length: 8000 }, () => ({ text: "a".repeat(1000) }));
    const bystander = host.open(filtered, { kind: "emit" }, 0);
    await collectReports(bystander.feed(input(records), 0));
    const stuck = host.open(slow, { kind: "emit" }, 0);
    const answer = collectReports(
      stuck.feed([{ kind: "records", source: 0, batches: [storedBatch(texts)] }], 0),
    );
    await assert.rejects(answer, /The query was busy with one step .* restarted/);
    await assert.rejects(collectReports(bystander.end(0)), /Another query on the worker/);
    const next = host.open(filtered, { kind: "emit" }, 0);
    assert.equal((await collectReports(next.feed(input(records), 0))).rowsOut, 100);
  });
});
