import { must } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import { Deliveries } from "./deliveries.js";
import { Dispatch } from "./dispatch.js";
import type { SavedProgress } from "./shard-progress.js";
import type { ReadBatches, SubscriptionAction, SubscriptionSettings } from "./subscription-action.js";
import { type Lane, newBatch, newShard, type ShardState, type TrackedBatch } from "./tracked-batch.js";

/**
 * A subscription, without any input or output: events go in, actions come out, and time is an
 * argument (monotonic, ms). Every event takes time in proportion to what it touches, however many
 * records are unacked.
 */
export class SubscriptionState {
  readonly #shards = new Map<ShardId, ShardState>();
  readonly #deliveries: Deliveries;
  readonly #dispatch: Dispatch;
  #actions: SubscriptionAction[] = [];

  constructor(settings: SubscriptionSettings, progress: ReadonlyMap<ShardId, SavedProgress>) {
    for (const [shardId, saved] of progress) this.#shards.set(shardId, newShard(shardId, saved));
    const emit = (action: SubscriptionAction) => void this.#actions.push(action);
    this.#deliveries = new Deliveries(settings, emit);
    this.#dispatch = new Dispatch(settings, this.#deliveries, this.#shards.values(), emit);
  }

  /** Records delivered, or due to be delivered again, that are not acked. */
  get unackedRecords(): number {
    return this.#deliveries.unackedRecords;
  }

  /** When `expire` has something to do next; undefined when nothing waits for an ack. */
  get nextDeadlineMs(): number | undefined {
    return this.#deliveries.nextDeadlineMs;
  }

  /** Everything up to and including this batch is acked. */
  ackedUpTo(shardId: ShardId): BatchId {
    return this.#shard(shardId).progress.upTo;
  }

  /** The records of a batch that are not acked; undefined when none is left or it was never sent. */
  missingOf(shardId: ShardId, batchId: BatchId): number[] | undefined {
    return this.#batch(shardId, batchId)?.acks.missing();
  }

  /** The shards a consumer owns (key-ordered). */
  shardsOf(consumer: number): ShardId[] {
    return this.#dispatch.shardsOf(consumer);
  }

  /** Of each shard, and of each consumer, how many records are delivered or due and not acked. */
  backlog(): { readonly shards: Map<ShardId, number>; readonly consumers: Map<number, number> } {
    const shards = new Map<ShardId, number>();
    const consumers = new Map<number, number>();
    for (const { shardId, progress } of this.#shards.values()) {
      let unacked = 0;
      for (const { acks, sentTo } of progress.openUpTo(Number.POSITIVE_INFINITY)) {
        const missing = acks.size - acks.count;
        unacked += missing;
        if (sentTo !== undefined) consumers.set(sentTo.number, (consumers.get(sentTo.number) ?? 0) + missing);
      }
      shards.set(shardId, unacked);
    }
    return { shards, consumers };
  }

  /** What changed since the last call and is to be kept durably, at most `bytesMax` for each shard. */
  takeChanges(bytesMax: number): Map<ShardId, SavedProgress> {
    const changes = new Map<ShardId, SavedProgress>();
    for (const { shardId, progress } of this.#deliveries.changed) {
      changes.set(shardId, progress.save(bytesMax));
    }
    this.#deliveries.changed.clear();
    return changes;
  }

  get hasChanges(): boolean {
    return this.#deliveries.changed.size > 0;
  }

  /** What `takeChanges` gave for these shards could not be kept: it will give them again. */
  notKept(shardIds: Iterable<ShardId>): void {
    for (const shardId of shardIds) this.#deliveries.changed.add(this.#shard(shardId));
  }

