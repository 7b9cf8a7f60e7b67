import assert from "node:assert/strict";
import { startingAfter } from "./shard-progress.js";
import type { DispatchPolicy, SubscriptionAction } from "./subscription-action.js";
import { SubscriptionState } from "./subscription-state.js";

const ackTimeoutMs = 1_000;

describe("subscription state", () => {
  const deliveries = (actions: readonly SubscriptionAction[]) =>
    actions.filter((action) => action.kind === "deliver").map(({ consumer, batchId }) => [consumer, batchId]);

  it("gives the batches of one shard to round-robin consumers in turn", () => {
    const settings = { policy: "round-robin" as const, ackTimeoutMs, maxUnackedRecords: 100, readsMax: 4 };
    const state = new SubscriptionState(settings, new Map([[1, startingAfter(0)]]));
    state.join();
    state.join();
    state.tailMoved(1, 4);
    const batches = [1, 2, 3, 4].map((batchId) => ({ batchId, recordCount: 1 }));
    assert.deepEqual(deliveries(state.batchesRead(1, { batches, next: 5 }, 0)), [
      [1, 1],
      [2, 2],
      [1, 3],
      [2, 4],
    ]);
    // The second one goes: what it had comes back at once, to the first.
    assert.deepEqual(state.leave(2), [
      { kind: "resend", consumer: 1, shardId: 1, batchId: 2 },
      { kind: "resend", consumer: 1, shardId: 1, batchId: 4 },
    ]);
  });

  it("sends again exactly what was not acked, once for each timeout", () => {
    const settings = { policy: "key-ordered" as const, ackTimeoutMs, maxUnackedRecords: 100, readsMax: 4 };
    const state = new SubscriptionState(settings, new Map([[1, startingAfter(0)]]));
    state.join();
    state.tailMoved(1, 1);
    state.batchesRead(1, { batches: [{ batchId: 1, recordCount: 3 }], next: 2 }, 0);
    assert.ok(state.ack(1, 1, 1));
    assert.ok(!state.ack(1, 1, 1));
    assert.ok(!state.ack(1, 1, 3));
    assert.ok(!state.ack(9, 1, 0));
    assert.equal(state.nextDeadlineMs, ackTimeoutMs);
    assert.deepEqual(state.expire(ackTimeoutMs - 1), []);
    assert.equal(state.expire(ackTimeoutMs).length, 1);
    assert.deepEqual(state.missingOf(1, 1), [0, 2]);
    state.resent(1, 1, 1, "delivered", ackTimeoutMs);
    assert.deepEqual(state.expire(2 * ackTimeoutMs - 1), []);
    assert.equal(state.nextDeadlineMs, 2 * ackTimeoutMs);
  });

  it("keeps a shard's deliveries in flight with a consumer that left until their timeout", () => {
    const settings = { policy: "key-ordered" as const, ackTimeoutMs, maxUnackedRecords: 100, readsMax: 4 };
    const state = new SubscriptionState(settings, new Map([[1, startingAfter(0)]]));
    state.join();
    state.tailMoved(1, 1);
    state.batchesRead(1, { batches: [{ batchId: 1, recordCount: 1 }], next: 2 }, 0);
    state.join();
    assert.deepEqual(state.leave(1), []);
    assert.deepEqual(state.expire(ackTimeoutMs), [{ kind: "resend", consumer: 2, shardId: 1, batchId: 1 }]);
  });

  it("takes a million unacked records, and an ack of each, without a scan", () => {
    const settings = {
      policy: "key-ordered" as const,
      ackTimeoutMs,
      maxUnackedRecords: 2_000_000,
      readsMax: 4,
    };
    const state = new SubscriptionState(settings, new Map([[1, startingAfter(0)]]));
    state.join();
    const batchCount = 100_000;
    state.tailMoved(1, batchCount);
    const batches = Array.from({ length: batchCount }, (_, i) => ({ batchId: i + 1, recordCount: 10 }));
    state.batchesRead(1, { batches, next: batchCount + 1 }, 0);
    assert.equal(state.unackedRecords, 1_000_000);
    // From the last to the first: every one but the last ack leaves a hole before it.
    for (let batchId = batchCount; batchId > 0; batchId--) {
      for (let index = 0; index < 10; index++) state.ack(1, batchId, index);
    }
    assert.deepEqual(
      [state.unackedRecords, state.ackedUpTo(1), state.nextDeadlineMs],
      [0, batchCount, undefined],
    );
  });
});

