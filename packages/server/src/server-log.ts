import { pino } from "pino";
import type { Clock } from "./env/env.js";
import { limits } from "./limits.js";

/** What the operator is told. */
export type ServerLog = (
  level: "error" | "warn" | "info" | "debug",
  message: string,
  cause?: unknown,
) => void;

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

/**
 * Lets through logMessagesPerSecondMax messages of a second, and says how many it left out when there is
 * room again: what a caller can provoke must not fill a disk. What is below the level is none of them.
 */
export function limitedLog(log: ServerLog, clock: Clock, level: (typeof levels)[number]): ServerLog {
  const windowMs = 1_000;
  let startedMs = Number.NEGATIVE_INFINITY;
  let count = 0;
  const loudest = levels.indexOf(level);
  return (at, message, cause) => {
    if (levels.indexOf(at) > loudest) return;
    const nowMs = clock.monotonic();
    if (nowMs - startedMs >= windowMs) {
      const leftOut = count - limits.logMessagesPerSecondMax;
      startedMs = nowMs;
      count = 0;
      if (leftOut > 0) log("warn", `${leftOut} messages were left out (logMessagesPerSecondMax).`);
    }
    count += 1;
    if (count <= limits.logMessagesPerSecondMax) log(at, message, cause);
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
