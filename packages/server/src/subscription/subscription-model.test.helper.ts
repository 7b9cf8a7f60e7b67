import assert from "node:assert/strict";
import { type SavedProgress, startingAfter } from "./shard-progress.js";
import type { SubscriptionAction, SubscriptionSettings } from "./subscription-action.js";
import { SubscriptionState } from "./subscription-state.js";

interface StoredBatch {
  readonly batchId: number;
  readonly recordCount: number;
}

type Release = Extract<SubscriptionAction, { kind: "release-later" }>;

/** The last delivery of a batch, as the naive model sees it. */
interface LastDelivery {
  readonly atMs: number;
  readonly to: number;
  /** Records that it brought and that were negatively acked since. */
  readonly nacked: Set<number>;
  nackDelayMs: number;
  /** From then on what is not acked of it may come again; undefined as long as nobody knows when. */
  againFromMs: number | undefined;
  /** It neither timed out nor was given back nor let go of. */
  isOpen: boolean;
}

/**
 * The naive model: what every record of the log has gone through, looked at one by one. It carries
 * out the actions of the state machine and checks each of them against the laws.
 */
export class SubscriptionModel {
  readonly settings: SubscriptionSettings;
  state: SubscriptionState;
  nowMs = 0;
  /** Batches of each shard: id and number of records. */
  readonly log = new Map<number, StoredBatch[]>();
  readonly trimmed = new Map<number, number>();
  readonly consumers = new Map<number, { ready: boolean }>();
  /** Actions that wait to be carried out: reads, resends, dead letters. */
  pending: Exclude<SubscriptionAction, { kind: "deliver" | "release-later" }>[] = [];
  /** By record. */
  readonly #sent = new Set<string>();
  #acked = new Set<string>();
  #dead = new Set<string>();
  /** By batch. */
  readonly #last = new Map<string, LastDelivery>();
  readonly #deliveries = new Map<string, number>();
  #releases: { readonly atMs: number; readonly action: Release }[] = [];
  /** Shards whose read failed: tried again when time passes. */
  readonly #failed = new Set<number>();
  /** What is kept durably, and what was acked by then. */
  readonly #saved = new Map<number, SavedProgress>();
  #savedAcked = new Set<string>();
  #savedDead = new Set<string>();

