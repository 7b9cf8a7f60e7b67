import { once } from "node:events";
import { type ClientDuplexStream, Metadata, type ServiceError } from "@grpc/grpc-js";
import {
  BatchHStreamRecords,
  type HStreamApiClient,
  must,
  type ReceivedRecord,
  type RecordId,
  type StreamingFetchRequest,
  type StreamingFetchResponse,
} from "@hstream/proto";
import { type Failure, failureIn } from "./test-server.test.helper.js";

/** A consumer for tests: collects what it is sent. */
export class FetchClient {
  readonly stream: ClientDuplexStream<StreamingFetchRequest, StreamingFetchResponse>;
  readonly received: ReceivedRecord[] = [];
  /** How the stream ended: undefined for OK. */
  readonly ended: Promise<Failure | undefined>;
  readonly #subscriptionId: string;
  readonly #consumerName: string;

  constructor(
    api: HStreamApiClient,
    subscriptionId: string,
    consumerName: string,
    metadata: Record<string, string> = {},
  ) {
    this.#subscriptionId = subscriptionId;
    this.#consumerName = consumerName;
    const headers = new Metadata();
    for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
    this.stream = api.streamingFetch(headers);
    this.ended = new Promise((resolve) => {
      this.stream.on("error", (error: ServiceError) => resolve(failureIn(error)));
      this.stream.on("end", () => resolve(undefined));
    });
    this.stream.on("data", ({ receivedRecords }: StreamingFetchResponse) => {
      this.received.push(must(receivedRecords, "an answer has records"));
      this.stream.emit("received");
    });
    this.ack([]);
  }

  ack(ackIds: RecordId[]): void {
    this.stream.write({ subscriptionId: this.#subscriptionId, consumerName: this.#consumerName, ackIds });
  }

  /** Waits for so many records in all, and gives them. */
  async records(count: number): Promise<{ id: RecordId; text: string }[]> {
    while (this.#count() < count) await once(this.stream, "received");
    return this.received.flatMap(({ recordIds, record }) => {
      const { records } = BatchHStreamRecords.decode(must(record, "there is a batch").payload);
      return recordIds.map((id, i) => ({ id, text: Buffer.from(records[i]?.payload ?? []).toString() }));
    });
  }

  #count(): number {
    return this.received.reduce((sum, { recordIds }) => sum + recordIds.length, 0);
  }
}
