import type { PhysicalPlan } from "@hstream/sql";
import type { OperatorCount } from "../executor/operator-counts.js";
import type { StepReport } from "../executor/step-input.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { Metrics } from "../metrics/metrics.js";

/** What went through a query since it was made: rowsIn = processed + diverted. */
export interface QueryTotals {
  readonly rowsIn: number;
  readonly rowsOut: number;
  readonly diverted: number;
  readonly errors: number;
}

const nothing: QueryTotals = { rowsIn: 0, rowsOut: 0, diverted: 0, errors: 0 };

/** How a running query is doing, as the system tables tell of it. */
export class QueryProgress {
  readonly plan: PhysicalPlan;
  /** The next batch that each shard will be read from. */
  readonly positions: () => ReadonlyMap<ShardId, BatchId>;
  /** What each operator has done, by its number in the plan; undefined for a query that only asks again. */
  readonly counts: (() => ReadonlyMap<number, OperatorCount>) | undefined;
  readonly #id: string;
  readonly #metrics: Metrics | undefined;
  #totals: QueryTotals;
  #stateBytes = 0;
  #lastError: string | null = null;

  /** `totals`: of what it goes on from. */
  constructor(
    id: string,
    plan: PhysicalPlan,
    positions: () => ReadonlyMap<ShardId, BatchId>,
    metrics: Metrics | undefined,
    totals: QueryTotals = nothing,
    counts?: () => ReadonlyMap<number, OperatorCount>,
  ) {
    this.counts = counts;
    this.#id = id;
    this.plan = plan;
    this.positions = positions;
    this.#metrics = metrics;
    this.#totals = totals;
  }

  get totals(): QueryTotals {
    return this.#totals;
  }

  get stateBytes(): number {
    return this.#stateBytes;
  }

  /** How far the time of its sources has come, ms since 1970: that of the one farthest behind. */
  get watermarkMs(): number | null {
    const times = [...(this.counts?.().values() ?? [])].flatMap(({ watermarkMs }) => watermarkMs ?? []);
    return times.length === 0 ? null : Math.min(...times);
  }

  get lastError(): string | null {
    return this.#lastError;
  }

  /** Takes note of a step. */
  observe({ rowsIn, rowsOut, errors, diverted, stateBytes }: StepReport): void {
    this.#stateBytes = stateBytes;
    this.#lastError = errors.first[0]?.message ?? this.#lastError;
    const before = this.#totals;
    this.#totals = {
      rowsIn: before.rowsIn + rowsIn,
      rowsOut: before.rowsOut + rowsOut,
      diverted: before.diverted + diverted,
      errors: before.errors + errors.count,
    };
    this.#metrics?.stepped(this.#id, rowsIn, rowsOut, errors.count, diverted);
  }
}
