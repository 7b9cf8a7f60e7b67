import type { RecordId } from "@hstream/proto";
import type { HStreamClientError } from "../errors.js";
import { ReceivedRecord, type RecordContent } from "../records/received-record.js";
import type { RecordInput } from "../records/record.js";
import type { RecordType } from "../records/record-type.js";

/** Where a record's acknowledgements go. */
export interface Acknowledger {
  ack(id: RecordId): void;
  nack(id: RecordId, delayMs: number): void;
}

/** A record as a subscription delivers it: to be acknowledged, or to come again. */
export class ConsumedRecord<T = RecordInput> extends ReceivedRecord<T> {
  readonly #to: Acknowledger;

  constructor(
    to: Acknowledger,
    recordId: RecordId,
    publishedAt: Date | undefined,
    type: RecordType<T>,
    content: RecordContent | HStreamClientError,
  ) {
    super(recordId, publishedAt, type, content);
    this.#to = to;
  }

  /** Tells the server that this record need not come again. Sent within 100 ms, with others. */
  ack(): void {
    this.#to.ack(this.recordId);
  }

  /**
   * Tells the server that this record shall come again, after so long (ms, 0) instead of after the ack
   * timeout: once each record of its delivery is acked or negatively acked. Needs a server with the
   * HStreamExt service.
   */
  nack(options: { readonly delayMs?: number } = {}): void {
    this.#to.nack(this.recordId, options.delayMs ?? 0);
  }
}
