import assert from "node:assert/strict";
import fc from "fast-check";
import { runs } from "@hstream/proto/testing";
import { type SavedProgress, startingAfter } from "./shard-progress.js";
import {
  type DispatchPolicy,
  type SubscriptionAction,
  type SubscriptionSettings,
  SubscriptionState,
} from "./subscription-state.js";

const ackTimeoutMs = 1_000;

interface StoredRecord {
  readonly shardId: number;
  readonly batchId: number;
  readonly index: number;
}

/**
 * The naive model: what every record of the log has gone through, looked at one by one. It carries
 * out the actions of the state machine and checks each delivery against the laws.
 */
class World {
  readonly settings: SubscriptionSettings;
  state: SubscriptionState;
  nowMs = 0;
  /** Batches of each shard: id and number of records. */
  readonly log = new Map<number, { batchId: number; recordCount: number }[]>();
  readonly trimmed = new Map<number, number>();
  /** Key of the record → when and to whom it was sent last. */
  readonly sent = new Map<string, { atMs: number; to: number }>();
  readonly acked = new Set<string>();
  readonly consumers = new Map<number, { ready: boolean }>();
  readonly saved = new Map<number, SavedProgress>();
  /** Left consumers give back at once with round-robin. */
  readonly returned = new Set<string>();
  pending: SubscriptionAction[] = [];

  constructor(policy: DispatchPolicy, shards: number, maxUnackedRecords: number) {
    this.settings = { policy, ackTimeoutMs, maxUnackedRecords, readsMax: 2 };
    for (let shardId = 1; shardId <= shards; shardId++) {
      this.log.set(shardId, []);
      this.saved.set(shardId, startingAfter(0));
    }
    this.state = new SubscriptionState(this.settings, this.saved);
  }

  append(shardId: number, recordCount: number): void {
    const batches = this.log.get(shardId) ?? [];
    const batchId = (batches.at(-1)?.batchId ?? 0) + 1 + (recordCount % 3);
    batches.push({ batchId, recordCount });
    this.run(this.state.tailMoved(shardId, batchId));
  }

  join(): void {
    const { consumer, actions } = this.state.join();
    this.consumers.set(consumer, { ready: true });
    this.run(actions);
  }

  leave(consumer: number): void {
    this.consumers.delete(consumer);
    if (this.settings.policy === "round-robin") {
      for (const [key, { to }] of this.sent)
        if (to === consumer && !this.acked.has(key)) this.returned.add(key);
    }
    this.run(this.state.leave(consumer));
  }

  setReady(consumer: number, ready: boolean): void {
    this.consumers.set(consumer, { ready });
    this.run(this.state.setReady(consumer, ready));
  }

  ack(key: string): void {
    const [shardId = 0, batchId = 0, index = 0] = key.split("/").map(Number);
    const expected = this.sent.has(key) && !this.acked.has(key) && batchId > (this.trimmed.get(shardId) ?? 0);
    const was = this.state.ack(shardId, batchId, index);
    if (batchId > (this.trimmed.get(shardId) ?? 0)) assert.equal(was, expected, `ack of ${key}`);
    this.acked.add(key);
    this.run(this.state.acked());
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.run(this.state.expire(this.nowMs));
  }

  trim(shardId: number, upTo: number): void {
    this.trimmed.set(shardId, Math.max(upTo, this.trimmed.get(shardId) ?? 0));
  }

  save(): void {
    for (const [shardId, progress] of this.state.takeChanges(1_000_000)) {
      this.saved.set(shardId, JSON.parse(JSON.stringify(progress)) as SavedProgress);
    }
  }

  /** Everything in memory is lost but what was saved. */
  restart(): void {
    this.save();
    this.pending = [];
    this.consumers.clear();
    this.sent.clear();
    this.returned.clear();
    this.state = new SubscriptionState(this.settings, this.saved);
    for (const [shardId, batches] of this.log) {
      const tail = batches.at(-1)?.batchId;
      if (tail !== undefined) this.run(this.state.tailMoved(shardId, tail));
    }
  }

