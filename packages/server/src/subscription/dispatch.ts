import { must } from "@hstream/proto";
import type { ShardId } from "../log/log-store.js";
import type { Deliveries } from "./deliveries.js";
import { ShardAssignment } from "./shard-assignment.js";
import type { Emit, SubscriptionSettings } from "./subscription-action.js";
import { type Lane, newLane, type ShardState, type SubscriptionConsumer } from "./tracked-batch.js";

/**
 * Who gets what next. Work stands in lanes: with key-ordered each consumer has one, for the shards that
 * it owns; with round-robin all have one together, and take turns.
 */
export class Dispatch {
  readonly #settings: SubscriptionSettings;
  readonly #deliveries: Deliveries;
  readonly #emit: Emit;
  readonly #consumers = new Map<number, SubscriptionConsumer>();
  readonly #assignment: ShardAssignment<SubscriptionConsumer, ShardState>;
  /** Round-robin: the one lane, and the consumers that can take something, the next one first. */
  readonly #sharedLane: Lane = newLane();
  readonly #inTurn = new Set<SubscriptionConsumer>();
  /** Lanes that would read but for maxUnackedRecords. */
  readonly #blocked = new Set<Lane>();
  #lastNumber = 0;
  #readsUnderWay = 0;

  constructor(
    settings: SubscriptionSettings,
    deliveries: Deliveries,
    shards: Iterable<ShardState>,
    emit: Emit,
  ) {
    this.#settings = settings;
    this.#deliveries = deliveries;
    this.#emit = emit;
    this.#assignment = new ShardAssignment(shards, (shard, from) => {
      from?.lane.due.delete(shard);
      from?.lane.unread.delete(shard);
      this.enlist(shard);
    });
  }

  /** The shards a consumer owns (key-ordered). */
  shardsOf(number: number): ShardId[] {
    return [...(this.#consumers.get(number)?.shards ?? [])].map(({ shardId }) => shardId);
  }

  join(): SubscriptionConsumer {
    const number = ++this.#lastNumber;
    const lane = this.#isOrdered ? newLane() : this.#sharedLane;
    const consumer = { number, shards: new Set<ShardState>(), lane, sent: new Set<never>(), ready: true };
    this.#consumers.set(number, consumer);
    if (this.#isOrdered) this.#assignment.join(consumer);
    else this.#inTurn.add(consumer);
    // The newcomer may have taken shards from anyone, but only its own lane has got new work.
    this.run(lane);
    return consumer;
  }

  leave(number: number): void {
    const consumer = this.#consumers.get(number);
    if (consumer === undefined) return;
    this.#consumers.delete(number);
    consumer.ready = false;
    this.#inTurn.delete(consumer);
    if (this.#isOrdered) {
      const shards = [...consumer.shards];
      this.#assignment.leave(consumer);
      this.#blocked.delete(consumer.lane);
      for (const heir of new Set(shards.map(({ owner }) => owner))) {
        if (heir !== undefined) this.run(heir.lane);
      }
      return;
    }
    for (const batch of [...consumer.sent].sort((a, b) => a.batchId - b.batchId)) {
      // What was about to be handed over was not.
      if (batch.resending) this.#deliveries.takeBack(batch);
      else this.#deliveries.makeDue(batch);
      this.enlist(batch.shard);
    }
    this.run(this.#sharedLane);
  }

  /** Whether a consumer takes more at the moment. */
  setReady(number: number, ready: boolean): void {
    const consumer = this.#consumers.get(number);
    if (consumer === undefined || consumer.ready === ready) return;
    consumer.ready = ready;
    if (!this.#isOrdered) {
      if (ready) this.#inTurn.add(consumer);
      else this.#inTurn.delete(consumer);
    }
    if (ready) this.run(consumer.lane);
  }

  /** Notes a shard's work in its lane, which is returned. */
  enlist(shard: ShardState): Lane | undefined {
    const lane = this.#isOrdered ? shard.owner?.lane : this.#sharedLane;
    if (lane === undefined) return undefined;
    if (shard.due.size > 0) lane.due.add(shard);
    if (shard.readBy === undefined && shard.position <= shard.tail) lane.unread.add(shard);
    return lane;
  }

  /** The read of a shard is over; whose it was. */
  readEnded(shard: ShardState): Lane {
    const lane = must(shard.readBy, "what was read was asked for");
    shard.readBy = undefined;
    lane.readsUnderWay -= 1;
    this.#readsUnderWay -= 1;
    return lane;
  }

  /** A resend to this consumer is over; whose it was, if it is still there. */
  resendEnded(number: number): Lane | undefined {
    const lane = this.#isOrdered ? this.#consumers.get(number)?.lane : this.#sharedLane;
    if (lane !== undefined) lane.readsUnderWay -= 1;
    return lane;
  }

  /** Who gets the next batch that was read of a shard; nobody when the subscription is full. */
  takerOf(shard: ShardState): SubscriptionConsumer | undefined {
    if (this.#isFull(0)) return undefined;
    // An owner takes what was read for it even when it has become full meanwhile.
    if (this.#isOrdered) return shard.owner;
    const [consumer] = this.#inTurn;
    return consumer;
  }

  /** A consumer was given something: it is the next one's turn. */
  passTurn(consumer: SubscriptionConsumer): void {
    if (this.#inTurn.delete(consumer)) this.#inTurn.add(consumer);
  }

  /** Gives a lane's work to its consumers until it, or their room, is used up. */
  run(lane: Lane): void {
    while (lane.readsUnderWay < this.#settings.readsMax) {
      const [dueShard] = lane.due;
      if (dueShard?.due.size === 0) {
        lane.due.delete(dueShard);
        continue;
      }
      const [shard] = lane.unread;
      if (dueShard === undefined && shard === undefined) return;
      const consumer = this.#readyFor(must(dueShard ?? shard, "there is one"));
      if (consumer === undefined) return;
      if (dueShard !== undefined) this.#resend(dueShard, lane, consumer);
      else if (shard !== undefined) {
        if (this.#isFull(this.#readsUnderWay)) {
          this.#blocked.add(lane);
          return;
        }
        lane.unread.delete(shard);
        shard.readBy = lane;
        lane.readsUnderWay += 1;
        this.#readsUnderWay += 1;
        this.#emit({ kind: "read", shardId: shard.shardId, from: shard.position });
      }
    }
  }

  /** Goes on where the limit of unacked records was in the way. */
  runBlocked(): void {
    for (const lane of this.#blocked) {
      if (this.#isFull(this.#readsUnderWay)) return;
      this.#blocked.delete(lane);
      this.run(lane);
    }
  }

  #resend(shard: ShardState, lane: Lane, consumer: SubscriptionConsumer): void {
    const [first] = shard.due;
    const batch = must(first, "a shard among the due ones has a due batch");
    shard.due.delete(batch);
    this.#deliveries.assign(batch, consumer);
    this.passTurn(consumer);
    batch.resending = true;
    // To the end of the line, so that every shard has its turn.
    lane.due.delete(shard);
    if (shard.due.size > 0) lane.due.add(shard);
    lane.readsUnderWay += 1;
    const { shardId } = shard;
    this.#emit({ kind: "resend", consumer: consumer.number, shardId, batchId: batch.batchId });
  }

  /** Who may be given new work of a shard: one that is ready. */
  #readyFor(shard: ShardState): SubscriptionConsumer | undefined {
    if (this.#isOrdered) return shard.owner?.ready === true ? shard.owner : undefined;
    const [consumer] = this.#inTurn;
    return consumer;
  }

  #isFull(more: number): boolean {
    return this.#deliveries.unackedRecords + more >= this.#settings.maxUnackedRecords;
  }

  get #isOrdered(): boolean {
    return this.#settings.policy === "key-ordered";
  }
}
