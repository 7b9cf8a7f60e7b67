import { unreachable } from "@hstream/proto";
import { type BoundStatement, type Relation, typeName } from "@hstream/sql";
import type { ConnectorCatalogue } from "../../connectors/connector-catalogue.js";
import type { StreamCatalogue } from "../../streams/stream-catalogue.js";
import type { SubscriptionService } from "../../subscription/subscription-service.js";
import type { QueryErrorEntry } from "../error-stream.js";
import type { PersistentQueries } from "../persistent-queries.js";
import { type QueryDocument, stateText } from "../query-document.js";
import type { QueryRegistry } from "../query-registry.js";
import { integerColumn, type StaticRows, textColumn } from "../static-rows.js";
import { showConnectors } from "./connectors.js";
import { systemTables } from "../system-tables/table-list.js";

type Show = Extract<BoundStatement, { kind: "show" }>;

export interface Showable {
  readonly streams: StreamCatalogue;
  readonly persistent: PersistentQueries;
  readonly queries: QueryRegistry;
  readonly subscriptions: SubscriptionService;
  readonly connectors: ConnectorCatalogue;
}

/** The rows of SHOW …, by name or by age. */
export function show(
  { streams, persistent, queries, subscriptions, connectors }: Showable,
  { target }: Show,
): StaticRows {
  switch (target) {
    case "streams":
      return {
        columns: [
          textColumn("Stream Name"),
          integerColumn("Replica"),
          textColumn("Retention Time"),
          integerColumn("Shard Count"),
        ],
        rows: streams
          .list()
          .map((stream) => [
            stream.name,
            stream.replicationFactor,
            stream.backlogSeconds === 0 ? "for ever" : `${stream.backlogSeconds} seconds`,
            stream.shardIds.length,
          ]),
      };
    case "views":
      return {
        columns: ["View Name", "Status", "Created Time", "SQL Text", "Query Name"].map(textColumn),
        rows: persistent
          .list()
          .filter(({ document }) => document.kind === "view")
          .map(({ document }) => [
            document.relation,
            statusText(document),
            timeText(document.creationTimeMs),
            document.sql,
            document.name,
          ]),
      };
    case "queries":
      return {
        columns: ["Query ID", "Status", "Created Time", "SQL Text", "Kind", "Sources", "Sink"].map(
          textColumn,
        ),
        rows: [
          ...persistent
            .list()
            .map(({ document, sources }) => [
              document.name,
              statusText(document),
              timeText(document.creationTimeMs),
              document.sql,
              document.kind.toUpperCase(),
              sources.join(", "),
              document.relation,
            ]),
          ...queries
            .list()
            .map(({ id, startedMs, sql }) => [id, "RUNNING", timeText(startedMs), sql, "PUSH", "", ""]),
        ],
      };
    case "tables":
      return {
        columns: ["Table Name", "Description"].map(textColumn),
        rows: systemTables.map(({ name, help }) => [name, help]),
      };
    case "subscriptions":
      return {
        columns: [
          textColumn("Subscription ID"),
          textColumn("Stream Name"),
          integerColumn("Consumers"),
          textColumn("Created Time"),
        ],
        rows: subscriptions
          .list()
          .map(({ id, streamName, creationTimeMs }) => [
            id,
            streamName,
            subscriptions.consumers(id).length,
            timeText(creationTimeMs),
          ]),
      };
    case "connectors":
      return showConnectors(connectors);
    default:
      return unreachable(target);
  }
}

/** The rows of SHOW ERRORS. */
export function errorList(entries: readonly QueryErrorEntry[]): StaticRows {
  return {
    columns: [textColumn("Time"), textColumn("Kind"), textColumn("Reason"), integerColumn("Count")],
    rows: entries.map(({ timeMs, kind, reason, count }) => [timeText(timeMs), kind, reason, count]),
  };
}

/** The rows of DESCRIBE. */
export function describe(relation: Relation): StaticRows {
  const columns = relation.columns.map(({ name, type, help }) => [name, typeName(type), help ?? ""]);
  const others = relation.open
    ? [["…", "ANY", "fields that are not declared can be read by their names"]]
    : [];
  return { columns: ["column", "type", "description"].map(textColumn), rows: [...columns, ...others] };
}

function statusText({ state }: QueryDocument): string {
  return state.kind === "aborted" ? `ABORTED: ${state.reason}` : stateText(state);
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
