import type { Control } from "./control-frame.js";
import { unreachable } from "@hstream/proto";
import type { Frame } from "./frame.js";
import type { BatchId, Fence, ShardId } from "./log-store.js";
import type { ShardSlot } from "./open-index.js";
import { ProducerTable } from "./producer-table.js";

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
  // Most shards of many have none of these.
  holds: Map<string, BatchId> | undefined;
  producers: ProducerTable | undefined;
  /** Its first batch ever, 0 as long as there is none; less than that where it is not known. */
  firstId: BatchId = 0;
  /** Its place in the index of the segment that it was last appended to. */
  slot: ShardSlot | undefined;
  listeners: Set<(tail: BatchId) => void> | undefined;
  /** Whether the listeners wait to be told of the group that is being completed. */
  toNotify = false;
  state: "creating" | "present" | "deleting" = "present";

  constructor(id: ShardId) {
    this.id = id;
  }

  /** Moves the tail to a durable batch. */
  advance(batchId: BatchId, timeMs: number): void {
    if (this.tail === 0) this.firstId = batchId;
    this.tail = batchId;
    this.tailTimeMs = timeMs;
    if (batchId > this.newest) {
      this.newest = batchId;
      this.newestTimeMs = timeMs;
    }
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
        shard.listeners = undefined;
        this.present.delete(shardId);
        this.deleted.add(shardId);
        return;
      case "open":
        shard.fence = Math.max(shard.fence, control.fence);
        return;
      case "trim":
        shard.trimmedUpTo = Math.max(shard.trimmedUpTo, control.upTo);
        return;
      case "hold":
        (shard.holds ??= new Map()).set(control.name, control.from);
        return;
      case "release":
        shard.holds?.delete(control.name);
        return;
      case "forget":
        shard.producers?.forget(control.name);
        return;
      default:
        unreachable(control);
    }
  }

  /** Takes in a batch that was found on the disk. False when it is one that nobody can read any more. */
  recover(frame: Frame): boolean {
    if (this.deleted.has(frame.shardId)) return false;
    let shard = this.present.get(frame.shardId);
    if (shard === undefined) {
      // Its creation was in a part of the log that cannot be read: what is left of it stays readable.
      shard = new Shard(frame.shardId);
      this.present.set(shard.id, shard);
    }
    if (frame.batchId <= shard.trimmedUpTo) return false;
    if (frame.batchId <= shard.tail) return true;
    const isFirst = frame.previousId === 0;
    shard.advance(frame.batchId, frame.timeMs);
    if (!isFirst && shard.firstId === frame.batchId) shard.firstId = 0;
    if (frame.producer !== undefined) {
      const producers = (shard.producers ??= new ProducerTable());
      const append = producers.record(frame.producer, frame.batchId, frame.timeMs);
      producers.settle(frame.producer.id, append);
    }
    return true;
  }

  /** Whether a read can still give batches of this shard up to this id. */
  isAlive(shardId: ShardId, lastId: BatchId): boolean {
    const shard = this.present.get(shardId);
    return shard !== undefined && lastId > shard.trimmedUpTo;
  }
}
