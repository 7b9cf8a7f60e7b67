import type { ClientDuplexStream } from "@grpc/grpc-js";
import {
  type AppendStreamRequest,
  type AppendStreamResponse,
  type BatchedRecord,
  HStreamExtService,
  type RecordId,
} from "@hstream/proto";
import type { Address } from "../address.js";
import type { Connection } from "../connection.js";
import { fromGrpc, HStreamClientError, refusal } from "../errors.js";
import { limits } from "../limits.js";

/** A batch on its way: numbered within its shard, so that a repeat is recognised. */
export interface NumberedAppend {
  readonly shardId: bigint;
  readonly producerId: string;
  readonly sequence: bigint;
  readonly batch: BatchedRecord;
}

export interface LaneEvents<Append> {
  readonly appended: (append: Append, ids: readonly RecordId[]) => void;
  /** The server refused this one; UNAVAILABLE too. */
  readonly refused: (append: Append, error: HStreamClientError) => void;
  /** The call has ended; what was not answered is given back in the order in which it was sent. */
  readonly down: (unanswered: readonly Append[], error: HStreamClientError) => void;
  /** There is room again, after `isFull`. */
  readonly drained: () => void;
}

/** One AppendStream call to one server. */
export class AppendLane<Append extends NumberedAppend> {
  readonly address: Address;
  readonly #stream: string;
  readonly #events: LaneEvents<Append>;
  readonly #call: ClientDuplexStream<AppendStreamRequest, AppendStreamResponse>;
  readonly #unanswered = new Map<bigint, Append>();
  /** Not sent yet: those of this turn of the event loop, which go in one message. */
  #requests: AppendStreamRequest[] = [];
  #requestBytes = 0;
  #nextRequest = 1n;
  #full = false;
  #down = false;

  constructor(connection: Connection, address: Address, stream: string, events: LaneEvents<Append>) {
    this.address = address;
    this.#stream = stream;
    this.#events = events;
    this.#call = connection.bidiStream(address, HStreamExtService.appendStream);
    this.#call.on("data", (answer: AppendStreamResponse) => {
      this.#take(answer);
      for (const next of answer.more) this.#take(next);
    });
    this.#call.on("drain", () => {
      this.#full = false;
      if (!this.#down) events.drained();
    });
    this.#call.on("error", (error) => this.#fall(fromGrpc(error)));
    this.#call.on("end", () => this.#fall(new HStreamClientError({ ...ended })));
  }

  /** Whether to wait for `drained` before sending more. */
  get isFull(): boolean {
    return this.#full;
  }

  send(append: Append): void {
    const requestId = this.#nextRequest;
    this.#nextRequest += 1n;
    this.#unanswered.set(requestId, append);
    const { shardId, producerId, sequence, batch } = append;
    // The stream's name is sent once: later requests mean the same.
    const streamName = requestId === 1n ? this.#stream : "";
    const request = { requestId, streamName, shardId, records: batch, producerId, sequence, more: [] };
    if (this.#requestBytes + batch.payload.length > limits.appendMessageBytesMax) this.#flush();
    this.#requestBytes += batch.payload.length;
    if (this.#requests.push(request) === 1) queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    const [first, ...more] = this.#requests;
    this.#requests = [];
    this.#requestBytes = 0;
    if (first !== undefined && !this.#down) this.#full = !this.#call.write({ ...first, more });
  }

  /** Says the last word; nothing is to be unanswered any more. */
  close(): void {
    this.#flush();
    this.#down = true;
    this.#call.end();
  }

  /** Gives up, without a word to anybody. */
  cancel(): void {
    this.#down = true;
    this.#call.cancel();
  }

  #take({ requestId, result }: AppendStreamResponse): void {
    const append = this.#unanswered.get(requestId);
    if (append === undefined || this.#down) return;
    this.#unanswered.delete(requestId);
    switch (result?.$case) {
      case "appended": {
        const { shardId, batchId, recordCount } = result.value;
        const ids = Array.from({ length: recordCount }, (_, batchIndex) => ({
          shardId,
          batchId,
          batchIndex,
        }));
        this.#events.appended(append, ids);
        return;
      }
      case "failure":
        this.#events.refused(append, refusal(result.value.status, result.value.details));
        return;
      case undefined:
        this.#events.refused(append, new HStreamClientError({ ...nonsense }));
    }
  }

  #fall(error: HStreamClientError): void {
    if (this.#down) return;
    this.#down = true;
    this.#call.cancel();
    this.#events.down([...this.#unanswered.values()], error);
  }
}

const ended = {
  reason: "unavailable",
  message: "The server ended the append stream.",
  grpcStatus: 14,
} as const;
const nonsense = { reason: "protocol", message: "The answer to an append says neither yes nor no." } as const;