  /** Carries out one of the reads and resends that wait. */
  step(which = 0): boolean {
    const [action] = this.pending.splice(which % Math.max(1, this.pending.length), 1);
    if (action === undefined) return false;
    const batches = this.kept(action.shardId);
    if (action.kind === "read") {
      const read = batches.filter(({ batchId }) => batchId >= action.from).slice(0, 3);
      const gone = this.trimmed.get(action.shardId) ?? 0;
      const next = Math.max(action.from, gone + 1, (read.at(-1)?.batchId ?? 0) + 1);
      const result = { batches: read, next, ...(gone >= action.from ? { goneUpTo: gone } : {}) };
      this.run(this.state.batchesRead(action.shardId, result, this.nowMs));
    } else if (action.kind === "resend") {
      const { consumer, shardId, batchId } = action;
      const missing = this.state.missingOf(shardId, batchId);
      const isThere = batches.some((batch) => batch.batchId === batchId);
      const outcome = !isThere ? "gone" : this.consumers.has(consumer) ? "delivered" : "undelivered";
      if (outcome === "delivered")
        for (const index of missing ?? []) this.deliver(consumer, { shardId, batchId, index });
      this.run(this.state.resent(consumer, shardId, batchId, outcome, this.nowMs));
    }
    return true;
  }

  /** Until nothing waits. */
  drain(): void {
    while (this.step());
  }

  kept(shardId: number) {
    const gone = this.trimmed.get(shardId) ?? 0;
    return (this.log.get(shardId) ?? []).filter(({ batchId }) => batchId > gone);
  }

  run(actions: readonly SubscriptionAction[]): void {
    for (const action of actions) {
      if (action.kind !== "deliver") {
        this.pending.push(action);
        continue;
      }
      const { consumer, shardId, batchId, missing } = action;
      const batch = this.log.get(shardId)?.find((each) => each.batchId === batchId);
      const indexes = missing ?? Array.from({ length: batch?.recordCount ?? 0 }, (_, index) => index);
      for (const index of indexes) this.deliver(consumer, { shardId, batchId, index });
    }
    this.check();
  }

  deliver(consumer: number, { shardId, batchId, index }: StoredRecord): void {
    const key = `${shardId}/${batchId}/${index}`;
    assert.ok(this.consumers.has(consumer), "only to consumers that are there");
    assert.ok(!this.acked.has(key), `${key} was acked, so it never comes again`);
    const before = this.sent.get(key);
    if (before !== undefined) {
      const waited = this.nowMs - before.atMs >= ackTimeoutMs;
      assert.ok(waited || this.returned.has(key), `${key} comes again after its timeout, not before`);
    }
    this.returned.delete(key);
    this.sent.set(key, { atMs: this.nowMs, to: consumer });
  }

  check(): void {
    const unacked = [...this.sent.keys()].filter((key) => !this.acked.has(key)).length;
    // A batch that the trim took away is still counted until somebody notices.
    if (this.trimmed.size === 0) assert.equal(this.state.unackedRecords, unacked, "unacked records");
    // It may be exceeded by what was under way when the limit was reached: one batch at most.
    assert.ok(
      this.state.unackedRecords < this.settings.maxUnackedRecords + 4,
      "the limit of unacked records",
    );
    for (const [shardId, batches] of this.log) {
      const upTo = this.state.ackedUpTo(shardId);
      const gone = this.trimmed.get(shardId) ?? 0;
      for (const { batchId, recordCount } of batches) {
        if (batchId > upTo || batchId <= gone) continue;
        for (let index = 0; index < recordCount; index++) {
          assert.ok(this.acked.has(`${shardId}/${batchId}/${index}`), "progress only over what was acked");
        }
      }
    }
    if (this.settings.policy === "key-ordered" && this.consumers.size > 0) {
      const counts = [...this.consumers.keys()].map((consumer) => this.state.shardsOf(consumer).length);
      assert.equal(
        counts.reduce((a, b) => a + b),
        this.log.size,
        "every shard has one owner",
      );
      assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, "shards are shared evenly");
    }
  }

  /** A consumer that acks all it gets must in the end have got everything. */
  finish(): void {
    if (this.consumers.size === 0) this.join();
    for (const consumer of this.consumers.keys()) this.setReady(consumer, true);
    for (let round = 0; round < 1_000; round++) {
      this.drain();
      const open = [...this.sent.keys()].filter((key) => !this.acked.has(key));
      for (const key of open) this.ack(key);
      this.pass(ackTimeoutMs);
      if (this.pending.length === 0 && open.length === 0) break;
    }
    for (const shardId of this.log.keys()) {
      for (const { batchId, recordCount } of this.kept(shardId)) {
        for (let index = 0; index < recordCount; index++) {
          assert.ok(this.acked.has(`${shardId}/${batchId}/${index}`), "nothing is lost");
        }
      }
      const last = this.kept(shardId).at(-1);
      if (last !== undefined)
        assert.equal(this.state.ackedUpTo(shardId), last.batchId, "progress reaches the end");
    }
    assert.equal(this.state.unackedRecords, 0);
  }
}

