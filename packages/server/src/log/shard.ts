import type { Control } from "./control-frame.js";
import { unreachable } from "@hstream/proto";
import type { Frame } from "./frame.js";
import type { BatchId, Fence, ShardId } from "./log-store.js";
import { ProducerTable } from "./producer-table.js";
import type { Extent, Segment } from "./segment.js";
import { ShardIndex } from "./shard-index.js";

/** What the log knows of one shard. */
export class Shard {
  readonly id: ShardId;
  /** The newest fence, durable or not. */
  fence: Fence = 0;
  tail: BatchId = 0;
  tailTimeMs = 0;
  /** The newest batch, durable or not, and its time. */
  newest: BatchId = 0;
  newestTimeMs = 0;
  trimmedUpTo: BatchId = 0;
  readonly holds = new Map<string, BatchId>();
  readonly producers = new ProducerTable();
  /** Ascending. */
  extents: Extent[] = [];
  readonly listeners = new Set<(tail: BatchId) => void>();
  /** Whether the listeners wait to be told of the group that is being completed. */
  toNotify = false;
  state: "creating" | "present" | "deleting" = "present";

  constructor(id: ShardId) {
    this.id = id;
  }

  /** Notes where a durable batch is. */
  locate(
    segment: Segment,
    batchId: BatchId,
    previousId: BatchId,
    timeMs: number,
    offset: number,
    length: number,
  ): void {
    let extent = this.extents.at(-1);
    if (extent === undefined || extent.segment !== segment || extent.lastId !== previousId) {
      extent = {
        shardId: this.id,
        segment,
        firstId: batchId,
        previousId,
        lastId: batchId,
        lastTimeMs: timeMs,
        count: 0,
        index: new ShardIndex(),
        indexOffset: 0,
        indexChecksum: 0,
      };
      this.extents.push(extent);
      segment.extents.add(extent);
    }
    extent.index?.push(batchId, timeMs, offset, length);
    extent.lastId = batchId;
    extent.lastTimeMs = timeMs;
    extent.count++;
  }

  /** Moves the tail to a durable batch. */
  advance(batchId: BatchId, timeMs: number): void {
    this.tail = batchId;
    this.tailTimeMs = timeMs;
    if (batchId > this.newest) {
      this.newest = batchId;
      this.newestTimeMs = timeMs;
    }
  }

  /** Forgets batches up to and including `upTo`; segments with nothing else in them become empty. */
  trim(upTo: BatchId): void {
    if (upTo <= this.trimmedUpTo) return;
    this.trimmedUpTo = upTo;
    let gone = 0;
    for (const extent of this.extents) {
      if (extent.lastId > upTo) break;
      extent.segment.extents.delete(extent);
      gone++;
    }
    if (gone > 0) this.extents.splice(0, gone);
  }

  /** Position of the first extent that has a batch ≥ `from`. */
  seekId(from: BatchId): number {
    let low = 0;
    let high = this.extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.extents[middle]?.lastId ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** All shards of a log, and the ids that must not come back. What the frames of a log add up to. */
export class Shards {
  readonly present = new Map<ShardId, Shard>();
  readonly deleted = new Set<ShardId>();

  /** Carries out a durable control. */
  apply(shardId: ShardId, control: Control): void {
    if (control.kind === "create") {
      const shard = this.present.get(shardId);
      if (shard === undefined) this.present.set(shardId, new Shard(shardId));
      else shard.state = "present";
      return;
    }
    const shard = this.present.get(shardId);
    if (shard === undefined) return;
    switch (control.kind) {
      case "delete":
        for (const extent of shard.extents) extent.segment.extents.delete(extent);
        shard.extents = [];
        shard.listeners.clear();
        this.present.delete(shardId);
        this.deleted.add(shardId);
        return;
      case "open":
        shard.fence = Math.max(shard.fence, control.fence);
        return;
      case "trim":
        shard.trim(control.upTo);
        return;
      case "hold":
        shard.holds.set(control.name, control.from);
        return;
      case "release":
        shard.holds.delete(control.name);
        return;
      default:
        unreachable(control);
    }
  }

  /** Takes in a batch that was found on the disk. */
  recover(segment: Segment, frame: Frame): void {
    if (this.deleted.has(frame.shardId)) return;
    let shard = this.present.get(frame.shardId);
    if (shard === undefined) {
      // Its creation was in a part of the log that cannot be read: what is left of it stays readable.
      shard = new Shard(frame.shardId);
      this.present.set(shard.id, shard);
    }
    if (frame.batchId <= shard.trimmedUpTo) return;
    shard.locate(segment, frame.batchId, frame.previousId, frame.timeMs, frame.offset, frame.length);
    if (frame.batchId <= shard.tail) return;
    shard.advance(frame.batchId, frame.timeMs);
    if (frame.producer !== undefined) {
      const append = shard.producers.record(frame.producer, frame.batchId, frame.timeMs);
      shard.producers.settle(frame.producer.id, append);
    }
  }
}
