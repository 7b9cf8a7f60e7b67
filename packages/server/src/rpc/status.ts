import { Metadata, type StatusObject } from "@grpc/grpc-js";
import { errors, HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import { LogError } from "../log/log-store.js";
import { MetaError } from "../meta/meta-store.js";
import { refusalOfLog, refusalOfMeta } from "../streams/store-refusals.js";

/**
 * Called with what no error of the list describes: a defect of ours, to be logged; `request` is the id of the
 * call that met it, if one did.
 */
export type ReportDefect = (where: string, error: unknown, request?: string) => void;

/**
 * The gRPC status of anything that was thrown, in the one form that clients understand: JSON
 * {error, message, extra}, or a plain sentence for those errors that clients expect as one.
 */
export function statusOf(error: unknown, where: string, report: ReportDefect): StatusObject {
  const refusal = refusalFor(error);
  if (refusal.kind === "Internal") report(where, refusal.cause ?? error);
  const { code, grpc, form } = errors[refusal.kind];
  return { code: grpc, details: detailsOf(refusal, code, form), metadata: new Metadata() };
}

/** It travels in a header, which is refused as a whole when it is too long. */
function detailsOf({ message, extra }: HStreamError, code: number, form: "json" | "plain"): string {
  const max = limits.statusTextCharactersMax;
  // By way of bytes, since the cut may go through a character.
  const text = message.length <= max ? message : `${Buffer.from(message.slice(0, max)).toString()} …`;
  if (form === "plain") return text;
  const complete = JSON.stringify({ error: code, message: text, extra });
  if (complete.length <= 2 * max) return complete;
  return JSON.stringify({ error: code, message: text, extra: null });
}

function refusalFor(error: unknown): HStreamError {
  if (error instanceof HStreamError) return error;
  if (error instanceof LogError) return refusalOfLog(error);
  if (error instanceof MetaError) return refusalOfMeta(error);
  return new HStreamError("Internal", {}, null, error);
}
