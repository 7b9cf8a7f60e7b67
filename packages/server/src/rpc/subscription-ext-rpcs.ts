import { DispatchPolicy, type HStreamExtServer, SpecialOffset, type SubscriptionSpec } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type {
  SeekTarget,
  SubscriptionInfo,
  SubscriptionService,
} from "../subscription/subscription-service.js";
import type { DispatchPolicy as Dispatch } from "../subscription/subscription-action.js";
import type { Handlers } from "./handlers.js";
import { specialOf } from "./offset-codec.js";
import { offsetOf } from "./subscription-rpcs.js";
import { idOf } from "./wire-numbers.js";

type SubscriptionExtRpcs = Pick<
  HStreamExtServer,
  "createSubscriptionWith" | "describeSubscription" | "negativeAck" | "seekSubscription"
>;

/** What the API's calls for subscriptions lack. */
export function subscriptionExtRpcs(
  handlers: Handlers,
  subscriptions: SubscriptionService,
): SubscriptionExtRpcs {
  return {
    createSubscriptionWith: handlers.unary(async (spec) => {
      const dispatch = dispatchOf(spec.dispatch);
      const created = await subscriptions.create({
        id: spec.subscriptionId,
        streamName: spec.streamName,
        ackTimeoutSeconds: spec.ackTimeoutSeconds,
        maxUnackedRecords: spec.maxUnackedRecords,
        offset: offsetOf(spec.offset),
        ...(dispatch === undefined ? {} : { dispatch }),
        ...(spec.maxDeliveries === 0 ? {} : { deliveriesMax: spec.maxDeliveries }),
        ...(spec.deadLetterStream === "" ? {} : { deadLetterStream: spec.deadLetterStream }),
      });
      return specOf(created);
    }),

    describeSubscription: handlers.unary(async ({ subscriptionId }) => {
      const info = subscriptions.get(subscriptionId);
      const { shards, consumers } = await subscriptions.lag(subscriptionId);
      return {
        spec: specOf(info),
        createdMs: BigInt(info.creationTimeMs),
        shards: shards.map(({ shardId, ackedUpTo, tail, unackedRecords, lagMs }) => ({
          shardId: BigInt(shardId),
          ackedBatchId: BigInt(ackedUpTo),
          tailBatchId: BigInt(tail),
          unackedRecords: BigInt(unackedRecords),
          lagMs: BigInt(Math.round(lagMs)),
        })),
        consumers: consumers.map(({ consumer: { name, uri, userAgent }, unackedRecords, shardIds }) => ({
          name,
          uri,
          userAgent,
          unackedRecords: BigInt(unackedRecords),
          shardIds: shardIds.map(BigInt),
        })),
      };
    }),

    negativeAck: handlers.unary(({ subscriptionId, recordIds, delayMs }) => {
      const max = limits.acksPerRequestMax;
      if (recordIds.length > max) throw new HStreamError("TooManyAcks", { count: recordIds.length, max });
      if (delayMs > limits.nackDelayMsMax) {
        const reason = `A delay of ${delayMs} ms is above nackDelayMsMax, ${limits.nackDelayMsMax}.`;
        throw new HStreamError("InvalidSubscriptionOption", { reason });
      }
      const records = recordIds.map(({ shardId, batchId, batchIndex }) => ({
        shardId: idOf(shardId) ?? 0,
        batchId: idOf(batchId) ?? 0,
        index: batchIndex,
      }));
      subscriptions.nack(subscriptionId, records, delayMs);
      return {};
    }),

    seekSubscription: handlers.unary(async ({ subscriptionId, to }) => {
      subscriptions.get(subscriptionId);
      await subscriptions.seek(subscriptionId, targetOf(to));
      return {};
    }),
  };
}

function dispatchOf(policy: number): Dispatch | undefined {
  switch (policy) {
    case DispatchPolicy.DISPATCH_DEFAULT:
      return undefined;
    case DispatchPolicy.DISPATCH_KEY_ORDERED:
      return "key-ordered";
    case DispatchPolicy.DISPATCH_ROUND_ROBIN:
      return "round-robin";
    default:
      throw new HStreamError("InvalidSubscriptionOption", { reason: `${policy} is not a dispatch policy.` });
  }
}

function policyOf(dispatch: Dispatch | undefined): DispatchPolicy {
  if (dispatch === undefined) return DispatchPolicy.DISPATCH_DEFAULT;
  return dispatch === "round-robin"
    ? DispatchPolicy.DISPATCH_ROUND_ROBIN
    : DispatchPolicy.DISPATCH_KEY_ORDERED;
}

function specOf(info: SubscriptionInfo): SubscriptionSpec {
  return {
    subscriptionId: info.id,
    streamName: info.streamName,
    ackTimeoutSeconds: info.ackTimeoutSeconds,
    maxUnackedRecords: info.maxUnackedRecords,
    offset: info.offset === "earliest" ? SpecialOffset.EARLIEST : SpecialOffset.LATEST,
    dispatch: policyOf(info.dispatch),
    maxDeliveries: info.deliveriesMax ?? 0,
    deadLetterStream: info.deadLetterStream ?? "",
  };
}

type To = Parameters<HStreamExtServer["seekSubscription"]>[0]["request"]["to"];

function targetOf(to: To): SeekTarget {
  switch (to?.$case) {
    case undefined:
      throw new HStreamError("InvalidShardOffset", { reason: "Say where to: special, time_ms or records." });
    case "special":
      return specialOf(to.value);
    case "timeMs":
      return { kind: "time", timeMs: to.value < 0n ? 0 : Number(to.value) };
    case "records": {
      const batches = new Map<number, number>();
      for (const { shardId, batchId } of to.value.ids) {
        const [shard, batch] = [idOf(shardId), idOf(batchId)];
        if (shard === undefined || batch === undefined || batches.has(shard)) {
          const reason = `${shardId}-${batchId} is no place, or the second one of its shard.`;
          throw new HStreamError("InvalidRecordId", { reason });
        }
        batches.set(shard, batch);
      }
      return { kind: "records", batches };
    }
  }
}
