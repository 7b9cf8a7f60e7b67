import type { DeliveryLane } from "../../metrics/metrics.js";
import { type Rated, rateColumns, rated } from "./rates.js";
import { systemTable, text } from "./system-table.js";

interface Row extends Rated<DeliveryLane> {
  readonly id: string;
  readonly stream: string;
}

const minutes = [1, 5, 10] as const;

export const subscriptionThroughputTable = systemTable<Row>({
  name: "subscription_throughput",
  help: "How fast each subscription delivers, and is acked.",
  rows: ({ subscriptions, metrics }) => {
    const nowMs = metrics.now();
    return subscriptions.list().map(({ id, uid, streamName }) => ({
      id,
      stream: streamName,
      ...rated(metrics.deliveries, uid, nowMs),
    }));
  },
  columns: [
    text("subscription_id", "The subscription.", ({ id }) => id),
    text("stream_name", "The stream that it shares out.", ({ stream }) => stream),
    ...rateColumns<DeliveryLane, Row>("throughput", "Bytes delivered", "bytes", minutes),
    ...rateColumns<DeliveryLane, Row>("records", "Records delivered", "records", minutes),
    ...rateColumns<DeliveryLane, Row>("responses", "Deliveries", "responses", minutes),
    ...rateColumns<DeliveryLane, Row>("acks", "Records acked", "acks", minutes),
  ],
});
