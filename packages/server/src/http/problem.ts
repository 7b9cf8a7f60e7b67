import { errors, HStreamError, type JsonValue } from "../errors.js";
import { LogError } from "../log/log-store.js";
import { MetaError } from "../meta/meta-store.js";
import { refusalOfLog, refusalOfMeta } from "../streams/store-refusals.js";
import { z } from "zod";

/** A problem document (RFC 9457), with the API's code and the name of the error. */
export const problemSchema = z.object({
  type: z.string().describe("urn:hstream:error:NAME"),
  title: z.string().describe("The error's name."),
  status: z.int(),
  detail: z.string().describe("What happened, to what, and what to do."),
  code: z.int().describe("The same code as in gRPC; 0 where it has none."),
  instance: z.string().optional().describe("The id of the request, as in the server's log."),
  appended: z.int().optional().describe("Records that were appended before the failure."),
  extra: z.json().optional().describe("Facts about it, such as where in a statement it is."),
});

export type Problem = z.infer<typeof problemSchema>;

/** How the two older families of calls tell of errors. */
export const gatewayErrorSchema = z.object({ code: z.int(), message: z.string(), full_text: z.string() });
export const oldErrorSchema = z.object({ code: z.int(), message: z.string(), details: z.array(z.json()) });

export type ErrorForm = "problem" | "gateway" | "old";

export interface ErrorAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: unknown;
}

/** A request that was carried out in part before it failed. */
export class PartlyDone extends Error {
  override readonly name = "PartlyDone";
  /** Records that are durable. */
  readonly appended: number;

  constructor(cause: unknown, appended: number) {
    super("a request failed in the middle", { cause });
    this.appended = appended;
  }
}

/** The refusal that anything thrown amounts to. `Internal` is a defect of ours, to be reported. */
export function refusalOf(error: unknown): HStreamError {
  if (error instanceof HStreamError) return error;
  if (error instanceof PartlyDone) return refusalOf(error.cause);
  if (error instanceof LogError) return refusalOfLog(error);
  if (error instanceof MetaError) return refusalOfMeta(error);
  return refusalOfFramework(error) ?? new HStreamError("Internal", {}, null, error);
}

/** What the HTTP framework refused on its own, by its status. */
function refusalOfFramework(error: unknown): HStreamError | undefined {
  if (!(error instanceof Error)) return undefined;
  // The caller has gone in the middle; nobody will read the answer.
  if ("code" in error && error.code === "ECONNRESET") {
    return new HStreamError("MalformedRequest", { reason: "it broke off" });
  }
  if (!("statusCode" in error)) return undefined;
  switch (error.statusCode) {
    case 400:
    case 414:
      return new HStreamError("MalformedRequest", { reason: "its address or headers are malformed" });
    case 404:
      return new HStreamError("RouteNotFound", {});
    case 415:
      return new HStreamError("UnsupportedMediaType", { given: "malformed", accepted: "a media type" });
    case 503:
      return new HStreamError("ShuttingDown", {});
    default:
      return undefined;
  }
}

/** `error`: what was thrown, of which `refusal` was made. */
export function errorAnswer(
  error: unknown,
  refusal: HStreamError,
  form: ErrorForm,
  requestId: string,
): ErrorAnswer {
  const { http: status, code, grpc } = errors[refusal.kind];
  switch (form) {
    case "problem":
      return {
        status,
        type: "application/problem+json",
        body: { ...problemOf(refusal, requestId), ...factsOf(error) },
      };
    case "gateway": {
      const body = { code: gatewayCode(refusal), message: refusal.kind, full_text: refusal.message };
      return { status, type: "application/json", body };
    }
    case "old":
      return {
        status,
        type: "application/json",
        body: { code: grpc, message: refusal.message, details: code === 0 ? [] : [{ code }] },
      };
  }
}

function factsOf(error: unknown): { readonly appended?: number } {
  return error instanceof PartlyDone ? { appended: error.appended } : {};
}

export function problemOf(refusal: HStreamError, requestId: string): Problem {
  const { http: status, code } = errors[refusal.kind];
  return {
    type: `urn:hstream:error:${refusal.kind}`,
    title: refusal.kind,
    status,
    detail: refusal.message,
    code,
    instance: `urn:hstream:request:${requestId}`,
    ...(refusal.extra === null ? {} : { extra: mutable(refusal.extra) }),
  };
}

/** The schema's JSON type has no `readonly`. */
function mutable(value: JsonValue): z.infer<ReturnType<typeof z.json>> {
  return value as z.infer<ReturnType<typeof z.json>>;
}

/** The gateway's own numbers: streams 1000x, subscriptions 2000x, the cluster 30001, 1000 for the rest. */
function gatewayCode(refusal: HStreamError): number {
  switch (refusal.kind) {
    case "StreamNotFound":
      return 10_001;
    case "StreamExists":
      return 10_002;
    case "InvalidStreamName":
    case "InvalidReplicationFactor":
    case "InvalidShardCount":
    case "InvalidBacklogDuration":
      return 10_003;
    case "StreamHasSubscriptions":
      return 10_004;
    case "EmptyBatch":
    case "InvalidBatch":
    case "RecordTooLarge":
    case "AppendFull":
      return 10_005;
    case "SubscriptionNotFound":
      return 20_001;
    case "SubscriptionExists":
      return 20_002;
    case "InvalidSubscriptionName":
    case "InvalidSubscriptionOffset":
    case "InvalidSubscriptionOption":
    case "SubscriptionStreamNotFound":
      return 20_003;
    case "SubscriptionHasConsumers":
    case "SubscriptionBeingDeleted":
      return 20_004;
    case "ShuttingDown":
    case "LogFailed":
      return 30_001;
    default:
      return 1_000;
  }
}
