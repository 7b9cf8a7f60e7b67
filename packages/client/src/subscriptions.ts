import {
  type Consumer,
  DispatchPolicy,
  HStreamApiService,
  HStreamExtService,
  type RecordId,
  SpecialOffset,
  type Subscription,
  type SubscriptionSpec,
} from "@hstream/proto";
import type { Address } from "./address.js";
import type { CallSettings, Connection } from "./connection.js";
import { HStreamClientError, isUnimplemented } from "./errors.js";
import { parseRecordId } from "./records/record-id.js";
import { toDate } from "./time.js";

/**
 * Who of a group gets what: with `key-ordered` a shard belongs to one consumer at a time, so that the
 * records of a key are worked off in order; with `round-robin` batches go to all consumers in turn.
 */
export type Dispatch = "key-ordered" | "round-robin";

export interface SubscriptionOptions {
  readonly stream: string;
  /** Seconds until an unacknowledged record comes again. Default 600. */
  readonly ackTimeoutSeconds?: number;
  /** Records out at a time, over all consumers. Default 10000. */
  readonly maxUnackedRecords?: number;
  /** Where to begin. Default "latest": what is appended from now on. */
  readonly offset?: "earliest" | "latest";
  /** Default "round-robin"; a server without the HStreamExt service has but one policy, of its own. */
  readonly dispatch?: Dispatch;
  /** After so many deliveries without an ack a record goes to `deadLetterStream`, which is to be given too. */
  readonly maxDeliveries?: number;
  /** A stream that exists; with `maxDeliveries`. */
  readonly deadLetterStream?: string;
}

export interface SubscriptionInfo {
  readonly id: string;
  readonly stream: string;
  readonly ackTimeoutSeconds: number;
  readonly maxUnackedRecords: number;
  readonly offset: "earliest" | "latest";
  readonly createdAt: Date | undefined;
}

/** How far a subscription has got in one shard. */
export interface SubscriptionProgress {
  readonly shardId: bigint;
  readonly batchId: bigint;
}

/** A subscription in full. */
export interface SubscriptionDescription extends Omit<SubscriptionInfo, "createdAt"> {
  readonly createdAt: Date;
  /** undefined: the server's default. */
  readonly dispatch: Dispatch | undefined;
  /** undefined: records are delivered until they are acked. */
  readonly maxDeliveries: number | undefined;
  readonly deadLetterStream: string | undefined;
  readonly shards: readonly ShardProgress[];
  readonly consumers: readonly ConsumerProgress[];
}

/** How far a subscription is behind in one shard. */
export interface ShardProgress {
  readonly shardId: bigint;
  /** Everything up to and including this batch is acked. */
  readonly ackedBatchId: bigint;
  /** The shard's newest batch; 0 when it has none. */
  readonly tailBatchId: bigint;
  /** Delivered, or due again, and not acked. */
  readonly unackedRecords: number;
  /** For how long the first batch that is not acked has been stored, ms; 0 when all are. */
  readonly lagMs: number;
}

export interface ConsumerProgress {
  readonly name: string;
  /** Where it connects from. */
  readonly uri: string;
  readonly userAgent: string;
  /** Delivered to it and not acked. */
  readonly unackedRecords: number;
  /** With key-ordered dispatch: the shards that it has. */
  readonly shardIds: readonly bigint[];
}

/** Where a subscription is moved: `ids` name at most one record of each shard; other shards stay. */
export type SeekTarget =
  | "earliest"
  | "latest"
  /** The first batches appended at or after this time; a number is ms since 1970. */
  | { readonly time: Date | number }
  | { readonly ids: readonly (RecordId | string)[] };

