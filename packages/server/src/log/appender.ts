import { assert } from "@hstream/proto";
import type { Clock } from "../env/env.js";
import type { PendingAppend } from "./commit-group.js";
import type { Committer } from "./committer.js";
import { batchFrameBytes } from "./frame.js";
import type { FrameMemory } from "./frame-memory.js";
import {
  type AppendOptions,
  type AppendResult,
  type Batch,
  type BatchId,
  LogError,
  type ShardId,
} from "./log-store.js";
import type { EmbeddedLogOptions } from "./options.js";
import { type ProducerAppend, ProducerTable } from "./producer-table.js";
import type { Reserve } from "./reserve.js";
import type { Segment } from "./segment.js";
import type { Shard, Shards } from "./shard.js";
import { type WaitingAppend, WaitingAppends } from "./waiting-appends.js";

const never = () => undefined;
const settlers: { -readonly [K in "resolve" | "reject"]: PendingAppend[K] } = {
  resolve: never,
  reject: never,
};

/** One function for the promises of all appends: a closure for each is measurably slower. */
function takeSettlers(resolve: (result: AppendResult) => void, reject: (error: Error) => void): void {
  settlers.resolve = resolve;
  settlers.reject = reject;
}

/** Judges appends, in the order of the calls, and lets as many wait for the disk as there is room for. */
export class Appender {
  readonly #clock: Clock;
  readonly #options: EmbeddedLogOptions;
  readonly #shards: Shards;
  readonly #memory: FrameMemory;
  readonly #committer: Committer;
  readonly #reserve: Reserve;
  readonly #waiting = new WaitingAppends();
  /** For repeats that come before the first is durable. */
  readonly #joinable = new Map<BatchId, Promise<AppendResult>>();
  #bytesInFlight = 0;

  constructor(
    clock: Clock,
    options: EmbeddedLogOptions,
    shards: Shards,
    memory: FrameMemory,
    committer: Committer,
    reserve: Reserve,
  ) {
    this.#clock = clock;
    this.#options = options;
    this.#shards = shards;
    this.#memory = memory;
    this.#committer = committer;
    this.#reserve = reserve;
  }

