import type { ServerDuplexStream, ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";
import { HStreamError } from "../errors.js";
import type { Handlers } from "./handlers.js";

/** Completes an implementation: the calls that it lacks answer UNIMPLEMENTED. */
export function withUnimplemented(
  handlers: Handlers,
  service: ServiceDefinition,
  implemented: UntypedServiceImplementation,
): UntypedServiceImplementation {
  const all: { [name: string]: unknown } = { ...implemented };
  for (const [name, { path, requestStream, responseStream }] of Object.entries(service)) {
    if (name in all) continue;
    const refusal = () => new HStreamError("Unimplemented", { what: path.slice(path.lastIndexOf("/") + 1) });
    const unary = handlers.unary<unknown, never>(() => {
      throw refusal();
    });
    if (!requestStream && !responseStream) all[name] = unary;
    else {
      all[name] = (call: ServerDuplexStream<unknown, unknown>) =>
        void call.emit("error", handlers.calls.statusOf(refusal(), call));
    }
  }
  return all as UntypedServiceImplementation;
}
