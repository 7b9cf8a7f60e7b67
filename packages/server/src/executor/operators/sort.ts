import { compareTotal, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import { batchOfRows, type ChangeBatch, rowAt, valueAt, weightAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import { rowBytes } from "../state-size.js";
import { notSaved } from "./not-saved.js";
import type { Operator, Output, Progress } from "./operator.js";
import { SortedRuns } from "./sorted-runs.js";

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
 * State: the rows so far. Of an append-only input in sorted runs, with a limit only the first limit +
 * offset rows of each; else by exact key, equal rows put together, and sorted at the end.
 * Invariant: the rows that are kept contain the answer for the input so far.
 */
export class SortOperator implements Operator {
  readonly name: string;
  readonly #keys: readonly CompiledSortKey[];
  readonly #width: number;
  readonly #evaluation: Evaluation;
  readonly #runs: SortedRuns<SortedRow>;
  /** Rows by exact key, where some may be taken back. */
  readonly #folded: Map<string, SortedRow> | undefined;
  #unsorted: IterableIterator<SortedRow> | undefined;
  #toSkip: number;
  #toGive: number;
  #bytes = 0;
  #arrivals = 0;
  #next = 0;

  constructor(
    name: string,
    keys: readonly CompiledSortKey[],
    options: { limit: number | undefined; offset: number; width: number; appendOnly: boolean },
    evaluation: Evaluation,
  ) {
    this.name = name;
    this.#keys = keys;
    this.#width = options.width;
    this.#evaluation = evaluation;
    this.#toSkip = options.offset;
    this.#toGive = options.limit ?? Number.POSITIVE_INFINITY;
    this.#folded = options.appendOnly ? undefined : new Map();
    this.#runs = new SortedRuns<SortedRow>(this.#compare, options.offset + this.#toGive, (row) => {
      this.#bytes -= bytesOf(row);
    });
  }

  process(batch: ChangeBatch): Progress {
    const keyColumns = this.#keys.map((key) => key.expression.evaluate(batch, this.#evaluation));
    const rows: SortedRow[] = [];
    for (let row = 0; row < batch.rowCount; row++) {
      const values = rowAt(batch, row);
      const keys = keyColumns.map((column) => valueAt(column, row));
      const arrived = { values, keys, arrival: this.#arrivals++, weight: weightAt(batch, row) };
      if (this.#folded === undefined) {
        rows.push(arrived);
        this.#bytes += bytesOf(arrived);
      } else this.#fold(this.#folded, arrived);
    }
    this.#runs.add(rows);
    return "done";
  }

  endStep(): Progress {
    return "done";
  }

  finish(out: Output): Progress {
    if (this.#folded !== undefined && this.#sortFolded(this.#folded)) return "more";
    if (this.#runs.mergeSome()) return "more";
    return this.#give(this.#runs.sorted(), out);
  }

  stateBytes(): number {
    return this.#bytes;
  }

  /** Of finite inputs only: such a query is never saved. */
  save(): never {
    return notSaved(this.name);
  }

  load(): never {
    return notSaved(this.name);
  }

  /** Equal rows are one, at the place of the first; what cancels out goes. */
  #fold(folded: Map<string, SortedRow>, row: SortedRow): void {
    const key = rowKeyText(row.values);
    const known = folded.get(key);
    if (known === undefined) {
      folded.set(key, row);
      this.#bytes += bytesOf(row) + key.length;
      return;
    }
    known.weight += row.weight;
    if (known.weight !== 0) return;
    folded.delete(key);
    this.#bytes -= bytesOf(known) + key.length;
  }

  /** Brings the next rows into runs; false once all are. */
  #sortFolded(folded: Map<string, SortedRow>): boolean {
    this.#unsorted ??= folded.values();
    const rows: SortedRow[] = [];
    for (let next = this.#unsorted.next(); next.done !== true; next = this.#unsorted.next()) {
      if (next.value.weight > 0) rows.push(next.value);
      if (rows.length === this.#evaluation.stepRowsMax) break;
    }
    this.#runs.add(rows);
    return rows.length > 0;
  }

  #give(rows: readonly SortedRow[], out: Output): Progress {
    const piece: (readonly SqlValue[])[] = [];
    const pieceMax = this.#evaluation.stepRowsMax;
    while (this.#next < rows.length && this.#toGive > 0 && piece.length < pieceMax) {
      const row = rows[this.#next] as SortedRow;
      const skipped = Math.min(row.weight, this.#toSkip);
      this.#toSkip -= skipped;
      const given = Math.min(row.weight - skipped, this.#toGive, pieceMax - piece.length);
      this.#toGive -= given;
      for (let i = 0; i < given; i++) piece.push(row.values);
      row.weight -= skipped + given;
      if (row.weight === 0) this.#next += 1;
    }
    if (piece.length > 0) out(batchOfRows(piece, this.#width));
    return this.#next < rows.length && this.#toGive > 0 ? "more" : "done";
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

function bytesOf(row: SortedRow): number {
  return rowBytes(row.values) + rowBytes(row.keys);
}
