import { compareTotal, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import { batchOfRows, type ChangeBatch, rowAt, valueAt, weightAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import { rowBytes } from "../state-size.js";
import type { Operator, Output, Progress } from "./operator.js";

export interface CompiledSortKey {
  readonly expression: CompiledExpression;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

interface SortedRow {
  readonly values: readonly SqlValue[];
  readonly keys: readonly SqlValue[];
  /** Order of arrival: rows with equal keys keep it. */
  readonly arrival: number;
  weight: number;
}

/**
 * Job: at the end of a finite input, its rows in order; `limit` of them after skipping `offset`.
 * State: the rows so far; with a limit and an append-only input only the first limit + offset of them
 * (and some more, so that they are sorted seldom).
 * Invariant: the rows that are kept contain the answer for the input so far.
 */
export class SortOperator implements Operator {
  readonly name: string;
  readonly #keys: readonly CompiledSortKey[];
  readonly #limit: number;
  #toSkip: number;
  #toGive: number;
  readonly #width: number;
  readonly #appendOnly: boolean;
  readonly #evaluation: Evaluation;
  #rows: SortedRow[] = [];
  #bytes = 0;
  #arrivals = 0;
  /** Rows after the last sort; above this number only those that may be in the answer are kept. */
  #pruneAt: number;
  #finishing = false;
  #next = 0;

  constructor(
    name: string,
    keys: readonly CompiledSortKey[],
    options: { limit: number | undefined; offset: number; width: number; appendOnly: boolean },
    evaluation: Evaluation,
  ) {
    this.name = name;
    this.#keys = keys;
    this.#toSkip = options.offset;
    this.#toGive = options.limit ?? Number.POSITIVE_INFINITY;
    this.#limit = options.offset + this.#toGive;
    this.#width = options.width;
    this.#appendOnly = options.appendOnly;
    this.#evaluation = evaluation;
    this.#pruneAt = 2 * this.#limit + evaluation.stepRowsMax;
  }

  process(batch: ChangeBatch, _port: number, _out: Output): Progress {
    const keyColumns = this.#keys.map((key) => key.expression.evaluate(batch, this.#evaluation));
    for (let row = 0; row < batch.rowCount; row++) {
      const values = rowAt(batch, row);
      const keys = keyColumns.map((column) => valueAt(column, row));
      this.#rows.push({ values, keys, arrival: this.#arrivals++, weight: weightAt(batch, row) });
      this.#bytes += rowBytes(values) + rowBytes(keys);
    }
    if (this.#appendOnly && this.#rows.length > this.#pruneAt) this.#prune();
    return "done";
  }

  endStep(): void {}

  finish(out: Output): Progress {
    if (!this.#finishing) {
      this.#finishing = true;
      if (!this.#appendOnly) this.#rows = foldRows(this.#rows);
      this.#rows.sort(this.#compare);
    }
    const piece: (readonly SqlValue[])[] = [];
    const pieceMax = this.#evaluation.stepRowsMax;
    while (this.#next < this.#rows.length && this.#toGive > 0 && piece.length < pieceMax) {
      const row = this.#rows[this.#next] as SortedRow;
      const skipped = Math.min(row.weight, this.#toSkip);
      this.#toSkip -= skipped;
      const given = Math.min(row.weight - skipped, this.#toGive, pieceMax - piece.length);
      this.#toGive -= given;
      for (let i = 0; i < given; i++) piece.push(row.values);
      row.weight -= skipped + given;
      if (row.weight === 0) this.#next += 1;
    }
    if (piece.length > 0) out(batchOfRows(piece, this.#width));
    return this.#next < this.#rows.length && this.#toGive > 0 ? "more" : "done";
  }

  stateBytes(): number {
    return this.#bytes;
  }

  #prune(): void {
    this.#rows.sort(this.#compare);
    this.#rows.length = Math.min(this.#rows.length, this.#limit);
    this.#bytes = 0;
    for (const row of this.#rows) this.#bytes += rowBytes(row.values) + rowBytes(row.keys);
  }

  readonly #compare = (a: SortedRow, b: SortedRow): number => {
    for (let i = 0; i < this.#keys.length; i++) {
      const { descending, nullsFirst } = this.#keys[i] as CompiledSortKey;
      const x = a.keys[i] as SqlValue;
      const y = b.keys[i] as SqlValue;
      if (x === null || y === null) {
        if (x !== y) return (x === null) === nullsFirst ? -1 : 1;
      } else {
        const order = compareTotal(x, y);
        if (order !== 0) return descending ? -order : order;
      }
    }
    return a.arrival - b.arrival;
  };
}

/** Puts the weights of equal rows together, at the place of the first; rows that cancel out go. */
function foldRows(rows: readonly SortedRow[]): SortedRow[] {
  const folded = new Map<string, SortedRow>();
  for (const row of rows) {
    const key = rowKeyText(row.values);
    const first = folded.get(key);
    if (first === undefined) folded.set(key, row);
    else first.weight += row.weight;
  }
  return [...folded.values()].filter((row) => row.weight > 0);
}
