import type { AppendResponse, HStreamApiServer } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import type { Handlers } from "./handlers.js";
import { idOf } from "./wire-numbers.js";

/** Append: answered once the batch is durable, with one record id for each record. */
export function appendRpc(handlers: Handlers, appender: StreamAppender): Pick<HStreamApiServer, "append"> {
  return {
    append: handlers.unary(async (request): Promise<AppendResponse> => {
      const { streamName, records } = request;
      if (records === undefined) throw new HStreamError("EmptyBatch", {});
      const shardId = idOf(request.shardId);
      if (shardId === undefined) {
        throw new HStreamError("ShardNotInStream", { shardId: String(request.shardId), stream: streamName });
      }
      const batch = {
        recordCount: records.batchSize,
        compression: records.compressionType,
        payload: records.payload,
      };
      const appended = await appender.append(streamName, shardId, batch, {
        patienceMs: limits.appendPatienceMs,
      });
      const batchId = BigInt(appended.batchId);
      const recordIds = Array.from({ length: batch.recordCount }, (_, batchIndex) => ({
        shardId: request.shardId,
        batchId,
        batchIndex,
      }));
      return { streamName, shardId: request.shardId, recordIds };
    }),
  };
}
