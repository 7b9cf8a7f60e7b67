import type { PhysicalPlan } from "@hstream/sql";
import type { OperatorCount } from "../executor/operator-counts.js";
import type { StepReport } from "../executor/step-input.js";
import type { BatchId, ShardId } from "../log/log-store.js";
import type { Metrics } from "../metrics/metrics.js";

/** What went through a query since it was made: rowsIn = processed + diverted. */
export interface QueryTotals {
  /** Of a query that lives on, counted where they are fed, and not where they are processed. */
  readonly rowsIn: number;
  readonly processed: number;
  readonly rowsOut: number;
  readonly diverted: number;
  readonly errors: number;
}

export const noTotals: QueryTotals = { rowsIn: 0, processed: 0, rowsOut: 0, diverted: 0, errors: 0 };

export interface QueryProgressOptions {
  readonly id: string;
  readonly plan: PhysicalPlan;
  readonly positions: () => ReadonlyMap<ShardId, BatchId>;
  readonly metrics: Metrics | undefined;
  /** Of what it goes on from; left out where nobody tells of pieces by `fed`. */
  readonly totals?: QueryTotals;
  readonly counts?: () => ReadonlyMap<number, OperatorCount>;
}

/** How a running query is doing, as the system tables tell of it. */
export class QueryProgress {
  readonly plan: PhysicalPlan;
  /** The next batch that each shard will be read from. */
  readonly positions: () => ReadonlyMap<ShardId, BatchId>;
  /** What each operator has done, by its number in the plan; undefined for a query that only asks again. */
  readonly counts: (() => ReadonlyMap<number, OperatorCount>) | undefined;
  readonly #id: string;
  readonly #metrics: Metrics | undefined;
  readonly #byPiece: boolean;
  #totals: QueryTotals;
  /** With what is being processed. */
  #coming: QueryTotals;
  #stateBytes = 0;
  #lastError: string | null = null;

  constructor(options: QueryProgressOptions) {
    const { id, plan, positions, metrics, totals, counts } = options;
    this.#id = id;
    this.plan = plan;
    this.positions = positions;
    this.counts = counts;
    this.#metrics = metrics;
    this.#byPiece = totals !== undefined;
    this.#totals = totals ?? noTotals;
    this.#coming = this.#totals;
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
    const before = this.#coming;
    this.#coming = {
      rowsIn: before.rowsIn + (this.#byPiece ? 0 : rowsIn),
      processed: before.processed + rowsIn - diverted,
      rowsOut: before.rowsOut + rowsOut,
      diverted: before.diverted + diverted,
      errors: before.errors + errors.count,
    };
    if (!this.#byPiece) this.#totals = this.#coming;
    this.#metrics?.stepped(this.#id, rowsIn, rowsOut, errors.count, diverted);
  }

  /** A piece of input has been processed to its end, of so many rows. Totals count whole pieces. */
  fed(rows: number): void {
    this.#coming = { ...this.#coming, rowsIn: this.#coming.rowsIn + rows };
    this.#totals = this.#coming;
  }
}
