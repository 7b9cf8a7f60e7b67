import { HStreamRecordHeader_Flag as Flag, type RecordId } from "@hstream/proto";
import type { Connection } from "../connection.js";
import { HStreamClientError } from "../errors.js";
import { BatchDecoder, ReceivedRecord } from "../records/received-record.js";
import type { RecordInput } from "../records/record.js";
import type { RecordType } from "../records/record-type.js";
import type { ShardMap } from "../produce/shard-map.js";
import { readKey } from "./key-reading.js";
import { merge } from "./merge.js";
import { isRecordPlace, recordIdOf, type ShardPlace } from "./offset.js";
import { readShard, type ShardRange } from "./shard-reading.js";

export interface ReadOptions<T = RecordInput> {
  /** What the records' `value` is. Default: objects of JSON records, bytes of raw ones. */
  readonly type?: RecordType<T>;
  /**
   * Where to begin. Default "earliest". "latest" is what is stored from now on; a time is the first record
   * stored then or later; a record is its batch, and belongs to one shard.
   */
  readonly from?: ShardPlace;
  /** Begin behind these records instead, at most one of each shard; other shards begin at `from`. */
  readonly after?: readonly (RecordId | string)[];
  /** Where to end, included. "latest" is what is there now. Default: never; of a key "latest". */
  readonly until?: ShardPlace;
  /** Read this shard only. */
  readonly shardId?: bigint;
  /** Read the records of this key only. */
  readonly key?: string;
  /** Ends the reading, without an error. */
  readonly signal?: AbortSignal;
}

/**
 * Reads a stream without a subscription: nothing is acknowledged, and the server remembers nothing. Iterate
 * over it, once. Records of a shard come in order, shards as they come. When a server becomes UNAVAILABLE
 * reading goes on where it was; every other error ends the iteration.
 */
export class Reader<T = RecordInput> implements AsyncIterable<ReceivedRecord<T>>, AsyncDisposable {
  readonly stream: string;
  readonly #connection: Connection;
  readonly #shards: () => Promise<ShardMap>;
  readonly #type: RecordType<T>;
  readonly #options: ReadOptions<T>;
  readonly #stop = new AbortController();
  readonly #position = new Map<bigint, RecordId>();
  #iterating = false;

  constructor(
    connection: Connection,
    stream: string,
    shards: () => Promise<ShardMap>,
    type: RecordType<T>,
    options: ReadOptions<T>,
  ) {
    this.stream = stream;
    this.#connection = connection;
    this.#shards = shards;
    this.#type = type;
    this.#options = options;
  }

  /** The last record that was taken of each shard; as `after` of a later reader it goes on from here. */
  get position(): readonly RecordId[] {
    return [...this.#position.values()];
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ReceivedRecord<T>, void, undefined> {
    for await (const batch of this.#read()) {
      for (const record of batch) {
        this.#position.set(record.recordId.shardId, record.recordId);
        yield record;
      }
    }
  }

  /** The same records, by stored batches. */
  async *batches(): AsyncGenerator<readonly ReceivedRecord<T>[], void, undefined> {
    for await (const batch of this.#read()) {
      const last = batch.at(-1)?.recordId;
      if (last !== undefined) this.#position.set(last.shardId, last);
      yield batch;
    }
  }

  /** Ends the reading. */
  async close(): Promise<void> {
    this.#stop.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async *#read(): AsyncGenerator<readonly ReceivedRecord<T>[], void, undefined> {
    if (this.#iterating) {
      throw new HStreamClientError({ reason: "usage", message: "A reader can be iterated once." });
    }
    this.#iterating = true;
    const { signal: outer } = this.#options;
    if (outer?.aborted === true) return;
    const stop = () => this.#stop.abort();
    outer?.addEventListener("abort", stop, { once: true });
    const { signal } = this.#stop;
    try {
      for await (const batch of this.#batches(signal)) {
        if (signal.aborted) return;
        if (batch.length > 0) yield batch;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      outer?.removeEventListener("abort", stop);
      this.#stop.abort();
    }
  }

  async *#batches(signal: AbortSignal): AsyncGenerator<readonly ReceivedRecord<T>[], void, undefined> {
    const { key } = this.#options;
    if (key !== undefined) {
      yield* this.#ofKey(key, signal);
      return;
    }
    const ranges = await this.#ranges();
    const decoder = await BatchDecoder.load();
    for await (const { batch, skipped } of merge(
      ranges.map((range) => readShard(this.#connection, range, signal)),
    )) {
      if (batch.record === undefined) continue;
      const records = decoder.decode(
        batch.record,
        batch.recordIds,
        (id, at, content) => new ReceivedRecord(id, at, this.#type, content),
      );
      yield skipped === 0 ? records : records.slice(skipped);
    }
  }

  async *#ofKey(
    key: string,
    signal: AbortSignal,
  ): AsyncGenerator<readonly ReceivedRecord<T>[], void, undefined> {
    const { from = "earliest", until = "latest", after, shardId } = this.#options;
    if (after !== undefined || shardId !== undefined) {
      throw usage("A reader by key knows its shard, and begins at `from`.");
    }
    const range = { stream: this.stream, key, from, until };
    for await (const { ids, records } of readKey(this.#connection, range, signal)) {
      yield ids.map((id, index) => {
        const { header, payload = new Uint8Array() } = records[index] ?? {};
        return new ReceivedRecord(id, undefined, this.#type, {
          key: header?.key ?? "",
          attributes: header?.attributes ?? new Map(),
          isJson: header?.flag !== Flag.RAW,
          payload,
        });
      });
    }
  }

  async #ranges(): Promise<readonly ShardRange[]> {
    const { from = "earliest", until, shardId, after = [] } = this.#options;
    const shards = await this.#shards();
    const known = shardId === undefined ? shards.shardIds : [shardId];
    for (const place of [from, until]) {
      if (place === undefined || !isRecordPlace(place) || known.length === 1) continue;
      throw usage("A record belongs to one shard: say which by shardId, or begin `after` one of each.");
    }
    const behind = new Map<bigint, RecordId>();
    for (const id of after.map(recordIdOf)) {
      if (!known.includes(id.shardId) || behind.has(id.shardId)) {
        throw usage(
          `Record ${id.shardId}-${id.batchId} is of no shard that is read, or the second of its shard.`,
        );
      }
      behind.set(id.shardId, id);
    }
    return known.map((id) => ({
      stream: this.stream,
      shardId: id,
      after: behind.get(id),
      from,
      until,
      mayBeEmpty: shardId === undefined,
    }));
  }
}

function usage(message: string): HStreamClientError {
  return new HStreamClientError({ reason: "usage", message });
}
