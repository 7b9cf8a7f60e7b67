import { unreachable } from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { BatchId, LogStore, ShardId } from "../log/log-store.js";
import { type ReadOffset, trimmingUpTo } from "./read-offset.js";
import type { StreamCatalogue } from "./stream-catalogue.js";

/** A record as TrimShards names it. */
export interface TrimPoint {
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  /** As it was given, and is given back. */
  readonly text: string;
}

/** Removes the beginnings of shards. */
export class Trimming {
  readonly #streams: StreamCatalogue;
  readonly #log: LogStore;

  constructor(streams: StreamCatalogue, log: LogStore) {
    this.#streams = streams;
    this.#log = log;
  }

  /** Removes all up to and including the point, in every shard. Rejects with StreamNotFound, TrimHeld. */
  async trimStream(name: string, point: ReadOffset): Promise<void> {
    const { shardIds } = this.#streams.get(name);
    for (const shardId of shardIds) await this.#trim(shardId, await trimmingUpTo(this.#log, shardId, point));
  }

  /** The same for one shard. Rejects with ShardNotFound, InvalidShardOffset, TrimHeld. */
  async trimShard(shardId: ShardId, point: ReadOffset): Promise<void> {
    if (point.kind === "record" && point.shardId !== shardId) {
      const reason = `The trim point belongs to shard ${point.shardId}, not to shard ${shardId}.`;
      throw new HStreamError("InvalidShardOffset", { reason });
    }
    if (this.#streams.ofShard(shardId) === undefined) {
      throw new HStreamError("ShardNotFound", { shardId: String(shardId) });
    }
    await this.#trim(shardId, await trimmingUpTo(this.#log, shardId, point));
  }

  /**
   * Trims each shard that is named to the smallest record named of it, whose batch is kept; gives those
   * records. Points with batch 0 are ignored. Rejects with StreamNotFound, ShardNotInStream,
   * InvalidRecordId (beyond the tail), TrimHeld; what is wrong is found before anything is trimmed.
   */
  async trimShards(name: string, points: readonly TrimPoint[]): Promise<Map<ShardId, string>> {
    const stream = this.#streams.get(name);
    const own = new Set(stream.shardIds);
    const smallest = new Map<ShardId, TrimPoint>();
    for (const point of points) {
      const { shardId, batchId, text } = point;
      if (batchId === 0) continue;
      if (!own.has(shardId)) {
        throw new HStreamError("ShardNotInStream", { shardId: String(shardId), stream: name });
      }
      const tail = this.#log.tail(shardId);
      if (batchId > tail) {
        const reason = `Record ${text} lies beyond the shard's last batch, ${tail}.`;
        throw new HStreamError("InvalidRecordId", { reason });
      }
      const present = smallest.get(shardId);
      if (present === undefined || comparePoints(point, present) < 0) smallest.set(shardId, point);
    }
    for (const { shardId, batchId } of smallest.values()) await this.#trim(shardId, batchId - 1);
    return new Map([...smallest].map(([shardId, { text }]) => [shardId, text]));
  }

  async #trim(shardId: ShardId, upTo: BatchId): Promise<void> {
    if (upTo <= 0) return;
    const result = await this.#log.trim(shardId, upTo);
    switch (result.kind) {
      case "trimmed":
        return;
      case "held":
        throw new HStreamError("TrimHeld", { shardId: String(shardId), by: result.by });
      default:
        unreachable(result);
    }
  }
}

function comparePoints(a: TrimPoint, b: TrimPoint): number {
  if (a.batchId !== b.batchId) return a.batchId - b.batchId;
  return indexOf(a) - indexOf(b);
}

function indexOf({ text }: TrimPoint): number {
  return Number(text.slice(text.lastIndexOf("-") + 1));
}
