import { unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { LogError, ShardId } from "../log/log-store.js";
import type { MetaError } from "../meta/meta-store.js";

/** What a caller is told when the log could not carry out a call for a shard. */
export function refusalOfLog(error: LogError, shardId?: ShardId): HStreamError {
  switch (error.kind) {
    case "shard-not-found":
      return new HStreamError("ShardNotFound", { shardId: String(shardId ?? "") }, null, error);
    case "closed":
      return new HStreamError("ShuttingDown", {}, null, error);
    case "failed":
      return new HStreamError("LogFailed", {}, null, error);
    case "full":
      return new HStreamError("DiskFull", {}, null, error);
    case "shard-exists":
    case "locked":
    case "unknown-format":
      return new HStreamError("Internal", {}, null, error);
    default:
      return unreachable(error.kind);
  }
}

/** The same for a change of the metadata. */
export function refusalOfMeta(error: MetaError): HStreamError {
  switch (error.kind) {
    case "closed":
      return new HStreamError("ShuttingDown", {}, null, error);
    case "failed":
      return new HStreamError("LogFailed", {}, null, error);
    case "full":
      return new HStreamError("DiskFull", {}, null, error);
    case "too-large":
      return new HStreamError("DocumentTooLarge", { reason: error.message }, null, error);
    default:
      return unreachable(error.kind);
  }
}
