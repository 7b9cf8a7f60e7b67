import { firstIndexes } from "../streams/delivery.js";
import { DeadlineQueue } from "./deadline-queue.js";
import type { Emit, SubscriptionSettings } from "./subscription-action.js";
import type { ShardState, SubscriptionConsumer, TrackedBatch } from "./tracked-batch.js";

/**
 * The lives of batches from their first delivery to their last ack: who has them, when they come due
 * again, and when they are given up. Whom they go to next is not decided here.
 */
export class Deliveries {
  readonly #settings: SubscriptionSettings;
  readonly #emit: Emit;
  readonly #deadlines = new DeadlineQueue<TrackedBatch>();
  /** Shards whose progress is to be kept durably. */
  readonly changed = new Set<ShardState>();
  #lastDelivery = 0;
  #unackedRecords = 0;

  constructor(settings: SubscriptionSettings, emit: Emit) {
    this.#settings = settings;
    this.#emit = emit;
  }

  /** Records delivered, or due to be delivered again, that are not acked. */
  get unackedRecords(): number {
    return this.#unackedRecords;
  }

  /** When the first batch comes due for want of acks; undefined when nothing waits. */
  get nextDeadlineMs(): number | undefined {
    return this.#deadlines.nextMs;
  }

  /** A batch was read for the first time. */
  begin(batch: TrackedBatch): void {
    this.#unackedRecords += batch.acks.size - batch.acks.count;
  }

  /** A batch is for this consumer now. */
  assign(batch: TrackedBatch, consumer: SubscriptionConsumer): void {
    batch.sentTo = consumer;
    batch.deliveries += 1;
    batch.delivery = ++this.#lastDelivery;
    if (this.#settings.policy === "round-robin") consumer.sent.add(batch);
  }

  /** It was handed over: from now on its acks are waited for. */
  handedOver(batch: TrackedBatch, nowMs: number): void {
    batch.resending = false;
    batch.queued = true;
    this.#deadlines.push(batch, nowMs + this.#settings.ackTimeoutMs);
  }

  /** It was not handed over after all; false if it is given up instead of becoming due. */
  takeBack(batch: TrackedBatch): boolean {
    batch.deliveries -= 1;
    return this.makeDue(batch);
  }

  /** Records are acked; how many of them were not before. */
  ack(batch: TrackedBatch, indexes: readonly number[]): number {
    const count = this.#add(batch, indexes);
    if (count === 0) return 0;
    this.#unackedRecords -= count;
    this.changed.add(batch.shard);
    if (batch.acks.complete) this.finish(batch);
    else this.#letGo(batch);
    return count;
  }

  #add({ acks, nacked }: TrackedBatch, indexes: readonly number[]): number {
    // Mostly a whole batch is acked, with the list that all batches of its size share.
    const isWhole = indexes.length === acks.size && indexes === firstIndexes(acks.size);
    if (isWhole && nacked === undefined && acks.addAll()) return acks.size;
    let count = 0;
    for (const index of indexes) {
      if (!acks.add(index)) continue;
      count += 1;
      nacked?.delete(index);
    }
    return count;
  }

  /** A record is negatively acked, of a delivery that is waited for. */
  nack(batch: TrackedBatch, index: number, delayMs: number): void {
    if (batch.sentTo === undefined || batch.resending || !batch.queued) return;
    if (index >= batch.acks.size || batch.acks.has(index)) return;
    batch.nacked ??= new Set();
    batch.nacked.add(index);
    batch.nackDelayMs = Math.max(batch.nackDelayMs, delayMs);
    this.#letGo(batch);
  }

  /** Whether this delivery was let go of, and has not come due otherwise since. */
  isLetGo(batch: TrackedBatch, delivery: number): boolean {
    return batch.sentTo !== undefined && !batch.resending && !batch.queued && batch.delivery === delivery;
  }

  /** Takes out the first batch that was not acked in time. */
  popExpired(nowMs: number): TrackedBatch | undefined {
    const batch = this.#deadlines.popDue(nowMs);
    if (batch !== undefined) batch.queued = false;
    return batch;
  }

  /** It is to be sent again; false if it is given up instead. */
  makeDue(batch: TrackedBatch): boolean {
    this.#unqueue(batch);
    batch.sentTo?.sent.delete(batch);
    batch.sentTo = undefined;
    batch.resending = false;
    batch.nacked = undefined;
    batch.nackDelayMs = 0;
    if (batch.deliveries >= (this.#settings.deliveriesMax ?? Number.POSITIVE_INFINITY)) {
      this.#emit({ kind: "give-up", shardId: batch.shard.shardId, batchId: batch.batchId });
      return false;
    }
    batch.shard.due.add(batch);
    return true;
  }

  /** Nothing of the batch needs to be delivered any more. */
  finish(batch: TrackedBatch): void {
    const { shard } = batch;
    this.#unqueue(batch);
    if (batch.sentTo === undefined) shard.due.delete(batch);
    else batch.sentTo.sent.delete(batch);
    this.#unackedRecords -= batch.acks.size - batch.acks.count;
    shard.progress.finish(batch);
    this.changed.add(shard);
  }

  /** Lets go of a delivery of which every record is acked or negatively acked. */
  #letGo(batch: TrackedBatch): void {
    if (batch.nacked === undefined || !batch.queued) return;
    if (batch.acks.count + batch.nacked.size < batch.acks.size) return;
    this.#unqueue(batch);
    const { shard, batchId, delivery, nackDelayMs: delayMs } = batch;
    this.#emit({ kind: "release-later", shardId: shard.shardId, batchId, delivery, delayMs });
  }

  #unqueue(batch: TrackedBatch): void {
    if (batch.queued) this.#deadlines.remove(batch);
    batch.queued = false;
  }
}
