import type { StatusObject } from "@grpc/grpc-js";
import type { Clock, Random } from "../env/env.js";
import { type ReportDefect, statusOf } from "./status.js";

/** What the operator is told of one call: which, how it ended, its id, how long it took. Never what is in it. */
export type TellOfCall = (message: string, facts: { readonly request: string; readonly ms: number }) => void;

export interface CallLogTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly report: ReportDefect;
  /** For a line of every call; undefined where nobody wants them. */
  readonly tell?: TellOfCall | undefined;
}

/** The part of a call that says which one it is. */
export interface NamedCall {
  getPath(): string;
}

/** What callers get with a status, and the log has beside a defect. */
const requestIdHeader = "x-request-id";

/** Ids of calls, and what is told of them: most calls have no need of either, and do not pay for it. */
export class CallLog {
  readonly #tools: CallLogTools;
  readonly #ids = new WeakMap<NamedCall, string>();

  constructor(tools: CallLogTools) {
    this.#tools = tools;
  }

  /** The status of what a call failed with. A defect is reported, under an id that its caller gets, too. */
  statusOf(error: unknown, call: NamedCall): StatusObject {
    let isDefect = false;
    const status = statusOf(error, call.getPath(), (where, cause) => {
      isDefect = true;
      this.#tools.report(where, cause, this.#idOf(call));
    });
    if (isDefect || this.#tools.tell !== undefined) status.metadata.set(requestIdHeader, this.#idOf(call));
    return status;
  }

  /** The call begins. The function returned is to be called with the code of its status when it is over. */
  begin(call: NamedCall): ((code: number) => void) | undefined {
    const { tell, clock } = this.#tools;
    if (tell === undefined) return undefined;
    const startedMs = clock.monotonic();
    return (code) => {
      const ms = Math.round(clock.monotonic() - startedMs);
      tell(`${call.getPath()} ${code}`, { request: this.#idOf(call), ms });
    };
  }

  #idOf(call: NamedCall): string {
    const present = this.#ids.get(call);
    if (present !== undefined) return present;
    const id = Buffer.from(this.#tools.random.bytes(8)).toString("hex");
    this.#ids.set(call, id);
    return id;
  }
}