describe("subscription state, negative acks and giving up", () => {
  const start = (policy: DispatchPolicy, deliveriesMax?: number) => {
    const state = new SubscriptionState(
      {
        policy,
        ackTimeoutMs: 100,
        maxUnackedRecords: 1_000,
        readsMax: 4,
        ...(deliveriesMax === undefined ? {} : { deliveriesMax }),
      },
      new Map([[1, startingAfter(0)]]),
    );
    const { consumer } = state.join();
    state.tailMoved(1, 10);
    state.batchesRead(1, { batches: [{ batchId: 10, recordCount: 3 }], next: 11 }, 0);
    return { state, consumer };
  };

  for (const policy of ["key-ordered", "round-robin"] as const) {
    it(`lets a delivery go once all of it is settled, whichever comes last: ${policy}`, () => {
      const { state } = start(policy);
      state.nack(1, 10, 0, 30);
      state.nack(1, 10, 0, 20);
      state.nack(1, 10, 7, 99);
      state.nack(2, 10, 0, 99);
      assert.deepEqual(state.acked(), []);
      state.ack(1, 10, 1);
      assert.deepEqual(state.acked(), []);
      state.ack(1, 10, 2);
      assert.deepEqual(state.acked(), [
        { kind: "release-later", shardId: 1, batchId: 10, delivery: 1, delayMs: 30 },
      ]);
      // It no longer waits for the ack timeout.
      assert.deepEqual([state.nextDeadlineMs, state.expire(1_000)], [undefined, []]);
      const [resend, ...others] = state.release(1, 10, 1);
      assert.deepEqual([resend?.kind, others], ["resend", []]);
      assert.deepEqual(state.missingOf(1, 10), [0]);
      // Once is enough.
      assert.deepEqual(state.release(1, 10, 1), []);
    });

    it(`forgets a delivery that was let go of when it is acked after all: ${policy}`, () => {
      const { state } = start(policy);
      for (const index of [0, 1, 2]) state.nack(1, 10, index, 0);
      assert.equal(state.acked().length, 1);
      for (const index of [0, 1, 2]) state.ack(1, 10, index);
      assert.deepEqual([state.release(1, 10, 1), state.unackedRecords, state.ackedUpTo(1)], [[], 0, 10]);
    });

    it(`gives up what was delivered too often, by timeouts or otherwise: ${policy}`, () => {
      const { state, consumer } = start(policy, 2);
      assert.deepEqual(
        state.expire(100).map(({ kind }) => kind),
        ["resend"],
      );
      state.resent(consumer, 1, 10, "delivered", 100);
      state.ack(1, 10, 1);
      assert.deepEqual(state.expire(200), [{ kind: "give-up", shardId: 1, batchId: 10 }]);
      assert.deepEqual([state.missingOf(1, 10), state.unackedRecords], [[0, 2], 2]);
      // Nothing sends it again meanwhile.
      assert.deepEqual([state.nextDeadlineMs, state.expire(10_000)], [undefined, []]);
      state.givenUp(1, 10);
      assert.deepEqual([state.unackedRecords, state.ackedUpTo(1)], [0, 10]);
      assert.deepEqual(state.givenUp(1, 10), []);
    });
  }

  it("does not count a resend that could not be handed over", () => {
    const { state, consumer } = start("round-robin", 2);
    state.expire(100);
    state.leave(consumer);
    state.resent(consumer, 1, 10, "undelivered", 100);
    const { actions } = state.join();
    assert.deepEqual(
      actions.map(({ kind }) => kind),
      ["resend"],
    );
  });

  it("tells what each shard and each consumer has not acked", () => {
    const { state, consumer } = start("key-ordered");
    state.ack(1, 10, 0);
    assert.deepEqual(state.backlog(), { shards: new Map([[1, 2]]), consumers: new Map([[consumer, 2]]) });
    state.leave(consumer);
    state.expire(100);
    assert.deepEqual(state.backlog(), { shards: new Map([[1, 2]]), consumers: new Map() });
  });
});
