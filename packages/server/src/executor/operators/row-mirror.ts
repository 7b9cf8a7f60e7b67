import { type ChangeBatch, columnOfValues, weightAt } from "../columns.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { GroupTable } from "./group-table.js";
import { grown } from "./grown.js";

/** Rows that are gone are swept out once there are more of them than this, and than others. */
const deadRowsKept = 1024;

/**
 * What a query knows of a view that it reads: its rows (of the columns that the query wants), counted. A
 * view gives all its rows when the query begins to read it, and again after either of them was started anew;
 * the mirror makes the difference of that, so that what is behind it sees changes only.
 *
 * State: the rows, numbered; of each how many there are, and while all rows are being given, how many of
 * them came.
 * Invariant: between two replacements `#counts` is what was passed on.
 */
export class RowMirror {
  readonly #width: number;
  readonly #rows: GroupTable;
  #counts = new Float64Array(16);
  #seen: Float64Array<ArrayBuffer> | undefined;
  /** Rows before this one have been compared. */
  #compared = 0;
  #dead = 0;

  constructor(width: number) {
    this.#width = width;
    this.#rows = new GroupTable(width);
  }

  /** Takes note of changes. */
  apply(batch: ChangeBatch): void {
    this.#counts = this.#add(batch, this.#counts);
    if (this.#dead > deadRowsKept && this.#dead * 2 > this.#rows.count) this.#sweep();
  }

  /** All rows of the view follow, by `add`. */
  begin(): void {
    this.#seen = new Float64Array(this.#counts.length);
    this.#compared = 0;
  }

  add(batch: ChangeBatch): void {
    this.#seen = this.#add(batch, this.#seen ?? new Float64Array(0));
    this.#counts = grown(this.#counts, this.#rows.count);
  }

  /** After the last of all rows: what differs, at most `rowsMax` changes at a time; undefined when there is no more. */
  difference(rowsMax: number): ChangeBatch | undefined {
    const seen = this.#seen;
    if (seen === undefined) return undefined;
    const rows: number[] = [];
    const weights: number[] = [];
    while (rows.length < rowsMax && this.#compared < this.#rows.count) {
      const row = this.#compared++;
      const weight = (seen[row] ?? 0) - (this.#counts[row] as number);
      if (weight === 0) continue;
      rows.push(row);
      weights.push(weight);
      this.#counts[row] = seen[row] ?? 0;
    }
    if (rows.length === 0) {
      this.#seen = undefined;
      this.#sweep();
      return undefined;
    }
    const columns = Array.from({ length: this.#width }, (_, i) => {
      return columnOfValues(rows.map((row) => this.#rows.key(row, i)));
    });
    return { rowCount: rows.length, columns, weights: Int32Array.from(weights), updates: undefined };
  }

  stateBytes(): number {
    return this.#rows.bytes() + 8 * this.#counts.length;
  }

  save(writer: StateWriter): void {
    this.#sweep();
    this.#rows.save(writer);
    writer.floats(this.#counts, this.#rows.count);
  }

  load(reader: StateReader): void {
    this.#rows.load(reader);
    this.#counts = grown(reader.floats(), 16);
  }

  #add(batch: ChangeBatch, to: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
    const ids = this.#rows.groupsOf(batch.columns, batch.rowCount);
    const counts = grown(to, this.#rows.count);
    for (let row = 0; row < batch.rowCount; row++) {
      const id = ids[row] as number;
      const after = (counts[id] as number) + weightAt(batch, row);
      counts[id] = after;
      if (after === 0) this.#dead += 1;
    }
    return counts;
  }

  /** Numbers the rows that there are anew, without gaps. */
  #sweep(): void {
    this.#dead = 0;
    if (this.#width === 0) return;
    const live: number[] = [];
    for (let row = 0; row < this.#rows.count; row++) if (this.#counts[row] !== 0) live.push(row);
    if (live.length === this.#rows.count) return;
    const columns = Array.from({ length: this.#width }, (_, i) => {
      return columnOfValues(live.map((row) => this.#rows.key(row, i)));
    });
    const counts = Float64Array.from(live, (row) => this.#counts[row] as number);
    this.#rows.clear();
    this.#rows.groupsOf(columns, live.length);
    this.#counts = grown(counts, Math.max(16, live.length));
  }
}
