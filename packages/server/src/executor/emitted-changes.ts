import { must } from "@hstream/proto";
import type { EmitMode } from "@hstream/sql/runtime";
import { type ChangeBatch, weightAt } from "./columns.js";

export interface ShownRows {
  readonly count: number;
  /** The rows to show, in order; undefined: all. */
  readonly rows?: Int32Array;
  /** Of each 1 when it is gone; undefined: none is. */
  readonly operations?: Uint8Array;
}

/**
 * The rows of a batch that its EMIT mode shows, as often as their weight says, and whether they are there or
 * gone. Of an update the old state is left out, unless retractions are wanted.
 */
export function shownRows(mode: EmitMode, batch: ChangeBatch): ShownRows {
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
    if (weight < 0 && mode.kind !== "retractions" && isReplaced(updates, weights, row)) continue;
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

/** Whether the new state of the row follows at once. */
function isReplaced(updates: Int32Array | undefined, weights: Int32Array, row: number): boolean {
  if (updates === undefined || row + 1 >= weights.length) return false;
  return updates[row + 1] === updates[row] && must(weights[row + 1], "the next row is in the batch") > 0;
}
