import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import { MetaTable } from "../meta/table.js";
import { Documents } from "../streams/documents.js";
import { nameProblem } from "../streams/names.js";
import { deletedStreamName, type StreamCatalogue } from "../streams/stream-catalogue.js";
import { ProgressStore } from "./progress-store.js";
import { startingAfter } from "./shard-progress.js";
import { subscriptionCodec, type SubscriptionDocument } from "./subscription.js";
import {
  type Attachment,
  type Consumer,
  type DriverTools,
  SubscriptionDriver,
} from "./subscription-driver.js";
import type { DispatchPolicy } from "./subscription-state.js";

export interface SubscriptionOptions {
  readonly id: string;
  readonly streamName: string;
  readonly ackTimeoutSeconds: number;
  readonly maxUnackedRecords: number;
  readonly offset: "earliest" | "latest";
  readonly dispatch?: DispatchPolicy;
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
  /** By uid. A driver stays after its last consumer has gone: it keeps the deadlines. */
  readonly #drivers = new Map<string, Promise<SubscriptionDriver>>();
  readonly #running = new Map<string, SubscriptionDriver>();
  readonly #beingDeleted = new Set<string>();
  #closing = false;

  private constructor(
    tools: DriverTools,
    streams: StreamCatalogue,
    documents: Documents<SubscriptionDocument>,
    defaultDispatch: DispatchPolicy,
  ) {
    this.#tools = tools;
    this.#streams = streams;
    this.#documents = documents;
    this.#defaultDispatch = defaultDispatch;
  }

  /**
   * Loads the subscriptions and finishes what a crash interrupted. They are registered as users of
   * their streams; `StreamCatalogue.dropUnused` may be called once all other users are.
   */
  static async open(
    tools: Omit<DriverTools, "progress">,
    meta: MetaStore,
    streams: StreamCatalogue,
    options: { readonly defaultDispatch: DispatchPolicy },
  ): Promise<SubscriptionService> {
    const progress = new ProgressStore(meta);
    const documents = await Documents.load(new MetaTable(meta, "subscriptions/", subscriptionCodec));
    const all = documents.entries().map(([, document]) => document);
    for (const { streamId, uid } of all) streams.retainId(streamId, uid);
    await progress.removeOthers(new Set(all.map(({ uid }) => uid)));
    return new SubscriptionService({ ...tools, progress }, streams, documents, options.defaultDispatch);
  }

  /**
   * Makes a subscription that begins at the stream's present start or end. Rejects with
   * SubscriptionExists, SubscriptionStreamNotFound and the Invalid… errors.
   */
  async create(options: SubscriptionOptions): Promise<SubscriptionInfo> {
    checkOptions(options);
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
      await this.#tools.progress.remove(uid);
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
    const document = this.#document(id);
    const driver = await this.#driver(document, dispatch);
    // While the driver was started, things may have changed.
    if (this.#closing) throw new HStreamError("ShuttingDown", {});
    if (this.#beingDeleted.has(document.uid) || this.#documents.get(id)?.uid !== document.uid) {
      throw new HStreamError("SubscriptionBeingDeleted", { subscription: id });
    }
    if (driver.hasConsumer(consumer.name)) {
      throw new HStreamError("ConsumerExists", { consumer: consumer.name, subscription: id });
    }
    const max = limits.consumersPerSubscriptionMax;
    if (driver.consumerCount >= max) throw new HStreamError("TooManyConsumers", { subscription: id, max });
    return driver.attach(consumer);
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
      },
      () => this.#drivers.delete(uid),
    );
    return starting;
  }

  async #start(document: SubscriptionDocument, policy: DispatchPolicy): Promise<SubscriptionDriver> {
    const saved = await this.#tools.progress.load(document.uid);
    const progress = new Map(
      document.start.map(([shardId, upTo]) => [shardId, saved.get(shardId) ?? startingAfter(upTo)]),
    );
    const settings = {
      policy,
      ackTimeoutMs: document.ackTimeoutSeconds * 1_000,
      maxUnackedRecords: document.maxUnackedRecords,
    };
    return new SubscriptionDriver(document.uid, settings, progress, this.#tools);
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
