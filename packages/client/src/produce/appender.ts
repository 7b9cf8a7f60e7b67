import { type BatchedRecord, HStreamApiService, type RecordId } from "@hstream/proto";
import type { Address } from "../address.js";
import type { CallSettings, Connection } from "../connection.js";
import { HStreamClientError, isUnavailable } from "../errors.js";
import { limits } from "../limits.js";
import { ShardMap } from "./shard-map.js";

/** What a buffered producer stores its batches with. */
export interface BatchSink {
  /** Batches of one shard that may be under way at a time and keep their order. */
  readonly batchesPerShardMax: number;
  /** Stores a batch; batches of one shard in the order of the calls. */
  store(shardId: bigint, batch: BatchedRecord, settings?: CallSettings): Promise<readonly RecordId[]>;
  /** Ends what is open; what is under way fails with `reason`. */
  close(reason?: HStreamClientError): Promise<void>;
}

/** Appends batches to the shards of one stream, each at the server that holds the shard. */
export class Appender implements BatchSink {
  readonly stream: string;
  readonly batchesPerShardMax = 1;
  readonly #connection: Connection;
  readonly #nodes = new Map<bigint, Address>();
  #shards: Promise<ShardMap> | undefined;

  constructor(connection: Connection, stream: string) {
    this.#connection = connection;
    this.stream = stream;
  }

  /** The shards, asked for once. */
  async shards(settings?: CallSettings): Promise<ShardMap> {
    const known = this.#shards;
    if (known !== undefined) return known;
    const asked = this.#connection
      .call(HStreamApiService.listShards, { streamName: this.stream }, settings)
      .then(({ shards }) => new ShardMap(this.stream, shards));
    this.#shards = asked;
    asked.catch(() => {
      this.#shards = undefined;
    });
    return asked;
  }

  /**
   * Stores one batch. UNAVAILABLE is met with a pause, a fresh look-up and another try, five in all;
   * since a lost answer may hide a success, the batch can then be stored twice.
   */
  async store(
    shardId: bigint,
    batch: BatchedRecord,
    settings: CallSettings = {},
  ): Promise<readonly RecordId[]> {
    for (let tries = 1; ; tries += 1) {
      try {
        const node = this.#nodes.get(shardId) ?? (await this.lookup(shardId, settings));
        const request = { streamName: this.stream, shardId, records: batch };
        const answer = await this.#connection.callAt(node, HStreamApiService.append, request, settings);
        if (answer.recordIds.length !== batch.batchSize) {
          const message = `Append of ${batch.batchSize} records answered ${answer.recordIds.length} ids.`;
          throw new HStreamClientError({ reason: "protocol", message });
        }
        return answer.recordIds;
      } catch (error) {
        this.#nodes.delete(shardId);
        // The stream may have been deleted and made anew, with other shards.
        if (!isUnavailable(error)) this.#shards = undefined;
        if (!isUnavailable(error) || tries >= limits.appendTriesMax) throw error;
        await this.#connection.pause(settings.signal);
      }
    }
  }

  async close(): Promise<void> {}

  /** Asks which server holds a shard. */
  async lookup(shardId: bigint, settings?: CallSettings): Promise<Address> {
    const { serverNode } = await this.#connection.call(HStreamApiService.lookupShard, { shardId }, settings);
    const node = this.#connection.nodeAddress(serverNode);
    this.#nodes.set(shardId, node);
    return node;
  }
}
