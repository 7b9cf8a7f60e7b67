import { assert } from "@hstream/proto";
import type { Clock } from "../env/env.js";
import { BatchIds } from "./batch-id.js";
import {
  type AppendOptions,
  type AppendResult,
  type Batch,
  type BatchId,
  type Fence,
  LogError,
  type LogStore,
  type ReadLimits,
  type ReadResult,
  type ShardDescription,
  type ShardId,
  type StoredBatch,
  type TrimResult,
} from "./log-store.js";
import { ProducerTable } from "./producer-table.js";

/** What a test wants to happen instead of, or before, the next call of a verb. */
export type Injection =
  /** The call rejects; nothing happens. */
  | { readonly kind: "error"; readonly error: Error }
  /** The call rejects although it was carried out: the answer got lost. */
  | { readonly kind: "lost-answer"; readonly error: Error }
  /** The call waits for this before it begins. */
  | { readonly kind: "delay"; readonly until: Promise<void> }
  /** The append gives this result; nothing is appended. */
  | { readonly kind: "append-result"; readonly result: AppendResult }
  /** The read gives this result. */
  | { readonly kind: "read-result"; readonly result: ReadResult }
  /** The trim gives this result; nothing is trimmed. */
  | { readonly kind: "trim-result"; readonly result: TrimResult };

export type InjectableVerb =
  | "createShard"
  | "deleteShard"
  | "open"
  | "append"
  | "read"
  | "findTime"
  | "trim"
  | "hold"
  | "releaseHold"
  | "forgetProducer";

interface MemoryShard {
  readonly id: ShardId;
  fence: Fence;
  batches: StoredBatch[];
  tail: BatchId;
  tailTimeMs: number;
  trimmedUpTo: BatchId;
  readonly holds: Map<string, BatchId>;
  readonly producers: ProducerTable;
  readonly listeners: Set<(tail: BatchId) => void>;
}

/** What a MemoryLog keeps; survives its log, as a disk does. */
export class MemoryLogContents {
  epoch = 0;
  readonly shards = new Map<ShardId, MemoryShard>();
  readonly deleted = new Set<ShardId>();
}

/** A log in memory whose every result and fault a test can script, verb by verb. */
export class MemoryLog implements LogStore {
  readonly #contents: MemoryLogContents;
  readonly #clock: Clock;
  readonly #ids: BatchIds;
  readonly #script = new Map<InjectableVerb, Injection[]>();
  #closed = false;

  constructor(clock: Clock, contents = new MemoryLogContents()) {
    this.#contents = contents;
    this.#clock = clock;
    this.#ids = new BatchIds(++contents.epoch);
  }

  /** The next calls of `verb` meet these, one each, in order. */
  inject(verb: InjectableVerb, ...injections: readonly Injection[]): void {
    this.#script.set(verb, [...(this.#script.get(verb) ?? []), ...injections]);
  }

