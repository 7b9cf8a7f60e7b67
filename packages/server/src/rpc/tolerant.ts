import type { ServiceDefinition } from "@grpc/grpc-js";
import { isMalformed, type Malformed } from "@hstream/proto";
import { HStreamError } from "../errors.js";

/**
 * A service whose calls get malformed messages too, as what `isMalformed` recognises, so that they are
 * refused like any other bad request; the library itself would call them an internal error.
 */
export function tolerant(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => {
    const requestDeserialize = (message: Buffer): unknown => {
      try {
        return method.requestDeserialize(message) as unknown;
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return { kind: "malformed", offset: 0, reason } satisfies Malformed;
      }
    };
    return [name, { ...method, requestDeserialize }] as const;
  });
  return Object.fromEntries(methods);
}

/** Throws MalformedRequest for what could not be read. */
export function refuseMalformed<Request>(
  request: Request,
): asserts request is Exclude<Request, { kind: "malformed" }> {
  if (typeof request === "object" && request !== null && isMalformed(request)) {
    throw new HStreamError("MalformedRequest", { reason: request.reason });
  }
}
