import { HStreamApiService, type RecordId, type Shard, type Stream } from "@hstream/proto";
import type { CallSettings, Connection } from "./connection.js";
import { HStreamClientError } from "./errors.js";
import { isRecordPlace, recordIdOf, type ShardPlace, toShardOffset, toStreamOffset } from "./read/offset.js";
import { formatRecordId, parseRecordId } from "./records/record-id.js";
import { toDate } from "./time.js";

export interface StreamOptions {
  /** Default 1. */
  readonly replicationFactor?: number;
  /** How long records are kept, seconds; 0 for ever. Default 604800, seven days. */
  readonly backlogDuration?: number;
  /** Default 1. */
  readonly shardCount?: number;
}

export interface StreamInfo {
  readonly name: string;
  readonly replicationFactor: number;
  /** Seconds; 0 for ever. */
  readonly backlogDuration: number;
  readonly shardCount: number;
  readonly createdAt: Date | undefined;
}

/** Streams: create, look at, trim, delete. */
export class Streams {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Code 201 when the name is taken. */
  async create(name: string, options: StreamOptions = {}, settings?: CallSettings): Promise<StreamInfo> {
    const request: Stream = {
      streamName: name,
      replicationFactor: options.replicationFactor ?? 1,
      backlogDuration: options.backlogDuration ?? 604_800,
      shardCount: options.shardCount ?? 1,
      creationTime: undefined,
    };
    return toInfo(await this.#connection.call(HStreamApiService.createStream, request, settings));
  }

  /** All streams, or those whose names start with `prefix`. */
  async list(prefix = "", settings?: CallSettings): Promise<readonly StreamInfo[]> {
    const { streams } =
      prefix === ""
        ? await this.#connection.call(HStreamApiService.listStreams, {}, settings)
        : await this.#connection.call(HStreamApiService.listStreamsWithPrefix, { prefix }, settings);
    return streams.map(toInfo);
  }

  /** Code 200 when there is none. */
  async get(name: string, settings?: CallSettings): Promise<StreamInfo> {
    const { stream } = await this.#connection.call(HStreamApiService.getStream, { name }, settings);
    if (stream === undefined) {
      throw new HStreamClientError({ reason: "protocol", message: "GetStream answered no stream." });
    }
    return toInfo(stream);
  }

  /**
   * Code 200 when there is none, 202 when subscriptions use it. `force` deletes it although they do; they
   * keep what is stored.
   */
  async delete(
    name: string,
    options: { readonly ignoreMissing?: boolean; readonly force?: boolean } = {},
    settings?: CallSettings,
  ): Promise<void> {
    const request = {
      streamName: name,
      ignoreNonExist: options.ignoreMissing ?? false,
      force: options.force ?? false,
    };
    await this.#connection.call(HStreamApiService.deleteStream, request, settings);
  }

  async listShards(name: string, settings?: CallSettings): Promise<readonly Shard[]> {
    const request = { streamName: name };
    return (await this.#connection.call(HStreamApiService.listShards, request, settings)).shards;
  }

  /** The id of a shard's newest batch; its `batchId` is 0 when there is none. */
  async tail(name: string, shardId: bigint, settings?: CallSettings): Promise<RecordId> {
    const request = { streamName: name, shardId };
    const answer = await this.#connection.call(HStreamApiService.getTailRecordId, request, settings);
    if (answer.tailRecordId === undefined) {
      throw new HStreamClientError({ reason: "protocol", message: "GetTailRecordId answered none." });
    }
    return answer.tailRecordId;
  }

  /**
   * Removes records for ever, in every shard: "latest" all that is there, a time those before it. With a
   * `shardId` in that shard only, where also a record can be named; its batch is the last to go.
   */
  async trim(
    name: string,
    upTo: ShardPlace,
    options: { readonly shardId?: bigint } = {},
    settings?: CallSettings,
  ): Promise<void> {
    const shardId = options.shardId ?? (isRecordPlace(upTo) ? recordIdOf(upTo.id).shardId : undefined);
    if (shardId !== undefined) {
      const request = { streamName: name, shardId, trimPoint: toShardOffset(upTo) };
      await this.#connection.call(HStreamApiService.trimShard, request, settings);
    } else if (!isRecordPlace(upTo)) {
      const request = { streamName: name, trimPoint: toStreamOffset(upTo) };
      await this.#connection.call(HStreamApiService.trimStream, request, settings);
    }
  }

  /**
   * Removes, in each shard that the records name, what is stored before the first of them. Answers with
   * that record of each shard: the first one that is left.
   */
  async trimBefore(
    name: string,
    ids: readonly (RecordId | string)[],
    settings?: CallSettings,
  ): Promise<ReadonlyMap<bigint, RecordId>> {
    const recordIds = ids.map((id) => (typeof id === "string" ? id : formatRecordId(id)));
    const request = { streamName: name, recordIds };
    const { trimPoints } = await this.#connection.call(HStreamApiService.trimShards, request, settings);
    return new Map([...trimPoints].map(([shardId, id]) => [shardId, parseRecordId(id)]));
  }
}

function toInfo(stream: Stream): StreamInfo {
  return {
    name: stream.streamName,
    replicationFactor: stream.replicationFactor,
    backlogDuration: stream.backlogDuration,
    shardCount: stream.shardCount,
    createdAt: toDate(stream.creationTime),
  };
}
