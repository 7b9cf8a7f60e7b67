import type { ServerDuplexStream } from "@grpc/grpc-js";
import { HStreamExtService, type Malformed } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import {
  type AppendStreamAnswer,
  type AppendStreamRequestParts,
  decodeAppendStreamRequests,
  encodeAppendStreamAnswers,
} from "./append-stream-codec.js";
import type { Handlers } from "./handlers.js";
import { Outgoing } from "./outgoing.js";
import { refuseMalformed } from "./tolerant.js";

/** AppendStream with its hand-made codec; answers are encoded where their size is known. */
export const appendStreamMethod = {
  ...HStreamExtService.appendStream,
  requestDeserialize: decodeAppendStreamRequests,
  responseSerialize: (encoded: Buffer) => encoded,
};

type AppendStreamCall = ServerDuplexStream<AppendStreamRequestParts[] | Malformed, Buffer>;

/** Answers that are sent in one message. */
const answersPerMessageMax = 1_000;

/**
 * AppendStream: every request is an append, all are under way at once, and each is answered when it is
 * durable or refused. When too much is under way, or answers wait, no more is read. Answers that are known at
 * the same time go in one message if the caller sends several requests in one.
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
  /** Not sent yet: those of this turn of the event loop. */
  #answers: AppendStreamAnswer[] = [];
  #packsAnswers = false;

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
    this.#call.on("data", (requests: AppendStreamRequestParts[] | Malformed) => {
      try {
        refuseMalformed(requests);
        this.#handlers.refuseWhenClosing();
        if (requests.length > 1) this.#packsAnswers = true;
        for (const request of requests) this.#take(request);
        this.#steer();
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

  #take(request: AppendStreamRequestParts): void {
    if (request.streamName !== "") this.#streamName = request.streamName;
    const bytes = request.records?.payload.length ?? 0;
    this.#bytesUnderWay += bytes;
    this.#underWay += 1;
    void this.#append(request, this.#streamName).then((answer) => {
      this.#bytesUnderWay -= bytes;
      this.#underWay -= 1;
      if (this.#over) return;
      const isFirst = this.#answers.push(answer) === 1;
      if (!this.#packsAnswers || this.#answers.length === answersPerMessageMax) this.#sendAnswers();
      // After all that is settled with this one.
      else if (isFirst) process.nextTick(() => this.#sendAnswers());
    });
  }

  #sendAnswers(): void {
    if (this.#over || this.#answers.length === 0) return;
    const message = encodeAppendStreamAnswers(this.#answers);
    this.#answers = [];
    if (!this.#outgoing.send(message, message.length)) this.#answersWait = true;
    this.#steer();
    this.#endWhenDone();
  }

  async #append(request: AppendStreamRequestParts, streamName: string): Promise<AppendStreamAnswer> {
    const { requestId, shardId, records, producerId, sequence } = request;
    try {
      if (records === undefined) throw new HStreamError("EmptyBatch", {});
      if (typeof shardId === "bigint") {
        throw new HStreamError("ShardNotInStream", { shardId: String(shardId), stream: streamName });
      }
      const recordCount = records.batchSize;
      const batch = { recordCount, compression: records.compressionType, payload: records.payload };
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
      const { batchId } = await this.#appender.append(streamName, shardId, batch, how);
      return { kind: "appended", requestId, shardId, batchId, recordCount };
    } catch (error) {
      const { code, details } = this.#handlers.calls.statusOf(error, this.#call);
      return { kind: "failure", requestId, status: code, details };
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
    if (!this.#ending || this.#underWay > 0 || this.#answers.length > 0 || this.#over) return;
    this.#over = true;
    this.#outgoing.end();
    this.#leave();
  }

  #fail(error: unknown): void {
    this.#sendAnswers();
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

function sequenceOf(sequence: number | bigint): number {
  if (typeof sequence === "number" && sequence > 0) return sequence;
  throw new HStreamError("MalformedRequest", { reason: "a producer numbers its appends from 1" });
}
