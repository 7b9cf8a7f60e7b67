import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { errors, HStreamError } from "../errors.js";
import { LogError } from "../log/log-store.js";
import { MetaError } from "../meta/meta-store.js";
import { refusalOfLog, refusalOfMeta } from "../streams/store-refusals.js";

/** Called with what no error of the list describes: a defect of ours, to be logged. */
export type ReportDefect = (where: string, error: unknown) => void;

/**
 * The gRPC status of anything that was thrown, in the one form that clients understand: JSON
 * {error, message, extra}, or a plain sentence for those errors that clients expect as one.
 */
export function statusOf(error: unknown, where: string, report: ReportDefect): StatusObject {
  const refusal = refusalFor(error);
  if (refusal.kind === "Internal") report(where, refusal.cause ?? error);
  const { code, grpc, form } = errors[refusal.kind];
  const details =
    form === "plain"
      ? refusal.message
      : JSON.stringify({ error: code, message: refusal.message, extra: refusal.extra });
  return { code: grpc, details, metadata: new Metadata() };
}

function refusalFor(error: unknown): HStreamError {
  if (error instanceof HStreamError) return error;
  if (error instanceof LogError) return refusalOfLog(error);
  if (error instanceof MetaError) return refusalOfMeta(error);
  return new HStreamError("Internal", {}, null, error);
}
