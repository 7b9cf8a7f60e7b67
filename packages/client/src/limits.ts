/** The limits and defaults of the client, with their units in the names. */
export const limits = {
  defaultPort: 6570,
  /** A call that changes or asks something, ms. */
  requestTimeoutMs: 5_000,
  /** Wait before a call that met UNAVAILABLE is tried again, ms. */
  retryPauseMs: 5_000,
  /** Sends of one batch, the first included, that may meet UNAVAILABLE. */
  appendTriesMax: 5,
  /** Answers of a server stay below this many bytes. */
  messageBytesMax: 4 * 1_048_576,
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
  /** Acks of a consumer are sent when this many wait … */
  acksWaitingMax: 1_000,
  /** … or the oldest has waited so long, ms. */
  ackAgeMs: 100,
  /** How long a consumer waits for the server to see it leave, ms. */
  leaveTimeoutMs: 1_000,
} as const;