  createShard(shardId: ShardId): Promise<void> {
    return this.#perform("createShard", () => {
      const { shards, deleted } = this.#contents;
      if (shards.has(shardId) || deleted.has(shardId)) {
        throw new LogError("shard-exists", `Shard ${shardId} exists or has existed.`);
      }
      shards.set(shardId, {
        id: shardId,
        fence: 0,
        batches: [],
        tail: 0,
        tailTimeMs: 0,
        trimmedUpTo: 0,
        holds: new Map(),
        producers: new ProducerTable(),
        listeners: new Set(),
      });
    });
  }

  deleteShard(shardId: ShardId): Promise<void> {
    return this.#perform("deleteShard", () => {
      this.#shard(shardId);
      this.#contents.shards.delete(shardId);
      this.#contents.deleted.add(shardId);
    });
  }

  shards(): ShardId[] {
    this.#mustBeOpen();
    return [...this.#contents.shards.keys()].sort((a, b) => a - b);
  }

  describe(shardId: ShardId): ShardDescription {
    this.#mustBeOpen();
    const { tail, trimmedUpTo, tailTimeMs, holds } = this.#shard(shardId);
    return { shardId, tail, trimmedUpTo, tailTimeMs, holds: new Map(holds) };
  }

  open(shardId: ShardId): Promise<Fence> {
    return this.#perform("open", () => ++this.#shard(shardId).fence);
  }

  append(shardId: ShardId, batch: Batch, options: AppendOptions): Promise<AppendResult> {
    return this.#perform("append", () => this.#append(shardId, batch, options));
  }

  #append(shardId: ShardId, batch: Batch, options: AppendOptions): AppendResult {
    const shard = this.#shard(shardId);
    const { fence, producer, expectTail } = options;
    if (fence !== shard.fence) return { kind: "fenced", current: shard.fence };
    if (producer !== undefined) {
      const verdict = shard.producers.judge(producer);
      if (verdict.kind === "repeat") {
        const { batchId, timeMs } = verdict.append;
        return { kind: "appended", batchId, timeMs };
      }
      if (verdict.kind !== "new") return verdict;
    }
    if (expectTail !== undefined && expectTail !== shard.tail) {
      return { kind: "tail-mismatch", tail: shard.tail };
    }
    const batchId = this.#ids.next();
    const timeMs = Math.max(this.#clock.now(), shard.tailTimeMs);
    const { recordCount, compression, payload } = batch;
    shard.batches.push({ shardId, batchId, timeMs, recordCount, compression, payload });
    shard.tail = batchId;
    shard.tailTimeMs = timeMs;
    if (producer !== undefined) {
      shard.producers.settle(producer.id, shard.producers.record(producer, batchId, timeMs));
    }
    for (const listener of [...shard.listeners]) listener(batchId);
    return { kind: "appended", batchId, timeMs };
  }

  read(shardId: ShardId, from: BatchId, limits: ReadLimits): Promise<ReadResult> {
    return this.#perform("read", () => {
      const shard = this.#shard(shardId);
      const batches: StoredBatch[] = [];
      let bytes = 0;
      for (const batch of shard.batches) {
        if (batch.batchId < from) continue;
        bytes += batch.payload.byteLength;
        if (batches.length >= limits.batchesMax || (bytes > limits.bytesMax && batches.length > 0)) break;
        batches.push(batch);
      }
      const trimmed = from > 0 && from <= shard.trimmedUpTo;
      const last = batches.at(-1)?.batchId ?? (trimmed ? shard.trimmedUpTo : from - 1);
      const result = { batches, next: last + 1 };
      if (!trimmed) return result;
      const detail = `shard ${shardId} is trimmed up to there`;
      return { ...result, gap: { kind: "trimmed", upTo: shard.trimmedUpTo, detail } };
    });
  }

  tail(shardId: ShardId): BatchId {
    this.#mustBeOpen();
    return this.#shard(shardId).tail;
  }

  watch(shardId: ShardId, listener: (tail: BatchId) => void): () => void {
    this.#mustBeOpen();
    const own = (tail: BatchId) => listener(tail);
    const { listeners } = this.#shard(shardId);
    listeners.add(own);
    return () => void listeners.delete(own);
  }

  findTime(shardId: ShardId, timeMs: number): Promise<BatchId | undefined> {
    return this.#perform(
      "findTime",
      () => this.#shard(shardId).batches.find((batch) => batch.timeMs >= timeMs)?.batchId,
    );
  }

  trim(shardId: ShardId, upTo: BatchId): Promise<TrimResult> {
    return this.#perform("trim", () => {
      const shard = this.#shard(shardId);
      const last = shard.batches.findLast((batch) => batch.batchId <= upTo)?.batchId ?? shard.trimmedUpTo;
      for (const [by, from] of shard.holds) {
        if (from <= last) return { kind: "held", by, from };
      }
      shard.batches = shard.batches.filter((batch) => batch.batchId > last);
      shard.trimmedUpTo = Math.max(shard.trimmedUpTo, last);
      return { kind: "trimmed", upTo: shard.trimmedUpTo };
    });
  }

  hold(shardId: ShardId, name: string, from: BatchId): Promise<void> {
    return this.#perform("hold", () => void this.#shard(shardId).holds.set(name, from));
  }

  releaseHold(shardId: ShardId, name: string): Promise<void> {
    return this.#perform("releaseHold", () => void this.#shard(shardId).holds.delete(name));
  }

  forgetProducer(shardId: ShardId, producerId: string): Promise<void> {
    return this.#perform("forgetProducer", () => this.#shard(shardId).producers.forget(producerId));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const shard of this.#contents.shards.values()) shard.listeners.clear();
  }

  async #perform<T extends AppendResult | ReadResult | TrimResult | BatchId | Fence | undefined | void>(
    verb: InjectableVerb,
    work: () => T,
  ): Promise<T> {
    this.#mustBeOpen();
    const injection = this.#script.get(verb)?.shift();
    switch (injection?.kind) {
      case "error":
        throw injection.error;
      case "lost-answer":
        work();
        throw injection.error;
      case "delay":
        await injection.until;
        this.#mustBeOpen();
        return work();
      case "append-result":
      case "read-result":
      case "trim-result":
        assert(
          injection.kind === `${verb}-result`,
          () => `a ${injection.kind} is injected into ${verb}, which cannot give it`,
        );
        return injection.result as T;
      case undefined:
        return work();
    }
  }

  #shard(shardId: ShardId): MemoryShard {
    const shard = this.#contents.shards.get(shardId);
    if (shard === undefined) throw new LogError("shard-not-found", `Shard ${shardId} does not exist.`);
    return shard;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new LogError("closed", "The log is closed.");
  }
}
