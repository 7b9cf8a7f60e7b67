export { type Address, formatAddress, parseServiceUrl } from "./address.js";
export { BufferedProducer, type ProducerOptions } from "./buffered-producer.js";
export { type AppendOptions, HStreamClient } from "./client.js";
export type { CallSettings, ConnectOptions } from "./connection.js";
export { type ConsumedRecord, type ConsumeOptions, Consumer } from "./consumer.js";
export { type ErrorReason, HStreamClientError, type SqlDiagnostic } from "./errors.js";
export {
  type Compression,
  formatRecordId,
  type JsonObject,
  type JsonValue,
  type RecordInput,
  type RecordOptions,
} from "./record.js";
export { SqlBatch, type SqlColumn, type SqlRow } from "./sql/batch.js";
export type { ColumnValues, SqlCell } from "./sql/column.js";
export { SqlExecution, type SqlOptions } from "./sql/execution.js";
export { type SqlOutcome, SqlStatement } from "./sql/statement.js";
export type { StreamInfo, StreamOptions, Streams } from "./streams.js";
export type {
  SubscriptionInfo,
  SubscriptionOptions,
  SubscriptionProgress,
  Subscriptions,
} from "./subscriptions.js";
export type { System } from "./system.js";
