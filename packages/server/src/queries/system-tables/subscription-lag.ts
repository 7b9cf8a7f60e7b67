import { HStreamError } from "../../errors.js";
import type { ShardLag } from "../../subscription/subscription-service.js";
import { integer, type SystemRooms, systemTable, text } from "./system-table.js";

interface Row extends ShardLag {
  readonly id: string;
  readonly stream: string;
}

export const subscriptionLagTable = systemTable<Row>({
  name: "subscription_lag",
  help: "How far each subscription is behind, by shard.",
  rows: async ({ subscriptions }) => {
    const rows: Row[] = [];
    for (const { id, streamName } of subscriptions.list()) {
      for (const shard of await shardsOf(subscriptions, id)) rows.push({ ...shard, id, stream: streamName });
    }
    return rows;
  },
  columns: [
    text("subscription_id", "The subscription.", ({ id }) => id),
    text("stream_name", "The stream that it shares out.", ({ stream }) => stream),
    integer("shard_id", "The shard.", ({ shardId }) => shardId),
    integer(
      "acked_up_to",
      "Everything up to this batch is acked; 0 when nothing is.",
      ({ ackedUpTo }) => ackedUpTo,
    ),
    integer("tail_batch_id", "The shard's newest batch.", ({ tail }) => tail),
    integer(
      "unacked_records",
      "Records that consumers have and have not acked.",
      (row) => row.unackedRecords,
    ),
    integer("lag_ms", "How long the oldest unacked batch has been waiting.", ({ lagMs }) => lagMs),
  ],
});

/** None of a subscription that was deleted while the others were looked at. */
async function shardsOf(subscriptions: SystemRooms["subscriptions"], id: string): Promise<ShardLag[]> {
  try {
    return (await subscriptions.lag(id)).shards;
  } catch (error) {
    if (error instanceof HStreamError && error.kind === "SubscriptionNotFound") return [];
    throw error;
  }
}
