import type { ColumnDef } from "@hstream/proto";
import { type OutputColumn, type PhysicalPlan, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import { batchOfRows, type ChangeBatch, rowAt, weightAt } from "./columns.js";
import type { Emitted, Sink } from "./emit.js";
import { ResultEncoder, type ResultLimits } from "./encode/result-encoder.js";
import { groupKeysInOutput } from "./plan-facts.js";
import { rowBytes } from "./state-size.js";

interface ViewRow {
  values: readonly SqlValue[];
  /** How many of it there are; with a key always 1. */
  count: number;
}

/**
 * The rows of a query, folded: what a view is.
 *
 * Job: applies changes to a map of rows, by group key when the plan ends in an aggregate whose keys it
 * gives out, else by the whole row, counted.
 * State: the map, by exact key; the keys in order, while no key has come or gone since they were sorted.
 * Invariant: no row with a count of 0 is kept; between steps none is below.
 */
export class MaterializedView implements Sink {
  readonly #output: readonly OutputColumn[];
  readonly #limits: ResultLimits;
  readonly #key: readonly number[] | undefined;
  readonly #rows = new Map<string, ViewRow>();
  #order: readonly string[] | undefined;
  #bytes = 0;

  constructor(plan: PhysicalPlan, limits: ResultLimits) {
    this.#output = plan.output;
    this.#limits = limits;
    this.#key = groupKeysInOutput(plan);
  }

  get full(): boolean {
    return false;
  }

  start(changes: readonly ChangeBatch[]): Emitted {
    return this.take(changes);
  }

  take(changes: readonly ChangeBatch[]): Emitted {
    let rowsOut = 0;
    for (const batch of changes) {
      rowsOut += batch.rowCount;
      for (let row = 0; row < batch.rowCount; row++) this.#apply(rowAt(batch, row), weightAt(batch, row));
    }
    return { output: [], rowsOut };
  }

  stateBytes(): number {
    return this.#bytes;
  }

  /** The rows at this moment, in the order of their keys, in pieces of at most `rowsMax` rows. */
  *snapshot(
    rowsMax: number,
  ): Generator<{ readonly batches: readonly Uint8Array[]; readonly columns: readonly ColumnDef[] }> {
    this.#order ??= [...this.#rows.keys()].sort();
    const encoder = new ResultEncoder(this.#output, this.#limits);
    let piece: (readonly SqlValue[])[] = [];
    const encoded = (): { batches: Uint8Array[]; columns: ColumnDef[] } => {
      const batches: Uint8Array[] = [];
      encoder.encode(batchOfRows(piece, this.#output.length), undefined, batches);
      piece = [];
      return { batches, columns: encoder.columns() };
    };
    for (const key of this.#order) {
      const row = this.#rows.get(key);
      for (let i = row?.count ?? 0; i > 0; i--) {
        if (piece.length >= rowsMax) yield encoded();
        if (row !== undefined) piece.push(row.values);
      }
    }
    yield encoded();
  }

  #apply(values: readonly SqlValue[], weight: number): void {
    const key = rowKeyText(
      this.#key === undefined ? values : this.#key.map((index) => values[index] as SqlValue),
    );
    const row = this.#rows.get(key);
    if (row === undefined) {
      // Within a step a row may go before it comes.
      if (this.#key === undefined) this.#insert(key, { values, count: weight });
      else if (weight > 0) this.#insert(key, { values, count: 1 });
      return;
    }
    if (this.#key !== undefined && weight > 0) {
      this.#bytes += rowBytes(values) - rowBytes(row.values);
      row.values = values;
      return;
    }
    row.count += weight;
    if (row.count !== 0) return;
    this.#rows.delete(key);
    this.#order = undefined;
    this.#bytes -= rowBytes(row.values) + key.length + entryBytes;
  }

  #insert(key: string, row: ViewRow): void {
    this.#rows.set(key, row);
    this.#order = undefined;
    this.#bytes += rowBytes(row.values) + key.length + entryBytes;
  }
}

/** Of a Map, beside key and row. */
const entryBytes = 80;
