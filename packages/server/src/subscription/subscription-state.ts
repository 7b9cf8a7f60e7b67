import { assert, must } from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { AckSet } from "./ack-set.js";
import { type Deadlined, DeadlineQueue } from "./deadline-queue.js";
import { ShardAssignment } from "./shard-assignment.js";
import { type OpenBatch, type SavedProgress, ShardProgress } from "./shard-progress.js";

/**
 * `key-ordered`: a shard belongs to one consumer at a time, and what a consumer that left had not
 * acked comes again after the ack timeout. `round-robin`: batches go to the consumers in turn, and
 * what a consumer that left had not acked comes again at once.
 */
export type DispatchPolicy = "key-ordered" | "round-robin";

export interface SubscriptionSettings {
  readonly policy: DispatchPolicy;
  readonly ackTimeoutMs: number;
  /** Records that are delivered and not acked, at most; checked before each batch. */
  readonly maxUnackedRecords: number;
  /** Reads and resends at a time: of each consumer, or of all together with round-robin. */
  readonly readsMax: number;
  /** Deliveries after which a batch that comes due is given up; for ever if absent. */
  readonly deliveriesMax?: number;
}

/** What is to be done. `consumer` is the number that `join` gave. */
export type SubscriptionAction =
  /** Read the shard from there and report with `batchesRead`. */
  | { readonly kind: "read"; readonly shardId: ShardId; readonly from: BatchId }
  /** Hand over a batch of those just reported. `missing`: only these of its records, if not all. */
  | {
      readonly kind: "deliver";
      readonly consumer: number;
      readonly shardId: ShardId;
      readonly batchId: BatchId;
      readonly missing: readonly number[] | undefined;
    }
  /** Read one batch again, hand over what is not acked (`missing`), and report with `resent`. */
  | {
      readonly kind: "resend";
      readonly consumer: number;
      readonly shardId: ShardId;
      readonly batchId: BatchId;
    }
  /** Put what is not acked of a batch (`missing`) elsewhere, and report with `givenUp`. */
  | { readonly kind: "give-up"; readonly shardId: ShardId; readonly batchId: BatchId }
  /** Call `release` after the delay, for this delivery. */
  | {
      readonly kind: "release-later";
      readonly shardId: ShardId;
      readonly batchId: BatchId;
      readonly delivery: number;
      readonly delayMs: number;
    };

/** What the state machine needs to know of a batch that was read. */
export interface ReadBatch {
  readonly batchId: BatchId;
  readonly recordCount: number;
}

/** Work that waits for the same consumers: one consumer's with key-ordered, all with round-robin. */
interface Lane {
  readonly due: Set<ShardState>;
  readonly unread: Set<ShardState>;
  readsUnderWay: number;
}

interface Consumer {
  readonly number: number;
  readonly shards: Set<ShardState>;
  readonly lane: Lane;
  /** Round-robin only: what comes back when it leaves. */
  readonly sent: Set<TrackedBatch>;
  ready: boolean;
}

interface ShardState {
  readonly shardId: ShardId;
  readonly progress: ShardProgress<TrackedBatch>;
  /** Waiting to be sent again, in the order in which they became due. */
  readonly due: Set<TrackedBatch>;
  /** The next batch to read. */
  position: BatchId;
  tail: BatchId;
  /** The lane whose read is under way. */
  readBy: Lane | undefined;
  owner: Consumer | undefined;
}

interface TrackedBatch extends OpenBatch, Deadlined {
  readonly shard: ShardState;
  /** To whom it was sent last, or is being sent again; undefined while it is due. */
  sentTo: Consumer | undefined;
  /** A resend is under way: its time begins when it has been handed over. */
  resending: boolean;
  /** Whether it is among the deadlines. */
  queued: boolean;
  deliveries: number;
  /** Tells its deliveries apart, also those that were taken back. */
  delivery: number;
  /** Records of the last delivery that were negatively acked. */
  nacked: Set<number> | undefined;
  /** How long it is to wait once the delivery is settled: the longest delay that was asked for. */
  nackDelayMs: number;
}

/**
 * A subscription, without any input or output: events go in, actions come out, and time is an
 * argument (monotonic, ms). Every event takes time in proportion to what it touches, however many
 * records are unacked.
 */
