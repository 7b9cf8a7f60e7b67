import type { handleUnaryCall, ServerUnaryCall, sendUnaryData } from "@grpc/grpc-js";
import { HStreamError } from "../errors.js";
import { withSpan } from "../metrics/tracing.js";
import type { CallLog } from "./call-log.js";
import { refuseMalformed } from "./tolerant.js";

export const rpcAttributes = { "rpc.system": "grpc" };

/** Makes handlers of the functions that do the work, and knows which calls are under way. */
export class Handlers {
  readonly calls: CallLog;
  #closing = false;
  /** Calls under way: how to ask each to end early. */
  readonly #underWay = new Set<() => void>();
  #idle: (() => void) | undefined;
  readonly #closingSignal = new AbortController();

  constructor(calls: CallLog) {
    this.calls = calls;
  }

  /** A unary call: the answer is what `work` resolves to, or the status of what it throws. */
  unary<Request, Response>(
    work: (request: Request, call: ServerUnaryCall<Request, Response>) => Response | Promise<Response>,
  ): handleUnaryCall<Request, Response> {
    return (call, callback) => void this.#run(work, call, callback);
  }

  /** Aborted, with ShuttingDown, when the server wants to end: for calls that wait for something. */
  get closing(): AbortSignal {
    return this.#closingSignal.signal;
  }

  /**
   * Notes a call that is under way; `hurry` is called when the server wants to end. The function
   * returned is to be called when the call is over.
   */
  enter(hurry: () => void): () => void {
    // A function of its own for each call, as the set tells calls apart by it.
    const entry = () => hurry();
    this.#underWay.add(entry);
    return () => {
      this.#underWay.delete(entry);
      if (this.#underWay.size === 0) this.#idle?.();
    };
  }

  /** From now on every call is refused, and streams are asked to end; resolves when all are over. */
  drain(): Promise<void> {
    this.#closing = true;
    this.#closingSignal.abort(new HStreamError("ShuttingDown", {}));
    for (const hurry of [...this.#underWay]) hurry();
    if (this.#underWay.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle = resolve;
    });
  }

  /** Throws ShuttingDown once the server drains. */
  refuseWhenClosing(): void {
    if (this.#closing) throw new HStreamError("ShuttingDown", {});
  }

  async #run<Request, Response>(
    work: (request: Request, call: ServerUnaryCall<Request, Response>) => Response | Promise<Response>,
    call: ServerUnaryCall<Request, Response>,
    callback: sendUnaryData<Response>,
  ): Promise<void> {
    const leave = this.enter(() => {});
    const told = this.calls.begin(call);
    try {
      this.refuseWhenClosing();
      refuseMalformed(call.request);
      const headers = () => call.metadata.getMap();
      const answer = withSpan(
        call.getPath().slice(1),
        rpcAttributes,
        () => work(call.request, call),
        headers,
      );
      callback(null, await answer);
      told?.(0);
    } catch (error) {
      const status = this.calls.statusOf(error, call);
      callback(status);
      told?.(status.code);
    } finally {
      leave();
    }
  }
}
