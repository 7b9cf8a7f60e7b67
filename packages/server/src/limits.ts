import { assert } from "@hstream/proto";

/**
 * Every limit of the server, with its unit in the name. What exceeds one is refused with an error
 * that names the limit and its value.
 */
export const limits = {
  /** Records of one stored batch. */
  batchRecordsMax: 65_536,
  /** Encoded size of one appended BatchedRecord (option max-record-size). */
  recordBytesMax: 1_048_576,
  /** What a compressed batch may grow to. */
  inflatedBytesMax: 64 * 1_048_576,
  /** A gRPC message that we receive. */
  requestBytesMax: 4 * 1_048_576,
  /** A gRPC message that we send stays below: clients refuse 4 MiB. */
  responseBytesMax: 3 * 1_048_576,
  /** Appends that wait for the disk. */
  appendBytesInFlightMax: 64 * 1_048_576,
  /** Appends that wait for room among those; beyond it they are refused. */
  appendBytesWaitingMax: 64 * 1_048_576,
  /** One write and sync of the log. */
  groupCommitBytesMax: 1_048_576,
  /** With fsync = interval: how long an acknowledged append may be unsynced, ms. */
  fsyncIntervalMs: 100,
  /** Of the disk, kept free for trims and deletions. */
  logReserveBytes: 1_048_576,
  /** A segment of the log is sealed once it has this size. */
  segmentBytes: 64 * 1_048_576,
  /** Recent batches kept in memory for readers at the tail. */
  tailCacheBytesMax: 64 * 1_048_576,
  /** Indexes of sealed segments kept in memory. */
  segmentIndexCacheBytesMax: 32 * 1_048_576,
  /** Segments that are open for reading. */
  openSegmentsMax: 64,
  /** How often streams are rid of what is older than their backlog, ms. */
  retentionIntervalMs: 10_000,
  /** Names of holds, UTF-8 bytes. */
  holdNameBytesMax: 1_024,
  /** A client's sequence is forgotten after this long without an append, ms. */
  producerExpiryMs: 24 * 3_600_000,
  /** Results kept for each (producer, shard) to answer repeats with. */
  producerResultsKept: 5,
  /** Shard readers that are remembered. */
  shardReadersMax: 100_000,
  /** How long ReadShard waits for records, ms: what it waits at least, lest callers spin, and at most. */
  readShardWaitMsMin: 5,
  readShardWaitMsMax: 60_000,
  /** Batches of one answer to a reader. */
  readAnswerBatchesMax: 10,
  /** Names of streams, subscriptions, queries, views, readers: Unicode characters. */
  nameCharactersMax: 255,
  /** Shards of one stream. */
  shardsPerStreamMax: 4_096,
  /** Shards of all streams together. */
  shardsMax: 1_000_000,
  /** Subscriptions of one server. */
  subscriptionsMax: 100_000,
  /** UTF-8 bytes of one document in the metadata store. */
  metaValueBytesMax: 1_048_576,
  /** Changes of the metadata after which a snapshot is taken, in bytes. */
  metaSnapshotBytesMin: 1_048_576,
  /** Text of one ExecuteSql call, in bytes. */
  sqlTextBytesMax: 1_048_576,
  /** A batch of result rows. */
  resultBatchBytesMax: 1_048_576,
  /** Result batches that wait for a slow reader before the query stops producing. */
  resultBatchesQueuedMax: 16,
  /** Rows that one step of a dataflow takes in. */
  stepRowsMax: 8_192,
  /** Columns of one answer, among them the fields that SELECT * comes upon. */
  resultColumnsMax: 4_096,
  /** Expression errors of one step of which the message is kept; all are counted. */
  stepErrorsKeptMax: 10,
  /** Calls on one execution (feed, end, snapshot) that wait for the worker. */
  executionCallsQueuedMax: 64,
  /** How long one step may keep its worker busy, ms, before the worker is given up. */
  stepBusyMsMax: 2_000,
  /** State of one query: an estimate, kept by the executor. */
  queryStateBytesMax: 512 * 1_048_576,
  /** Snapshots that are asked of one execution at a time. */
  snapshotCallsMax: 32,
  /** Changes of a view that wait for a query over it, bytes, before that gets all rows anew. */
  viewChangesBytesMax: 64 * 1_048_576,
  /** A live query stores its state so often, ms. */
  querySnapshotEveryMs: 10_000,
  /** How often a query in which time matters is told of it, ms. */
  queryTickMs: 250,
  /** A shard that gave nothing for so long does not hold back the time of a named column, ms. */
  shardIdleMs: 5_000,
  /** Times that a query may bring its worker down before it is aborted. */
  queryCrashesMax: 3,
  /** Appends of a query that wait for the disk at a time. */
  queryAppendsMax: 8,
  /** How long a query waits before it tries again to append to a log that is full, ms. */
  queryAppendPauseMs: 1_000,
  /** Errors that are kept of each query. */
  queryErrorsKept: 10_000,
  /** How long a pull waits for a view to catch up, ms. */
  viewWaitMs: 2_000,
  /** What a query reads of a shard at a time: batches, and bytes of their payloads. */
  readBatchesMax: 4_096,
  readBytesMax: 1_048_576,
  /** Blocks of memory for that, of readBytesMax and an eighth, that wait to be used again; of each group of threads. */
  inputBlocksKept: 32,
  /** Queries that run at a time. */
  queriesMax: 1_000,
  /** Rows of an answer over system tables that is compared with the next one (EMIT CHANGES). */
  polledRowsMax: 100_000,
  /** Consumers of one subscription. */
  consumersPerSubscriptionMax: 10_000,
  /** Acks in one StreamingFetch request. */
  acksPerRequestMax: 100_000,
  /** Longest delay of a negative ack, ms. */
  nackDelayMsMax: 24 * 3_600_000,
  /** What is under way of one AppendStream before no more of it is read: payload bytes, and requests. */
  appendStreamBytesMax: 8 * 1_048_576,
  appendStreamRequestsMax: 4_096,
  /** How long acks may stay unsaved, ms. */
  ackFlushMs: 100,
  /** How long a unary Append waits for room before it is refused, ms. */
  appendPatienceMs: 1_000,
  /** Connectors, and the configuration of one. */
  connectorsMax: 10_000,
  connectorConfigBytesMax: 64 * 1_024,
  /** Tokens of one server. */
  tokensMax: 1_000,
  /** How often the files of certificates and tokens are looked at, ms. */
  secretsCheckMs: 10_000,
  /** gRPC connections at a time. */
  connectionsMax: 10_000,
  /**
   * gRPC calls that a connection may break off at once, and how many of them it is forgiven each second; a little
   * less than what the HTTP/2 library closes connections for (1,000 and 33), so that we know of it.
   */
  resetsPerConnectionMax: 900,
  resetsForgivenPerSecond: 30,
  /** gRPC calls at a time on one connection. */
  callsPerConnectionMax: 10_000,
  /** What a caller may send that the server has not read: of one call, and of all calls of a connection. */
  callWindowBytes: 1_048_576,
  connectionWindowBytes: 8 * 1_048_576,
  /** A connection is asked for a sign of life, ms; without an answer in time it and its consumers are gone. */
  keepAliveEveryMs: 6_000,
  keepAliveAnswerMs: 4_000,
  /** Bytes given to the transport for one streaming call and not yet sent, from which on senders wait. */
  unsentBytesMax: 1_048_576,
  /** One read of a subscription: batches, and bytes of their payloads. */
  deliveryReadBatchesMax: 100,
  deliveryReadBytesMax: 512 * 1_024,
  /** Such reads at a time: of each consumer, or of a whole round-robin subscription. */
  deliveryReadsMax: 4,
  /** An error's sentence on the wire, which percent-encoding may make nine times as long. */
  statusTextCharactersMax: 1_500,
  /** After draining: how long the last answers may take to be sent, ms. */
  lastAnswersMs: 500,
  /** What is kept of a subscription's progress in one shard; acks beyond it are lost in a restart. */
  savedProgressBytesMax: 256 * 1_024,
  /** How long a subscription waits after a failed read of the log, ms. */
  failedReadPauseMs: 1_000,
  /** HTTP: connections at a time, and how long one may be idle, ms. */
  httpConnectionsMax: 10_000,
  httpIdleMs: 30_000,
  /** HTTP: all headers of a request, and a body that is taken in one piece. */
  httpHeaderBytesMax: 16_384,
  httpBodyBytesMax: 4 * 1_048_576,
  /** HTTP: how long headers, and a body in one piece, may take to arrive, ms. */
  httpHeadersMs: 10_000,
  httpBodyMs: 20_000,
  /** HTTP: how long a connection may be silent in the middle of a request or an answer, ms. */
  httpSilenceMs: 60_000,
  /** HTTP: a sign of life on event streams, ms. */
  httpHeartbeatMs: 15_000,
  /** HTTP: records of one JSON answer, and rows of one SQL answer that is not streamed. */
  httpRecordsMax: 10_000,
  httpRowsMax: 100_000,
  /** HTTP: a batch of ingested records is closed from this size on, and so many may wait for the disk. */
  ingestBatchBytes: 256 * 1_024,
  ingestBatchesInFlightMax: 16,
  /** HTTP: what all open batches of one request may hold together. */
  ingestOpenBytesMax: 4 * 1_048_576,
  /** Messages of the server's log. */
  logMessagesPerSecondMax: 500,
  /** How long a server calls itself not ready after the last append that a full disk refused, ms. */
  diskFullRememberedMs: 10_000,
  /** Objects of a kind (streams, subscriptions, queries) that are counted each for itself. */
  meteredObjectsMax: 20_000,
  /** Statistics, or intervals of one, in one request. */
  statsPerRequestMax: 100,
  /** The longest interval of which rates are known, ms. */
  rateWindowMsMax: 3_600_000,
  /** Errors that the system table keeps, and the length of their sentences. */
  recentErrorsKept: 256,
  recentErrorCharactersMax: 1_000,
  /** From SIGTERM to the end of the process, ms. */
  drainMs: 5_000,
} as const;

assert(limits.groupCommitBytesMax <= limits.segmentBytes, "a group must fit a segment");
assert(limits.savedProgressBytesMax < limits.metaValueBytesMax, "a shard's progress must fit a document");
assert(limits.recordBytesMax < limits.responseBytesMax, "a stored batch must fit an answer");
assert(limits.resultBatchBytesMax < limits.responseBytesMax, "a result batch must fit an answer");
assert(limits.responseBytesMax < 4 * 1_048_576, "clients refuse answers of 4 MiB");
