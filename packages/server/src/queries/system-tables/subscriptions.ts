import type { SubscriptionInfo } from "../../subscription/subscription-service.js";
import { integer, systemTable, text, timestamp } from "./system-table.js";

interface Row {
  readonly info: SubscriptionInfo;
  readonly consumers: number;
}

export const subscriptionsTable = systemTable<Row>({
  name: "subscriptions",
  help: "The subscriptions there are.",
  rows: ({ subscriptions }) =>
    subscriptions.list().map((info) => ({ info, consumers: subscriptions.consumers(info.id).length })),
  columns: [
    text("id", "The subscription's id.", ({ info }) => info.id),
    text("stream_name", "The stream that it shares out.", ({ info }) => info.streamName),
    text("start_from", "Where it began: earliest or latest.", ({ info }) => info.offset),
    text("dispatch", "How records are shared out, when it says itself.", ({ info }) => info.dispatch ?? null),
    integer(
      "ack_timeout_seconds",
      "After so long an unacked record comes again.",
      ({ info }) => info.ackTimeoutSeconds,
    ),
    integer(
      "max_unacked_records",
      "No more records than these are under way.",
      ({ info }) => info.maxUnackedRecords,
    ),
    integer("consumers", "Consumers that are connected.", ({ consumers }) => consumers),
    timestamp("created_at", "When it was made.", ({ info }) => info.creationTimeMs),
  ],
});
