export type { RecordId, Shard } from "@hstream/proto";
export { type Address, formatAddress, parseServiceUrl, type ServiceUrl } from "./address.js";
export { type AppendOptions, HStreamClient } from "./client.js";
export type { CallSettings, ConnectOptions, TlsOptions } from "./connection.js";
export type { ConnectorInfo, Connectors, ConnectorType } from "./connectors.js";
export { ConsumedRecord } from "./consume/consumed-record.js";
export { type ConsumeOptions, Consumer } from "./consume/consumer.js";
export { type ErrorReason, HStreamClientError, type SqlDiagnostic } from "./errors.js";
export { AppendStream, type AppendStreamOptions } from "./produce/append-stream.js";
export { BufferedProducer, type ProducerOptions } from "./produce/buffered-producer.js";
export type { ShardPlace, StreamPlace } from "./read/offset.js";
export { Reader, type ReadOptions } from "./read/reader.js";
export { ReceivedRecord } from "./records/received-record.js";
export type { Compression, JsonObject, JsonValue, RecordInput, RecordOptions } from "./records/record.js";
export { formatRecordId, parseRecordId } from "./records/record-id.js";
export {
  anyRecord,
  jsonRecord,
  type RecordParts,
  type RecordType,
  textRecord,
} from "./records/record-type.js";
export { type ColumnValues, SqlBatch, type SqlCell, type SqlColumn, type SqlRow } from "./sql/batch.js";
export { SqlExecution, type SqlOptions } from "./sql/execution.js";
export { type SqlChange, SqlQuery } from "./sql/query.js";
export { type SqlOutcome, SqlStatement } from "./sql/statement.js";
export type { StreamInfo, StreamOptions, Streams } from "./streams.js";
export type {
  ConsumerProgress,
  Dispatch,
  SeekTarget,
  ShardProgress,
  SubscriptionDescription,
  SubscriptionInfo,
  SubscriptionOptions,
  SubscriptionProgress,
  Subscriptions,
} from "./subscriptions.js";
export type { System } from "./system.js";