  constructor(shards: number, settings: Omit<SubscriptionSettings, "readsMax">) {
    this.settings = { ...settings, readsMax: 2 };
    for (let shardId = 1; shardId <= shards; shardId++) {
      this.log.set(shardId, []);
      this.#saved.set(shardId, startingAfter(0));
    }
    this.state = new SubscriptionState(this.settings, this.#saved);
  }

  /** Records that were sent, as text: shard/batch/index. */
  get sent(): readonly string[] {
    return [...this.#sent];
  }

  append(shardId: number, recordCount: number): void {
    const batches = this.log.get(shardId) ?? [];
    const batchId = (batches.at(-1)?.batchId ?? 0) + 1 + (recordCount % 3);
    batches.push({ batchId, recordCount });
    this.#run(this.state.tailMoved(shardId, batchId));
  }

  join(): void {
    const { consumer, actions } = this.state.join();
    this.consumers.set(consumer, { ready: true });
    this.#run(actions);
  }

  leave(consumer: number): void {
    this.consumers.delete(consumer);
    if (this.settings.policy === "round-robin") {
      for (const last of this.#last.values()) {
        if (last.to === consumer && last.isOpen) this.#close(last, this.nowMs);
        // What waited for the delay of a negative ack comes back too.
        else if (last.to === consumer) last.againFromMs = this.nowMs;
      }
    }
    this.#run(this.state.leave(consumer));
  }

  setReady(consumer: number, ready: boolean): void {
    this.consumers.set(consumer, { ready });
    this.#run(this.state.setReady(consumer, ready));
  }

  ack(key: string): void {
    const [shardId = 0, batchId = 0, index = 0] = key.split("/").map(Number);
    const isGone = batchId <= (this.trimmed.get(shardId) ?? 0);
    const expected = this.#sent.has(key) && !this.#acked.has(key) && !this.#dead.has(key);
    const was = this.state.ack(shardId, batchId, index);
    if (!isGone) assert.equal(was, expected, `ack of ${key}`);
    this.#acked.add(key);
    this.#letGo(shardId, batchId);
    this.#run(this.state.acked());
  }

  nack(key: string, delayMs: number): void {
    const [shardId = 0, batchId = 0, index = 0] = key.split("/").map(Number);
    this.state.nack(shardId, batchId, index, delayMs);
    const last = this.#last.get(`${shardId}/${batchId}`);
    if (last?.isOpen === true && !this.#acked.has(key)) {
      last.nacked.add(index);
      last.nackDelayMs = Math.max(last.nackDelayMs, delayMs);
      this.#letGo(shardId, batchId);
    }
    this.#run(this.state.acked());
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const last of this.#last.values()) {
      const dueMs = last.atMs + this.settings.ackTimeoutMs;
      if (last.isOpen && dueMs <= this.nowMs) this.#close(last, dueMs);
    }
    this.#run(this.state.expire(this.nowMs));
    const due = this.#releases.filter(({ atMs }) => atMs <= this.nowMs);
    this.#releases = this.#releases.filter(({ atMs }) => atMs > this.nowMs);
    for (const { action } of due) {
      this.#run(this.state.release(action.shardId, action.batchId, action.delivery));
    }
    for (const shardId of this.#failed) this.#tellTail(shardId);
    this.#failed.clear();
  }

  trim(shardId: number, upTo: number): void {
    this.trimmed.set(shardId, Math.max(upTo, this.trimmed.get(shardId) ?? 0));
  }

  save(): void {
    for (const [shardId, progress] of this.state.takeChanges(1_000_000)) {
      this.#saved.set(shardId, JSON.parse(JSON.stringify(progress)) as SavedProgress);
    }
    this.#savedAcked = new Set(this.#acked);
    this.#savedDead = new Set(this.#dead);
  }

  /** The disk refuses what is to be saved. */
  failToSave(): void {
    this.state.notKept(this.state.takeChanges(1_000_000).keys());
  }

  /** The server ends well and starts again. */
  restart(): void {
    this.save();
    this.#start();
  }

  /** The server is killed: what was not saved is lost. */
  crash(): void {
    this.#acked = new Set(this.#savedAcked);
    this.#dead = new Set(this.#savedDead);
    this.#start();
  }

  /** Moves each shard to behind the batch that `placeOf` gives; all acks are forgotten. */
  seek(placeOf: (batches: readonly StoredBatch[]) => number): void {
    this.#acked.clear();
    this.#dead.clear();
    for (const [shardId, batches] of this.log) {
      const place = placeOf(batches);
      this.#saved.set(shardId, startingAfter(place));
      for (const batch of batches) {
        if (batch.batchId > place) continue;
        for (const key of keysOf(shardId, batch)) this.#acked.add(key);
      }
    }
    this.#savedAcked = new Set(this.#acked);
    this.#savedDead = new Set();
    this.#start();
  }

  /** Carries out one of the actions that wait, or fails in it. */
  step(which = 0, fails = false): boolean {
    const [action] = this.pending.splice(which % Math.max(1, this.pending.length), 1);
    if (action === undefined) return false;
    const batches = this.kept(action.shardId);
    switch (action.kind) {
      case "read": {
        if (fails) {
          this.#failed.add(action.shardId);
          this.#run(this.state.readFailed(action.shardId));
          return true;
        }
        const read = batches.filter(({ batchId }) => batchId >= action.from).slice(0, 3);
        const gone = this.trimmed.get(action.shardId) ?? 0;
        const next = Math.max(action.from, gone + 1, (read.at(-1)?.batchId ?? 0) + 1);
        const result = { batches: read, next, ...(gone >= action.from ? { goneUpTo: gone } : {}) };
        this.#run(this.state.batchesRead(action.shardId, result, this.nowMs));
        return true;
      }
      case "resend": {
        const { consumer, shardId, batchId } = action;
        const missing = this.state.missingOf(shardId, batchId);
        const isThere = batches.some((batch) => batch.batchId === batchId);
        const isPresent = this.consumers.has(consumer);
        const outcome = fails ? "delivered" : !isThere ? "gone" : isPresent ? "delivered" : "undelivered";
        // What a round-robin consumer gave back when it left is no longer under way.
        const counts = isPresent || this.settings.policy === "key-ordered";
        if (outcome === "delivered" && missing !== undefined && counts) {
          this.#deliver(consumer, shardId, batchId, missing, fails);
        }
        this.#run(this.state.resent(consumer, shardId, batchId, outcome, this.nowMs));
        return true;
      }
      case "give-up": {
        // Tried again until it has succeeded.
        if (fails) this.pending.push(action);
        else this.#giveUp(action.shardId, action.batchId);
        return true;
      }
    }
  }

  /** Until nothing waits. */
  drain(): void {
    while (this.step());
  }

  kept(shardId: number): StoredBatch[] {
    const gone = this.trimmed.get(shardId) ?? 0;
    return (this.log.get(shardId) ?? []).filter(({ batchId }) => batchId > gone);
  }

  /** A consumer that acks all it gets must in the end have got everything that was not given up. */
  finish(): void {
    if (this.consumers.size === 0) this.join();
    for (const consumer of this.consumers.keys()) this.setReady(consumer, true);
    for (let round = 0; round < 1_000; round++) {
      this.drain();
      const open = this.sent.filter((key) => !this.#acked.has(key) && !this.#dead.has(key));
      for (const key of open) this.ack(key);
      this.pass(this.settings.ackTimeoutMs);
      if (this.pending.length === 0 && open.length === 0) break;
    }
    for (const shardId of this.log.keys()) {
      for (const batch of this.kept(shardId)) {
        for (const key of keysOf(shardId, batch)) {
          assert.ok(this.#acked.has(key) || this.#dead.has(key), `${key} is lost`);
        }
      }
      const last = this.kept(shardId).at(-1);
      if (last !== undefined) {
        assert.ok(this.state.ackedUpTo(shardId) >= last.batchId, "progress reaches the end");
      }
    }
    assert.equal(this.state.unackedRecords, 0);
  }

  /** Everything in memory is lost but what was saved; consumers have to come again. */
  #start(): void {
    this.pending = [];
    this.consumers.clear();
    this.#sent.clear();
    this.#last.clear();
    this.#deliveries.clear();
    this.#releases = [];
    this.#failed.clear();
    this.state = new SubscriptionState(this.settings, this.#saved);
    for (const shardId of this.log.keys()) this.#tellTail(shardId);
  }

  #tellTail(shardId: number): void {
    const tail = this.log.get(shardId)?.at(-1)?.batchId;
    if (tail !== undefined) this.#run(this.state.tailMoved(shardId, tail));
  }

  #run(actions: readonly SubscriptionAction[]): void {
    for (const action of actions) {
      const { shardId, batchId } = { batchId: 0, ...action };
      if (action.kind === "deliver") {
        const count = this.log.get(shardId)?.find((each) => each.batchId === batchId)?.recordCount ?? 0;
        const indexes = action.missing ?? Array.from({ length: count }, (_, index) => index);
        this.#deliver(action.consumer, shardId, batchId, indexes, false);
      } else if (action.kind === "release-later") {
        const last = this.#last.get(`${shardId}/${batchId}`);
        const atMs = this.nowMs + action.delayMs;
        // Of what was trimmed either side may know less than the other.
        const isGone = batchId <= (this.trimmed.get(shardId) ?? 0);
        if (!isGone)
          assert.equal(last?.againFromMs, atMs, "let go when all of it is settled, for the longest delay");
        this.#releases.push({ atMs, action });
      } else this.pending.push(action);
    }
    this.#check();
  }

  /** `lost`: it was sent, as far as the server knows, and never arrived. */
  #deliver(
    consumer: number,
    shardId: number,
    batchId: number,
    indexes: readonly number[],
    lost: boolean,
  ): void {
    const name = `${shardId}/${batchId}`;
    assert.ok(lost || this.consumers.has(consumer), "only to consumers that are there");
    const last = this.#last.get(name);
    if (last !== undefined) {
      assert.ok(!last.isOpen, `${name} comes again while it is waited for`);
      assert.ok((last.againFromMs ?? 0) <= this.nowMs, `${name} comes again before its time`);
    }
    const deliveries = (this.#deliveries.get(name) ?? 0) + 1;
    assert.ok(deliveries <= (this.settings.deliveriesMax ?? deliveries), `${name} comes too often`);
    this.#deliveries.set(name, deliveries);
    for (const index of indexes) {
      const key = `${name}/${index}`;
      assert.ok(!this.#acked.has(key), `${key} was acked, so it never comes again`);
      assert.ok(!this.#dead.has(key), `${key} was given up, so it never comes again`);
      this.#sent.add(key);
    }
    const atMs = this.nowMs;
    this.#last.set(name, {
      atMs,
      to: consumer,
      nacked: new Set(),
      nackDelayMs: 0,
      againFromMs: undefined,
      isOpen: true,
    });
  }

  #giveUp(shardId: number, batchId: number): void {
    const name = `${shardId}/${batchId}`;
    for (const index of this.state.missingOf(shardId, batchId) ?? []) {
      assert.ok(!this.#acked.has(`${name}/${index}`), "what was acked is no dead letter");
      assert.equal(this.#deliveries.get(name), this.settings.deliveriesMax, "given up after all deliveries");
      this.#dead.add(`${name}/${index}`);
    }
    this.#run(this.state.givenUp(shardId, batchId));
  }

  /** All that the last delivery brought is acked or negatively acked: it is waited for no longer. */
  #letGo(shardId: number, batchId: number): void {
    const last = this.#last.get(`${shardId}/${batchId}`);
    const batch = this.log.get(shardId)?.find((each) => each.batchId === batchId);
    if (last?.isOpen !== true || batch === undefined) return;
    const unacked = keysOf(shardId, batch).filter((key) => !this.#acked.has(key));
    const nacked = (key: string) => last.nacked.has(Number(key.split("/")[2]));
    if (unacked.length > 0 && unacked.every(nacked)) this.#close(last, this.nowMs + last.nackDelayMs);
  }

  #close(last: LastDelivery, againFromMs: number): void {
    last.isOpen = false;
    last.againFromMs = againFromMs;
  }

  #check(): void {
    const unacked = this.sent.filter((key) => !this.#acked.has(key) && !this.#dead.has(key)).length;
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
      for (const batch of batches) {
        if (batch.batchId > upTo || batch.batchId <= gone) continue;
        for (const key of keysOf(shardId, batch)) {
          assert.ok(this.#acked.has(key) || this.#dead.has(key), "progress only over what is done with");
        }
      }
    }
    if (this.settings.policy !== "key-ordered" || this.consumers.size === 0) return;
    const counts = [...this.consumers.keys()].map((consumer) => this.state.shardsOf(consumer).length);
    const owned = counts.reduce((a, b) => a + b);
    assert.equal(owned, this.log.size, "every shard has one owner");
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, "shards are shared evenly");
  }
}

function keysOf(shardId: number, { batchId, recordCount }: StoredBatch): string[] {
  return Array.from({ length: recordCount }, (_, index) => `${shardId}/${batchId}/${index}`);
}
