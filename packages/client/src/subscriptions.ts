import { type Consumer, HStreamApiService, SpecialOffset, type Subscription } from "@hstream/proto";
import type { Address } from "./address.js";
import type { CallSettings, Connection } from "./connection.js";
import { HStreamClientError } from "./errors.js";
import { toDate } from "./time.js";

export interface SubscriptionOptions {
  readonly stream: string;
  /** Seconds until an unacknowledged record comes again. Default 600. */
  readonly ackTimeoutSeconds?: number;
  /** Records out at a time, over all consumers. Default 10000. */
  readonly maxUnackedRecords?: number;
  /** Where to begin. Default "latest": what is appended from now on. */
  readonly offset?: "earliest" | "latest";
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

/** Subscriptions: create, look at, delete. */
export class Subscriptions {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Code 301 when the id is taken, 302 when there is no such stream. */
  async create(id: string, options: SubscriptionOptions, settings?: CallSettings): Promise<SubscriptionInfo> {
    const request: Subscription = {
      subscriptionId: id,
      streamName: options.stream,
      ackTimeoutSeconds: options.ackTimeoutSeconds ?? 600,
      maxUnackedRecords: options.maxUnackedRecords ?? 10_000,
      offset: options.offset === "earliest" ? SpecialOffset.EARLIEST : SpecialOffset.LATEST,
      creationTime: undefined,
    };
    return toInfo(await this.#connection.call(HStreamApiService.createSubscription, request, settings));
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

  async exists(id: string, settings?: CallSettings): Promise<boolean> {
    const request = { subscriptionId: id };
    return (await this.#connection.call(HStreamApiService.checkSubscriptionExist, request, settings)).exists;
  }

  /** `force` sends the consumers away first. */
  async delete(
    id: string,
    options: { readonly force?: boolean } = {},
    settings?: CallSettings,
  ): Promise<void> {
    const node = await this.lookup(id, settings);
    const request = { subscriptionId: id, force: options.force ?? false };
    await this.#connection.callAt(node, HStreamApiService.deleteSubscription, request, settings);
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
