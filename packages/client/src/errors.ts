import { status, type ServiceError } from "@grpc/grpc-js";

/** Where and why a SQL text was refused. Lines and columns count from 1; columns are UTF-16 units. */
export interface SqlDiagnostic {
  readonly message: string;
  readonly hint?: string;
  readonly line: number;
  readonly column: number;
  readonly length: number;
  readonly sourceLine: string;
}

/**
 * What went wrong, for programs: `refused` by the server (see `code`), `sql` likewise with diagnostics,
 * `unavailable` when no server answered, `timeout`, `cancelled` by the caller, `usage` of this client,
 * `closed` when the client or producer was closed before, `record` when a record cannot be read or is not
 * of its type, `protocol` when an answer makes no sense.
 */
export type ErrorReason =
  | "refused"
  | "sql"
  | "unavailable"
  | "timeout"
  | "cancelled"
  | "usage"
  | "closed"
  | "record"
  | "protocol";

export interface ErrorDetails {
  readonly reason: ErrorReason;
  readonly message: string;
  readonly code?: number;
  readonly grpcStatus?: number;
  readonly hint?: string;
  readonly extra?: unknown;
  readonly diagnostics?: readonly SqlDiagnostic[];
  readonly statementIndex?: number;
  readonly cause?: unknown;
}

/** The only error that this package throws. */
export class HStreamClientError extends Error {
  override readonly name = "HStreamClientError";
  readonly reason: ErrorReason;
  /** The API's error code (200 stream not found, 402 bad SQL, …), when the server sent one. */
  readonly code: number | undefined;
  /** The gRPC status number, when a call failed. */
  readonly grpcStatus: number | undefined;
  /** What to do about it, one line. */
  readonly hint: string | undefined;
  /** What the server's error body carried along. */
  readonly extra: unknown;
  /** Of a SQL error: what was found and where; empty otherwise. */
  readonly diagnostics: readonly SqlDiagnostic[];
  /** Of a SQL error: the statement of the script, from 0. */
  readonly statementIndex: number | undefined;

  constructor(details: ErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = details.reason;
    this.code = details.code;
    this.grpcStatus = details.grpcStatus;
    this.diagnostics = details.diagnostics ?? [];
    this.hint = details.hint ?? this.diagnostics[0]?.hint;
    this.extra = details.extra ?? null;
    this.statementIndex = details.statementIndex;
  }
}

/** True for what a later try or another server may cure. */
export function isUnavailable(error: unknown): boolean {
  return error instanceof HStreamClientError && error.grpcStatus === status.UNAVAILABLE;
}

/** True for what a server says that does not know the call. */
export function isUnimplemented(error: unknown): boolean {
  return error instanceof HStreamClientError && error.grpcStatus === status.UNIMPLEMENTED;
}

/** The error of this package for whatever a gRPC call ended with. */
export function fromGrpc(error: unknown): HStreamClientError {
  if (error instanceof HStreamClientError) return error;
  if (!isServiceError(error)) {
    return new HStreamClientError({ reason: "protocol", message: String(error), cause: error });
  }
  return refusal(error.code, error.details, error);
}

/** The error for a gRPC status and its details, which are a JSON body or a sentence. */
export function refusal(code: number, details: string, cause?: unknown): HStreamClientError {
  const body = parseBody(details);
  if (body !== undefined) return fromBody(code, body, cause);
  return new HStreamClientError({
    reason: reasonOf(code),
    message: details === "" ? (status[code] ?? "UNKNOWN") : details,
    grpcStatus: code,
    cause,
  });
}

interface ErrorBody {
  readonly error: number;
  readonly message: string;
  readonly extra: unknown;
}

function fromBody(code: number, body: ErrorBody, cause: unknown): HStreamClientError {
  const extra = asRecord(body.extra);
  const diagnostics = Array.isArray(extra?.["diagnostics"])
    ? extra["diagnostics"].map(toDiagnostic).filter((one) => one !== undefined)
    : [];
  const index = extra?.["statementIndex"];
  const hint = extra?.["hint"];
  return new HStreamClientError({
    reason: diagnostics.length > 0 || body.error === 402 ? "sql" : reasonOf(code),
    message: body.message,
    code: body.error,
    grpcStatus: code,
    extra: body.extra,
    diagnostics,
    ...(typeof hint === "string" ? { hint } : {}),
    ...(typeof index === "number" ? { statementIndex: index } : {}),
    cause,
  });
}

function reasonOf(code: number): ErrorReason {
  switch (code) {
    case status.UNAVAILABLE:
      return "unavailable";
    case status.DEADLINE_EXCEEDED:
      return "timeout";
    case status.CANCELLED:
      return "cancelled";
    default:
      return "refused";
  }
}

function parseBody(details: string): ErrorBody | undefined {
  if (!details.startsWith("{")) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(details);
  } catch {
    return undefined;
  }
  const body = asRecord(parsed);
  if (typeof body?.["error"] !== "number" || typeof body["message"] !== "string") return undefined;
  return { error: body["error"], message: body["message"], extra: body["extra"] ?? null };
}

function toDiagnostic(value: unknown): SqlDiagnostic | undefined {
  const found = asRecord(value);
  if (typeof found?.["message"] !== "string") return undefined;
  const { hint, line, column, length, sourceLine } = found;
  return {
    message: found["message"],
    ...(typeof hint === "string" ? { hint } : {}),
    line: typeof line === "number" ? line : 1,
    column: typeof column === "number" ? column : 1,
    length: typeof length === "number" ? length : 1,
    sourceLine: typeof sourceLine === "string" ? sourceLine : "",
  };
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
}

function isServiceError(error: unknown): error is ServiceError {
  return (
    error instanceof Error &&
    typeof (error as Partial<ServiceError>).code === "number" &&
    typeof (error as Partial<ServiceError>).details === "string"
  );
}