/** Subscriptions: create, look at, move, delete. */
export class Subscriptions {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Code 301 when the id is taken, 302 when there is no such stream. */
  async create(id: string, options: SubscriptionOptions, settings?: CallSettings): Promise<SubscriptionInfo> {
    const base = {
      subscriptionId: id,
      streamName: options.stream,
      ackTimeoutSeconds: options.ackTimeoutSeconds ?? 600,
      maxUnackedRecords: options.maxUnackedRecords ?? 10_000,
      offset: options.offset === "earliest" ? SpecialOffset.EARLIEST : SpecialOffset.LATEST,
    };
    const { dispatch, maxDeliveries, deadLetterStream } = options;
    const spec: SubscriptionSpec = {
      ...base,
      dispatch: policyOf(dispatch ?? "round-robin"),
      maxDeliveries: maxDeliveries ?? 0,
      deadLetterStream: deadLetterStream ?? "",
    };
    const isPlain = dispatch === undefined && maxDeliveries === undefined && deadLetterStream === undefined;
    try {
      await this.#connection.call(HStreamExtService.createSubscriptionWith, spec, settings);
    } catch (error) {
      if (!isPlain || !isUnimplemented(error)) throw error;
      const request: Subscription = { ...base, creationTime: undefined };
      return toInfo(await this.#connection.call(HStreamApiService.createSubscription, request, settings));
    }
    return this.get(id, settings);
  }

  /** All, or those whose ids start with `prefix`. */
  async list(prefix = "", settings?: CallSettings): Promise<readonly SubscriptionInfo[]> {
    const { subscription } =
      prefix === ""
        ? await this.#connection.call(HStreamApiService.listSubscriptions, {}, settings)
        : await this.#connection.call(HStreamApiService.listSubscriptionsWithPrefix, { prefix }, settings);
    return subscription.map(toInfo);
  }

  /** Code 300 when there is none. */
  async get(
    id: string,
    settings?: CallSettings,
  ): Promise<SubscriptionInfo & { readonly progress: readonly SubscriptionProgress[] }> {
    const node = await this.lookup(id, settings);
    const answer = await this.#connection.callAt(node, HStreamApiService.getSubscription, { id }, settings);
    if (answer.subscription === undefined) {
      throw new HStreamClientError({ reason: "protocol", message: "GetSubscription answered none." });
    }
    return { ...toInfo(answer.subscription), progress: answer.offsets };
  }

  /** All there is to know of it. Code 300 when there is none; needs a server with HStreamExt. */
  async describe(id: string, settings?: CallSettings): Promise<SubscriptionDescription> {
    const node = await this.lookup(id, settings);
    const request = { subscriptionId: id };
    const answer = await this.#connection.callAt(
      node,
      HStreamExtService.describeSubscription,
      request,
      settings,
    );
    const { spec, createdMs, shards, consumers } = answer;
    if (spec === undefined) {
      throw new HStreamClientError({ reason: "protocol", message: "DescribeSubscription answered none." });
    }
    const { createdAt: _, ...info } = toInfo({ ...spec, creationTime: undefined });
    return {
      ...info,
      createdAt: new Date(Number(createdMs)),
      dispatch: dispatchOf(spec.dispatch),
      maxDeliveries: spec.maxDeliveries === 0 ? undefined : spec.maxDeliveries,
      deadLetterStream: spec.deadLetterStream === "" ? undefined : spec.deadLetterStream,
      shards: shards.map((shard) => ({
        ...shard,
        unackedRecords: Number(shard.unackedRecords),
        lagMs: Number(shard.lagMs),
      })),
      consumers: consumers.map((one) => ({ ...one, unackedRecords: Number(one.unackedRecords) })),
    };
  }

  async exists(id: string, settings?: CallSettings): Promise<boolean> {
    const request = { subscriptionId: id };
    return (await this.#connection.call(HStreamApiService.checkSubscriptionExist, request, settings)).exists;
  }

  /** `force` sends the consumers away first; without it code 305 while there are any. */
  async delete(
    id: string,
    options: { readonly force?: boolean } = {},
    settings?: CallSettings,
  ): Promise<void> {
    const node = await this.lookup(id, settings);
    const request = { subscriptionId: id, force: options.force ?? false };
    await this.#connection.callAt(node, HStreamApiService.deleteSubscription, request, settings);
  }

  /**
   * Moves it, forgetting all acks; its consumers go on from there by themselves. Needs a server with
   * HStreamExt.
   */
  async seek(id: string, to: SeekTarget, settings?: CallSettings): Promise<void> {
    const node = await this.lookup(id, settings);
    const request = { subscriptionId: id, to: targetOf(to) };
    await this.#connection.callAt(node, HStreamExtService.seekSubscription, request, settings);
  }

  /** Who consumes at the moment. */
  async consumers(id: string, settings?: CallSettings): Promise<readonly Consumer[]> {
    const node = await this.lookup(id, settings);
    const request = { subscriptionId: id };
    return (await this.#connection.callAt(node, HStreamApiService.listConsumers, request, settings))
      .consumers;
  }

  /** The server that serves this subscription. */
  async lookup(id: string, settings?: CallSettings): Promise<Address> {
    const request = { subscriptionId: id };
    const { serverNode } = await this.#connection.call(
      HStreamApiService.lookupSubscription,
      request,
      settings,
    );
    return this.#connection.nodeAddress(serverNode);
  }
}

function toInfo(subscription: Subscription): SubscriptionInfo {
  return {
    id: subscription.subscriptionId,
    stream: subscription.streamName,
    ackTimeoutSeconds: subscription.ackTimeoutSeconds,
    maxUnackedRecords: subscription.maxUnackedRecords,
    offset: subscription.offset === SpecialOffset.EARLIEST ? "earliest" : "latest",
    createdAt: toDate(subscription.creationTime),
  };
}

function policyOf(dispatch: Dispatch): DispatchPolicy {
  return dispatch === "key-ordered"
    ? DispatchPolicy.DISPATCH_KEY_ORDERED
    : DispatchPolicy.DISPATCH_ROUND_ROBIN;
}

function dispatchOf(policy: DispatchPolicy): Dispatch | undefined {
  if (policy === DispatchPolicy.DISPATCH_DEFAULT) return undefined;
  return policy === DispatchPolicy.DISPATCH_KEY_ORDERED ? "key-ordered" : "round-robin";
}

function targetOf(to: SeekTarget) {
  if (to === "earliest") return { $case: "special", value: SpecialOffset.EARLIEST } as const;
  if (to === "latest") return { $case: "special", value: SpecialOffset.LATEST } as const;
  if ("time" in to) return { $case: "timeMs", value: BigInt(Math.floor(Number(to.time))) } as const;
  const ids = to.ids.map((id) => (typeof id === "string" ? parseRecordId(id) : id));
  return { $case: "records", value: { ids } } as const;
}
