import type { RecordId } from "@hstream/proto";
import { cancelled } from "../connection.js";
import { HStreamClientError } from "../errors.js";
import { limits } from "../limits.js";
import { type Compression, encodeBatch, type RecordInput, type RecordOptions } from "../records/record.js";
import type { RecordType } from "../records/record-type.js";
import type { BatchSink } from "./appender.js";
import { ByteBudget } from "./byte-budget.js";
import { planBatches } from "./plan-batches.js";
import type { ShardMap } from "./shard-map.js";

export interface AppendStreamOptions<T = RecordInput> {
  /** How values become records. Default: objects are JSON records, bytes raw ones. */
  readonly type?: RecordType<T>;
  /** Bytes under way before `append` waits to begin (16 MiB). */
  readonly bytesInFlightMax?: number;
  /** How long servers may be out of reach before all that is under way fails, ms (120000). */
  readonly outageMsMax?: number;
  /** Ends it: what is not stored yet, and all that comes later, fails with reason "cancelled". */
  readonly signal?: AbortSignal;
}

/**
 * Appends that need not wait for each other, over one call. Each is stored exactly once, also when its
 * server is killed and started again meanwhile. An append that is refused fails those that follow it.
 */
export class AppendStream<T = RecordInput> implements AsyncDisposable {
  readonly #sink: BatchSink;
  readonly #shards: ShardMap;
  readonly #type: RecordType<T>;
  readonly #budget: ByteBudget;
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #signal: AbortSignal | undefined;
  readonly #cancel: () => void;
  #turn: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  #closed = false;

  constructor(sink: BatchSink, shards: ShardMap, type: RecordType<T>, options: AppendStreamOptions<T>) {
    this.#sink = sink;
    this.#shards = shards;
    this.#type = type;
    this.#budget = new ByteBudget(options.bytesInFlightMax ?? limits.producerBytesInFlightMax);
    this.#signal = options.signal;
    this.#cancel = () => {
      this.#budget.fail(cancelled());
      void this.#sink.close(cancelled());
    };
    if (this.#signal?.aborted === true) this.#cancel();
    this.#signal?.addEventListener("abort", this.#cancel, { once: true });
  }

  /** Bytes that are not stored yet. */
  get bytesInFlight(): number {
    return this.#budget.inFlight;
  }

  /**
   * Stores records, behind those of earlier calls, and settles with their ids. Those of one shard go in
   * one batch, or several if they are too much for one.
   */
  append(
    values: readonly T[],
    options: RecordOptions & { readonly compression?: Compression } = {},
  ): Promise<readonly RecordId[]> {
    const storing = this.#append(values, options);
    this.#underWay.add(storing);
    storing.then(
      () => this.#underWay.delete(storing),
      (error: unknown) => {
        this.#underWay.delete(storing);
        // What the client refused by itself was not under way.
        const isRefusedHere = error instanceof HStreamClientError && error.reason === "usage";
        if (!isRefusedHere && error instanceof Error) this.#failure ??= error;
      },
    );
    return storing;
  }

  /** Settles once all that was appended before is stored; fails if any of it was not. */
  async flush(): Promise<void> {
    await Promise.allSettled(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure;
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

  async #append(
    values: readonly T[],
    options: RecordOptions & { readonly compression?: Compression },
  ): Promise<readonly RecordId[]> {
    if (this.#closed) {
      throw new HStreamClientError({ reason: "closed", message: "The append stream is closed." });
    }
    const batches = planBatches(values, this.#type, options, this.#shards);
    const bytes = batches.reduce(
      (sum, { records }) => sum + records.reduce((part, one) => part + one.bytes, 0),
      0,
    );
    const room = this.#budget.take(bytes);
    let taken = room === undefined;
    const before = this.#turn;
    // Within an object, lest the turn last until the batches are stored.
    const given = (async () => {
      await room;
      taken = true;
      const encoding = Promise.all(
        batches.map(({ records }) => encodeBatch(records, options.compression ?? "none")),
      );
      const [encoded] = await Promise.all([encoding, before]);
      return {
        stored: Promise.all(
          batches.map(async ({ shardId, places }, index) => {
            const batch = encoded[index];
            const ids = batch === undefined ? [] : await this.#sink.store(shardId, batch);
            return places.map((place, at) => [place, ids[at]] as const);
          }),
        ),
      };
    })();
    this.#turn = given.catch(() => {});
    try {
      return inOrder(await (await given).stored);
    } finally {
      if (taken) this.#budget.give(bytes);
    }
  }
}

/** The ids in the order of the values that they were given to. */
export function inOrder(
  batches: readonly (readonly (readonly [place: number, id: RecordId | undefined])[])[],
): readonly RecordId[] {
  const ids: RecordId[] = [];
  for (const [place, id] of batches.flat()) if (id !== undefined) ids[place] = id;
  return ids;
}
