import type { Consumer } from "../../subscription/subscription-driver.js";
import { systemTable, text } from "./system-table.js";

interface Row {
  readonly subscription: string;
  readonly consumer: Consumer;
}

export const consumersTable = systemTable<Row>({
  name: "consumers",
  help: "The consumers that are connected.",
  rows: ({ subscriptions }) =>
    subscriptions
      .list()
      .flatMap(({ id }) => subscriptions.consumers(id).map((consumer) => ({ subscription: id, consumer }))),
  columns: [
    text("subscription_id", "The subscription that it takes part in.", ({ subscription }) => subscription),
    text("name", "What it calls itself.", ({ consumer }) => consumer.name),
    text("uri", "Where it is.", ({ consumer }) => consumer.uri),
    text("user_agent", "Its client library.", ({ consumer }) => consumer.userAgent),
  ],
});
