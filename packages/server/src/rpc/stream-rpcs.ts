import type {
  GetStreamResponse,
  HStreamApiServer,
  ListShardsResponse,
  ListStreamsResponse,
  Stream,
} from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { LogStore } from "../log/log-store.js";
import { nameProblem } from "../streams/names.js";
import { type StreamDocument, shardsOf } from "../streams/stream.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { Handlers } from "./handlers.js";
import { userStream } from "./reader-rpcs.js";
import { idOf, timestampOf } from "./wire-numbers.js";

type StreamRpcs = Pick<
  HStreamApiServer,
  | "createStream"
  | "deleteStream"
  | "getStream"
  | "listStreams"
  | "listStreamsWithPrefix"
  | "listShards"
  | "getTailRecordId"
>;

/** Streams and their shards. */
export function streamRpcs(handlers: Handlers, streams: StreamCatalogue, log: LogStore): StreamRpcs {
  return {
    createStream: handlers.unary(async (request) =>
      toWire(
        await streams.create({
          name: request.streamName,
          replicationFactor: request.replicationFactor,
          backlogSeconds: request.backlogDuration,
          shardCount: request.shardCount,
        }),
      ),
    ),

    deleteStream: handlers.unary(async (request) => {
      await streams.delete(request.streamName, {
        force: request.force,
        ignoreMissing: request.ignoreNonExist,
      });
      return {};
    }),

    getStream: handlers.unary(
      (request): GetStreamResponse => ({ stream: toWire(userStream(streams, request.name)) }),
    ),

    listStreams: handlers.unary((): ListStreamsResponse => ({ streams: streams.list().map(toWire) })),

    listStreamsWithPrefix: handlers.unary((request): ListStreamsResponse => {
      const reason = nameProblem(request.prefix);
      if (reason !== undefined) throw new HStreamError("InvalidStreamName", { reason });
      return { streams: streams.list(request.prefix).map(toWire) };
    }),

    listShards: handlers.unary((request): ListShardsResponse => {
      const stream = streams.find(request.streamName);
      // A plain sentence: the clients take a JSON error here for another kind of failure.
      if (stream === undefined) throw new HStreamError("StreamNotFoundPlain", { stream: request.streamName });
      const shards = shardsOf(stream).map(({ shardId, range }) => ({
        streamName: stream.name,
        shardId: BigInt(shardId),
        startHashRangeKey: String(range.start),
        endHashRangeKey: String(range.end),
        epoch: BigInt(stream.shardIds.length),
        isActive: true,
      }));
      return { shards };
    }),

    getTailRecordId: handlers.unary((request) => {
      const shardId = idOf(request.shardId);
      const stream = shardId === undefined ? undefined : streams.ofShard(shardId);
      if (shardId === undefined || stream === undefined) {
        throw new HStreamError("ShardNotFound", { shardId: String(request.shardId) });
      }
      if (request.streamName !== "" && request.streamName !== stream.name) {
        const mismatch = { shardId: String(shardId), stream: request.streamName };
        throw new HStreamError("ShardNotInStream", mismatch);
      }
      const batchId = BigInt(log.tail(shardId));
      return { tailRecordId: { shardId: request.shardId, batchId, batchIndex: 0 } };
    }),
  };
}

function toWire(stream: StreamDocument): Stream {
  return {
    streamName: stream.name,
    replicationFactor: stream.replicationFactor,
    backlogDuration: stream.backlogSeconds,
    shardCount: stream.shardIds.length,
    creationTime: timestampOf(stream.creationTimeMs),
  };
}
