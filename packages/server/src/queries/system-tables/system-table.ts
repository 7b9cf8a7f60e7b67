import { encodeColumn, RowBatch } from "@hstream/proto";
import {
  BOOLEAN,
  FLOAT,
  INTEGER,
  type Relation,
  type SqlType,
  type SqlValue,
  STRING,
  TIMESTAMP,
} from "@hstream/sql";
import type { Config } from "../../config/settings.js";
import type { ConnectorCatalogue } from "../../connectors/connector-catalogue.js";
import type { Env } from "../../env/env.js";
import type { NodeUsage } from "../../env/node-usage.js";
import { columnOfValues } from "../../executor/columns.js";
import { wireColumn } from "../../executor/encode/encode-column.js";
import type { LogStore } from "../../log/log-store.js";
import type { Metrics } from "../../metrics/metrics.js";
import type { StreamCatalogue } from "../../streams/stream-catalogue.js";
import type { SubscriptionService } from "../../subscription/subscription-service.js";
import type { PersistentQueries } from "../persistent-queries.js";
import type { QueryRegistry } from "../query-registry.js";

/** This node, as it tells of itself. */
export interface NodeFacts {
  readonly id: number;
  readonly version: string;
  /** host:port as clients are told; only known once the server listens. */
  address(): string;
  /** Its process now. */
  usage(): NodeUsage;
}

/** What the tables are made from. */
export interface SystemRooms {
  readonly env: Env;
  readonly log: LogStore;
  readonly streams: StreamCatalogue;
  readonly subscriptions: SubscriptionService;
  readonly connectors: ConnectorCatalogue;
  readonly persistent: PersistentQueries;
  readonly queries: QueryRegistry;
  readonly metrics: Metrics;
  readonly config: Config;
  readonly node: NodeFacts;
}

export interface SystemColumn<Row> {
  readonly name: string;
  readonly type: SqlType;
  readonly help: string;
  readonly value: (row: Row) => SqlValue;
}

export interface SystemTableDefinition<Row> {
  readonly name: string;
  /** One line, for SHOW TABLES and the manual. */
  readonly help: string;
  readonly columns: readonly SystemColumn<Row>[];
  readonly rows: (rooms: SystemRooms) => Iterable<Row> | Promise<Iterable<Row>>;
}

export interface SystemTable {
  readonly name: string;
  readonly help: string;
  readonly relation: Relation;
  /** Encoded RowBatch messages of all columns, as they are now. */
  snapshot(rooms: SystemRooms): Promise<readonly Uint8Array[]>;
}

/** Rows in one batch: a row of a system table is small. */
const batchRowsMax = 2_048;

/** Makes a table of its definition. Every table also says which node a row comes from. */
export function systemTable<Row>({ name, help, columns, rows }: SystemTableDefinition<Row>): SystemTable {
  const nodeId = { name: "node_id", type: INTEGER, help: "The node that the row comes from." };
  const types = [...columns.map(({ type }) => type), nodeId.type];
  const relation: Relation = {
    kind: "table",
    id: `system:${name}`,
    name,
    columns: [...columns.map(({ name, type, help }) => ({ name, type, help })), nodeId],
    open: false,
    appendOnly: true,
  };
  const snapshot = async (rooms: SystemRooms): Promise<readonly Uint8Array[]> => {
    const all = [...(await rows(rooms))];
    const batches: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += batchRowsMax) {
      const part = all.slice(at, at + batchRowsMax);
      const values = columns.map(({ value }) => part.map(value));
      values.push(part.map(() => rooms.node.id));
      batches.push(encodeRows(values, types, part.length));
    }
    return batches;
  };
  return { name, help, relation, snapshot };
}

/** Values by column, as an encoded RowBatch. */
export function encodeRows(values: SqlValue[][], types: readonly SqlType[], rowCount: number): Uint8Array {
  const columns = types.map((type, index) =>
    encodeColumn(wireColumn(columnOfValues(values[index] ?? []), rowCount, type), rowCount),
  );
  return RowBatch.encode({ rowCount, addedColumns: [], columns, operations: new Uint8Array(0) }).finish();
}

export function text<Row>(name: string, help: string, value: (row: Row) => string | null): SystemColumn<Row> {
  return { name, type: STRING, help, value };
}

export function integer<Row>(
  name: string,
  help: string,
  value: (row: Row) => number | null,
): SystemColumn<Row> {
  return { name, type: INTEGER, help, value };
}

export function float<Row>(
  name: string,
  help: string,
  value: (row: Row) => number | null,
): SystemColumn<Row> {
  return { name, type: FLOAT, help, value };
}

export function boolean<Row>(
  name: string,
  help: string,
  value: (row: Row) => boolean | null,
): SystemColumn<Row> {
  return { name, type: BOOLEAN, help, value };
}

/** `value`: ms since 1970. */
export function timestamp<Row>(
  name: string,
  help: string,
  value: (row: Row) => number | null,
): SystemColumn<Row> {
  const moment = (row: Row): SqlValue => {
    const ms = value(row);
    return ms === null ? null : { kind: "timestamp", ms };
  };
  return { name, type: TIMESTAMP, help, value: moment };
}
