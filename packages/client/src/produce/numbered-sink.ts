import type { BatchedRecord, RecordId } from "@hstream/proto";
import { type Address, formatAddress } from "../address.js";
import { clientClosed, type Connection } from "../connection.js";
import { HStreamClientError, isUnavailable } from "../errors.js";
import { limits } from "../limits.js";
import { AppendLane, type NumberedAppend } from "./append-lane.js";
import type { Appender, BatchSink } from "./appender.js";

interface Append extends NumberedAppend {
  readonly resolve: (ids: readonly RecordId[]) => void;
  readonly reject: (error: unknown) => void;
}

/** The appends of one shard, oldest first: those under way, behind them those that wait. */
interface ShardQueue {
  readonly shardId: bigint;
  producerId: string;
  nextSequence: bigint;
  lastUsedAt: number;
  underWay: Append[];
  waiting: Append[];
  lane: AppendLane<Append> | "looked-up" | undefined;
}

/**
 * Batches numbered and sent with AppendStream, several of a shard at a time. When a server goes away,
 * what it has not answered is sent again under the same numbers, so that every batch is stored once. A
 * batch that is refused fails all that was not stored, and all later ones: what follows it would leave
 * a hole.
 */
export class NumberedSink implements BatchSink {
  readonly batchesPerShardMax = limits.appendsPerShardMax;
  readonly #connection: Connection;
  readonly #appender: Appender;
  readonly #queues = new Map<bigint, ShardQueue>();
  readonly #lanes = new Map<string, AppendLane<Append>>();
  readonly #stop = new AbortController();
  readonly #outageMsMax: number;
  #failure: HStreamClientError | undefined;
  #tries = 0;
  #downSince: number | undefined;
  #restarting = false;

  constructor(connection: Connection, appender: Appender, outageMsMax: number) {
    this.#connection = connection;
    this.#appender = appender;
    this.#outageMsMax = outageMsMax;
  }

  store(shardId: bigint, batch: BatchedRecord): Promise<readonly RecordId[]> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      const queue = this.#queueOf(shardId);
      const { producerId, nextSequence: sequence } = queue;
      queue.nextSequence += 1n;
      queue.waiting.push({ shardId, producerId, sequence, batch, resolve, reject });
      this.#pump(queue);
    });
  }

  async close(reason?: HStreamClientError): Promise<void> {
    this.#stop.abort();
    for (const lane of this.#lanes.values()) lane.close();
    this.#lanes.clear();
    this.#fail(
      reason ?? new HStreamClientError({ reason: "closed", message: "The append stream is closed." }),
    );
  }

  #queueOf(shardId: bigint): ShardQueue {
    const now = this.#connection.system.now();
    let queue = this.#queues.get(shardId);
    if (queue === undefined) {
      queue = {
        shardId,
        producerId: this.#connection.system.randomName(),
        nextSequence: 1n,
        lastUsedAt: now,
        underWay: [],
        waiting: [],
        lane: undefined,
      };
      this.#queues.set(shardId, queue);
    }
    const isIdle = queue.underWay.length === 0 && queue.waiting.length === 0;
    if (isIdle && now - queue.lastUsedAt > limits.producerIdleMs) {
      queue.producerId = this.#connection.system.randomName();
      queue.nextSequence = 1n;
    }
    queue.lastUsedAt = now;
    return queue;
  }

  /** Sends what waits, as far as there is room. */
  #pump(queue: ShardQueue): void {
    if (this.#restarting || this.#failure !== undefined || queue.waiting.length === 0) return;
    const { lane } = queue;
    if (lane === "looked-up") return;
    if (lane === undefined) {
      queue.lane = "looked-up";
      void this.#findLane(queue);
      return;
    }
    while (queue.underWay.length < limits.appendsPerShardMax && !lane.isFull) {
      const append = queue.waiting.shift();
      if (append === undefined) return;
      queue.underWay.push(append);
      lane.send(append);
    }
  }

  async #findLane(queue: ShardQueue): Promise<void> {
    try {
      const address = await this.#appender.lookup(queue.shardId, { signal: this.#stop.signal });
      if (this.#failure !== undefined) return;
      const name = formatAddress(address);
      let lane = this.#lanes.get(name);
      if (lane === undefined) {
        lane = this.#openLane(name, address);
        this.#lanes.set(name, lane);
      }
      queue.lane = lane;
      this.#pump(queue);
    } catch (error) {
      queue.lane = undefined;
      this.#lost(error);
    }
  }

  #openLane(name: string, address: Address): AppendLane<Append> {
    const lane: AppendLane<Append> = new AppendLane<Append>(
      this.#connection,
      address,
      this.#appender.stream,
      {
        appended: (append, ids) => {
          this.#tries = 0;
          this.#downSince = undefined;
          const queue = this.#take(append);
          append.resolve(ids);
          this.#pump(queue);
        },
        refused: (append, error) => {
          // UNAVAILABLE says "later": the shard's appends behind it were not stored either.
          if (isUnavailable(error)) return this.#drop(name, lane, error);
          this.#take(append);
          append.reject(error);
          this.#fail(error);
        },
        down: (_, error) => this.#drop(name, lane, error),
        drained: () => {
          for (const queue of this.#queues.values()) if (queue.lane === lane) this.#pump(queue);
        },
      },
    );
    return lane;
  }

  #take(append: Append): ShardQueue {
    const queue = this.#queueOf(append.shardId);
    queue.underWay = queue.underWay.filter((other) => other !== append);
    return queue;
  }

  /** Forgets a lane; what it has not answered is the first to be sent again. */
  #drop(name: string, lane: AppendLane<Append>, error: unknown): void {
    lane.cancel();
    if (this.#lanes.get(name) === lane) this.#lanes.delete(name);
    for (const queue of this.#queues.values()) {
      if (queue.lane !== lane) continue;
      queue.lane = undefined;
      queue.waiting = [...queue.underWay, ...queue.waiting];
      queue.underWay = [];
    }
    this.#lost(error);
  }

  /** Begins again after a pause, unless that would not help or has been tried for too long. */
  #lost(error: unknown): void {
    if (this.#failure !== undefined) return;
    const now = this.#connection.system.now();
    this.#downSince ??= now;
    if (this.#connection.closed) return this.#fail(clientClosed());
    const maybeLater =
      isUnavailable(error) || (error instanceof HStreamClientError && error.reason === "timeout");
    if (!maybeLater || now - this.#downSince > this.#outageMsMax) return this.#fail(error);
    if (this.#restarting) return;
    this.#restarting = true;
    void this.#restart();
  }

  async #restart(): Promise<void> {
    try {
      await this.#connection.backOff(this.#tries, this.#stop.signal);
    } catch {
      return;
    }
    this.#tries += 1;
    this.#restarting = false;
    for (const queue of this.#queues.values()) this.#pump(queue);
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure =
      error instanceof HStreamClientError
        ? error
        : new HStreamClientError({ reason: "protocol", message: String(error), cause: error });
    this.#stop.abort();
    for (const lane of this.#lanes.values()) lane.cancel();
    this.#lanes.clear();
    for (const { underWay, waiting } of this.#queues.values()) {
      for (const { reject } of [...underWay.splice(0), ...waiting.splice(0)]) reject(this.#failure);
    }
  }
}
