import type { StatusObject } from "@grpc/grpc-js";
import { limits } from "../limits.js";

/** The part of a gRPC server call that sends. */
export interface SendingCall<Response> {
  write(message: Response, sent: () => void): boolean;
  end(): void;
  emit(event: "error", status: StatusObject): boolean;
}

/**
 * The sending side of a streaming call. The transport's own queue counts messages, which may be of
 * any size; this one counts bytes, so that a client that never reads costs a bounded amount.
 */
export class Outgoing<Response> {
  readonly #call: SendingCall<Response>;
  readonly #onReady: () => void;
  #unsentBytes = 0;
  #ended = false;

  /** `onReady` is called whenever there is room again after `send` said there was none. */
  constructor(call: SendingCall<Response>, onReady: () => void) {
    this.#call = call;
    this.#onReady = onReady;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Sends a message of about so many bytes; false: wait for `onReady` before the next. */
  send(message: Response, bytes: number): boolean {
    if (this.#ended) return false;
    this.#unsentBytes += bytes;
    this.#call.write(message, () => {
      const wasFull = this.#unsentBytes >= limits.unsentBytesMax;
      this.#unsentBytes -= bytes;
      if (wasFull && this.#unsentBytes < limits.unsentBytesMax && !this.#ended) this.#onReady();
    });
    return this.#unsentBytes < limits.unsentBytesMax;
  }

  /** Ends the call well. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#call.end();
  }

  /** Ends the call with a status. */
  fail(status: StatusObject): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#call.emit("error", status);
  }

  /** The other side has gone: nothing can be sent any more. */
  abandon(): void {
    this.#ended = true;
  }
}