type Event =
  | { readonly kind: "append"; readonly shard: number; readonly records: number }
  | { readonly kind: "join" | "restart" }
  | { readonly kind: "save" }
  | { readonly kind: "leave" | "busy" | "free" | "step" | "ack"; readonly which: number }
  | { readonly kind: "trim"; readonly shard: number }
  | { readonly kind: "pass"; readonly ms: number };

const which = fc.nat({ max: 50 });
const event = (withTrims: boolean): fc.Arbitrary<Event> =>
  fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("append" as const),
        shard: which,
        records: fc.integer({ min: 1, max: 4 }),
      }),
    },
    { weight: 2, arbitrary: fc.constant({ kind: "join" as const }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave" as const), which }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("busy" as const, "free" as const), which }) },
    { weight: 12, arbitrary: fc.record({ kind: fc.constant("step" as const), which }) },
    { weight: 10, arbitrary: fc.record({ kind: fc.constant("ack" as const), which }) },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 1_500 }) }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: "save" as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: "restart" as const }) },
    ...(withTrims
      ? [{ weight: 1, arbitrary: fc.record({ kind: fc.constant("trim" as const), shard: which }) }]
      : []),
  );

function apply(world: World, happened: Event): void {
  const shardOf = (n: number) => 1 + (n % world.log.size);
  const consumerOf = (n: number) => [...world.consumers.keys()][n % Math.max(1, world.consumers.size)];
  switch (happened.kind) {
    case "append":
      return world.append(shardOf(happened.shard), happened.records);
    case "join":
      return world.join();
    case "restart":
      return world.restart();
    case "save":
      return world.save();
    case "pass":
      return world.pass(happened.ms);
    case "step":
      return void world.step(happened.which);
    case "ack": {
      const open = [...world.sent.keys()];
      const key = open[happened.which % Math.max(1, open.length)];
      return key === undefined ? undefined : world.ack(key);
    }
    case "trim": {
      const shardId = shardOf(happened.shard);
      const [first] = world.kept(shardId);
      return first === undefined ? undefined : world.trim(shardId, first.batchId);
    }
    default: {
      const consumer = consumerOf(happened.which);
      if (consumer === undefined) return;
      if (happened.kind === "leave") world.leave(consumer);
      else world.setReady(consumer, happened.kind === "free");
    }
  }
}

describe("subscription state", () => {
  for (const policy of ["key-ordered", "round-robin"] as const) {
    for (const withTrims of [false, true]) {
      it(`keeps its laws in random histories: ${policy}${withTrims ? ", with trims" : ""}`, () => {
        fc.assert(
          fc.property(
            fc.integer({ min: 1, max: 4 }),
            fc.integer({ min: 1, max: 12 }),
            fc.array(event(withTrims), { maxLength: 120, size: "max" }),
            (shards, maxUnacked, events) => {
              const world = new World(policy, shards, maxUnacked);
              for (const each of events) apply(world, each);
              world.finish();
            },
          ),
          { numRuns: runs(2_500) },
        );
      });
    }
  }

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
      assert.deepEqual(state.acked(), [{ kind: "release-later", shardId: 1, batchId: 10, delayMs: 30 }]);
      // It no longer waits for the ack timeout.
      assert.deepEqual([state.nextDeadlineMs, state.expire(1_000)], [undefined, []]);
      const [resend, ...others] = state.release(1, 10);
      assert.deepEqual([resend?.kind, others], ["resend", []]);
      assert.deepEqual(state.missingOf(1, 10), [0]);
      // Once is enough.
      assert.deepEqual(state.release(1, 10), []);
    });

    it(`forgets a delivery that was let go of when it is acked after all: ${policy}`, () => {
      const { state } = start(policy);
      for (const index of [0, 1, 2]) state.nack(1, 10, index, 0);
      assert.equal(state.acked().length, 1);
      for (const index of [0, 1, 2]) state.ack(1, 10, index);
      assert.deepEqual([state.release(1, 10), state.unackedRecords, state.ackedUpTo(1)], [[], 0, 10]);
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
