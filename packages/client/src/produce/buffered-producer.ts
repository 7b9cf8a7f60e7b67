import type { RecordId } from "@hstream/proto";
import { cancelled } from "../connection.js";
import { HStreamClientError } from "../errors.js";
import { limits } from "../limits.js";
import {
  type Compression,
  encodeBatch,
  type PreparedRecord,
  type RecordInput,
  type RecordOptions,
} from "../records/record.js";
import type { RecordType } from "../records/record-type.js";
import type { System } from "../system.js";
import type { BatchSink } from "./appender.js";
import { ByteBudget } from "./byte-budget.js";
import { prepare } from "./plan-batches.js";
import type { ShardMap } from "./shard-map.js";

export interface ProducerOptions<T = RecordInput> {
  /** How values become records. Default: objects are JSON records, bytes raw ones. */
  readonly type?: RecordType<T>;
  /** A batch is sent when it has this many records (1000), … */
  readonly recordsMax?: number;
  /** … this many bytes (256 KiB) … */
  readonly bytesMax?: number;
  /** … or its first record has waited so long, ms (10). */
  readonly ageMs?: number;
  /** Bytes buffered and under way before `write` makes its caller wait (16 MiB). */
  readonly bytesInFlightMax?: number;
  /** Of each batch as a whole. Default "none". */
  readonly compression?: Compression;
  /**
   * Store every record exactly once, whatever happens to servers and connections, with several batches
   * of a shard under way. Needs a server with the HStreamExt service. Default false: a batch whose answer
   * was lost is sent again, and can be stored twice.
   */
  readonly idempotent?: boolean;
  /** With `idempotent`: how long servers may be out of reach before it fails, ms (120000). */
  readonly outageMsMax?: number;
  /** Ends it: what is not stored yet, and all that comes later, fails with reason "cancelled". */
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly record: PreparedRecord;
  readonly settle?: { readonly resolve: (id: RecordId) => void; readonly reject: (error: unknown) => void };
}

/** What waits for one shard. */
interface ShardQueue {
  readonly shardId: bigint;
  waiting: Waiting[];
  waitingBytes: number;
  /** Batches under way. */
  underWay: number;
  /** Settles when the batch before has been given to the sink: compressing may take its time. */
  turn: Promise<unknown>;
  /** Send what waits, however little. */
  due: boolean;
  cancelTimer: (() => void) | undefined;
}

interface Settings {
  readonly recordsMax: number;
  readonly bytesMax: number;
  readonly ageMs: number;
  readonly compression: Compression;
}

/**
 * Gathers records into batches, per shard and in order. `write` makes its caller wait while too much
 * is buffered; a failed batch fails every later `write`, `flush` and `close`, since the order of the
 * stream would have a hole.
 */
export class BufferedProducer<T = RecordInput> implements AsyncDisposable {
  readonly #sink: BatchSink;
  readonly #system: System;
  readonly #shards: ShardMap;
  readonly #type: RecordType<T>;
  readonly #settings: Settings;
  readonly #queues = new Map<bigint, ShardQueue>();
  readonly #budget: ByteBudget;
  readonly #signal: AbortSignal | undefined;
  readonly #cancel: () => void;
  /** Taken and neither stored nor failed, those that wait for room among them. */
  #recordsInFlight = 0;
  #idleWaiters: (() => void)[] = [];
  #failure: unknown;
  #failed = false;
  #closed = false;

