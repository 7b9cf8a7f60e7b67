import type { ServiceDefinition, StatusObject, UntypedServiceImplementation } from "@grpc/grpc-js";
import { openSpan } from "../metrics/tracing.js";
import { type Handlers, rpcAttributes } from "./handlers.js";

const code = { ok: 0, cancelled: 1, unknown: 2 } as const;

/** The part of a streaming call that says which one it is and how it ends. */
export interface StreamingCall {
  readonly metadata: { getMap(): object };
  getPath(): string;
  on(event: "error", listener: (status: Partial<StatusObject>) => void): unknown;
  on(event: "cancelled" | "finish", listener: () => void): unknown;
}

/**
 * The same implementation, in which each call that streams has a span from its opening to its close, and a line
 * in the log where unary calls have one. What is sent goes past it.
 */
export function watched(
  handlers: Handlers,
  service: ServiceDefinition,
  implementation: UntypedServiceImplementation,
): UntypedServiceImplementation {
  const all = { ...implementation } as { [name: string]: unknown };
  for (const [name, { requestStream, responseStream }] of Object.entries(service)) {
    if (!requestStream && !responseStream) continue;
    all[name] = watchedStream(handlers, all[name] as (call: StreamingCall) => void);
  }
  return all as UntypedServiceImplementation;
}

function watchedStream<Call extends StreamingCall>(
  { calls }: Handlers,
  serve: (call: Call) => void,
): (call: Call) => void {
  return (call) => {
    const told = calls.begin(call);
    const span = openSpan(call.getPath().slice(1), rpcAttributes, () => call.metadata.getMap());
    if (told === undefined && span === undefined) {
      serve(call);
      return;
    }
    let isOver = false;
    const over = (status: number) => {
      // An error is followed by the end of what was sent, and who has gone may be noticed after that.
      if (isOver) return;
      isOver = true;
      told?.(status);
      span?.setAttribute("rpc.grpc.status_code", status);
      span?.end(status === code.ok || status === code.cancelled ? undefined : String(status));
    };
    call.on("error", (status) => over(status.code ?? code.unknown));
    call.on("cancelled", () => over(code.cancelled));
    call.on("finish", () => over(code.ok));
    if (span === undefined) serve(call);
    else span.within(() => serve(call));
  };
}
