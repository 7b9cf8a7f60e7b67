import type { EmitMode, PhysicalPlan } from "@hstream/sql/runtime";
import { type ChangeBatch, selectRows } from "./columns.js";
import { shownRows } from "./emitted-changes.js";
import type { ErrorSummary } from "./error-log.js";
import { ResultEncoder, type ResultLimits } from "./encode/result-encoder.js";
import type { StateReader } from "./state/state-reader.js";
import type { StateWriter } from "./state/state-writer.js";

export interface Emitted {
  /** Encoded RowBatch messages. */
  readonly output: readonly Uint8Array[];
  readonly rowsOut: number;
  /** Of making the output. */
  readonly errors?: ErrorSummary;
}

/** Where the changes of a plan's output go. */
export interface Sink {
  /** What stands before any input. */
  start(changes: readonly ChangeBatch[]): Emitted;
  /** The changes of one step. `nowMs`: its clock. */
  take(changes: readonly ChangeBatch[], nowMs: number): Emitted;
  /** Whether nothing more will be taken. */
  readonly full: boolean;
  stateBytes(): number;
  /** As an operator's. */
  save(writer: StateWriter): void;
  load(reader: StateReader): void;
}

/**
 * Gives changes to a reader as its EMIT mode has them:
 *
 *   pull          the rows, as often as their weight says
 *   changes       an update is its new state; a row that goes without a new one is a deletion. What
 *                 stands before any input is not shown: no record touched it
 *   coalesced     likewise, and begins with what stands before any input
 *   retractions   every change, old states as deletions
 *   final, every  as coalesced
 */
export class Emitter implements Sink {
  readonly #mode: EmitMode;
  readonly #encoder: ResultEncoder;
  #left: number;

  constructor(plan: PhysicalPlan, limits: ResultLimits) {
    this.#mode = plan.emit;
    this.#encoder = new ResultEncoder(plan.output, limits);
    this.#left = plan.emitLimit ?? Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.#left === 0;
  }

  start(changes: readonly ChangeBatch[]): Emitted {
    return this.#mode.kind === "changes" ? { output: [], rowsOut: 0 } : this.take(changes);
  }

  take(changes: readonly ChangeBatch[]): Emitted {
    const output: Uint8Array[] = [];
    let rowsOut = 0;
    for (const batch of changes) {
      const shown = shownRows(this.#mode, batch);
      const count = Math.min(shown.count, this.#left);
      if (count === 0) continue;
      this.#left -= count;
      rowsOut += count;
      const rows =
        shown.rows === undefined && count === batch.rowCount
          ? batch
          : selectRows(batch, shown.rows ?? ascending(count), count);
      this.#encoder.encode(rows, shown.operations?.subarray(0, count), output);
    }
    return { output, rowsOut };
  }

  stateBytes(): number {
    return 0;
  }

  save(writer: StateWriter): void {
    writer.section("emitter");
    writer.number(this.#left);
  }

  load(reader: StateReader): void {
    reader.section("emitter");
    this.#left = reader.number();
  }
}

function ascending(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}
