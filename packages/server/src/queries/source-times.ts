import type { PhysicalPlan } from "@hstream/sql";
import type { StepInput } from "../executor/step-input.js";
import { limits } from "../limits.js";
import type { ShardId } from "../log/log-store.js";
import type { SourceStream } from "./query-input.js";

/** A stream source of which the times matter. */
interface TimedSource {
  readonly source: number;
  readonly shardIds: readonly ShardId[];
  readonly latenessMs: number;
  readonly appendTime: boolean;
}

/**
 * What a query without end is told of time beside its records, so that windows close by the clock: of
 * append time, that no record of before will come (append time never falls); of a named column, that a shard
 * gave nothing for shardIdleMs. Both only of shards that have been read up to their tails.
 */
export class SourceTimes {
  readonly #sources: readonly TimedSource[];
  /** When each shard gave its last record, by the clock. */
  readonly #lastMs = new Map<ShardId, number>();

  constructor(plan: PhysicalPlan, inputs: readonly SourceStream[], nowMs: number) {
    this.#sources = inputs.flatMap(({ stream, sources }) =>
      sources.flatMap((source): TimedSource[] => {
        const one = plan.sources[source];
        if (one?.kind !== "stream" || one.time === undefined) return [];
        const { latenessMs, appendTime } = one.time;
        return [{ source, shardIds: stream.shardIds, latenessMs, appendTime }];
      }),
    );
    for (const { shardIds } of this.#sources)
      for (const shardId of shardIds) this.#lastMs.set(shardId, nowMs);
  }

  /** Whether the query has to be told of time at all. */
  get matters(): boolean {
    return this.#sources.length > 0;
  }

  /** Before all records: the shards that exist. */
  begin(): StepInput[] {
    return this.#sources.map(({ source, shardIds }) => ({ kind: "shards", source, shards: shardIds }));
  }

  sawRecords(shardId: ShardId, nowMs: number): void {
    if (this.#lastMs.has(shardId)) this.#lastMs.set(shardId, nowMs);
  }

  /** What is to be told now. `isRead`: whether a shard has been read up to its tail. */
  tick(nowMs: number, isRead: (shardId: ShardId) => boolean): StepInput[] {
    const inputs: StepInput[] = [];
    for (const { source, shardIds, latenessMs, appendTime } of this.#sources) {
      for (const shard of shardIds) {
        if (!isRead(shard)) continue;
        const elapsedMs = nowMs - (this.#lastMs.get(shard) ?? nowMs);
        if (appendTime) inputs.push({ kind: "watermark", source, shard, timeMs: nowMs - latenessMs });
        else if (elapsedMs >= limits.shardIdleMs) inputs.push({ kind: "idle", source, shard, elapsedMs });
      }
    }
    return inputs;
  }
}
