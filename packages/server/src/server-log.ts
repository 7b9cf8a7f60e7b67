import { pino } from "pino";
import type { ServerLog } from "./server.js";

/** Takes whole lines. */
export interface LogDestination {
  write(line: string): void;
}

/**
 * The server's messages as JSON lines: level, time, msg, and what belongs to a message, such as the id of
 * a request. Messages have no payloads: whoever reports sees to that.
 */
export function createServerLog(
  level: "error" | "warn" | "info" | "debug",
  destination: LogDestination,
  version: string,
): ServerLog {
  const logger = pino(
    { level, base: { service: "hstream", version }, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
  return (at, message, cause) => {
    if (cause === undefined) logger[at](message);
    else if (cause instanceof Error) logger[at]({ err: cause }, message);
    else if (typeof cause === "object" && cause !== null) logger[at](cause, message);
    else logger[at]({ cause: String(cause) }, message);
  };
}
