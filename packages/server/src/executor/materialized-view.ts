import { assert, type ColumnDef, must } from "@hstream/proto";
import { type OutputColumn, type PhysicalPlan, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import { batchOfRows, type ChangeBatch, columnOfValues, selectRows, valueAt, weightAt } from "./columns.js";
import type { Emitted, Sink } from "./emit.js";
import { shownRows } from "./emitted-changes.js";
import { ResultEncoder, type ResultLimits } from "./encode/result-encoder.js";
import { replacedOperation } from "./decode/row-batches.js";
import { GroupTable } from "./operators/group-table.js";
import { grown } from "./operators/grown.js";
import { SortedRuns } from "./operators/sorted-runs.js";
import { groupKeysInOutput } from "./plan-facts.js";
import type { StateReader } from "./state/state-reader.js";
import type { StateWriter } from "./state/state-writer.js";
import { valueBytes } from "./state-size.js";

interface SortableKey {
  readonly key: number;
  readonly text: string;
}

function byText(a: SortableKey, b: SortableKey): number {
  return a.text < b.text ? -1 : 1;
}

/** Keys that a piece of a snapshot sorts. */
const sortedAtOnce = 65_536;

/** Rows that are gone are swept out once there are more of them than this, and than others. */
const deadRowsKept = 1024;

/**
 * The rows of a query, folded: what a view is.
 *
 * Job: applies changes to a table of rows, by group key when the plan ends in an aggregate whose keys it
 * gives out, else by the whole row, counted.
 * State: the keys, numbered; of each how many rows it has (with a group key 0 or 1), and its row; the
 * order of the keys, while none has come or gone since they were sorted.
 * Invariant: between steps no count is below 0.
 */
export class MaterializedView implements Sink {
  readonly #output: readonly OutputColumn[];
  readonly #limits: ResultLimits;
  /** Output columns that are the key: all of them when rows are counted. */
  readonly #key: readonly number[];
  readonly #counted: boolean;
  readonly #keys: GroupTable;
  #counts = new Float64Array(16);
  /** By output column, then by key. Unused when rows are counted: then the key is the row. */
  readonly #values: SqlValue[][];
  #valueBytes = 0;
  #dead = 0;
  #order: readonly number[] | undefined;
  /** Whether `take` gives the changes that it applies. */
  withChanges = false;

  constructor(plan: PhysicalPlan, limits: ResultLimits) {
    this.#output = plan.output;
    this.#limits = limits;
    const key = groupKeysInOutput(plan);
    this.#counted = key === undefined;
    this.#key = key ?? plan.output.map((_, i) => i);
    this.#keys = new GroupTable(this.#key.length);
    this.#values = plan.output.map(() => []);
  }

  get full(): boolean {
    return false;
  }

  start(changes: readonly ChangeBatch[]): Emitted {
    return this.take(changes);
  }

  take(changes: readonly ChangeBatch[]): Emitted {
    let rowsOut = 0;
    const output: Uint8Array[] = [];
    const before = this.withChanges && !this.#counted ? new Map<number, SqlValue[] | undefined>() : undefined;
    for (const batch of changes) {
      rowsOut += batch.rowCount;
      this.#apply(batch, before);
      if (this.withChanges && this.#counted) this.#encode(batch, output);
    }
    if (before !== undefined) this.#encodeUpdates(before, output);
    if (this.#dead > deadRowsKept && this.#dead * 2 > this.#keys.count) this.#sweep();
    return { output, rowsOut };
  }

  stateBytes(): number {
    return this.#keys.bytes() + this.#valueBytes + 8 * this.#counts.length;
  }

  save(writer: StateWriter): void {
    const { count } = this.#keys;
    writer.section("view");
    this.#keys.save(writer);
    writer.floats(this.#counts, count);
    writer.count(this.#dead);
    if (!this.#counted) for (const values of this.#values) writer.values(values);
  }

  load(reader: StateReader): void {
    reader.section("view");
    this.#keys.load(reader);
    this.#counts = grown(reader.floats(), 16);
    this.#dead = reader.count();
    if (this.#counted) return;
    for (const i of this.#values.keys()) {
      const values = reader.values();
      this.#values[i] = values;
      for (const value of values) this.#valueBytes += valueBytes(value);
    }
  }

  /** The rows at this moment, in the order of their keys, in pieces of at most `rowsMax` rows. */
  *snapshot(
    rowsMax: number,
  ): Generator<{ readonly batches: readonly Uint8Array[]; readonly columns: readonly ColumnDef[] }> {
    const encoder = new ResultEncoder(this.#output, this.#limits);
    const runs = this.#order === undefined ? new SortedRuns<SortableKey>(byText) : undefined;
    if (runs !== undefined) {
      // Empty pieces, between which the thread is free to look around.
      for (let from = 0; from < this.#keys.count; from += sortedAtOnce) {
        runs.add(this.#sortable(from, Math.min(from + sortedAtOnce, this.#keys.count)));
        yield { batches: [], columns: encoder.columns() };
      }
      while (runs.mergeSome()) yield { batches: [], columns: encoder.columns() };
    }
    this.#order ??= runs?.sorted().map(({ key }) => key) ?? [];
    let piece: (readonly SqlValue[])[] = [];
    const encoded = (): { batches: Uint8Array[]; columns: ColumnDef[] } => {
      const batches: Uint8Array[] = [];
      encoder.encode(batchOfRows(piece, this.#output.length), undefined, batches);
      piece = [];
      return { batches, columns: encoder.columns() };
    };
    for (const key of this.#order) {
      for (let i = this.#counts[key] as number; i > 0; i--) {
        if (piece.length >= rowsMax) yield encoded();
        piece.push(this.#row(key));
      }
    }
    yield encoded();
  }

  /** The row of a key, if there is one. */
  *lookUp(
    key: readonly SqlValue[],
  ): Generator<{ readonly batches: readonly Uint8Array[]; readonly columns: readonly ColumnDef[] }> {
    assert(!this.#counted && key.length === this.#key.length, "a view is looked up by its whole key");
    const encoder = new ResultEncoder(this.#output, this.#limits);
    const found = this.#keys.find(key);
    const batches: Uint8Array[] = [];
    if (found !== undefined && this.#counts[found] === 1) {
      encoder.encode(batchOfRows([this.#row(found)], this.#output.length), undefined, batches);
    }
    yield { batches, columns: encoder.columns() };
  }

  /** Every copy of a row that comes or goes, old states as deletions. */
  #encode(batch: ChangeBatch, into: Uint8Array[]): void {
    const { count, rows, operations } = shownRows({ kind: "retractions" }, batch);
    const shown = rows === undefined ? batch : selectRows(batch, rows, count);
    new ResultEncoder(this.#output, this.#limits).encode(shown, operations, into);
  }

  /** The keys' rows as they were, and as they are now: by key the plan gives new states only. */
  #encodeUpdates(before: ReadonlyMap<number, SqlValue[] | undefined>, into: Uint8Array[]): void {
    const rows: SqlValue[][] = [];
    const operations: number[] = [];
    for (const [key, old] of before) {
      const present = this.#counts[key] === 1;
      if (old !== undefined) {
        rows.push(old);
        operations.push(present ? replacedOperation : 1);
      }
      if (!present) continue;
      rows.push(this.#row(key));
      operations.push(0);
    }
    const encoder = new ResultEncoder(this.#output, this.#limits);
    encoder.encode(batchOfRows(rows, this.#output.length), Uint8Array.from(operations), into);
  }

  /** `before` gets the rows of the keys that are touched, as they were when they were touched first. */
  #apply(batch: ChangeBatch, before: Map<number, SqlValue[] | undefined> | undefined): void {
    const keyColumns = this.#key.map((index) => must(batch.columns[index], "a batch has the output columns"));
    const keys = this.#keys.groupsOf(keyColumns, batch.rowCount);
    this.#counts = grown(this.#counts, this.#keys.count);
    const counts = this.#counts;
    for (let row = 0; row < batch.rowCount; row++) {
      const key = keys[row] as number;
      const weight = weightAt(batch, row);
      const count = counts[key] as number;
      if (before?.has(key) === false) before.set(key, count === 0 ? undefined : this.#row(key));
      // Within a step a counted row may go before it comes; a key's new state replaces its old one.
      const after = this.#counted ? count + weight : weight > 0 ? 1 : 0;
      counts[key] = after;
      if (!this.#counted) this.#keep(key, batch, after > 0 ? row : undefined);
      if ((count === 0) === (after === 0)) continue;
      this.#order = undefined;
      this.#dead += after === 0 ? 1 : 0;
    }
  }

  /** The key's row is that of the batch, or none. */
  #keep(key: number, batch: ChangeBatch, row: number | undefined): void {
    for (const [i, column] of batch.columns.entries()) {
      const values = this.#values[i] as SqlValue[];
      const value = row === undefined ? null : valueAt(column, row);
      const old = values[key];
      if (old !== undefined) this.#valueBytes -= valueBytes(old);
      this.#valueBytes += valueBytes(value);
      values[key] = value;
    }
  }

  #row(key: number): SqlValue[] {
    return this.#counted ? this.#keys.keysOf(key) : this.#values.map((values) => values[key] as SqlValue);
  }

  /** The keys that have rows, with their exact keys, one character for each byte. */
  #sortable(from: number, to: number): SortableKey[] {
    const keys: SortableKey[] = [];
    for (let key = from; key < to; key++) {
      if (this.#counts[key] !== 0) keys.push({ key, text: rowKeyText(this.#keys.keysOf(key)) });
    }
    return keys;
  }

  /** Numbers the keys that have rows anew, without gaps. */
  #sweep(): void {
    const live: number[] = [];
    for (let key = 0; key < this.#keys.count; key++) if (this.#counts[key] !== 0) live.push(key);
    const columns = this.#key.map((_, i) => columnOfValues(live.map((key) => this.#keys.key(key, i))));
    const counts = Float64Array.from(live, (key) => this.#counts[key] as number);
    this.#keys.clear();
    this.#keys.groupsOf(columns, live.length);
    this.#counts = grown(counts, Math.max(16, this.#keys.count));
    this.#valueBytes = 0;
    for (const [i, values] of this.#values.entries()) {
      if (this.#counted) continue;
      this.#values[i] = live.map((key) => values[key] as SqlValue);
      for (const value of this.#values[i]) this.#valueBytes += valueBytes(value);
    }
    this.#dead = 0;
    this.#order = undefined;
  }
}