  append(shardId: ShardId, batch: Batch, options: AppendOptions): Promise<AppendResult> {
    const bytes = batchFrameBytes(batch.payload.byteLength, options.producer);
    if (this.#waiting.count === 0 && this.#hasRoom(bytes)) return this.#admit(shardId, batch, options, bytes);
    if (this.#waiting.bytes + bytes > this.#options.appendBytesWaitingMax) {
      const limitBytes = this.#options.appendBytesWaitingMax;
      return Promise.resolve({ kind: "full", reason: "in-flight", limitBytes });
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ shardId, batch, options, bytes, resolve, reject });
    });
  }

  /** Of appends that wait for the disk. */
  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** Of appends that wait for room among those. */
  get bytesWaiting(): number {
    return this.#waiting.bytes;
  }

  /** These are durable now: readers may see them, and their callers are told. The shards that advanced. */
  committed(appends: readonly PendingAppend[], segment: Segment): Shard[] {
    const advanced: Shard[] = [];
    const index = segment.open;
    assert(index !== undefined, "groups are committed to the segment that is being written");
    for (const append of appends) {
      const { shard, batchId, timeMs, length, producer } = append;
      let { slot } = shard;
      if (slot?.owner !== index.serial) {
        slot = index.slot(shard.id);
        shard.slot = slot;
      }
      index.push(slot, batchId, shard.tail, timeMs, append.offset, length);
      shard.advance(batchId, timeMs);
      this.#memory.show(batchId, append.chunk, append.at);
      this.#bytesInFlight -= length;
      if (producer !== undefined) {
        shard.producers?.settle(producer.id, producer.append);
        this.#joinable.delete(batchId);
      }
      if (shard.listeners !== undefined && !shard.toNotify) {
        shard.toNotify = true;
        advanced.push(shard);
      }
      append.resolve({ kind: "appended", batchId, timeMs });
    }
    for (const shard of advanced) shard.toNotify = false;
    return advanced;
  }

  /** Lets go of appends that have not happened. */
  undo(appends: readonly PendingAppend[]): void {
    for (const { shard, batchId, length, producer } of appends) {
      shard.newest = shard.tail;
      shard.newestTimeMs = shard.tailTimeMs;
      this.#bytesInFlight -= length;
      if (producer === undefined) continue;
      shard.producers?.revoke(producer.id, producer.append);
      this.#joinable.delete(batchId);
    }
  }

  admitWaiting(): void {
    for (let next = this.#waiting.first; next !== undefined; next = this.#waiting.first) {
      if (!this.#hasRoom(next.bytes)) return;
      this.#waiting.shift();
      this.#admit(next.shardId, next.batch, next.options, next.bytes).then(next.resolve, next.reject);
    }
  }

  /** Empties the queue of those that wait for room; `answer` tells each why. */
  dismissWaiting(answer: (waiting: WaitingAppend) => void): void {
    for (const waiting of this.#waiting.takeAll()) answer(waiting);
  }

  #hasRoom(bytes: number): boolean {
    return this.#bytesInFlight === 0 || this.#bytesInFlight + bytes <= this.#options.appendBytesInFlightMax;
  }

  #admit(shardId: ShardId, batch: Batch, options: AppendOptions, bytes: number): Promise<AppendResult> {
    const shard = this.#shards.present.get(shardId);
    if (this.#committer.failure !== undefined) return Promise.reject(this.#committer.failure);
    if (shard?.state !== "present") {
      return Promise.reject(new LogError("shard-not-found", `Shard ${shardId} does not exist.`));
    }
    const { producer, expectTail } = options;
    if (options.fence !== shard.fence) return Promise.resolve({ kind: "fenced", current: shard.fence });
    if (producer !== undefined) {
      const producers = (shard.producers ??= new ProducerTable());
      const verdict = producers.judge(producer);
      if (verdict.kind === "repeat") return this.#repeat(verdict.append);
      if (verdict.kind !== "new") return Promise.resolve(verdict);
    }
    if (expectTail !== undefined && expectTail !== shard.newest) {
      return Promise.resolve({ kind: "tail-mismatch", tail: shard.newest });
    }
    if (this.#reserve.isOut) {
      void this.#reserve.restore();
      return Promise.resolve({ kind: "full", reason: "disk", limitBytes: 0 });
    }
    const group = this.#committer.groupFor(bytes);
    const batchId = this.#committer.nextId();
    const timeMs = Math.max(this.#clock.now(), shard.newestTimeMs);
    const previousId = shard.newest;
    const recorded = producer && shard.producers?.record(producer, batchId, timeMs);
    shard.newest = batchId;
    shard.newestTimeMs = timeMs;
    this.#bytesInFlight += bytes;
    const result = new Promise<AppendResult>(takeSettlers);
    const chunk = group.chunkFor(bytes);
    const pending: PendingAppend = {
      shard,
      batchId,
      timeMs,
      offset: group.end,
      length: bytes,
      chunk,
      at: chunk.used,
      producer: producer && recorded && { id: producer.id, append: recorded },
      resolve: settlers.resolve,
      reject: settlers.reject,
    };
    group.addBatch(pending, batch, previousId, producer);
    if (producer !== undefined) this.#joinable.set(batchId, result);
    return result;
  }

  #repeat(append: ProducerAppend): Promise<AppendResult> {
    const { batchId, timeMs } = append;
    if (append.durable) return Promise.resolve({ kind: "appended", batchId, timeMs });
    const waiting = this.#joinable.get(batchId);
    assert(waiting !== undefined, "an append that is not durable can be joined");
    return waiting;
  }
}
