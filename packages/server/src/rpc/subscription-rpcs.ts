import type { ServerUnaryCall } from "@grpc/grpc-js";
import {
  type HStreamApiServer,
  type ListConsumersResponse,
  type ListSubscriptionsResponse,
  SpecialOffset,
  type Subscription,
} from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { nameProblem } from "../streams/names.js";
import type { SubscriptionInfo, SubscriptionService } from "../subscription/subscription-service.js";
import { dispatchOf } from "./call-metadata.js";
import type { Handlers } from "./handlers.js";
import { timestampOf } from "./wire-numbers.js";

type SubscriptionRpcs = Pick<
  HStreamApiServer,
  | "createSubscription"
  | "getSubscription"
  | "listSubscriptions"
  | "listSubscriptionsWithPrefix"
  | "listConsumers"
  | "checkSubscriptionExist"
  | "deleteSubscription"
>;

/** Subscriptions, without the delivery itself. */
export function subscriptionRpcs(handlers: Handlers, subscriptions: SubscriptionService): SubscriptionRpcs {
  return {
    createSubscription: handlers.unary(
      async (request, call: ServerUnaryCall<Subscription, Subscription>): Promise<Subscription> => {
        const dispatch = dispatchOf(call.metadata);
        const created = await subscriptions.create({
          id: request.subscriptionId,
          streamName: request.streamName,
          ackTimeoutSeconds: request.ackTimeoutSeconds,
          maxUnackedRecords: request.maxUnackedRecords,
          offset: offsetOf(request.offset),
          ...(dispatch === undefined ? {} : { dispatch }),
        });
        return toWire(created);
      },
    ),

    getSubscription: handlers.unary(({ id }) => {
      const subscription = toWire(subscriptions.get(id));
      const offsets = subscriptions
        .offsets(id)
        .map(({ shardId, ackedUpTo }) => ({ shardId: BigInt(shardId), batchId: BigInt(ackedUpTo) }));
      return { subscription, offsets };
    }),

    listSubscriptions: handlers.unary(
      (): ListSubscriptionsResponse => ({ subscription: subscriptions.list().map(toWire) }),
    ),

    listSubscriptionsWithPrefix: handlers.unary(({ prefix }): ListSubscriptionsResponse => {
      const reason = nameProblem(prefix);
      if (reason !== undefined) throw new HStreamError("InvalidSubscriptionName", { reason });
      return { subscription: subscriptions.list(prefix).map(toWire) };
    }),

    listConsumers: handlers.unary(({ subscriptionId }): ListConsumersResponse => {
      const consumers = subscriptions.consumers(subscriptionId);
      return { consumers: consumers.map(({ name, uri, userAgent }) => ({ name, uri, userAgent })) };
    }),

    checkSubscriptionExist: handlers.unary(({ subscriptionId }) => ({
      exists: subscriptions.exists(subscriptionId),
    })),

    deleteSubscription: handlers.unary(async ({ subscriptionId, force }) => {
      await subscriptions.delete(subscriptionId, { force });
      return {};
    }),
  };
}

export function offsetOf(value: number): "earliest" | "latest" {
  switch (value) {
    case SpecialOffset.EARLIEST:
      return "earliest";
    case SpecialOffset.LATEST:
      return "latest";
    default:
      throw new HStreamError("InvalidSubscriptionOffset", { value });
  }
}

function toWire(subscription: SubscriptionInfo): Subscription {
  return {
    subscriptionId: subscription.id,
    streamName: subscription.streamName,
    ackTimeoutSeconds: subscription.ackTimeoutSeconds,
    maxUnackedRecords: subscription.maxUnackedRecords,
    offset: subscription.offset === "earliest" ? SpecialOffset.EARLIEST : SpecialOffset.LATEST,
    creationTime: timestampOf(subscription.creationTimeMs),
  };
}