  /** A consumer arrives; it is known by the number returned and ready for deliveries. */
  join(): { readonly consumer: number; readonly actions: SubscriptionAction[] } {
    const { number } = this.#dispatch.join();
    return { consumer: number, actions: this.#take() };
  }

  leave(number: number): SubscriptionAction[] {
    this.#dispatch.leave(number);
    return this.#take();
  }

  /** Whether a consumer takes more at the moment. */
  setReady(number: number, ready: boolean): SubscriptionAction[] {
    this.#dispatch.setReady(number, ready);
    return this.#take();
  }

  /** The shard has batches up to this one. */
  tailMoved(shardId: ShardId, tail: BatchId): SubscriptionAction[] {
    const shard = this.#shard(shardId);
    shard.tail = Math.max(shard.tail, tail);
    this.#run(this.#dispatch.enlist(shard));
    return this.#take();
  }

  batchesRead(shardId: ShardId, result: ReadBatches, nowMs: number): SubscriptionAction[] {
    const shard = this.#shard(shardId);
    const reader = this.#dispatch.readEnded(shard);
    const before = shard.progress.upTo;
    shard.position = this.#takeIn(shard, result, nowMs);
    if (shard.progress.upTo !== before) this.#deliveries.changed.add(shard);
    const lane = this.#dispatch.enlist(shard);
    this.#run(reader, lane);
    this.#dispatch.runBlocked();
    return this.#take();
  }

  /** The read could not be carried out; it will be tried again when something happens to the shard. */
  readFailed(shardId: ShardId): SubscriptionAction[] {
    // Other shards may have waited for its turn.
    this.#run(this.#dispatch.readEnded(this.#shard(shardId)));
    this.#dispatch.runBlocked();
    return this.#take();
  }

  /**
   * A resend is over: it was handed over, or could not be (the consumer has gone; it is due again at
   * once), or the batch is gone from the log.
   */
  resent(
    number: number,
    shardId: ShardId,
    batchId: BatchId,
    outcome: "delivered" | "undelivered" | "gone",
    nowMs: number,
  ): SubscriptionAction[] {
    const lane = this.#dispatch.resendEnded(number);
    const batch = this.#batch(shardId, batchId);
    if (batch !== undefined && outcome === "gone") this.#deliveries.finish(batch);
    else if (batch?.resending === true && batch.sentTo?.number === number) {
      if (outcome === "delivered") this.#deliveries.handedOver(batch, nowMs);
      else this.#deliveries.takeBack(batch);
    }
    this.#run(lane, this.#dispatch.enlist(this.#shard(shardId)));
    this.#dispatch.runBlocked();
    return this.#take();
  }

  /** A record is acked. Unknown ones and repeats are ignored; false for those. */
  ack(shardId: ShardId, batchId: BatchId, index: number): boolean {
    return this.ackRun(shardId, batchId, [index]) === 1;
  }

  /** Records of one batch are acked. How many of them were not before. */
  ackRun(shardId: ShardId, batchId: BatchId, indexes: readonly number[]): number {
    const batch = this.#batch(shardId, batchId);
    return batch === undefined ? 0 : this.#deliveries.ack(batch, indexes);
  }

  /**
   * A record is negatively acked. Once none of its delivery is left that is neither acked nor negatively
   * acked, the delivery waits for its delay and no longer for its ack timeout. Unknown records and acked
   * ones are ignored. `acked` tells what has become possible.
   */
  nack(shardId: ShardId, batchId: BatchId, index: number, delayMs: number): void {
    const batch = this.#batch(shardId, batchId);
    if (batch !== undefined) this.#deliveries.nack(batch, index, delayMs);
  }

  /** After a row of acks: what has become possible. */
  acked(): SubscriptionAction[] {
    this.#dispatch.runBlocked();
    return this.#take();
  }

  /** Makes due what was let go of, unless it has come due otherwise and is under way again. */
  release(shardId: ShardId, batchId: BatchId, delivery: number): SubscriptionAction[] {
    const batch = this.#batch(shardId, batchId);
    if (batch === undefined || !this.#deliveries.isLetGo(batch, delivery)) return [];
    this.#deliveries.makeDue(batch);
    this.#run(this.#dispatch.enlist(batch.shard));
    return this.#take();
  }

  /** What was to be given up has been put elsewhere: it counts as acked. */
  givenUp(shardId: ShardId, batchId: BatchId): SubscriptionAction[] {
    const batch = this.#batch(shardId, batchId);
    if (batch !== undefined) this.#deliveries.finish(batch);
    this.#dispatch.runBlocked();
    return this.#take();
  }

  /** Makes due what has not been acked in time. */
  expire(nowMs: number): SubscriptionAction[] {
    const lanes = new Set<Lane | undefined>();
    for (;;) {
      const batch = this.#deliveries.popExpired(nowMs);
      if (batch === undefined) break;
      this.#deliveries.makeDue(batch);
      lanes.add(this.#dispatch.enlist(batch.shard));
    }
    this.#run(...lanes);
    return this.#take();
  }

  /** Takes in and sends what was read, as far as it may; where the next read of the shard begins. */
  #takeIn(shard: ShardState, result: ReadBatches, nowMs: number): BatchId {
    const { shardId, progress } = shard;
    let gone =
      result.goneUpTo !== undefined && result.goneUpTo >= shard.position ? result.goneUpTo : undefined;
    for (const { batchId, recordCount } of result.batches) {
      if (gone !== undefined && gone < batchId) {
        progress.skip(shard.position, gone);
        shard.position = gone + 1;
        gone = undefined;
      }
      const consumer = this.#dispatch.takerOf(shard);
      if (consumer === undefined) return batchId;
      const batch = progress.add(batchId, recordCount, (id, acks) => newBatch(shard, id, acks));
      if (batch === undefined) continue;
      const missing = batch.acks.count === 0 ? undefined : batch.acks.missing();
      this.#deliveries.begin(batch);
      this.#deliveries.assign(batch, consumer);
      this.#dispatch.passTurn(consumer);
      this.#deliveries.handedOver(batch, nowMs);
      this.#actions.push({ kind: "deliver", consumer: consumer.number, shardId, batchId, missing });
    }
    if (gone !== undefined) progress.skip(shard.position, gone);
    return result.next;
  }

  /** Runs lanes, each once. */
  #run(...lanes: readonly (Lane | undefined)[]): void {
    for (const lane of new Set(lanes)) if (lane !== undefined) this.#dispatch.run(lane);
  }

  #batch(shardId: ShardId, batchId: BatchId): TrackedBatch | undefined {
    return this.#shards.get(shardId)?.progress.get(batchId);
  }

  #shard(shardId: ShardId): ShardState {
    return must(this.#shards.get(shardId), "the shard is one of the subscription's");
  }

  #take(): SubscriptionAction[] {
    const actions = this.#actions;
    this.#actions = [];
    return actions;
  }
}
