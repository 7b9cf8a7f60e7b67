import { HStreamError } from "../errors.js";
import type { Handlers } from "./handlers.js";
import { Outgoing, type SendingCall } from "./outgoing.js";

/** What all calls that answer with a stream have. */
export interface AnsweringCall extends SendingCall<Buffer> {
  on(event: "cancelled" | "error", listener: () => void): unknown;
  getPath(): string;
}

/** The sending side of a call whose work pulls what it sends. */
export interface StreamAnswer {
  /** Aborted when the caller has gone or the server ends. */
  readonly signal: AbortSignal;
  /** Sends an encoded message; resolves when there is room for the next. Rejects when aborted. */
  send(message: Buffer): Promise<void>;
}

/**
 * Runs a call that answers with a stream of encoded messages, as fast as the caller reads. It ends well
 * when `work` resolves, else with the status of what it throws.
 */
export function answerStream(
  handlers: Handlers,
  call: AnsweringCall,
  work: (answer: StreamAnswer) => Promise<void>,
): void {
  const abort = new AbortController();
  let ready: () => void = () => {};
  const stop = (reason: Error) => {
    abort.abort(reason);
    ready();
  };
  const leave = handlers.enter(() => stop(new HStreamError("ShuttingDown", {})));
  const outgoing = new Outgoing(call, () => ready());
  const gone = () => {
    outgoing.abandon();
    stop(new Error("the caller has gone"));
  };
  call.on("cancelled", gone);
  const send = async (message: Buffer) => {
    abort.signal.throwIfAborted();
    if (outgoing.send(message, message.length)) return;
    await new Promise<void>((resolve) => {
      ready = resolve;
      if (abort.signal.aborted) resolve();
    });
    abort.signal.throwIfAborted();
  };
  const run = async () => {
    handlers.refuseWhenClosing();
    await work({ signal: abort.signal, send });
    outgoing.end();
  };
  run()
    // What goes wrong after the caller has gone interests nobody.
    .catch((error: unknown) => {
      if (!outgoing.ended) outgoing.fail(handlers.calls.statusOf(error, call));
    })
    .finally(leave);
}
