import { must } from "@hstream/proto";
import type { EmitMode, PhysicalPlan } from "@hstream/sql/runtime";
import { type ChangeBatch, selectRows, weightAt } from "./columns.js";
import { ResultEncoder, type ResultLimits } from "./encode/result-encoder.js";
import type { StateReader } from "./state/state-reader.js";
import type { StateWriter } from "./state/state-writer.js";

export interface Emitted {
  /** Encoded RowBatch messages. */
  readonly output: readonly Uint8Array[];
  readonly rowsOut: number;
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
      const shown = this.#shown(batch);
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

  /** The rows to show, in order (undefined: all), and whether they are there or gone. */
  #shown(batch: ChangeBatch): { count: number; rows?: Int32Array; operations?: Uint8Array } {
    const { weights, updates, rowCount } = batch;
    if (weights === undefined) return { count: rowCount };
    let copies = 0;
    for (const weight of weights) copies += Math.abs(weight);
    const rows = new Int32Array(copies);
    const operations = new Uint8Array(copies);
    let count = 0;
    let deletions = 0;
    for (let row = 0; row < rowCount; row++) {
      const weight = weightAt(batch, row);
      if (weight < 0 && this.#mode.kind !== "retractions" && isReplaced(updates, weights, row)) continue;
      for (let i = Math.abs(weight); i > 0; i--) {
        rows[count] = row;
        if (weight < 0) {
          operations[count] = 1;
          deletions += 1;
        }
        count += 1;
      }
    }
    return deletions === 0 ? { count, rows } : { count, rows, operations };
  }
}

/** Whether the new state of the row follows at once. */
function isReplaced(updates: Int32Array | undefined, weights: Int32Array, row: number): boolean {
  if (updates === undefined || row + 1 >= weights.length) return false;
  return updates[row + 1] === updates[row] && must(weights[row + 1], "the next row is in the batch") > 0;
}

function ascending(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => i);
}
