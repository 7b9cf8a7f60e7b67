import type { ClientDuplexStream } from "@grpc/grpc-js";
import {
  HStreamApiService,
  HStreamExtService,
  type ReceivedRecord as ReceivedBatch,
  type RecordId,
  type StreamingFetchRequest,
  type StreamingFetchResponse,
} from "@hstream/proto";
import type { Address } from "../address.js";
import { clientClosed, type Connection } from "../connection.js";
import { fromGrpc, HStreamClientError, isUnavailable } from "../errors.js";
import { limits } from "../limits.js";
import { BatchDecoder } from "../records/received-record.js";
import type { RecordInput } from "../records/record.js";
import type { RecordType } from "../records/record-type.js";
import type { Subscriptions } from "../subscriptions.js";
import { AckBuffer } from "./ack-buffer.js";
import { ConsumedRecord } from "./consumed-record.js";

export interface ConsumeOptions<T = RecordInput> {
  /** What the records' `value` is. Default: objects of JSON records, bytes of raw ones. */
  readonly type?: RecordType<T>;
  /** One of a kind within the subscription. Default: a random name. */
  readonly consumerName?: string;
  /** Acknowledge each record when the next one is asked for. Default false. */
  readonly autoAck?: boolean;
  /** Ends the consumer, after the acks so far are sent. */
  readonly signal?: AbortSignal;
}

type FetchStream = ClientDuplexStream<StreamingFetchRequest, StreamingFetchResponse>;

/**
 * Receives the records of a subscription. Iterate over it, once; a slow loop slows the server down.
 * When the server becomes UNAVAILABLE it is looked up and asked again, for ever; every other error
 * ends the iteration. Leaving the loop, or the end of an `await using`, sends the acks that wait.
 */
export class Consumer<T = RecordInput> implements AsyncIterable<ConsumedRecord<T>>, AsyncDisposable {
  readonly subscription: string;
  readonly name: string;
  readonly #connection: Connection;
  readonly #subscriptions: Subscriptions;
  readonly #type: RecordType<T>;
  readonly #options: ConsumeOptions<T>;
  readonly #stop = new AbortController();
  readonly #acks: AckBuffer;
  #node: Address | undefined;
  #stream: FetchStream | undefined;
  /** A negative ack that the server refused. */
  #refusal: HStreamClientError | undefined;
  #nacking: Promise<unknown> = Promise.resolve();
  #iterating = false;
  #ended: Promise<void> | undefined;

  constructor(
    connection: Connection,
    subscriptions: Subscriptions,
    subscription: string,
    type: RecordType<T>,
    options: ConsumeOptions<T>,
  ) {
    this.#connection = connection;
    this.#subscriptions = subscriptions;
    this.#type = type;
    this.#options = options;
    this.subscription = subscription;
    this.name = options.consumerName ?? `consumer-${connection.system.randomName()}`;
    this.#acks = new AckBuffer(connection.system, () => this.#sendAcks());
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord<T>, void, undefined> {
    for await (const batch of this.batches()) {
      for (const record of batch) {
        yield record;
        if (this.#options.autoAck === true) record.ack();
      }
    }
  }

  /** The same records, by stored batches. With `autoAck` it is for the caller to ack these. */
  async *batches(): AsyncGenerator<readonly ConsumedRecord<T>[], void, undefined> {
    if (this.#iterating) {
      throw new HStreamClientError({ reason: "usage", message: "A consumer can be iterated once." });
    }
    this.#iterating = true;
    const { signal } = this.#options;
    const stop = () => void this.close();
    if (signal?.aborted === true) return;
    signal?.addEventListener("abort", stop, { once: true });
    try {
      const decoder = await BatchDecoder.load();
      for (let tries = 0; !this.#stop.signal.aborted; tries += 1) {
        try {
          for await (const batch of this.#receive()) {
            tries = 0;
            yield this.#decode(decoder, batch);
          }
          return;
        } catch (error) {
          if (this.#stop.signal.aborted) return;
          if (this.#connection.closed) throw clientClosed();
          if (!isUnavailable(error)) throw error;
        }
        await this.#pause(tries);
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      await this.close();
    }
  }

  /** Sends the acks that wait and leaves the subscription. */
  async close(): Promise<void> {
    this.#ended ??= this.#leave();
    await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#receive(): AsyncGenerator<ReceivedBatch, void, undefined> {
    this.#node = await this.#subscriptions.lookup(this.subscription, { signal: this.#stop.signal });
    const stream: FetchStream = this.#connection.bidiStream(this.#node, HStreamApiService.streamingFetch);
    stream.write({ subscriptionId: this.subscription, consumerName: this.name, ackIds: [] });
    this.#stream = stream;
    // Those that were given while there was no stream.
    this.#sendAcks();
    try {
      const answers: AsyncIterable<StreamingFetchResponse> = stream.iterator({ destroyOnReturn: false });
      for await (const { receivedRecords } of answers) {
        if (this.#stop.signal.aborted) return;
        if (this.#refusal !== undefined) throw this.#refusal;
        if (receivedRecords !== undefined) yield receivedRecords;
      }
    } catch (error) {
      this.#stream = undefined;
      throw this.#refusal ?? fromGrpc(error);
    }
  }

  #decode(decoder: BatchDecoder, { record, recordIds }: ReceivedBatch): readonly ConsumedRecord<T>[] {
    if (record === undefined) return [];
    const to = {
      ack: (id: RecordId) => this.#acks.ack(id),
      nack: (id: RecordId, delayMs: number) => this.#acks.nack(id, delayMs),
    };
    return decoder.decode(
      record,
      recordIds,
      (id, at, content) => new ConsumedRecord(to, id, at, this.#type, content),
    );
  }

  #sendAcks(): void {
    if (this.#stream === undefined || this.#stream.writableEnded) return;
    const acks = this.#acks.takeAcks();
    for (let from = 0; from < acks.length; from += limits.acksWaitingMax) {
      this.#stream.write({
        subscriptionId: this.subscription,
        consumerName: this.name,
        ackIds: acks.slice(from, from + limits.acksWaitingMax),
      });
    }
    for (const [delayMs, ids] of this.#acks.takeNacks()) {
      this.#nacking = Promise.all([this.#nacking, this.#sendNacks(ids, delayMs)]);
    }
  }

  async #sendNacks(recordIds: readonly RecordId[], delayMs: number): Promise<void> {
    if (this.#node === undefined) return;
    const request = { subscriptionId: this.subscription, recordIds: [...recordIds], delayMs };
    try {
      await this.#connection.callAt(this.#node, HStreamExtService.negativeAck, request);
    } catch (error) {
      const failure = fromGrpc(error);
      // What was lost on its way comes again after the ack timeout anyhow.
      if (failure.reason !== "refused") return;
      this.#refusal ??= failure;
      this.#stream?.cancel();
    }
  }

  async #pause(tries: number): Promise<void> {
    try {
      await this.#connection.backOff(tries, this.#stop.signal);
    } catch {
      // Stopped while waiting; the loop sees it.
    }
  }

  async #leave(): Promise<void> {
    this.#stop.abort();
    this.#sendAcks();
    await this.#nacking;
    const stream = this.#stream;
    this.#stream = undefined;
    if (stream === undefined || stream.closed || stream.readableEnded) return;
    await new Promise<void>((resolve) => {
      const cancelTimer = this.#connection.system.schedule(limits.leaveTimeoutMs, () => stream.cancel());
      stream.once("status", () => {
        cancelTimer();
        resolve();
      });
      stream.end();
      // What still comes is read so that the end can be seen, and dropped: it is not acknowledged.
      stream.resume();
    });
  }
}
