import type { EventEmitter } from "node:events";
import type { Server } from "@grpc/grpc-js";
import { limits } from "../limits.js";

/** What of its server the library keeps to itself. */
interface Internals {
  readonly commonServerOptions?: { settings?: object };
  readonly http2Servers?: ReadonlyMap<EventEmitter, unknown>;
}

/**
 * Lets callers send more before the server has read it. With the 64 KB that HTTP/2 begins with, for a call and
 * for a whole connection, a message of 100 KB is sent in several round trips, and one call that is not read
 * stops all others of its connection. The library has this option (grpc-node.flow_control_window) for clients
 * only: github.com/grpc/grpc-node/pull/3058.
 *
 * To be called before the server is bound; the function returned, in the same turn as it is.
 */
export function widenWindows(server: Server): () => void {
  const internals = server as unknown as Internals;
  const options = internals.commonServerOptions;
  if (options !== undefined) {
    options.settings = { ...options.settings, initialWindowSize: limits.callWindowBytes };
  }
  return () => {
    for (const http2Server of internals.http2Servers?.keys() ?? []) {
      http2Server.on("session", (session: { setLocalWindowSize: (bytes: number) => void }) => {
        session.setLocalWindowSize(limits.connectionWindowBytes);
      });
    }
  };
}
