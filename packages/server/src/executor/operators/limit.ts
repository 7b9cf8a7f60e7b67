import { type ChangeBatch, selectRows, sliceRows, weightAt } from "../columns.js";
import { notSaved } from "./not-saved.js";
import type { Operator, Output, Progress } from "./operator.js";

/**
 * Job: `limit` rows after skipping `offset`, in the order of arrival, of a finite, append-only input
 * (before retractions the planner puts a sort, which folds them).
 * State: how many rows were passed over and given.
 * Invariant: skipped ≤ offset, given ≤ limit; rows are given only once offset rows were skipped.
 */
export class LimitOperator implements Operator {
  readonly name: string;
  #toSkip: number;
  #toGive: number;

  constructor(name: string, limit: number | undefined, offset: number) {
    this.name = name;
    this.#toSkip = offset;
    this.#toGive = limit ?? Number.POSITIVE_INFINITY;
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    if (this.#toGive === 0) return "done";
    if (batch.weights === undefined) {
      const from = Math.min(this.#toSkip, batch.rowCount);
      const to = Math.min(batch.rowCount, from + this.#toGive);
      this.#toSkip -= from;
      this.#toGive -= to - from;
      if (to > from) out(sliceRows(batch, from, to));
      return "done";
    }
    return this.#processWeighted(batch, out);
  }

  endStep(): Progress {
    return "done";
  }

  finish(): Progress {
    return "done";
  }

  stateBytes(): number {
    return 0;
  }

  /** Of finite inputs only: such a query is never saved. */
  save(): never {
    return notSaved(this.name);
  }

  load(): never {
    return notSaved(this.name);
  }

  satisfied(): boolean {
    return this.#toGive === 0;
  }

  /** A row of weight w counts w times. */
  #processWeighted(batch: ChangeBatch, out: Output): Progress {
    const selected = new Int32Array(batch.rowCount);
    const weights = new Int32Array(batch.rowCount);
    let count = 0;
    for (let row = 0; row < batch.rowCount && this.#toGive > 0; row++) {
      const weight = weightAt(batch, row);
      const skipped = Math.min(weight, this.#toSkip);
      const given = Math.min(weight - skipped, this.#toGive);
      this.#toSkip -= skipped;
      this.#toGive -= given;
      if (given === 0) continue;
      selected[count] = row;
      weights[count] = given;
      count += 1;
    }
    if (count > 0)
      out({ ...selectRows(batch, selected, count), weights: weights.subarray(0, count), updates: undefined });
    return "done";
  }
}
