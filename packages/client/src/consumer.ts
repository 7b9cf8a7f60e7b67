import type { ClientDuplexStream } from "@grpc/grpc-js";
import {
  HStreamApiService,
  type ReceivedRecord,
  type RecordId,
  type StreamingFetchRequest,
  type StreamingFetchResponse,
} from "@hstream/proto";
import type { Connection } from "./connection.js";
import { fromGrpc, HStreamClientError, isUnavailable } from "./errors.js";
import { limits } from "./limits.js";
import { decodeBatch, formatRecordId, type JsonObject } from "./record.js";
import { toDate } from "./time.js";
import type { Subscriptions } from "./subscriptions.js";

export interface ConsumeOptions {
  /** One of a kind within the subscription. Default: a random name. */
  readonly consumerName?: string;
  /** Acknowledge each record when the next one is asked for. Default false. */
  readonly autoAck?: boolean;
  /** Ends the consumer, after the acks so far are sent. */
  readonly signal?: AbortSignal;
}

/** A record as a subscription delivers it. */
export interface ConsumedRecord {
  readonly recordId: RecordId;
  /** `shardId-batchId-batchIndex`. */
  readonly id: string;
  readonly key: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** The fields of a JSON record; undefined for a raw one. */
  readonly json: JsonObject | undefined;
  /** The bytes of a raw record. */
  readonly payload: Uint8Array;
  readonly publishedAt: Date | undefined;
  /** Tells the server that this record need not come again. */
  ack(): void;
}

type FetchStream = ClientDuplexStream<StreamingFetchRequest, StreamingFetchResponse>;

/**
 * Receives the records of a subscription. Iterate over it, once; a slow loop slows the server down.
 * When the server becomes UNAVAILABLE it is looked up and asked again, for ever; every other error
 * ends the iteration.
 */
export class Consumer implements AsyncIterable<ConsumedRecord>, AsyncDisposable {
  readonly subscription: string;
  readonly name: string;
  readonly #connection: Connection;
  readonly #subscriptions: Subscriptions;
  readonly #options: ConsumeOptions;
  readonly #stop = new AbortController();
  #stream: FetchStream | undefined;
  #acks: RecordId[] = [];
  #cancelAckTimer: (() => void) | undefined;
  #iterating = false;
  #ended: Promise<void> | undefined;

  constructor(
    connection: Connection,
    subscriptions: Subscriptions,
    subscription: string,
    options: ConsumeOptions,
  ) {
    this.#connection = connection;
    this.#subscriptions = subscriptions;
    this.#options = options;
    this.subscription = subscription;
    this.name = options.consumerName ?? `consumer-${connection.system.randomName()}`;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord, void, undefined> {
    for await (const batch of this.batches()) {
      for (const record of batch) {
        yield record;
        if (this.#options.autoAck === true) record.ack();
      }
    }
  }

  /** The same records, by stored batches. */
  async *batches(): AsyncGenerator<readonly ConsumedRecord[], void, undefined> {
    if (this.#iterating) {
      throw new HStreamClientError({ reason: "usage", message: "A consumer can be iterated once." });
    }
    this.#iterating = true;
    const { signal } = this.#options;
    const stop = () => void this.close();
    if (signal?.aborted === true) return;
    signal?.addEventListener("abort", stop, { once: true });
    try {
      while (!this.#stop.signal.aborted) {
        try {
          yield* this.#receive();
          return;
        } catch (error) {
          if (this.#stop.signal.aborted) return;
          if (!isUnavailable(error)) throw error;
        }
        await this.#pause();
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

  async *#receive(): AsyncGenerator<readonly ConsumedRecord[], void, undefined> {
    const node = await this.#subscriptions.lookup(this.subscription, { signal: this.#stop.signal });
    const method = HStreamApiService.streamingFetch;
    const stream: FetchStream = this.#connection
      .channel(node)
      .makeBidiStreamRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        this.#connection.metadata,
      );
    // The iterator reports errors; without a listener a late one would end the process.
    stream.on("error", () => {});
    stream.write({ subscriptionId: this.subscription, consumerName: this.name, ackIds: [] });
    this.#stream = stream;
    try {
      const answers: AsyncIterable<StreamingFetchResponse> = stream.iterator({ destroyOnReturn: false });
      for await (const { receivedRecords } of answers) {
        if (this.#stop.signal.aborted) return;
        if (receivedRecords !== undefined) yield await this.#decode(receivedRecords);
      }
    } catch (error) {
      this.#stream = undefined;
      throw fromGrpc(error);
    }
  }

  async #decode(received: ReceivedRecord): Promise<readonly ConsumedRecord[]> {
    const { record: batch, recordIds } = received;
    if (batch === undefined) return [];
    const records = await decodeBatch(batch);
    if (records.length !== recordIds.length) {
      const message = `A batch of ${records.length} records came with ${recordIds.length} ids.`;
      throw new HStreamClientError({ reason: "protocol", message });
    }
    const publishedAt = toDate(batch.publishTime);
    return recordIds.map((recordId, index) => {
      const { key = "", attributes = new Map(), json, payload = new Uint8Array() } = records[index] ?? {};
      return {
        recordId,
        get id() {
          return formatRecordId(recordId);
        },
        key,
        attributes,
        json,
        payload,
        publishedAt,
        ack: () => this.#ack(recordId),
      };
    });
  }

  #ack(id: RecordId): void {
    this.#acks.push(id);
    if (this.#acks.length >= limits.acksWaitingMax) this.#sendAcks();
    else this.#cancelAckTimer ??= this.#connection.system.schedule(limits.ackAgeMs, () => this.#sendAcks());
  }

  #sendAcks(): void {
    this.#cancelAckTimer?.();
    this.#cancelAckTimer = undefined;
    if (this.#stream === undefined || this.#stream.writableEnded || this.#acks.length === 0) return;
    this.#stream.write({
      subscriptionId: this.subscription,
      consumerName: this.name,
      ackIds: this.#acks,
    });
    this.#acks = [];
  }

  async #pause(): Promise<void> {
    try {
      await this.#connection.pause(this.#stop.signal);
    } catch {
      // Stopped while waiting; the loop sees it.
    }
  }

  async #leave(): Promise<void> {
    this.#stop.abort();
    this.#sendAcks();
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
