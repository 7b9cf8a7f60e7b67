import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import { MetaTable } from "../meta/table.js";
import { Documents } from "../streams/documents.js";
import { nameProblem } from "../streams/names.js";
import { type ReadOffset, readingFrom } from "../streams/read-offset.js";
import { deletedStreamName, type StreamCatalogue } from "../streams/stream-catalogue.js";
import { ProgressStore } from "./progress-store.js";
import { type SavedProgress, startingAfter } from "./shard-progress.js";
import { progressIdOf, subscriptionCodec, type SubscriptionDocument } from "./subscription.js";
import {
  type Attachment,
  type Consumer,
  type ConsumerBacklog,
  type DeliveryCounts,
  type DriverTools,
  type RecordId,
  type ShardBacklog,
  SubscriptionDriver,
} from "./subscription-driver.js";
import type { DispatchPolicy } from "./subscription-action.js";

export interface SubscriptionOptions {
  readonly id: string;
  readonly streamName: string;
  readonly ackTimeoutSeconds: number;
  readonly maxUnackedRecords: number;
  readonly offset: "earliest" | "latest";
  readonly dispatch?: DispatchPolicy;
  /** After so many deliveries records go to the dead-letter stream. Both are there, or none. */
  readonly deliveriesMax?: number;
  readonly deadLetterStream?: string;
}

/** Where a subscription is to be moved. Of `records`, shards that are not named stay where they are. */
export type SeekTarget =
  | Exclude<ReadOffset, { kind: "record" }>
  | { readonly kind: "records"; readonly batches: ReadonlyMap<ShardId, BatchId> };

/** How far a subscription is in a shard. */
export interface ShardLag extends ShardBacklog {
  readonly tail: BatchId;
  /** For how long the first batch that is not acked has been stored, ms; 0 when all are. */
  readonly lagMs: number;
}

/** A subscription as users see it. */
export interface SubscriptionInfo extends SubscriptionDocument {
  /** The stream's name; a name of its own when the stream was deleted. */
  readonly streamName: string;
}

/** The subscriptions there are: creation, look-up, deletion, and consumers that come to them. */
export class SubscriptionService {
  readonly #tools: DriverTools;
  readonly #streams: StreamCatalogue;
  readonly #documents: Documents<SubscriptionDocument>;
  readonly #defaultDispatch: DispatchPolicy;
  readonly #subscriptionsMax: number;
  readonly #uids: ReadonlySet<string>;
  /** By uid. A driver stays after its last consumer has gone: it keeps the deadlines. */
  readonly #drivers = new Map<string, Promise<SubscriptionDriver>>();
  readonly #running = new Map<string, SubscriptionDriver>();
  readonly #beingDeleted = new Set<string>();
  /** Moves under way, by uid: consumers that come meanwhile wait. */
  readonly #moving = new Map<string, Promise<void>>();
  #closing = false;

  private constructor(
    tools: DriverTools,
    streams: StreamCatalogue,
    documents: Documents<SubscriptionDocument>,
    options: {
      readonly defaultDispatch: DispatchPolicy;
      readonly subscriptionsMax: number;
      readonly uids: ReadonlySet<string>;
    },
  ) {
    this.#tools = tools;
    this.#streams = streams;
    this.#documents = documents;
    this.#defaultDispatch = options.defaultDispatch;
    this.#subscriptionsMax = options.subscriptionsMax;
    this.#uids = options.uids;
  }

  /**
   * Loads the subscriptions and finishes what a crash interrupted. They are registered as users of
   * their streams; `StreamCatalogue.dropUnused` may be called once all other users are.
   */
  static async open(
    tools: Omit<DriverTools, "progress">,
    meta: MetaStore,
    streams: StreamCatalogue,
    options: { readonly defaultDispatch: DispatchPolicy; readonly subscriptionsMax?: number },
  ): Promise<SubscriptionService> {
    const progress = new ProgressStore(meta);
    const uids = new Set<string>();
    const table = new MetaTable(meta, "subscriptions/", subscriptionCodec);
    const documents = await Documents.load(table, (value, before) => {
      if (before !== undefined) uids.delete(before.uid);
      if (value !== undefined) uids.add(value.uid);
    });
    const all = documents.entries().map(([, document]) => document);
    for (const { streamId, uid } of all) streams.retainId(streamId, uid);
    await progress.removeOthers(new Set(all.map(progressIdOf)));
    return new SubscriptionService({ ...tools, progress }, streams, documents, {
      subscriptionsMax: limits.subscriptionsMax,
      ...options,
      uids,
    });
  }

