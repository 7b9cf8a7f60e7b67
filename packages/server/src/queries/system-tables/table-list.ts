import { appendFailedTable } from "./append-failed.js";
import { appendThroughputTable } from "./append-throughput.js";
import { appendTotalTable } from "./append-total.js";
import { connectorsTable } from "./connectors.js";
import { consumersTable } from "./consumers.js";
import { errorsTable } from "./errors.js";
import { functionsTable } from "./functions.js";
import { latencyTables } from "./latencies.js";
import { nodesTable } from "./nodes.js";
import { queriesTable } from "./queries.js";
import { queryOperatorsTable } from "./query-operators.js";
import { readThroughputTable } from "./read-throughput.js";
import { settingsTable } from "./settings.js";
import { shardsTable } from "./shards.js";
import { streamsTable } from "./streams.js";
import { subscriptionLagTable } from "./subscription-lag.js";
import { subscriptionThroughputTable } from "./subscription-throughput.js";
import { subscriptionsTable } from "./subscriptions.js";
import type { SystemTable } from "./system-table.js";
import { viewsTable } from "./views.js";

/** All system tables, in the order of the manual. */
export const systemTables: readonly SystemTable[] = [
  streamsTable,
  shardsTable,
  appendThroughputTable,
  readThroughputTable,
  appendTotalTable,
  appendFailedTable,
  subscriptionsTable,
  subscriptionThroughputTable,
  subscriptionLagTable,
  consumersTable,
  queriesTable,
  queryOperatorsTable,
  viewsTable,
  connectorsTable,
  nodesTable,
  ...latencyTables,
  settingsTable,
  functionsTable,
  errorsTable,
];

const byName = new Map(systemTables.map((table) => [table.name, table]));

/** Unquoted names come as they are written, so they are found in any case. */
export function findSystemTable(name: string): SystemTable | undefined {
  return byName.get(name.toLowerCase());
}

export function systemTableById(id: string): SystemTable | undefined {
  return systemTables.find(({ relation }) => relation.id === id);
}
