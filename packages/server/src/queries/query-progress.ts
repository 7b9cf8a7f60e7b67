import type { PhysicalPlan } from "@hstream/sql";
import type { StepReport } from "../executor/step-input.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { Metrics } from "../metrics/metrics.js";

/** How a running query is doing, as the system tables tell of it. */
export class QueryProgress {
  readonly plan: PhysicalPlan;
  /** The next batch that each shard will be read from. */
  readonly positions: () => ReadonlyMap<ShardId, BatchId>;
  readonly #id: string;
  readonly #metrics: Metrics | undefined;
  #stateBytes = 0;
  #lastError: string | null = null;

  constructor(
    id: string,
    plan: PhysicalPlan,
    positions: () => ReadonlyMap<ShardId, BatchId>,
    metrics: Metrics | undefined,
  ) {
    this.#id = id;
    this.plan = plan;
    this.positions = positions;
    this.#metrics = metrics;
  }

  get stateBytes(): number {
    return this.#stateBytes;
  }

  get lastError(): string | null {
    return this.#lastError;
  }

  /** Takes note of a step. */
  observe({ rowsIn, rowsOut, errors, diverted, stateBytes }: StepReport): void {
    this.#stateBytes = stateBytes;
    this.#lastError = errors.first[0]?.message ?? this.#lastError;
    this.#metrics?.stepped(this.#id, rowsIn, rowsOut, errors.count, diverted);
  }
}
