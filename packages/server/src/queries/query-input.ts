import type { PhysicalPlan, PlanSource } from "@hstream/sql";
import type { InputLease, InputMemory } from "../executor/input-memory.js";
import type { RecordBatchInput, StepInput } from "../executor/step-input.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { BatchId, LogStore, ReadResult, ShardId } from "../log/log-store.js";
import type { StreamDocument } from "../streams/stream.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";

type StreamSource = Extract<PlanSource, { kind: "stream" }>;

/** A stream that a plan reads, and the plan's sources that it feeds (two in a self join). */
export interface SourceStream {
  readonly stream: StreamDocument;
  readonly sources: readonly number[];
}

/** How much of a shard is read at a time. */
export const chunkLimits = { batchesMax: limits.readBatchesMax, bytesMax: limits.readBytesMax };

/** The streams behind a plan's sources. Throws StreamNotFound for one that is gone. */
export function sourceStreams(plan: PhysicalPlan, streams: StreamCatalogue): SourceStream[] {
  const found = new Map<string, { stream: StreamDocument; sources: number[] }>();
  plan.sources.forEach((source, index) => {
    if (source.kind !== "stream") return;
    const entry = found.get(source.id) ?? { stream: streamOf(source, streams), sources: [] };
    entry.sources.push(index);
    found.set(source.id, entry);
  });
  return [...found.values()];
}

function streamOf(source: StreamSource, streams: StreamCatalogue): StreamDocument {
  const found = streams.byId(source.id);
  if (found === undefined) throw new HStreamError("StreamNotFound", { stream: source.name });
  return found.stream;
}

/** The same batches, for each of the sources. */
export function recordInputs(sources: readonly number[], batches: readonly RecordBatchInput[]): StepInput[] {
  return sources.map((source) => ({ kind: "records", source, batches }));
}

/** Batches of a shard, and the memory that they may lie in: for `QueryExecution.feed`. */
export interface StoredPiece {
  readonly batches: readonly RecordBatchInput[];
  readonly memory: InputLease;
}

/** Everything that a shard keeps up to `tail`, in bounded pieces; the next is read while one is used. */
export async function* storedBatches(
  log: LogStore,
  memory: InputMemory,
  shardId: ShardId,
  tail: BatchId,
): AsyncGenerator<StoredPiece> {
  const read = (from: BatchId) => {
    if (from > tail) return undefined;
    const lease = memory.lease();
    return { lease, reading: log.read(shardId, from, chunkLimits, lease) };
  };
  let ahead = read(0);
  try {
    while (ahead !== undefined) {
      const { lease, reading }: { lease: InputLease; reading: Promise<ReadResult> } = ahead;
      const result = await reading;
      refuseCorruption(shardId, result);
      ahead = result.batches.length === 0 && result.gap === undefined ? undefined : read(result.next);
      const batches = result.batches.filter((batch) => batch.batchId <= tail);
      if (batches.length > 0) yield { batches, memory: lease };
      else lease.release();
    }
  } finally {
    // Left early: what was read ahead is not wanted, nor is its failure.
    ahead?.reading.catch(() => undefined);
  }
}

/** A query never passes over records that cannot be read as if they had not been there. */
export function refuseCorruption(shardId: ShardId, { gap }: ReadResult): void {
  if (gap?.kind !== "corrupt") return;
  throw new HStreamError("QueryFailed", {
    message: `Shard ${shardId} has records that cannot be read (up to ${gap.upTo}): ${gap.detail}`,
  });
}
