import type { HStreamApiServer, TrimShardsResponse } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { nameProblem } from "../streams/names.js";
import type { Trimming, TrimPoint } from "../streams/trimming.js";
import type { Handlers } from "./handlers.js";
import { requiredOffset } from "./offset-codec.js";
import { idOf } from "./wire-numbers.js";

type TrimRpcs = Pick<HStreamApiServer, "trimStream" | "trimShard" | "trimShards">;

/** Removing the beginnings of streams and shards. */
export function trimRpcs(handlers: Handlers, trimming: Trimming): TrimRpcs {
  return {
    trimStream: handlers.unary(async ({ streamName, trimPoint }) => {
      checkName(streamName);
      await trimming.trimStream(streamName, requiredOffset(trimPoint, "trimPoint"));
      return {};
    }),

    trimShard: handlers.unary(async ({ shardId, trimPoint }) => {
      const point = requiredOffset(trimPoint, "trimPoint");
      const id = idOf(shardId);
      if (id === undefined) throw new HStreamError("ShardNotFound", { shardId: String(shardId) });
      await trimming.trimShard(id, point);
      return {};
    }),

    trimShards: handlers.unary(async ({ streamName, recordIds }): Promise<TrimShardsResponse> => {
      checkName(streamName);
      const trimPoints = await trimming.trimShards(streamName, recordIds.map(pointOf));
      return { trimPoints: new Map([...trimPoints].map(([shardId, text]) => [BigInt(shardId), text])) };
    }),
  };
}

function checkName(name: string): void {
  const reason = nameProblem(name);
  if (reason !== undefined) throw new HStreamError("InvalidStreamName", { reason });
}

function pointOf(text: string): TrimPoint {
  const [, shard, batch] = /^(\d{1,20})-(\d{1,20})-\d{1,10}$/.exec(text) ?? [];
  if (shard === undefined || batch === undefined) {
    const reason = `${JSON.stringify(text.slice(0, 100))} is not a record id: shard-batch-index, in digits.`;
    throw new HStreamError("InvalidRecordId", { reason });
  }
  return { shardId: Number(shard), batchId: Number(batch), text };
}
