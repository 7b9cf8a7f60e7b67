import { type Inflate, must, unreachable } from "@hstream/proto";
import type { Env, Timer } from "../env/env.js";
import type { Metrics } from "../metrics/metrics.js";
import type { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { BatchId, LogStore, ShardId, StoredBatch } from "../log/log-store.js";
import { type Delivery, deliveriesOf } from "../streams/delivery.js";
import type { ProgressStore } from "./progress-store.js";
import type { SavedProgress } from "./shard-progress.js";
import type { SubscriptionAction, SubscriptionSettings } from "./subscription-action.js";
import { SubscriptionState } from "./subscription-state.js";

/** Who takes deliveries. None of its functions throws. */
export interface Consumer {
  readonly name: string;
  /** Where it is, as the operator sees it. */
  readonly uri: string;
  readonly userAgent: string;
  /** Takes a delivery; false: no more for now, until `Attachment.ready`. */
  deliver(delivery: Delivery): boolean;
  /** There will be no more deliveries. */
  end(reason: HStreamError): void;
}

export interface RecordId {
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  readonly index: number;
}

/** Records of one batch. */
export interface RecordRun {
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  readonly indexes: readonly number[];
}

/** A consumer's place in a subscription. */
export interface Attachment {
  /** Records that need not come again; unknown ones and repeats are ignored. */
  ack(records: readonly RecordId[]): void;
  /** The same for many records of few batches. */
  ackRuns(runs: readonly RecordRun[]): void;
  /** The consumer takes deliveries again. */
  ready(): void;
  /** The consumer has gone. */
  detach(): void;
}

export interface DriverTools {
  readonly env: Env;
  readonly log: LogStore;
  readonly progress: ProgressStore;
  readonly inflate: Inflate;
  readonly metrics?: Metrics;
  readonly report: (where: string, error: unknown) => void;
  /** Appends records to the stream that takes what a subscription gives up. */
  readonly deadLetter: (streamName: string, delivery: Delivery) => Promise<void>;
}

/** How far a subscription is in a shard. */
export interface ShardBacklog {
  readonly shardId: ShardId;
  readonly ackedUpTo: BatchId;
  /** Delivered, or due again, and not acked. */
  readonly unackedRecords: number;
}

/** What a consumer has not acked, and which shards it has (key-ordered). */
export interface ConsumerBacklog {
  readonly consumer: Consumer;
  readonly unackedRecords: number;
  readonly shardIds: readonly ShardId[];
}

/** What went otherwise than well, in records, since the subscription was started here. */
export interface DeliveryCounts {
  /** Sent again, after an ack timeout, a negative ack or the end of a consumer. */
  readonly resent: number;
  /** To be sent, and sent again, to a consumer that had gone by then. */
  readonly sendsFailed: number;
  readonly resendsFailed: number;
}

/** What a subscription is known by: where its progress is kept, and what it is counted as. */
export interface DriverIds {
  readonly progressId: string;
  readonly uid: string;
}

/** What is read is delivered at once, or read again later. */
const readLimits = { batchesMax: limits.deliveryReadBatchesMax, bytesMax: limits.deliveryReadBytesMax };
/** Half of the time within which acks must be durable; the other half is the disk's. */
const flushDelayMs = limits.ackFlushMs / 2;

/** The system's timers count in 32 bits; a later deadline is looked at again when this has passed. */
const timerMsMax = 2 ** 30;

/**
 * Runs one subscription: reads the log for its state machine, hands batches to consumers, keeps the
 * deadlines and saves the progress. Wakes when the log grows, a consumer acts or a deadline passes.
 */
export class SubscriptionDriver {
  readonly #ids: DriverIds;
  readonly #deadLetterStream: string | undefined;
  readonly #tools: DriverTools;
  readonly #state: SubscriptionState;
  readonly #consumers = new Map<number, Consumer>();
  readonly #names = new Set<string>();
  readonly #unwatch: (() => void)[] = [];
  #deadline: { readonly timer: Timer; readonly atMs: number } | undefined;
  #flushTimer: Timer | undefined;
  /** Of negatively acked deliveries that wait for their delay. */
  readonly #releases = new Set<Timer>();
  #flushing: Promise<void> = Promise.resolve();
  readonly #counts = { resent: 0, sendsFailed: 0, resendsFailed: 0 };
  #closed = false;

  constructor(
    ids: DriverIds,
    settings: Omit<SubscriptionSettings, "readsMax">,
    progress: ReadonlyMap<ShardId, SavedProgress>,
    tools: DriverTools,
    deadLetterStream?: string,
  ) {
    this.#ids = ids;
    this.#deadLetterStream = deadLetterStream;
    this.#tools = tools;
    this.#state = new SubscriptionState({ ...settings, readsMax: limits.deliveryReadsMax }, progress);
    for (const shardId of progress.keys()) {
      this.#unwatch.push(tools.log.watch(shardId, (tail) => this.#tailMoved(shardId, tail)));
      this.#tailMoved(shardId, tools.log.tail(shardId));
    }
  }

  consumers(): Consumer[] {
    return [...this.#consumers.values()];
  }

  get consumerCount(): number {
    return this.#consumers.size;
  }

  hasConsumer(name: string): boolean {
    return this.#names.has(name);
  }

  /** Everything up to and including this batch is acked. */
  ackedUpTo(shardId: ShardId): BatchId {
    return this.#state.ackedUpTo(shardId);
  }

  get unackedRecords(): number {
    return this.#state.unackedRecords;
  }

  get counts(): DeliveryCounts {
    return this.#counts;
  }

  /** Where it is, by shard and by consumer. Takes time in proportion to what is not acked. */
  backlog(): { readonly shards: readonly ShardBacklog[]; readonly consumers: readonly ConsumerBacklog[] } {
    const { shards, consumers } = this.#state.backlog();
    return {
      shards: [...shards].map(([shardId, unackedRecords]) => ({
        shardId,
        unackedRecords,
        ackedUpTo: this.#state.ackedUpTo(shardId),
      })),
      consumers: [...this.#consumers].map(([number, consumer]) => ({
        consumer,
        unackedRecords: consumers.get(number) ?? 0,
        shardIds: this.#state.shardsOf(number),
      })),
    };
  }

  /** Records that shall come again after a delay, once the rest of their delivery is settled too. */
  nack(records: readonly RecordId[], delayMs: number): void {
    if (this.#closed) return;
    for (const { shardId, batchId, index } of records) {
      this.#state.nack(shardId, batchId, index, delayMs);
    }
    this.#execute(this.#state.acked());
  }

  attach(consumer: Consumer): Attachment {
    const { consumer: number, actions } = this.#state.join();
    this.#consumers.set(number, consumer);
    this.#names.add(consumer.name);
    this.#tools.metrics?.acked(this.#ids.uid, 0);
    this.#execute(actions);
    return {
      ack: (records) =>
        this.#ack(records.map(({ shardId, batchId, index }) => ({ shardId, batchId, indexes: [index] }))),
      ackRuns: (runs) => this.#ack(runs),
      ready: () => this.#execute(this.#state.setReady(number, true)),
      detach: () => {
        if (!this.#consumers.delete(number)) return;
        this.#names.delete(consumer.name);
        this.#execute(this.#state.leave(number));
      },
    };
  }

  /** Ends all consumers with the reason and stops; the progress made is durable when it resolves. */
  async close(reason: HStreamError): Promise<void> {
    this.#closed = true;
    for (const stop of this.#unwatch) stop();
    this.#deadline?.timer.cancel();
    this.#flushTimer?.cancel();
    for (const timer of this.#releases) timer.cancel();
    this.#releases.clear();
    const consumers = this.consumers();
    this.#consumers.clear();
    for (const consumer of consumers) consumer.end(reason);
    await this.#flush();
  }

  #now(): number {
    return this.#tools.env.clock.monotonic();
  }

  #tailMoved(shardId: ShardId, tail: BatchId): void {
    if (!this.#closed) this.#execute(this.#state.tailMoved(shardId, tail));
  }

  #ack(runs: readonly RecordRun[]): void {
    if (this.#closed) return;
    let records = 0;
    for (const { shardId, batchId, indexes } of runs) {
      records += indexes.length;
      this.#state.ackRun(shardId, batchId, indexes);
    }
    this.#tools.metrics?.acked(this.#ids.uid, records);
    this.#execute(this.#state.acked());
  }

  #execute(actions: readonly SubscriptionAction[], inHand: readonly StoredBatch[] = []): void {
    if (this.#closed) return;
    let next = 0;
    for (const action of actions) {
      switch (action.kind) {
        case "read":
          this.#background(this.#read(action.shardId, action.from), "subscription read");
          break;
        case "resend":
          this.#background(
            this.#resend(action.consumer, action.shardId, action.batchId),
            "subscription resend",
          );
          break;
        case "release-later": {
          const { shardId, batchId, delivery, delayMs } = action;
          const timer = this.#tools.env.timers.after(delayMs, () => {
            this.#releases.delete(timer);
            this.#execute(this.#state.release(shardId, batchId, delivery));
          });
          this.#releases.add(timer);
          break;
        }
        case "give-up":
          this.#background(this.#giveUp(action.shardId, action.batchId), "dead letters");
          break;
        case "deliver": {
          // Deliveries come in the order of the batches that were read.
          let batch = must(inHand[next++], "a batch is delivered while it is in hand");
          while (batch.batchId !== action.batchId) batch = must(inHand[next++], "as above");
          if (!this.#deliver(action.consumer, batch, action.missing)) {
            this.#counts.sendsFailed += action.missing?.length ?? batch.recordCount;
          }
          break;
        }
        default:
          unreachable(action);
      }
    }
    this.#setDeadline();
    this.#scheduleFlush();
  }

  #background(work: Promise<void>, where: string): void {
    work.catch((error: unknown) => {
      if (!this.#closed) this.#tools.report(where, error);
    });
  }

  async #read(shardId: ShardId, from: BatchId): Promise<void> {
    try {
      const result = await this.#tools.log.read(shardId, from, readLimits);
      if (this.#closed) return;
      const { batches, next, gap } = result;
      const read = { batches, next, ...(gap === undefined ? {} : { goneUpTo: gap.upTo }) };
      this.#execute(this.#state.batchesRead(shardId, read, this.#now()), batches);
    } catch (error) {
      this.#execute(this.#state.readFailed(shardId));
      this.#background(this.#tryAgainLater(shardId), "subscription read");
      throw error;
    }
  }

  async #tryAgainLater(shardId: ShardId): Promise<void> {
    await this.#tools.env.timers.sleep(limits.failedReadPauseMs);
    if (!this.#closed) this.#tailMoved(shardId, this.#tools.log.tail(shardId));
  }

  async #resend(number: number, shardId: ShardId, batchId: BatchId): Promise<void> {
    let outcome: "delivered" | "undelivered" | "gone" = "undelivered";
    try {
      const { batches } = await this.#tools.log.read(shardId, batchId, { ...readLimits, batchesMax: 1 });
      const [batch] = batches;
      const missing = this.#state.missingOf(shardId, batchId);
      if (batch?.batchId !== batchId) outcome = "gone";
      else if (missing === undefined) outcome = "delivered";
      else if (this.#deliver(number, batch, missing)) {
        outcome = "delivered";
        this.#counts.resent += missing.length;
      } else this.#counts.resendsFailed += missing.length;
    } catch (error) {
      // As if it had been sent and lost: it comes again after the ack timeout.
      outcome = "delivered";
      throw error;
    } finally {
      if (!this.#closed) this.#execute(this.#state.resent(number, shardId, batchId, outcome, this.#now()));
    }
  }

  /** Tries until it has succeeded, since the records would be lost otherwise. */
  async #giveUp(shardId: ShardId, batchId: BatchId): Promise<void> {
    const stream = must(this.#deadLetterStream, "what is given up has somewhere to go");
    while (!this.#closed) {
      try {
        const { batches } = await this.#tools.log.read(shardId, batchId, { ...readLimits, batchesMax: 1 });
        const [batch] = batches;
        const missing = this.#state.missingOf(shardId, batchId);
        if (batch?.batchId === batchId && missing !== undefined) {
          for (const delivery of deliveriesOf(batch, missing, this.#tools.inflate)) {
            await this.#tools.deadLetter(stream, delivery);
          }
        }
        if (!this.#closed) this.#execute(this.#state.givenUp(shardId, batchId));
        return;
      } catch (error) {
        if (this.#closed) return;
        this.#tools.report("dead letters", error);
        await this.#tools.env.timers.sleep(limits.failedReadPauseMs);
      }
    }
  }

  /** False if the consumer has gone. */
  #deliver(number: number, batch: StoredBatch, missing: readonly number[] | undefined): boolean {
    const consumer = this.#consumers.get(number);
    if (consumer === undefined) return false;
    let takesMore = true;
    for (const delivery of deliveriesOf(batch, missing, this.#tools.inflate)) {
      takesMore = consumer.deliver(delivery);
      this.#tools.metrics?.delivered(this.#ids.uid, delivery.payload.length, delivery.indexes.length);
    }
    if (!takesMore) this.#state.setReady(number, false);
    return true;
  }

  #setDeadline(): void {
    const atMs = this.#state.nextDeadlineMs;
    if (atMs === undefined || (this.#deadline !== undefined && this.#deadline.atMs <= atMs)) return;
    this.#deadline?.timer.cancel();
    const delayMs = Math.min(timerMsMax, Math.max(0, Math.ceil(atMs - this.#now())));
    const timer = this.#tools.env.timers.after(delayMs, () => {
      this.#deadline = undefined;
      this.#execute(this.#state.expire(this.#now()));
    });
    this.#deadline = { timer, atMs };
  }

  #scheduleFlush(): void {
    if (this.#flushTimer !== undefined || !this.#state.hasChanges) return;
    this.#flushTimer = this.#tools.env.timers.after(flushDelayMs, () => {
      this.#flushTimer = undefined;
      this.#background(this.#flush(), "subscription progress");
    });
  }

  /** One after the other, so that an older state never overtakes a newer one. */
  #flush(): Promise<void> {
    this.#flushing = this.#flushing.then(async () => {
      if (!this.#state.hasChanges) return;
      const changes = this.#state.takeChanges(limits.savedProgressBytesMax);
      try {
        await this.#tools.progress.save(this.#ids.progressId, changes);
      } catch (error) {
        this.#state.notKept(changes.keys());
        this.#tools.report("subscription progress", error);
      }
    });
    return this.#flushing;
  }
}
