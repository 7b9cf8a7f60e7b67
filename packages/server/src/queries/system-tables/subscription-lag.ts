import type { BatchId, ShardId } from "../../log/log-store.js";
import { lagMs } from "./lag.js";
import { integer, systemTable, text } from "./system-table.js";

interface Row {
  readonly id: string;
  readonly stream: string;
  readonly shardId: ShardId;
  readonly ackedUpTo: BatchId;
  readonly tail: BatchId;
  readonly lagMs: number;
}

export const subscriptionLagTable = systemTable<Row>({
  name: "subscription_lag",
  help: "How far each subscription is behind, by shard; of those that had consumers since the start.",
  rows: async ({ subscriptions, log, env }) => {
    const rows: Row[] = [];
    const nowMs = env.clock.now();
    for (const { id, streamName } of subscriptions.list()) {
      for (const { shardId, ackedUpTo } of subscriptions.offsets(id)) {
        const waiting = await lagMs(log, shardId, ackedUpTo + 1, nowMs);
        rows.push({ id, stream: streamName, shardId, ackedUpTo, tail: log.tail(shardId), lagMs: waiting });
      }
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
    integer("lag_ms", "How long the oldest unacked batch has been waiting.", ({ lagMs }) => lagMs),
  ],
});
