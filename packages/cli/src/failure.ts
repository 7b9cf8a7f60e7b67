import { HStreamClientError } from "@hstream/client";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { displayWidth, visible } from "./output/display.js";

/** A failure in the words that the user reads. */
export interface Failure {
  readonly exitCode: ExitCode;
  /** The API's number, or a word. */
  readonly code: number | string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly position?: Position | undefined;
}

export interface Position {
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly sourceLine: string;
}

/** Thrown by commands for what the user got wrong. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly failure: Failure;

  constructor(failure: Omit<Failure, "code"> & { readonly code?: number | string }) {
    super(failure.message);
    this.failure = { code: "usage", ...failure };
  }
}

/** The failure behind any error; `server` is the address for "cannot reach". */
export function failureOf(error: unknown, server: string): Failure {
  if (error instanceof CommandError) return error.failure;
  if (error instanceof HStreamClientError) return clientFailure(error, server);
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: exitCodes.failed, code: "internal", message };
}

function clientFailure(error: HStreamClientError, server: string): Failure {
  const [first] = error.diagnostics;
  const code = error.code ?? error.reason;
  switch (error.reason) {
    case "unavailable": {
      if (error.code !== undefined) break;
      const other = otherThanAbsent(error.message, server);
      if (other !== undefined) return { code, ...other };
      return {
        exitCode: exitCodes.unreachable,
        code,
        message: `No server answers at ${server}. Start one with: hstream server start`,
      };
    }
    case "timeout":
      return {
        exitCode: exitCodes.unreachable,
        code,
        message: `The server at ${server} did not answer in time.`,
      };
    case "sql":
      return {
        exitCode: exitCodes.failed,
        code,
        message: first?.message ?? error.message,
        hint: error.hint,
        position: first,
      };
    case "usage":
      return { exitCode: exitCodes.usage, code, message: error.message, hint: error.hint };
    case "cancelled":
      return { exitCode: exitCodes.interrupted, code, message: error.message };
    case "refused":
    case "closed":
    case "record":
    case "protocol":
      break;
  }
  // PERMISSION_DENIED and UNAUTHENTICATED.
  if (error.grpcStatus === 7 || error.grpcStatus === 16) {
    return {
      exitCode: exitCodes.access,
      code,
      message: error.message,
      hint: error.hint ?? "--token says who you are.",
    };
  }
  // NOT_FOUND and ALREADY_EXISTS.
  const existence = error.grpcStatus === 5 || error.grpcStatus === 6 || error.code === 302;
  return {
    exitCode: existence ? exitCodes.existence : exitCodes.failed,
    code,
    message: error.message,
    hint: error.hint,
  };
}

/** What the transport says of a server that is there, but not as we expect it. */
function otherThanAbsent(message: string, server: string): Omit<Failure, "code"> | undefined {
  if (
    /certificate|self[- ]signed|altname|unable to verify|handshake|wrong version number|\bSSL\b|EPROTO|ERR_TLS/i.test(
      message,
    )
  ) {
    return {
      exitCode: exitCodes.access,
      message: `TLS with ${server} fails: ${firstLine(message)}`,
      hint: "--tls-ca names the certificates to trust; without TLS on the server, leave --tls and hstreams:// out.",
    };
  }
  if (
    /ECONNRESET|Last error: Failed to connect|Protocol error|Connection dropped|socket hang up|Parse Error|ERR_HTTP2/i.test(
      message,
    )
  ) {
    return {
      exitCode: exitCodes.unreachable,
      message: `What answers at ${server} is no HStream server, or one that wants TLS.`,
      hint: "Try --tls, or look at the host and the port.",
    };
  }
  return undefined;
}

function firstLine(text: string): string {
  return text.split("\n")[0]?.slice(0, 200) ?? "";
}

/** For people: the message, the line with a caret, one hint. */
export function renderFailure(failure: Failure, width = Number.POSITIVE_INFINITY): string {
  let out = `error: ${plainLines(failure.message)}\n`;
  if (failure.position !== undefined && failure.position.sourceLine !== "") {
    out += renderPosition(failure.position, width);
  }
  if (failure.hint !== undefined && failure.hint !== "") out += `hint: ${plainLines(failure.hint)}\n`;
  return out;
}

/** For programs: one line of JSON. */
export function renderFailureAsJson({ code, message, hint, position }: Failure): string {
  const where = position === undefined ? undefined : { line: position.line, column: position.column };
  return `${JSON.stringify({ error: { code, message, hint: hint ?? null, position: where ?? null } })}\n`;
}

/** The source line, windowed around the mark when it is long, and carets under what is meant. */
export function renderPosition(position: Position, width: number): string {
  const gutter = `${position.line} | `;
  const room = Math.max(20, Math.min(width, 10_000) - gutter.length - 1);
  const source = position.sourceLine;
  let from = 0;
  const at = Math.min(source.length, Math.max(0, position.column - 1));
  if (at > room - 10) from = at - Math.floor(room / 2);
  const shown = source.slice(from, from + room);
  const before = (from > 0 ? "…" : "") + visible(source.slice(from, at));
  const marked = visible(source.slice(at, Math.min(at + position.length, from + room)));
  const carets = "^".repeat(Math.max(1, displayWidth(marked)));
  const line = (from > 0 ? "…" : "") + visible(shown) + (from + room < source.length ? "…" : "");
  return `${gutter}${line}\n${" ".repeat(gutter.length + displayWidth(before))}${carets}\n`;
}

/** Line ends stay; other control characters are made visible. */
function plainLines(text: string): string {
  return text.split("\n").map(visible).join("\n");
}
