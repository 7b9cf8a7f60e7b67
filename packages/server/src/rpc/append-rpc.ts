import { HStreamApiService } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { StreamAppender } from "../streams/stream-appender.js";
import {
  type AppendRequestParts,
  type AppendResponseParts,
  decodeAppendRequest,
  encodeAppendResponse,
} from "./append-codec.js";
import type { Handlers } from "./handlers.js";

/** Append with its hand-made codec, in place of the generated one. */
export const appendMethod = {
  ...HStreamApiService.append,
  requestDeserialize: decodeAppendRequest,
  responseSerialize: encodeAppendResponse,
};

/** Append: answered once the batch is durable, with one record id for each record. */
export function appendRpc(handlers: Handlers, appender: StreamAppender) {
  return {
    append: handlers.unary(async (request: AppendRequestParts): Promise<AppendResponseParts> => {
      const { streamName, shardId, records } = request;
      if (records === undefined) throw new HStreamError("EmptyBatch", {});
      if (typeof shardId === "bigint") {
        throw new HStreamError("ShardNotInStream", { shardId: String(shardId), stream: streamName });
      }
      const batch = {
        recordCount: records.batchSize,
        compression: records.compressionType,
        payload: records.payload,
      };
      const { batchId } = await appender.append(streamName, shardId, batch, {
        patienceMs: limits.appendPatienceMs,
      });
      return { streamName, shardId, batchId, recordCount: batch.recordCount };
    }),
  };
}