export class SubscriptionState {
  readonly #settings: SubscriptionSettings;
  readonly #shards = new Map<ShardId, ShardState>();
  readonly #consumers = new Map<number, Consumer>();
  readonly #assignment: ShardAssignment<Consumer, ShardState>;
  /** Round-robin: the one lane, and the consumers that can take something, the next one first. */
  readonly #sharedLane: Lane = newLane();
  readonly #inTurn = new Set<Consumer>();
  readonly #deadlines = new DeadlineQueue<TrackedBatch>();
  /** Lanes that would read but for maxUnackedRecords. */
  readonly #blocked = new Set<Lane>();
  readonly #dirty = new Set<ShardState>();
  #lastNumber = 0;
  #lastDelivery = 0;
  #unackedRecords = 0;
  #readsUnderWay = 0;
  #actions: SubscriptionAction[] = [];

  constructor(settings: SubscriptionSettings, progress: ReadonlyMap<ShardId, SavedProgress>) {
    this.#settings = settings;
    for (const [shardId, saved] of progress) {
      this.#shards.set(shardId, {
        shardId,
        progress: new ShardProgress(saved),
        due: new Set(),
        position: saved.upTo + 1,
        tail: 0,
        readBy: undefined,
        owner: undefined,
      });
    }
    this.#assignment = new ShardAssignment(this.#shards.values(), (shard, from) => {
      from?.lane.due.delete(shard);
      from?.lane.unread.delete(shard);
      this.#enlist(shard);
    });
  }

  /** Records delivered, or due to be delivered again, that are not acked. */
  get unackedRecords(): number {
    return this.#unackedRecords;
  }

  /** When `expire` has something to do next; undefined when nothing waits for an ack. */
  get nextDeadlineMs(): number | undefined {
    return this.#deadlines.nextMs;
  }

  /** Everything up to and including this batch is acked. */
  ackedUpTo(shardId: ShardId): BatchId {
    return this.#shard(shardId).progress.upTo;
  }

  /** The records of a batch that are not acked; undefined when none is left or it was never sent. */
  missingOf(shardId: ShardId, batchId: BatchId): number[] | undefined {
    return this.#shards.get(shardId)?.progress.get(batchId)?.acks.missing();
  }

  /** The shards a consumer owns (key-ordered). */
  shardsOf(consumer: number): ShardId[] {
    return [...(this.#consumers.get(consumer)?.shards ?? [])].map(({ shardId }) => shardId);
  }

  /** What changed since the last call and is to be kept durably, at most `bytesMax` for each shard. */
  takeChanges(bytesMax: number): Map<ShardId, SavedProgress> {
    const changes = new Map<ShardId, SavedProgress>();
    for (const { shardId, progress } of this.#dirty) changes.set(shardId, progress.save(bytesMax));
    this.#dirty.clear();
    return changes;
  }

  get hasChanges(): boolean {
    return this.#dirty.size > 0;
  }

  /** A consumer arrives; it is known by the number returned and ready for deliveries. */
  join(): { readonly consumer: number; readonly actions: SubscriptionAction[] } {
    const number = ++this.#lastNumber;
    const ordered = this.#isOrdered();
    const lane = ordered ? newLane() : this.#sharedLane;
    const consumer: Consumer = { number, shards: new Set(), lane, sent: new Set(), ready: true };
    this.#consumers.set(number, consumer);
    if (ordered) this.#assignment.join(consumer);
    else this.#inTurn.add(consumer);
    // The newcomer may have taken shards from anyone, but only its own lane has got new work.
    this.#run(lane);
    return { consumer: number, actions: this.#take() };
  }

  leave(number: number): SubscriptionAction[] {
    const consumer = this.#consumers.get(number);
    if (consumer === undefined) return [];
    this.#consumers.delete(number);
    consumer.ready = false;
    this.#inTurn.delete(consumer);
    if (this.#isOrdered()) {
      const shards = [...consumer.shards];
      this.#assignment.leave(consumer);
      this.#blocked.delete(consumer.lane);
      for (const heir of new Set(shards.map(({ owner }) => owner))) {
        if (heir !== undefined) this.#run(heir.lane);
      }
    } else {
      const returned = [...consumer.sent].sort((a, b) => a.batchId - b.batchId);
      for (const batch of returned) {
        // What was about to be handed over was not.
        if (batch.resending) batch.deliveries -= 1;
        this.#makeDue(batch);
      }
      this.#run(this.#sharedLane);
    }
    return this.#take();
  }

  /** Whether a consumer takes more at the moment. */
  setReady(number: number, ready: boolean): SubscriptionAction[] {
    const consumer = this.#consumers.get(number);
    if (consumer === undefined || consumer.ready === ready) return [];
    consumer.ready = ready;
    if (!this.#isOrdered()) {
      if (ready) this.#inTurn.add(consumer);
      else this.#inTurn.delete(consumer);
    }
    if (ready) this.#run(consumer.lane);
    return this.#take();
  }

  /** The shard has batches up to this one. */
  tailMoved(shardId: ShardId, tail: BatchId): SubscriptionAction[] {
    const shard = this.#shard(shardId);
    shard.tail = Math.max(shard.tail, tail);
    const lane = this.#enlist(shard);
    if (lane !== undefined) this.#run(lane);
    return this.#take();
  }

  /**
   * What a read gave. `next` is where the following one begins; `gap` are batches before `next`
   * that are gone from the log.
   */
  batchesRead(
    shardId: ShardId,
    result: { readonly batches: readonly ReadBatch[]; readonly next: BatchId; readonly goneUpTo?: BatchId },
    nowMs: number,
  ): SubscriptionAction[] {
    const shard = this.#shard(shardId);
    const reader = must(shard.readBy, "what was read was asked for");
    shard.readBy = undefined;
    reader.readsUnderWay -= 1;
    this.#readsUnderWay -= 1;
    const progress = shard.progress.upTo;
    shard.position = this.#takeIn(shard, result, nowMs);
    if (shard.progress.upTo !== progress) this.#dirty.add(shard);
    const lane = this.#enlist(shard);
    this.#run(reader);
    if (lane !== undefined && lane !== reader) this.#run(lane);
    this.#runBlocked();
    return this.#take();
  }

  /** The read could not be carried out; it will be tried again when something happens to the shard. */
  readFailed(shardId: ShardId): SubscriptionAction[] {
    const shard = this.#shard(shardId);
    const reader = must(shard.readBy, "what failed was asked for");
    shard.readBy = undefined;
    reader.readsUnderWay -= 1;
    this.#readsUnderWay -= 1;
    // Other shards may have waited for its turn.
    this.#run(reader);
    this.#runBlocked();
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
    const shard = this.#shard(shardId);
    const lane = this.#isOrdered() ? this.#consumers.get(number)?.lane : this.#sharedLane;
    if (lane !== undefined) lane.readsUnderWay -= 1;
    const batch = shard.progress.get(batchId);
    if (batch !== undefined && outcome === "gone") this.#finish(batch);
    else if (batch?.resending === true && batch.sentTo?.number === number) {
      if (outcome === "undelivered") {
        batch.deliveries -= 1;
        this.#makeDue(batch);
      } else {
        batch.resending = false;
        this.#queue(batch, nowMs);
      }
    }
    if (lane !== undefined) this.#run(lane);
    const present = this.#laneOf(shard);
    if (present !== undefined && present !== lane) this.#run(present);
    this.#runBlocked();
    return this.#take();
  }

  /** What `takeChanges` gave for these shards could not be kept: it will give them again. */
  notKept(shardIds: Iterable<ShardId>): void {
    for (const shardId of shardIds) this.#dirty.add(this.#shard(shardId));
  }

  /** A record is acked. Unknown ones and repeats are ignored; false for those. */
  ack(shardId: ShardId, batchId: BatchId, index: number): boolean {
    return this.ackRun(shardId, batchId, [index]) === 1;
  }

  /** Records of one batch are acked. How many of them were not before. */
  ackRun(shardId: ShardId, batchId: BatchId, indexes: readonly number[]): number {
    const shard = this.#shards.get(shardId);
    const batch = shard?.progress.get(batchId);
    if (shard === undefined || batch === undefined) return 0;
    let count = 0;
    for (const index of indexes) {
      if (!batch.acks.add(index)) continue;
      count += 1;
      batch.nacked?.delete(index);
    }
    if (count === 0) return 0;
    this.#unackedRecords -= count;
    this.#dirty.add(shard);
    if (batch.acks.complete) this.#finish(batch);
    else this.#letGo(batch);
    return count;
  }

  /**
   * A record is negatively acked. Once none of its delivery is left that is neither acked nor negatively
   * acked, the delivery waits for its delay and no longer for its ack timeout. Unknown records and acked
   * ones are ignored. `acked` tells what has become possible.
   */
  nack(shardId: ShardId, batchId: BatchId, index: number, delayMs: number): void {
    const batch = this.#shards.get(shardId)?.progress.get(batchId);
    if (batch?.sentTo === undefined || batch.resending || !batch.queued) return;
    if (index >= batch.acks.size || batch.acks.has(index)) return;
    batch.nacked ??= new Set();
    batch.nacked.add(index);
    batch.nackDelayMs = Math.max(batch.nackDelayMs, delayMs);
    this.#letGo(batch);
  }

  /** Makes due what was let go of, unless it has come due otherwise and is under way again. */
  release(shardId: ShardId, batchId: BatchId, delivery: number): SubscriptionAction[] {
    const batch = this.#shards.get(shardId)?.progress.get(batchId);
    if (batch?.sentTo === undefined || batch.resending || batch.queued) return [];
    if (batch.delivery !== delivery) return [];
    const lane = this.#makeDue(batch);
    if (lane !== undefined) this.#run(lane);
    return this.#take();
  }

  /** What was to be given up has been put elsewhere: it counts as acked. */
  givenUp(shardId: ShardId, batchId: BatchId): SubscriptionAction[] {
    const batch = this.#shards.get(shardId)?.progress.get(batchId);
    if (batch !== undefined) this.#finish(batch);
    this.#runBlocked();
    return this.#take();
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

  /** After a row of acks: what has become possible. */
  acked(): SubscriptionAction[] {
    this.#runBlocked();
    return this.#take();
  }

  /** Makes due what has not been acked in time. */
  expire(nowMs: number): SubscriptionAction[] {
    const lanes = new Set<Lane>();
    for (
      let batch = this.#deadlines.popDue(nowMs);
      batch !== undefined;
      batch = this.#deadlines.popDue(nowMs)
    ) {
      batch.queued = false;
      const lane = this.#makeDue(batch);
      if (lane !== undefined) lanes.add(lane);
    }
    for (const lane of lanes) this.#run(lane);
    return this.#take();
  }

  /** Takes in and sends what was read, as far as it may; where the next read of the shard begins. */
  #takeIn(
    shard: ShardState,
    result: { readonly batches: readonly ReadBatch[]; readonly next: BatchId; readonly goneUpTo?: BatchId },
    nowMs: number,
  ): BatchId {
    let gone =
      result.goneUpTo !== undefined && result.goneUpTo >= shard.position ? result.goneUpTo : undefined;
    for (const { batchId, recordCount } of result.batches) {
      if (gone !== undefined && gone < batchId) {
        shard.progress.skip(shard.position, gone);
        shard.position = gone + 1;
        gone = undefined;
      }
      const consumer = this.#nextConsumer(shard, false);
      if (consumer === undefined || this.#isFull()) return batchId;
      const batch = shard.progress.add(batchId, recordCount, (id, acks) => newBatch(shard, id, acks));
      if (batch === undefined) continue;
      const missing = batch.acks.count === 0 ? undefined : batch.acks.missing();
      this.#unackedRecords += batch.acks.size - batch.acks.count;
      this.#assign(batch, consumer);
      this.#queue(batch, nowMs);
      this.#actions.push({
        kind: "deliver",
        consumer: consumer.number,
        shardId: shard.shardId,
        batchId,
        missing,
      });
    }
    if (gone !== undefined) shard.progress.skip(shard.position, gone);
    return result.next;
  }

  /** Gives a lane's work to its consumers until it, or their room, is used up. */
  #run(lane: Lane): void {
    while (lane.readsUnderWay < this.#settings.readsMax) {
      const [dueShard] = lane.due;
      const [shard] = lane.unread;
      if (dueShard === undefined && shard === undefined) return;
      const consumer = this.#nextConsumer(must(dueShard ?? shard, "there is one"), true);
      if (consumer === undefined) return;
      if (dueShard !== undefined) {
        this.#resend(dueShard, lane, consumer);
      } else if (shard !== undefined) {
        if (this.#isFull(this.#readsUnderWay)) {
          this.#blocked.add(lane);
          return;
        }
        lane.unread.delete(shard);
        shard.readBy = lane;
        lane.readsUnderWay += 1;
        this.#readsUnderWay += 1;
        this.#actions.push({ kind: "read", shardId: shard.shardId, from: shard.position });
      }
    }
  }

  #resend(shard: ShardState, lane: Lane, consumer: Consumer): void {
    const [first] = shard.due;
    const batch = must(first, "a shard among the due ones has a due batch");
    shard.due.delete(batch);
    this.#assign(batch, consumer);
    batch.resending = true;
    // To the end of the line, so that every shard has its turn.
    lane.due.delete(shard);
    if (shard.due.size > 0) lane.due.add(shard);
    lane.readsUnderWay += 1;
    const { shardId } = shard;
    this.#actions.push({ kind: "resend", consumer: consumer.number, shardId, batchId: batch.batchId });
  }

  #runBlocked(): void {
    for (const lane of this.#blocked) {
      if (this.#isFull(this.#readsUnderWay)) return;
      this.#blocked.delete(lane);
      this.#run(lane);
    }
  }

  #assign(batch: TrackedBatch, consumer: Consumer): void {
    batch.sentTo = consumer;
    batch.deliveries += 1;
    batch.delivery = ++this.#lastDelivery;
    if (this.#isOrdered()) return;
    consumer.sent.add(batch);
    // To the end of the line: it is the next one's turn.
    if (this.#inTurn.delete(consumer)) this.#inTurn.add(consumer);
  }

  /** Lets go of a delivery of which every record is acked or negatively acked. */
  #letGo(batch: TrackedBatch): void {
    if (batch.nacked === undefined || !batch.queued) return;
    if (batch.acks.count + batch.nacked.size < batch.acks.size) return;
    this.#unqueue(batch);
    const { shard, batchId, delivery, nackDelayMs: delayMs } = batch;
    this.#actions.push({ kind: "release-later", shardId: shard.shardId, batchId, delivery, delayMs });
  }

  #queue(batch: TrackedBatch, nowMs: number): void {
    batch.queued = true;
    this.#deadlines.push(batch, nowMs + this.#settings.ackTimeoutMs);
  }

  #unqueue(batch: TrackedBatch): void {
    if (batch.queued) this.#deadlines.remove(batch);
    batch.queued = false;
  }

  /** The lane that now has to send it, if there is one. */
  #makeDue(batch: TrackedBatch): Lane | undefined {
    this.#unqueue(batch);
    batch.sentTo?.sent.delete(batch);
    batch.sentTo = undefined;
    batch.resending = false;
    batch.nacked = undefined;
    batch.nackDelayMs = 0;
    if (batch.deliveries >= (this.#settings.deliveriesMax ?? Number.POSITIVE_INFINITY)) {
      this.#actions.push({ kind: "give-up", shardId: batch.shard.shardId, batchId: batch.batchId });
      return undefined;
    }
    batch.shard.due.add(batch);
    return this.#enlist(batch.shard);
  }

  /** Nothing of the batch needs to be delivered any more. */
  #finish(batch: TrackedBatch): void {
    const { shard } = batch;
    this.#unqueue(batch);
    if (batch.sentTo !== undefined) {
      batch.sentTo.sent.delete(batch);
    } else {
      shard.due.delete(batch);
      if (shard.due.size === 0) this.#laneOf(shard)?.due.delete(shard);
    }
    this.#unackedRecords -= batch.acks.size - batch.acks.count;
    shard.progress.finish(batch);
    this.#dirty.add(shard);
  }

  /** Notes a shard's work in its lane, which is returned. */
  #enlist(shard: ShardState): Lane | undefined {
    const lane = this.#laneOf(shard);
    if (lane === undefined) return undefined;
    if (shard.due.size > 0) lane.due.add(shard);
    if (shard.readBy === undefined && shard.position <= shard.tail) lane.unread.add(shard);
    return lane;
  }

  #laneOf(shard: ShardState): Lane | undefined {
    return this.#isOrdered() ? shard.owner?.lane : this.#sharedLane;
  }

  /**
   * Who gets the next batch of a shard. An owner takes what was read for it even when it has become
   * full meanwhile; `newWork` is for those only that are ready.
   */
  #nextConsumer(shard: ShardState, newWork: boolean): Consumer | undefined {
    if (this.#isOrdered()) return newWork && shard.owner?.ready === false ? undefined : shard.owner;
    const [consumer] = this.#inTurn;
    return consumer;
  }

  #isFull(more = 0): boolean {
    return this.#unackedRecords + more >= this.#settings.maxUnackedRecords;
  }

  #isOrdered(): boolean {
    return this.#settings.policy === "key-ordered";
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

function newLane(): Lane {
  return { due: new Set(), unread: new Set(), readsUnderWay: 0 };
}

function newBatch(shard: ShardState, batchId: BatchId, acks: AckSet): TrackedBatch {
  assert(!acks.complete, "a batch has records, and those of an acked one are not delivered");
  return {
    kind: "open",
    batchId,
    acks,
    shard,
    sentTo: undefined,
    resending: false,
    queued: false,
    deliveries: 0,
    delivery: 0,
    nacked: undefined,
    nackDelayMs: 0,
    deadlineMs: 0,
    earlier: undefined,
    later: undefined,
  };
}