  /**
   * Makes a subscription that begins at the stream's present start or end. Rejects with
   * SubscriptionExists, SubscriptionStreamNotFound, TooManySubscriptions and the Invalid… errors.
   */
  async create(options: SubscriptionOptions): Promise<SubscriptionInfo> {
    checkOptions(options);
    this.#checkDeadLetters(options);
    const max = this.#subscriptionsMax;
    if (this.#documents.size >= max) throw new HStreamError("TooManySubscriptions", { max });
    const uid = Buffer.from(this.#tools.env.random.bytes(8)).toString("hex");
    const stream = this.#streams.retain(options.streamName, uid);
    if (stream === undefined || stream.kind === "internal") {
      if (stream !== undefined) await this.#streams.release(stream.id, uid);
      throw new HStreamError("SubscriptionStreamNotFound", { stream: options.streamName });
    }
    const { log, env } = this.#tools;
    const startOf = (shardId: ShardId): BatchId =>
      options.offset === "latest" ? log.tail(shardId) : log.describe(shardId).trimmedUpTo;
    const document: SubscriptionDocument = {
      version: 1,
      ...options,
      uid,
      streamId: stream.id,
      creationTimeMs: env.clock.now(),
      start: stream.shardIds.map((shardId) => [shardId, startOf(shardId)]),
    };
    const kept = await this.#documents
      .set(options.id, document, 0)
      .then(({ kind }) => kind === "set")
      .catch(async (error: unknown) => {
        await this.#streams.release(stream.id, uid);
        throw error;
      });
    if (!kept) {
      await this.#streams.release(stream.id, uid);
      throw new HStreamError("SubscriptionExists", { subscription: options.id });
    }
    return document;
  }

  exists(id: string): boolean {
    return this.#documents.get(id) !== undefined;
  }

  /** Whether a subscription has this uid. */
  hasUid(uid: string): boolean {
    return this.#uids.has(uid);
  }

  /** Throws SubscriptionNotFound. */
  get(id: string): SubscriptionInfo {
    return this.#info(this.#document(id));
  }

  /** By id. */
  list(prefix = ""): SubscriptionInfo[] {
    return this.#documents
      .entries()
      .filter(([id]) => id.startsWith(prefix))
      .map(([, document]) => this.#info(document));
  }

  /** Where the subscription is in each shard, if it has had consumers since the start of the server. */
  offsets(id: string): { readonly shardId: ShardId; readonly ackedUpTo: BatchId }[] {
    const document = this.#document(id);
    const driver = this.#running.get(document.uid);
    if (driver === undefined) return [];
    return document.start.map(([shardId]) => ({ shardId, ackedUpTo: driver.ackedUpTo(shardId) }));
  }

  /** Those that are connected. Throws SubscriptionNotFound. */
  consumers(id: string): Consumer[] {
    return this.#running.get(this.#document(id).uid)?.consumers() ?? [];
  }

  /** What went otherwise than well, and what waits for acks; of nothing, if it has had no consumer yet. */
  counts(id: string): DeliveryCounts & { readonly unackedRecords: number } {
    const driver = this.#running.get(this.#document(id).uid);
    if (driver === undefined) return { resent: 0, sendsFailed: 0, resendsFailed: 0, unackedRecords: 0 };
    return { ...driver.counts, unackedRecords: driver.unackedRecords };
  }

  /** Each shard's place, and what each consumer has not acked. Throws SubscriptionNotFound. */
  async lag(id: string): Promise<{ shards: ShardLag[]; consumers: readonly ConsumerBacklog[] }> {
    const document = this.#document(id);
    const driver = this.#running.get(document.uid);
    const backlog = driver?.backlog();
    const saved = backlog === undefined ? await this.#tools.progress.load(progressIdOf(document)) : new Map();
    const idle = document.start.map(([shardId, upTo]) => ({
      shardId,
      ackedUpTo: (saved.get(shardId) as SavedProgress | undefined)?.upTo ?? upTo,
      unackedRecords: 0,
    }));
    const { log, env } = this.#tools;
    const shards = await Promise.all(
      (backlog?.shards ?? idle).map(async (shard) => {
        const tail = log.tail(shard.shardId);
        if (tail <= shard.ackedUpTo) return { ...shard, tail, lagMs: 0 };
        const one = { batchesMax: 1, bytesMax: 1 };
        const { batches } = await log.read(shard.shardId, shard.ackedUpTo + 1, one);
        const sinceMs = batches[0]?.timeMs;
        return { ...shard, tail, lagMs: sinceMs === undefined ? 0 : Math.max(0, env.clock.now() - sinceMs) };
      }),
    );
    return { shards, consumers: backlog?.consumers ?? [] };
  }

  /** Records that shall be delivered again after a delay. Throws SubscriptionNotFound. */
  nack(id: string, records: readonly RecordId[], delayMs: number): void {
    this.#running.get(this.#document(id).uid)?.nack(records, delayMs);
  }

  /**
   * Moves a subscription and forgets its acks. Its consumers are ended with SubscriptionMoved, after
   * which they come back. Rejects with SubscriptionNotFound, SubscriptionBeingDeleted.
   */
  async seek(id: string, to: SeekTarget): Promise<void> {
    const { uid } = this.#document(id);
    await this.#moving.get(uid);
    const moving = this.#move(id, to);
    const settled = moving.catch(() => {});
    this.#moving.set(uid, settled);
    try {
      await moving;
    } finally {
      if (this.#moving.get(uid) === settled) this.#moving.delete(uid);
    }
  }

  async #move(id: string, to: SeekTarget): Promise<void> {
    const document = this.#document(id);
    const { uid } = document;
    if (this.#beingDeleted.has(uid)) throw new HStreamError("SubscriptionBeingDeleted", { subscription: id });
    const { log, env, progress } = this.#tools;
    const placed = new Map<ShardId, BatchId>();
    for (const [shardId] of document.start) {
      if (to.kind !== "records") placed.set(shardId, (await readingFrom(log, shardId, to)) - 1);
      else if (to.batches.has(shardId)) placed.set(shardId, (to.batches.get(shardId) ?? 1) - 1);
    }
    const driver = await this.#drivers.get(uid);
    this.#drivers.delete(uid);
    this.#running.delete(uid);
    await driver?.close(new HStreamError("SubscriptionMoved", { subscription: id }));
    const before = progressIdOf(document);
    const saved = await progress.load(before);
    const start = document.start.map(([shardId, upTo]): [ShardId, BatchId] => [
      shardId,
      placed.get(shardId) ?? saved.get(shardId)?.upTo ?? upTo,
    ]);
    // The new place and the end of the old progress are one change: a crash finds one or the other.
    const progressId = Buffer.from(env.random.bytes(8)).toString("hex");
    const result = await this.#documents.set(
      id,
      { ...document, start, progressId },
      this.#documents.revision(id),
    );
    if (result.kind === "conflict") throw new HStreamError("SubscriptionBeingDeleted", { subscription: id });
    await progress.remove(before);
  }

  /**
   * Deletes a subscription; with `force` its consumers are ended first. Rejects with
   * SubscriptionNotFound, SubscriptionHasConsumers, SubscriptionBeingDeleted.
   */
  async delete(id: string, how: { readonly force: boolean }): Promise<void> {
    const document = this.#document(id);
    const { uid } = document;
    if (this.#beingDeleted.has(uid)) throw new HStreamError("SubscriptionBeingDeleted", { subscription: id });
    if (!how.force && this.consumers(id).length > 0) {
      throw new HStreamError("SubscriptionHasConsumers", { subscription: id });
    }
    this.#beingDeleted.add(uid);
    try {
      const driver = await this.#drivers.get(uid);
      this.#drivers.delete(uid);
      this.#running.delete(uid);
      await driver?.close(new HStreamError("SubscriptionBeingDeleted", { subscription: id }));
      await this.#documents.set(id, undefined, this.#documents.revision(id));
      await this.#tools.progress.remove(progressIdOf(document));
      await this.#streams.release(document.streamId, uid);
    } finally {
      this.#beingDeleted.delete(uid);
    }
  }

  /**
   * Connects a consumer. `dispatch` counts when the subscription itself does not say. Rejects with
   * SubscriptionNotFound, SubscriptionBeingDeleted, ConsumerExists, TooManyConsumers, ShuttingDown.
   */
  async attach(id: string, consumer: Consumer, dispatch?: DispatchPolicy): Promise<Attachment> {
    for (;;) {
      await this.#moving.get(this.#document(id).uid);
      const document = this.#document(id);
      const driver = await this.#driver(document, dispatch);
      // While the driver was started, things may have changed. From here on nothing is waited for.
      if (this.#closing) throw new HStreamError("ShuttingDown", {});
      if (this.#beingDeleted.has(document.uid) || this.#documents.get(id)?.uid !== document.uid) {
        throw new HStreamError("SubscriptionBeingDeleted", { subscription: id });
      }
      // It was moved meanwhile.
      if (this.#running.get(document.uid) !== driver) continue;
      if (driver.hasConsumer(consumer.name)) {
        throw new HStreamError("ConsumerExists", { consumer: consumer.name, subscription: id });
      }
      const max = limits.consumersPerSubscriptionMax;
      if (driver.consumerCount >= max) throw new HStreamError("TooManyConsumers", { subscription: id, max });
      return driver.attach(consumer);
    }
  }

  /** Ends all consumers with ShuttingDown; all progress is durable when it resolves. */
  async close(): Promise<void> {
    this.#closing = true;
    const drivers = await Promise.allSettled(this.#drivers.values());
    await Promise.all(
      drivers.map((driver) =>
        driver.status === "fulfilled" ? driver.value.close(new HStreamError("ShuttingDown", {})) : undefined,
      ),
    );
    this.#documents.close();
  }

  #document(id: string): SubscriptionDocument {
    const document = this.#documents.get(id);
    if (document === undefined) throw new HStreamError("SubscriptionNotFound", { subscription: id });
    return document;
  }

  #checkDeadLetters({ deliveriesMax, deadLetterStream, streamName }: SubscriptionOptions): void {
    if (deliveriesMax === undefined && deadLetterStream === undefined) return;
    const refuse = (reason: string) => new HStreamError("InvalidSubscriptionOption", { reason });
    if (deliveriesMax === undefined || deadLetterStream === undefined) {
      throw refuse("max_deliveries and dead_letter_stream belong together: give both, or none.");
    }
    checkPositive("max_deliveries", deliveriesMax);
    if (deadLetterStream === streamName) throw refuse("The dead-letter stream must be another one.");
    if (this.#streams.find(deadLetterStream)?.kind !== "stream") {
      throw refuse(`The dead-letter stream "${deadLetterStream}" does not exist. Create it first.`);
    }
  }

  #info(document: SubscriptionDocument): SubscriptionInfo {
    const stream = this.#streams.byId(document.streamId);
    if (stream !== undefined && !stream.archived) return document;
    return { ...document, streamName: deletedStreamName };
  }

  #driver(document: SubscriptionDocument, dispatch: DispatchPolicy | undefined): Promise<SubscriptionDriver> {
    const { uid, id } = document;
    if (this.#closing) return Promise.reject(new HStreamError("ShuttingDown", {}));
    if (this.#beingDeleted.has(uid)) {
      return Promise.reject(new HStreamError("SubscriptionBeingDeleted", { subscription: id }));
    }
    const present = this.#drivers.get(uid);
    if (present !== undefined) return present;
    const starting = this.#start(document, document.dispatch ?? dispatch ?? this.#defaultDispatch);
    this.#drivers.set(uid, starting);
    starting.then(
      (driver) => {
        if (this.#drivers.get(uid) === starting) this.#running.set(uid, driver);
        // It was replaced before it ran, and has no consumers that could care for the reason.
        else void driver.close(new HStreamError("SubscriptionMoved", { subscription: id }));
      },
      () => this.#drivers.delete(uid),
    );
    return starting;
  }

  async #start(document: SubscriptionDocument, policy: DispatchPolicy): Promise<SubscriptionDriver> {
    const progressId = progressIdOf(document);
    const saved = await this.#tools.progress.load(progressId);
    const progress = new Map(
      document.start.map(([shardId, upTo]) => [shardId, saved.get(shardId) ?? startingAfter(upTo)]),
    );
    const settings = {
      policy,
      ackTimeoutMs: document.ackTimeoutSeconds * 1_000,
      maxUnackedRecords: document.maxUnackedRecords,
      ...(document.deliveriesMax === undefined ? {} : { deliveriesMax: document.deliveriesMax }),
    };
    const ids = { progressId, uid: document.uid };
    return new SubscriptionDriver(ids, settings, progress, this.#tools, document.deadLetterStream);
  }
}

function checkOptions(options: SubscriptionOptions): void {
  const idProblem = nameProblem(options.id);
  if (idProblem !== undefined) throw new HStreamError("InvalidSubscriptionName", { reason: idProblem });
  const streamProblem = nameProblem(options.streamName);
  if (streamProblem !== undefined) throw new HStreamError("InvalidStreamName", { reason: streamProblem });
  checkPositive("ackTimeoutSeconds", options.ackTimeoutSeconds);
  checkPositive("maxUnackedRecords", options.maxUnackedRecords);
}

function checkPositive(option: string, value: number): void {
  if (Number.isInteger(value) && value > 0) return;
  const reason = `${option} is ${value}; it must be a whole number above 0.`;
  throw new HStreamError("InvalidSubscriptionOption", { reason });
}
