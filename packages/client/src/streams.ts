import { HStreamApiService, type Shard, type Stream } from "@hstream/proto";
import { toDate } from "./time.js";
import type { CallSettings, Connection } from "./connection.js";
import { HStreamClientError } from "./errors.js";

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

/** Streams: create, look at, delete. */
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

  /** `force` deletes it although subscriptions use it; they keep what is stored. */
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
