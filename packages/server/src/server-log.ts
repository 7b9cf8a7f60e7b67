import { pino } from "pino";
import type { ServerLog } from "./server.js";

/** Takes whole lines. */
export interface LogDestination {
  write(line: string): void;
}

const levels = ["error", "warn", "info", "debug"] as const;

/** For people: `level: message (cause)`, on one line whatever is in the message. */
export function createTextLog(level: (typeof levels)[number], destination: LogDestination): ServerLog {
  const loudest = levels.indexOf(level);
  return (at, message, cause) => {
    if (levels.indexOf(at) > loudest) return;
    const detail = cause === undefined ? "" : ` (${textOf(cause)})`;
    destination.write(`${at}: ${withoutControls(message + detail)}\n`);
  };
}

function textOf(cause: unknown): string {
  if (cause instanceof Error) return cause.message;
  return typeof cause === "object" && cause !== null ? JSON.stringify(cause) : String(cause);
}

/** Control characters could write over a terminal, or look like another line. */
function withoutControls(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (control) => JSON.stringify(control).slice(1, -1));
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
