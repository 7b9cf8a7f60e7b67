import { decodeHRecord, encodeHRecord, isMalformed, must } from "@hstream/proto";
import type { StepReport } from "../executor/step-input.js";
import { limits } from "../limits.js";
import {
  type BatchId,
  type Fence,
  LogError,
  type LogStore,
  type ShardId,
  type StoredBatch,
} from "../log/log-store.js";

/** What went wrong in a query: an expression that failed and gave NULL, or records that were left out. */
export interface QueryErrorEntry {
  readonly timeMs: number;
  readonly kind: "expression" | "diverted";
  /** The message, or why records were left out. */
  readonly reason: string;
  /** How many of this kind it stands for. */
  readonly count: number;
}

/**
 * The errors of one query, in an internal shard of its own: one batch for each step that had some. All are
 * counted; of a step's expression errors the first have entries of their own, the rest one together. The
 * oldest batches go once there are more than queryErrorsKept entries.
 */
export class ErrorStream {
  readonly #log: LogStore;
  readonly #shardId: ShardId;
  #fence: Fence | undefined;
  /** Entries that are kept, by batch, oldest first; known from the first write on. */
  readonly #kept: { readonly batchId: BatchId; readonly entries: number }[] = [];
  #keptEntries = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(log: LogStore, shardId: ShardId) {
    this.#log = log;
    this.#shardId = shardId;
  }

  /** Takes note of a report's errors; written in the background. A log that refuses them loses them. */
  observe(report: StepReport, timeMs: number): void {
    const entries = entriesOf(report, timeMs);
    if (entries.length === 0) return;
    this.#writing = this.#writing.then(() => this.#write(entries)).catch(() => undefined);
  }

  /** Resolves once all that was observed is written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  /** Oldest first, at most queryErrorsKept. */
  async list(): Promise<QueryErrorEntry[]> {
    await this.settled();
    const entries: QueryErrorEntry[] = [];
    for await (const { payload, timeMs } of this.#batches()) entries.push(...decode(payload, timeMs));
    return entries.slice(-limits.queryErrorsKept);
  }

  async #write(entries: readonly QueryErrorEntry[]): Promise<void> {
    try {
      if (this.#fence === undefined) {
        for await (const { batchId, recordCount } of this.#batches()) this.#keep(batchId, recordCount);
        this.#fence = await this.#log.open(this.#shardId);
      }
      const payload = encode(entries);
      const batch = { recordCount: entries.length, compression: 0, payload };
      const result = await this.#log.append(this.#shardId, batch, { fence: this.#fence });
      if (result.kind !== "appended") return;
      this.#keep(result.batchId, entries.length);
      await this.#trim();
    } catch (error) {
      // The query goes on without; what failed the log is told by whoever else needs it.
      if (!(error instanceof LogError)) throw error;
    }
  }

  /** In pieces, so that not every step trims. */
  async #trim(): Promise<void> {
    if (this.#keptEntries <= limits.queryErrorsKept * 1.25) return;
    let upTo: BatchId = 0;
    while (this.#keptEntries > limits.queryErrorsKept) {
      const oldest = must(this.#kept.shift(), "entries that are counted are kept");
      upTo = oldest.batchId;
      this.#keptEntries -= oldest.entries;
    }
    await this.#log.trim(this.#shardId, upTo);
  }

  #keep(batchId: BatchId, entries: number): void {
    this.#kept.push({ batchId, entries });
    this.#keptEntries += entries;
  }

  async *#batches(): AsyncGenerator<StoredBatch> {
    const tail = this.#log.tail(this.#shardId);
    for (let from: BatchId = 0; from <= tail; ) {
      const { batches, next, gap } = await this.#log.read(this.#shardId, from, readLimits);
      yield* batches;
      if (batches.length === 0 && gap === undefined) return;
      from = next;
    }
  }
}

const readLimits = { batchesMax: 1_024, bytesMax: 1_048_576 };

function entriesOf({ errors, divertedBy }: StepReport, timeMs: number): QueryErrorEntry[] {
  const entries: QueryErrorEntry[] = errors.first.map(({ message }) => {
    return { timeMs, kind: "expression", reason: message, count: 1 };
  });
  const others = errors.count - errors.first.length;
  if (others > 0)
    entries.push({ timeMs, kind: "expression", reason: "further errors of the same step", count: others });
  for (const [reason, count] of Object.entries(divertedBy)) {
    entries.push({ timeMs, kind: "diverted", reason, count });
  }
  return entries;
}

function encode(entries: readonly QueryErrorEntry[]): Uint8Array {
  const payload = encodeHRecord({ entries: entries.map((entry) => ({ ...entry })) });
  return payload instanceof Uint8Array ? payload : new Uint8Array(0);
}

function decode(payload: Uint8Array, timeMs: number): QueryErrorEntry[] {
  const record = decodeHRecord(payload);
  const entries = isMalformed(record) ? [] : record.get("entries");
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry): QueryErrorEntry[] => {
    if (!(entry instanceof Map)) return [];
    const { reason, count } = { reason: entry.get("reason"), count: entry.get("count") };
    const kind = entry.get("kind") === "diverted" ? "diverted" : "expression";
    return [{ timeMs, kind, reason: typeof reason === "string" ? reason : "", count: Number(count) }];
  });
}
