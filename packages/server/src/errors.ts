/**
 * The closed list of what can be refused. Each error has the API's code, a gRPC status, an HTTP
 * status and a sentence: what happened, to what, and what to do. `form: "plain"` are those that
 * clients expect as a sentence; all others travel as JSON {error, message, extra}.
 */

/** gRPC status numbers used here. */
export const grpcStatus = {
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  dataLoss: 15,
  unauthenticated: 16,
} as const;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

export interface ErrorDefinition<Arguments> {
  readonly code: number;
  readonly grpc: (typeof grpcStatus)[keyof typeof grpcStatus];
  readonly http: number;
  readonly form: "json" | "plain";
  readonly message: (args: Arguments) => string;
}

function define<Arguments>(
  code: number,
  grpc: keyof typeof grpcStatus,
  http: number,
  message: (args: Arguments) => string,
  form: "json" | "plain" = "json",
): ErrorDefinition<Arguments> {
  return { code, grpc: grpcStatus[grpc], http, form, message };
}

const none = (sentence: string) => (_: Record<never, never>) => sentence;

const servedBy = (a: { resource: string; host: string; port: number }) =>
  `${a.resource} is served by ${a.host}:${a.port}. Look it up again and ask there.`;

export const errors = {
  StreamNotFound: define(
    200,
    "notFound",
    404,
    (a: { stream: string }) => `Stream "${a.stream}" does not exist. SHOW STREAMS lists those that do.`,
  ),
  /** ListShards: the clients need a plain sentence here. */
  StreamNotFoundPlain: define(
    200,
    "notFound",
    404,
    (a: { stream: string }) => `Stream "${a.stream}" does not exist.`,
    "plain",
  ),
  StreamExists: define(
    201,
    "alreadyExists",
    409,
    (a: { stream: string }) => `Stream "${a.stream}" exists already. Choose another name or delete it first.`,
  ),
  StreamHasSubscriptions: define(
    202,
    "failedPrecondition",
    409,
    (a: { stream: string; by?: string | undefined }) =>
      a.by === undefined
        ? `Stream still has subscription: "${a.stream}". Delete its subscriptions first, or delete it with force.`
        : `Stream "${a.stream}" is used by ${a.by}. End that first, or delete it with force.`,
  ),
  InvalidReplicationFactor: define(
    203,
    "invalidArgument",
    400,
    (a: { value: number }) => `A replication factor of ${a.value} is not possible: it must be 1 to 255.`,
  ),
  InvalidStreamName: define(204, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  InvalidShardCount: define(
    205,
    "invalidArgument",
    400,
    (a: { value: number; max: number }) =>
      `A shard count of ${a.value} is not possible: it must be 1 to ${a.max} (shardsPerStreamMax).`,
  ),
  TooManyShardsInAll: define(
    0,
    "resourceExhausted",
    429,
    (a: { max: number }) => `All streams together may have ${a.max} shards (shardsMax). Delete some streams.`,
  ),
  TooManySubscriptions: define(
    0,
    "resourceExhausted",
    429,
    (a: { max: number }) => `There are ${a.max} subscriptions already (subscriptionsMax). Delete some.`,
  ),
  InvalidBacklogDuration: define(
    0,
    "invalidArgument",
    400,
    (a: { value: number }) =>
      `A backlog duration of ${a.value} s is not possible: it must be below 2^31, 0 keeps records for ever.`,
  ),
  EmptyBatch: define(
    206,
    "invalidArgument",
    400,
    none("BatchedRecord shouldn't be Nothing: an append needs records, a batchSize above 0 and a payload."),
  ),
  RecordTooLarge: define(
    207,
    "invalidArgument",
    413,
    (a: { bytes: number; max: number }) =>
      `Record size exceeds the maximum size limit: ${a.bytes} bytes, recordBytesMax is ${a.max}. Split the batch or raise max-record-size.`,
  ),
  InvalidShardOffset: define(208, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  InvalidRecordId: define(209, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  ShardNotInStream: define(
    210,
    "invalidArgument",
    400,
    (a: { shardId: string; stream: string }) =>
      `Shard ${a.shardId} is not part of stream "${a.stream}". Look its shards up again.`,
  ),
  MalformedRequest: define(
    0,
    "invalidArgument",
    400,
    (a: { reason: string }) => `The request is not a message of this call: ${a.reason}.`,
  ),
  InvalidBatch: define(0, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  SubscriptionNotFound: define(
    300,
    "notFound",
    404,
    (a: { subscription: string }) => `Subscription "${a.subscription}" does not exist.`,
  ),
  SubscriptionExists: define(
    301,
    "alreadyExists",
    409,
    (a: { subscription: string }) =>
      `Subscription "${a.subscription}" exists already. Choose another name or delete it first.`,
  ),
  SubscriptionStreamNotFound: define(
    302,
    "failedPrecondition",
    404,
    (a: { stream: string }) => `Stream "${a.stream}" does not exist, so nothing can subscribe to it.`,
  ),
  InvalidSubscriptionOffset: define(
    303,
    "invalidArgument",
    400,
    (a: { value: number }) => `${a.value} is not a subscription offset: use EARLIEST (0) or LATEST (1).`,
  ),
  InvalidSubscriptionName: define(304, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  InvalidSubscriptionOption: define(0, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  SubscriptionHasConsumers: define(
    305,
    "failedPrecondition",
    409,
    (a: { subscription: string }) =>
      `Subscription "${a.subscription}" has active consumers. Stop them first, or delete it with force.`,
  ),
  SubscriptionBeingDeleted: define(
    0,
    "aborted",
    409,
    (a: { subscription: string }) => `Subscription "${a.subscription}" is being deleted.`,
  ),
  SubscriptionMoved: define(
    0,
    "unavailable",
    503,
    (a: { subscription: string }) => `Subscription "${a.subscription}" was moved. Connect again.`,
  ),
  ConsumerExists: define(
    0,
    "alreadyExists",
    409,
    (a: { consumer: string; subscription: string }) =>
      `A consumer named "${a.consumer}" is already connected to subscription "${a.subscription}". Give each consumer a name of its own.`,
  ),
  MissingConsumerName: define(
    0,
    "invalidArgument",
    400,
    none("A fetch begins with the names of its subscription and of the consumer."),
  ),
  TooManyAcks: define(
    0,
    "invalidArgument",
    400,
    (a: { count: number; max: number }) =>
      `A request acks ${a.count} records; acksPerRequestMax is ${a.max}. Send them in several requests.`,
  ),
  TooManyConsumers: define(
    0,
    "resourceExhausted",
    429,
    (a: { subscription: string; max: number }) =>
      `Subscription "${a.subscription}" has ${a.max} consumers already (consumersPerSubscriptionMax).`,
  ),
  ShardNotFound: define(
    0,
    "notFound",
    404,
    (a: { shardId: string }) => `Shard ${a.shardId} does not exist. List the stream's shards again.`,
  ),
  InvalidReaderName: define(900, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  ReaderExists: define(
    0,
    "alreadyExists",
    409,
    (a: { reader: string }) => `Shard reader "${a.reader}" exists already. Choose another id or delete it.`,
  ),
  ReaderNotFound: define(
    0,
    "failedPrecondition",
    404,
    (a: { reader: string }) => `Shard reader "${a.reader}" does not exist. Create it first.`,
  ),
  TooManyReaders: define(
    0,
    "resourceExhausted",
    429,
    (a: { max: number }) => `There are ${a.max} shard readers already (shardReadersMax). Delete some.`,
  ),
  ConflictingOffsets: define(901, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  TooManyShards: define(
    902,
    "invalidArgument",
    400,
    (a: { stream: string; count: number }) =>
      `Stream "${a.stream}" has ${a.count} shards; this call reads streams of one. Use ReadStream.`,
  ),
  DataLoss: define(
    903,
    "dataLoss",
    500,
    (a: { shardId: string; upTo: number; detail: string }) =>
      `Batches of shard ${a.shardId} up to ${a.upTo} cannot be read: ${a.detail}. Reading goes on behind them.`,
  ),
  TrimHeld: define(
    0,
    "failedPrecondition",
    409,
    (a: { shardId: string; by: string }) =>
      `Shard ${a.shardId} was not trimmed: "${a.by}" still needs its records. Drop that first.`,
  ),
  QueryNotFound: define(
    400,
    "notFound",
    404,
    (a: { query: string }) => `Query "${a.query}" does not exist. SHOW QUERIES lists those that do.`,
  ),
  QueryTerminated: define(0, "aborted", 409, (a: { query: string }) => `Query "${a.query}" was terminated.`),
  QueryNotRunning: define(
    406,
    "aborted",
    409,
    (a: { query: string; state: string }) => `Query "${a.query}" is ${a.state}; it does not run.`,
  ),
  QueryAlreadyTerminated: define(
    408,
    "failedPrecondition",
    409,
    (a: { query: string }) => `Query "${a.query}" was terminated and cannot be resumed. Create it again.`,
  ),
  ViewNotRunning: define(
    0,
    "failedPrecondition",
    409,
    (a: { view: string; state: string }) => `View "${a.view}" is ${a.state}. RESUME VIEW ${a.view} first.`,
  ),
  WorkerLost: define(0, "internal", 500, (a: { message: string }) => a.message),
  TooManyQueries: define(
    0,
    "resourceExhausted",
    429,
    (a: { max: number }) => `${a.max} queries run already (queriesMax). End some first.`,
  ),
  InvalidSql: define(402, "invalidArgument", 400, (a: { message: string }) => a.message),
  InvalidName: define(404, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  ViewExists: define(
    501,
    "alreadyExists",
    409,
    (a: { view: string }) => `View "${a.view}" exists already. Choose another name or drop it first.`,
  ),
  ViewNotFound: define(
    400,
    "notFound",
    404,
    (a: { view: string }) => `View "${a.view}" does not exist. SHOW VIEWS lists those that do.`,
  ),
  ViewInUse: define(
    403,
    "failedPrecondition",
    409,
    (a: { relation: string; by: string }) => `"${a.relation}" is used by query "${a.by}". End that first.`,
  ),
  QueryExists: define(
    401,
    "alreadyExists",
    409,
    (a: { query: string }) => `Query "${a.query}" exists already. Choose another name.`,
  ),
  QueryHasView: define(
    403,
    "failedPrecondition",
    409,
    (a: { query: string }) => `Query "${a.query}" keeps a view. Delete the view, and it ends.`,
  ),
  QueryNotTerminated: define(
    407,
    "failedPrecondition",
    409,
    (a: { query: string }) => `Query "${a.query}" is running. Terminate it first.`,
  ),
  QueryNotAborted: define(
    0,
    "failedPrecondition",
    409,
    (a: { query: string }) => `Query "${a.query}" is running; only what was aborted can be resumed.`,
  ),
  WrongStatement: define(
    0,
    "failedPrecondition",
    400,
    (a: { expected: string }) => `This call makes queries that last: ${a.expected}.`,
  ),
  NoViewQuery: define(
    0,
    "invalidArgument",
    400,
    none("This call takes a SELECT from a view, without EMIT CHANGES."),
  ),
  DiscardedMethod: define(
    0,
    "internal",
    400,
    (a: { use: string }) => `Discarded method: such statements have a call of their own, ${a.use}.`,
  ),
  AnswerTooLarge: define(
    0,
    "resourceExhausted",
    413,
    (a: { max: number }) =>
      `The answer has more than ${a.max} bytes (responseBytesMax). Ask for less, or use ExecuteSql.`,
  ),
  ConnectorNotFound: define(
    600,
    "notFound",
    404,
    (a: { connector: string }) => `Connector "${a.connector}" does not exist.`,
  ),
  ConnectorExists: define(
    601,
    "alreadyExists",
    409,
    (a: { connector: string }) =>
      `Connector "${a.connector}" exists already. Choose another name or delete it first.`,
  ),
  ConnectorCheckFailed: define(
    604,
    "failedPrecondition",
    400,
    (a: { reason: string }) => `The configuration of the connector cannot be used: ${a.reason}.`,
  ),
  InvalidConnectorState: define(
    0,
    "failedPrecondition",
    409,
    (a: { connector: string; state: string; what: string }) =>
      `Connector "${a.connector}" is ${a.state}, so there is nothing to ${a.what}.`,
  ),
  TooManyConnectors: define(
    0,
    "resourceExhausted",
    429,
    (a: { max: number }) => `There are ${a.max} connectors (connectorsMax). Delete some.`,
  ),
  InvalidConnectorType: define(
    602,
    "invalidArgument",
    400,
    (a: { type: string }) => `"${a.type}" is not a connector type: use SOURCE or SINK.`,
  ),
  InvalidConnectorName: define(603, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  InvalidConnectorConfig: define(
    0,
    "invalidArgument",
    400,
    none("The configuration of a connector is the text of a JSON object."),
  ),
  ConnectorUnimplemented: define(
    605,
    "unimplemented",
    501,
    (a: { target: string }) => `Connectors to "${a.target}" are not available on this server.`,
  ),
  InvalidStats: define(0, "invalidArgument", 400, (a: { reason: string }) => a.reason),
  InvalidCommand: define(0, "internal", 400, (a: { reason: string }) => a.reason),
  QueryFailed: define(0, "internal", 500, (a: { message: string }) => a.message),
  QueryStateTooLarge: define(
    0,
    "resourceExhausted",
    413,
    (a: { operator: string; max: number }) =>
      `The query needs more than ${a.max} bytes of state in ${a.operator} (queryStateBytesMax). Narrow it with WHERE, or raise the limit.`,
  ),
  QueryStateUnreadable: define(
    0,
    "failedPrecondition",
    409,
    (a: { detail: string }) =>
      `The stored state of the query cannot be used: ${a.detail}. The query has to be computed anew from its streams.`,
  ),
  InvalidResourceType: define(
    0,
    "invalidArgument",
    400,
    (a: { value: number }) => `${a.value} is not a resource type.`,
  ),
  AppendFull: define(
    0,
    "unavailable",
    503,
    (a: { reason: string; max: number }) =>
      `The log takes no appends at the moment: ${a.reason} (limit ${a.max} bytes). Try again later.`,
  ),
  DocumentTooLarge: define(0, "invalidArgument", 413, (a: { reason: string }) => a.reason),
  DiskFull: define(
    0,
    "unavailable",
    503,
    none("The disk has no room for the change. Free some, then try again."),
  ),
  Fenced: define(
    0,
    "unavailable",
    503,
    (a: { shardId: string }) => `Shard ${a.shardId} has a new owner. Look it up again.`,
  ),
  DuplicateAppend: define(
    0,
    "alreadyExists",
    409,
    (a: { shardId: string }) => `The batch was appended to shard ${a.shardId} before.`,
  ),
  AppendSequenceGap: define(
    0,
    "failedPrecondition",
    409,
    (a: { expected: number }) => `An append is missing: the producer's next sequence is ${a.expected}.`,
  ),
  /** Clients look the resource up again. */
  WrongServer: define(800, "failedPrecondition", 421, servedBy),
  /** The same, for clients that look up again only when a server is not available. */
  ServedElsewhere: define(0, "unavailable", 503, servedBy),
  ShuttingDown: define(0, "unavailable", 503, none("The server is shutting down. Try another one.")),
  LogFailed: define(
    0,
    "unavailable",
    503,
    none("The disk refused a sync. The server must be restarted to recover; acknowledged data is safe."),
    "plain",
  ),
  ReadTimedOut: define(
    0,
    "unavailable",
    503,
    (a: { detail: string }) => `The answer is not ready yet: ${a.detail}. Ask again.`,
  ),
  Unauthenticated: define(
    0,
    "unauthenticated",
    401,
    none("A token is needed: metadata authorization: Basic <token>, or Bearer <token>."),
  ),
  PermissionDenied: define(
    0,
    "permissionDenied",
    403,
    (a: { call: string; needs: string }) => `The token does not allow ${a.call}: it needs ${a.needs}.`,
  ),
  Unimplemented: define(
    0,
    "unimplemented",
    501,
    (a: { what: string }) => `${a.what} is not available on this server.`,
  ),
  RouteNotFound: define(
    0,
    "notFound",
    404,
    none("There is nothing at this address. /docs lists what there is."),
  ),
  MethodNotAllowed: define(
    0,
    "unimplemented",
    405,
    (a: { method: string; allowed: string }) => `${a.method} is not possible here; ${a.allowed} is.`,
  ),
  UnsupportedMediaType: define(
    0,
    "invalidArgument",
    415,
    (a: { given: string; accepted: string }) =>
      `A body of type "${a.given}" is not read here; use ${a.accepted}.`,
  ),
  RequestTooLarge: define(
    0,
    "resourceExhausted",
    413,
    (a: { what: string; max: number; limit: string }) =>
      `${a.what} is too large: ${a.limit} is ${a.max}. Send less at a time.`,
  ),
  RequestTimedOut: define(
    0,
    "deadlineExceeded",
    408,
    (a: { ms: number }) => `The request did not arrive within ${a.ms} ms.`,
  ),
  ForeignOrigin: define(
    0,
    "failedPrecondition",
    403,
    (a: { reason: string }) => `${a.reason} Call the server by its own address.`,
  ),
  Internal: define(0, "internal", 500, none("An unexpected error; the server's log has the details.")),
} as const;

export type ErrorName = keyof typeof errors;
export type ErrorArguments<Name extends ErrorName> = Parameters<(typeof errors)[Name]["message"]>[0];

/** A refusal from the list. `extra` is what the API's JSON form carries along. */
export class HStreamError<Name extends ErrorName = ErrorName> extends Error {
  override readonly name = "HStreamError";
  readonly kind: Name;
  readonly extra: JsonValue;

  constructor(kind: Name, args: ErrorArguments<Name>, extra: JsonValue = null, cause?: unknown) {
    super((errors[kind].message as (args: ErrorArguments<Name>) => string)(args), { cause });
    this.kind = kind;
    this.extra = extra;
  }
}
