import type { RecordId } from "@hstream/proto";
import type { Appender } from "./appender.js";
import { HStreamClientError } from "./errors.js";
import { limits } from "./limits.js";
import {
  type Compression,
  encodeBatch,
  type PreparedRecord,
  prepareRecord,
  type RecordInput,
  type RecordOptions,
} from "./record.js";
import type { ShardMap } from "./shard-map.js";
import type { System } from "./system.js";

export interface ProducerOptions {
  /** A batch is sent when it has this many records (1000), … */
  readonly recordsMax?: number;
  /** … this many bytes (256 KiB) … */
  readonly bytesMax?: number;
  /** … or its first record has waited so long, ms (10). */
  readonly ageMs?: number;
  /** Bytes buffered and under way before `write` makes its caller wait (16 MiB). */
  readonly bytesInFlightMax?: number;
  readonly compression?: Compression;
}

interface Waiting {
  readonly record: PreparedRecord;
  readonly settle?: { readonly resolve: (id: RecordId) => void; readonly reject: (error: unknown) => void };
}

/** What waits for one shard; one batch of it is under way at a time. */
interface ShardQueue {
  readonly shardId: bigint;
  waiting: Waiting[];
  waitingBytes: number;
  sending: boolean;
  /** Send what waits, however little. */
  due: boolean;
  cancelTimer: (() => void) | undefined;
}

/**
 * Gathers records into batches, per shard and in order. `write` makes its caller wait while too much
 * is buffered; a failed batch fails every later `write`, `flush` and `close`, since the order of the
 * stream would have a hole.
 */
export class BufferedProducer {
  readonly #appender: Appender;
  readonly #system: System;
  readonly #shards: ShardMap;
  readonly #options: Required<ProducerOptions>;
  readonly #queues = new Map<bigint, ShardQueue>();
  #bytesInFlight = 0;
  #recordsInFlight = 0;
  #roomWaiters: (() => void)[] = [];
  #idleWaiters: (() => void)[] = [];
  #failure: unknown;
  #failed = false;
  #closed = false;

  constructor(appender: Appender, shards: ShardMap, system: System, options: ProducerOptions) {
    this.#appender = appender;
    this.#shards = shards;
    this.#system = system;
    this.#options = {
      recordsMax: clamp(
        options.recordsMax ?? limits.producerRecordsMax,
        limits.batchRecordsMax,
        "recordsMax",
      ),
      bytesMax: clamp(options.bytesMax ?? limits.producerBytesMax, limits.batchBytesMax, "bytesMax"),
      ageMs: options.ageMs ?? limits.producerAgeMs,
      bytesInFlightMax: options.bytesInFlightMax ?? limits.producerBytesInFlightMax,
      compression: options.compression ?? "none",
    };
  }

  /** Bytes buffered or under way. */
  get bytesInFlight(): number {
    return this.#bytesInFlight;
  }

  /** Takes a record; settles once there is room for it, which is not yet when it is stored. */
  async write(record: RecordInput, options?: RecordOptions): Promise<void> {
    const prepared = prepareRecord(record, options);
    await this.#room();
    this.#enqueue({ record: prepared });
  }

  /** Takes a record; settles with its id once it is stored. */
  async append(record: RecordInput, options?: RecordOptions): Promise<RecordId> {
    const prepared = prepareRecord(record, options);
    await this.#room();
    return new Promise((resolve, reject) => {
      this.#enqueue({ record: prepared, settle: { resolve, reject } });
    });
  }

  /** Settles once all that was taken is stored. */
  async flush(): Promise<void> {
    for (const queue of this.#queues.values()) {
      queue.due = true;
      this.#send(queue);
    }
    if (this.#recordsInFlight > 0) {
      await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
    }
    this.#throwIfFailed();
  }

  /** Takes no more, and settles once all is stored. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #room(): Promise<void> {
    this.#throwIfUnusable();
    while (this.#bytesInFlight >= this.#options.bytesInFlightMax) {
      await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
      this.#throwIfUnusable();
    }
  }

  #enqueue(entry: Waiting): void {
    const shardId = this.#shards.shardOf(entry.record.key);
    let queue = this.#queues.get(shardId);
    if (queue === undefined) {
      queue = {
        shardId,
        waiting: [],
        waitingBytes: 0,
        sending: false,
        due: false,
        cancelTimer: undefined,
      };
      this.#queues.set(shardId, queue);
    }
    queue.waiting.push(entry);
    queue.waitingBytes += entry.record.bytes;
    this.#bytesInFlight += entry.record.bytes;
    this.#recordsInFlight += 1;
    this.#send(queue);
  }

  /** Starts the next batch of a shard when one is full or due and none is under way. */
  #send(queue: ShardQueue): void {
    if (queue.sending || queue.waiting.length === 0) return;
    const { recordsMax, bytesMax } = this.#options;
    if (!queue.due && queue.waiting.length < recordsMax && queue.waitingBytes < bytesMax) {
      queue.cancelTimer ??= this.#system.schedule(this.#options.ageMs, () => {
        queue.cancelTimer = undefined;
        queue.due = true;
        this.#send(queue);
      });
      return;
    }
    queue.cancelTimer?.();
    queue.cancelTimer = undefined;
    const batch = takeBatch(queue, recordsMax, bytesMax);
    queue.sending = true;
    void this.#store(queue, batch);
  }

  async #store(queue: ShardQueue, batch: readonly Waiting[]): Promise<void> {
    try {
      this.#throwIfFailed();
      const encoded = await encodeBatch(
        batch.map(({ record }) => record),
        this.#options.compression,
      );
      const ids = await this.#appender.append(queue.shardId, encoded);
      batch.forEach(({ settle }, index) => {
        const id = ids[index];
        if (id !== undefined) settle?.resolve(id);
      });
    } catch (error) {
      this.#fail(error);
      for (const { settle } of batch) settle?.reject(error);
    }
    for (const { record } of batch) this.#bytesInFlight -= record.bytes;
    this.#recordsInFlight -= batch.length;
    queue.sending = false;
    // What gathered while the batch was under way has waited long enough.
    if (queue.waiting.length > 0) queue.due = true;
    this.#send(queue);
    this.#wake();
  }

  #wake(): void {
    if (this.#bytesInFlight < this.#options.bytesInFlightMax || this.#failed) {
      for (const resume of this.#roomWaiters.splice(0)) resume();
    }
    if (this.#recordsInFlight === 0) for (const resume of this.#idleWaiters.splice(0)) resume();
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
  }

  #throwIfFailed(): void {
    if (this.#failed) throw this.#failure;
  }

  #throwIfUnusable(): void {
    this.#throwIfFailed();
    if (this.#closed) throw new HStreamClientError({ reason: "closed", message: "The producer is closed." });
  }
}

function takeBatch(queue: ShardQueue, recordsMax: number, bytesMax: number): readonly Waiting[] {
  let bytes = 0;
  let count = 0;
  for (const { record } of queue.waiting) {
    if (count === recordsMax || (count > 0 && bytes + record.bytes > bytesMax)) break;
    bytes += record.bytes;
    count += 1;
  }
  const batch = count === queue.waiting.length ? queue.waiting : queue.waiting.slice(0, count);
  queue.waiting = count === queue.waiting.length ? [] : queue.waiting.slice(count);
  queue.waitingBytes -= bytes;
  if (queue.waiting.length === 0) queue.due = false;
  return batch;
}

function clamp(value: number, max: number, name: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new HStreamClientError({ reason: "usage", message: `${name} must be 1 to ${max}, not ${value}.` });
}
