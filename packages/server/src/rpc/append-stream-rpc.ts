import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  type AppendStreamRequest,
  AppendStreamResponse,
  HStreamExtService,
  type Malformed,
} from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { Handlers } from "./handlers.js";
import { Outgoing } from "./outgoing.js";
import { refuseMalformed } from "./tolerant.js";
import { idOf } from "./wire-numbers.js";

/** AppendStream, with answers that are encoded where their size is known. */
export const appendStreamMethod = {
  ...HStreamExtService.appendStream,
  responseSerialize: (encoded: Buffer) => encoded,
};

type AppendStreamCall = ServerDuplexStream<AppendStreamRequest | Malformed, Buffer>;

/**
 * AppendStream: every request is an append, all are under way at once, and each is answered when it is
 * durable or refused. When too much is under way, or answers wait, no more is read.
 */
export function appendStreamRpc(handlers: Handlers, appender: StreamAppender) {
  return {
    appendStream: (call: AppendStreamCall) => new AppendSession(handlers, appender, call).begin(),
  };
}

class AppendSession {
  readonly #handlers: Handlers;
  readonly #appender: StreamAppender;
  readonly #call: AppendStreamCall;
  readonly #outgoing: Outgoing<Buffer>;
  readonly #leave: () => void;
  #streamName = "";
  #bytesUnderWay = 0;
  #underWay = 0;
  /** The caller has said its last word; the answers are still to be given. */
  #ending = false;
  #over = false;
  #answersWait = false;

  constructor(handlers: Handlers, appender: StreamAppender, call: AppendStreamCall) {
    this.#handlers = handlers;
    this.#appender = appender;
    this.#call = call;
    this.#outgoing = new Outgoing(call, () => {
      this.#answersWait = false;
      this.#steer();
    });
    this.#leave = handlers.enter(() => this.#fail(new HStreamError("ShuttingDown", {})));
  }

  begin(): void {
    this.#call.on("data", (request: AppendStreamRequest | Malformed) => {
      try {
        refuseMalformed(request);
        this.#handlers.refuseWhenClosing();
        this.#take(request);
      } catch (error) {
        this.#fail(error);
      }
    });
    this.#call.on("end", () => {
      this.#ending = true;
      this.#endWhenDone();
    });
    this.#call.on("cancelled", () => this.#abandon());
    this.#call.on("error", () => this.#abandon());
  }

  #take(request: AppendStreamRequest): void {
    if (request.streamName !== "") this.#streamName = request.streamName;
    const bytes = request.records?.payload.length ?? 0;
    this.#bytesUnderWay += bytes;
    this.#underWay += 1;
    this.#steer();
    void this.#append(request, this.#streamName).then((result) => {
      this.#bytesUnderWay -= bytes;
      this.#underWay -= 1;
      if (this.#over) return;
      const { requestId } = request;
      const answer = Buffer.from(AppendStreamResponse.encode({ requestId, result }).finish());
      if (!this.#outgoing.send(answer, answer.length)) this.#answersWait = true;
      this.#steer();
      this.#endWhenDone();
    });
  }

  async #append(
    { shardId, records, producerId, sequence }: AppendStreamRequest,
    streamName: string,
  ): Promise<NonNullable<AppendStreamResponse["result"]>> {
    try {
      if (records === undefined) throw new HStreamError("EmptyBatch", {});
      const shard = idOf(shardId);
      if (shard === undefined) {
        throw new HStreamError("ShardNotInStream", { shardId: String(shardId), stream: streamName });
      }
      const batch = {
        recordCount: records.batchSize,
        compression: records.compressionType,
        payload: records.payload,
      };
      const how =
        producerId === ""
          ? {}
          : {
              producer: {
                id: producerId,
                mode: "contiguous" as const,
                sequence: { step: sequenceOf(sequence), chunk: 0 },
              },
            };
      const { batchId } = await this.#appender.append(streamName, shard, batch, how);
      const appended = { shardId, batchId: BigInt(batchId), recordCount: batch.recordCount };
      return { $case: "appended", value: appended };
    } catch (error) {
      const { code, details } = this.#handlers.calls.statusOf(error, this.#call);
      return { $case: "failure", value: { status: code, details } };
    }
  }

  /** Reads on, or waits. */
  #steer(): void {
    const isFull =
      this.#answersWait ||
      this.#bytesUnderWay >= limits.appendStreamBytesMax ||
      this.#underWay >= limits.appendStreamRequestsMax;
    if (isFull) this.#call.pause();
    else this.#call.resume();
  }

  #endWhenDone(): void {
    if (!this.#ending || this.#underWay > 0 || this.#over) return;
    this.#over = true;
    this.#outgoing.end();
    this.#leave();
  }

  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    this.#outgoing.fail(this.#handlers.calls.statusOf(error, this.#call));
    this.#leave();
  }

  #abandon(): void {
    if (this.#over) return;
    this.#over = true;
    this.#outgoing.abandon();
    this.#leave();
  }
}

function sequenceOf(sequence: bigint): number {
  const number = idOf(sequence);
  if (number !== undefined) return number;
  throw new HStreamError("MalformedRequest", { reason: "a producer numbers its appends from 1" });
}
