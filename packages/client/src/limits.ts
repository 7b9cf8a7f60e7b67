/** The limits and defaults of the client, with their units in the names. */
export const limits = {
  defaultPort: 6570,
  /** A call that changes or asks something, ms. */
  requestTimeoutMs: 5_000,
  /** Wait before a call that met UNAVAILABLE is tried again, ms. */
  retryPauseMs: 5_000,
  /** The first such wait of a call that lasts (consumer, reader, append stream), ms; then it doubles. */
  reconnectPauseMs: 100,
  /** Sends of one batch, the first included, that may meet UNAVAILABLE. */
  appendTriesMax: 5,
  /** How long an append stream tries to reach a server again before it fails, ms. */
  appendOutageMsMax: 120_000,
  /** A sign of life is asked for on connections with calls this often, ms … */
  keepAliveMs: 30_000,
  /** … and expected within, ms. */
  keepAliveAnswerMs: 10_000,
  /** Answers of a server stay below this many bytes. */
  messageBytesMax: 4 * 1_048_576,
  /**
   * What a server may send before it is told that it was read, on a connection and on each call: with the 64 KB
   * of HTTP/2 a far server gives no more than that for each round trip, and a near one waits for us in turns.
   */
  windowBytes: 1_048_576,
  /** A server refuses larger batches; some bytes less than 1 MiB for what surrounds the records. */
  batchBytesMax: 1_048_576 - 1_024,
  batchRecordsMax: 65_536,
  /** What a compressed batch may grow to. */
  inflatedBytesMax: 64 * 1_048_576,
  /** Defaults of a buffered producer. */
  producerRecordsMax: 1_000,
  producerBytesMax: 256 * 1_024,
  producerAgeMs: 10,
  producerBytesInFlightMax: 16 * 1_048_576,
  /**
   * Batches of one shard that an append stream has under way. A server keeps as many results of each
   * producer and shard to answer repeats with.
   */
  appendsPerShardMax: 5,
  /** Such batches that go in one message, payload bytes; a larger one goes by itself. */
  appendMessageBytesMax: 256 * 1_024,
  /** After so long without an append to a shard its numbering starts anew, ms; servers forget it later. */
  producerIdleMs: 3_600_000,
  /** Acks of a consumer are sent when this many wait … */
  acksWaitingMax: 1_000,
  /** … or the oldest has waited so long, ms. */
  ackAgeMs: 100,
  /** How long a consumer waits for the server to see it leave, ms. */
  leaveTimeoutMs: 1_000,
  /** Records that a reader by key asks for ahead of its reader. */
  keyRecordsAheadMax: 1_000,
} as const;