  constructor(
    sink: BatchSink,
    shards: ShardMap,
    type: RecordType<T>,
    system: System,
    options: ProducerOptions<T>,
  ) {
    this.#sink = sink;
    this.#shards = shards;
    this.#type = type;
    this.#system = system;
    const { recordsMax = limits.producerRecordsMax, bytesMax = limits.producerBytesMax } = options;
    this.#settings = {
      recordsMax: within(recordsMax, limits.batchRecordsMax, "recordsMax"),
      bytesMax: within(bytesMax, limits.batchBytesMax, "bytesMax"),
      ageMs: options.ageMs ?? limits.producerAgeMs,
      compression: options.compression ?? "none",
    };
    this.#budget = new ByteBudget(options.bytesInFlightMax ?? limits.producerBytesInFlightMax);
    this.#signal = options.signal;
    this.#cancel = () => {
      this.#fail(cancelled());
      void this.#sink.close(cancelled());
    };
    if (this.#signal?.aborted === true) this.#cancel();
    this.#signal?.addEventListener("abort", this.#cancel, { once: true });
  }

  /** Bytes buffered or under way. */
  get bytesInFlight(): number {
    return this.#budget.inFlight;
  }

  /** Takes a record; settles once there is room for it, which is not yet when it is stored. */
  async write(value: T, options?: RecordOptions): Promise<void> {
    const record = prepare(this.#type, value, options);
    const room = this.#admit(record);
    if (room !== undefined) await room;
    this.#enqueue({ record });
  }

  /** Takes a record; settles with its id once it is stored. */
  async append(value: T, options?: RecordOptions): Promise<RecordId> {
    const record = prepare(this.#type, value, options);
    const room = this.#admit(record);
    if (room !== undefined) await room;
    return new Promise((resolve, reject) => {
      this.#enqueue({ record, settle: { resolve, reject } });
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
    try {
      await this.flush();
    } finally {
      this.#signal?.removeEventListener("abort", this.#cancel);
      await this.#sink.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Takes room for a record; undefined when there is some, so that a `close` right after comes behind it. */
  #admit(record: PreparedRecord): Promise<void> | undefined {
    this.#throwIfUnusable();
    this.#recordsInFlight += 1;
    const room = this.#budget.take(record.bytes);
    return room?.catch((error: unknown) => {
      this.#left(1);
      throw error;
    });
  }

  #enqueue(entry: Waiting): void {
    if (this.#failed) {
      this.#done([entry]);
      throw this.#failure;
    }
    const shardId = this.#shards.shardOf(entry.record.key);
    let queue = this.#queues.get(shardId);
    if (queue === undefined) {
      queue = {
        shardId,
        waiting: [],
        waitingBytes: 0,
        underWay: 0,
        turn: Promise.resolve(),
        due: false,
        cancelTimer: undefined,
      };
      this.#queues.set(shardId, queue);
    }
    queue.waiting.push(entry);
    queue.waitingBytes += entry.record.bytes;
    if (this.#closed) queue.due = true;
    this.#send(queue);
  }

  /** Starts batches of a shard that are full or due, as many as may be under way. */
  #send(queue: ShardQueue): void {
    const { recordsMax, bytesMax, ageMs } = this.#settings;
    while (queue.underWay < this.#sink.batchesPerShardMax && queue.waiting.length > 0) {
      if (!queue.due && queue.waiting.length < recordsMax && queue.waitingBytes < bytesMax) {
        queue.cancelTimer ??= this.#system.schedule(ageMs, () => {
          queue.cancelTimer = undefined;
          queue.due = true;
          this.#send(queue);
        });
        return;
      }
      queue.cancelTimer?.();
      queue.cancelTimer = undefined;
      queue.underWay += 1;
      void this.#store(queue, takeBatch(queue, recordsMax, bytesMax));
    }
  }

  async #store(queue: ShardQueue, batch: readonly Waiting[]): Promise<void> {
    try {
      this.#throwIfFailed();
      const ids = await this.#inTurn(queue, batch);
      batch.forEach(({ settle }, index) => {
        const id = ids[index];
        if (id !== undefined) settle?.resolve(id);
      });
    } catch (error) {
      this.#fail(error);
      for (const { settle } of batch) settle?.reject(error);
    }
    queue.underWay -= 1;
    // What gathered while the batch was under way has waited long enough.
    if (queue.waiting.length > 0) queue.due = true;
    this.#done(batch);
    this.#send(queue);
  }

  /** Encodes a batch, and gives it to the sink behind those before it. */
  async #inTurn(queue: ShardQueue, batch: readonly Waiting[]): Promise<readonly RecordId[]> {
    const encoding = encodeBatch(
      batch.map(({ record }) => record),
      this.#settings.compression,
    );
    const before = queue.turn;
    // Within an object, lest the turn last until the batch is stored.
    const given = (async () => {
      const [encoded] = await Promise.all([encoding, before]);
      return { stored: this.#sink.store(queue.shardId, encoded, { signal: this.#signal }) };
    })();
    queue.turn = given.catch(() => {});
    return (await given).stored;
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#failure = error;
    this.#budget.fail(error);
    for (const queue of this.#queues.values()) {
      queue.cancelTimer?.();
      const waiting = queue.waiting.splice(0);
      for (const { settle } of waiting) settle?.reject(error);
      this.#done(waiting);
    }
  }

  /** Records that are stored, or have failed. */
  #done(records: readonly Waiting[]): void {
    this.#budget.give(records.reduce((sum, { record }) => sum + record.bytes, 0));
    this.#left(records.length);
  }

  #left(records: number): void {
    this.#recordsInFlight -= records;
    if (this.#recordsInFlight === 0) for (const resume of this.#idleWaiters.splice(0)) resume();
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

function within(value: number, max: number, name: string): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new HStreamClientError({ reason: "usage", message: `${name} must be 1 to ${max}, not ${value}.` });
}
