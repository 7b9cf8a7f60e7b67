import { type ChangeBatch, type Column, columnOfValues, selectRows, weightAt } from "../columns.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { GroupTable } from "./group-table.js";
import { grown } from "./grown.js";
import type { Operator, Output, Progress } from "./operator.js";
import type { Evaluation } from "../compile/evaluation.js";

export interface SetOperationOptions {
  readonly operator: "except" | "intersect";
  readonly all: boolean;
  /** Number of columns. */
  readonly width: number;
  /** A finite input, of which only the result is asked. */
  readonly atEnd: boolean;
}

/** Rows that are gone are swept out once there are more of them than this, and than others. */
const deadRowsKept = 1024;

/**
 * Job: EXCEPT and INTERSECT, of rows counted or not.
 * State: the rows that came, by exact identity, with the number of copies on either side.
 * Invariant: of each row as many copies stand in the output as `copies` makes of the two numbers.
 */
export class SetOperationOperator implements Operator {
  readonly name: string;
  readonly #options: SetOperationOptions;
  readonly #evaluation: Evaluation;
  readonly #rows: GroupTable;
  #left = new Float64Array(16);
  #right = new Float64Array(16);
  #dead = 0;
  #finishing = 0;

  constructor(name: string, options: SetOperationOptions, evaluation: Evaluation) {
    this.name = name;
    this.#options = options;
    this.#evaluation = evaluation;
    this.#rows = new GroupTable(options.width);
  }

  process(batch: ChangeBatch, port: number, out: Output): Progress {
    const ids = this.#rows.groupsOf(batch.columns, batch.rowCount);
    this.#left = grown(this.#left, this.#rows.count);
    this.#right = grown(this.#right, this.#rows.count);
    const [left, right] = [this.#left, this.#right];
    const counts = port === 0 ? left : right;
    const selected = new Int32Array(batch.rowCount);
    const weights = new Int32Array(batch.rowCount);
    let count = 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const id = ids[row] as number;
      const before = this.#copies(left[id] as number, right[id] as number);
      counts[id] = (counts[id] as number) + weightAt(batch, row);
      if (left[id] === 0 && right[id] === 0) this.#dead += 1;
      const change = this.#copies(left[id] as number, right[id] as number) - before;
      if (change === 0) continue;
      selected[count] = row;
      weights[count] = change;
      count += 1;
    }
    if (count > 0 && !this.#options.atEnd) {
      const changed = selectRows(batch, selected, count);
      out({ ...changed, weights: weights.subarray(0, count), updates: undefined });
    }
    return "done";
  }

  endStep(): Progress {
    if (this.#dead > deadRowsKept && this.#dead * 2 > this.#rows.count) this.#sweep();
    return "done";
  }

  finish(out: Output): Progress {
    if (!this.#options.atEnd) return "done";
    const end = Math.min(this.#rows.count, this.#finishing + this.#evaluation.stepRowsMax);
    const ids: number[] = [];
    const weights: number[] = [];
    for (; this.#finishing < end; this.#finishing++) {
      const id = this.#finishing;
      const copies = this.#copies(this.#left[id] as number, this.#right[id] as number);
      if (copies === 0) continue;
      ids.push(id);
      weights.push(copies);
    }
    if (ids.length > 0) {
      const columns = this.#columns(ids);
      const plain = weights.every((weight) => weight === 1);
      out({
        rowCount: ids.length,
        columns,
        weights: plain ? undefined : Int32Array.from(weights),
        updates: undefined,
      });
    }
    return end < this.#rows.count ? "more" : "done";
  }

  stateBytes(): number {
    return this.#rows.bytes() + 16 * this.#left.length;
  }

  save(writer: StateWriter): void {
    this.#rows.save(writer);
    writer.floats(this.#left, this.#rows.count);
    writer.floats(this.#right, this.#rows.count);
    writer.count(this.#dead);
  }

  load(reader: StateReader): void {
    this.#rows.load(reader);
    this.#left = grown(reader.floats(), 16);
    this.#right = grown(reader.floats(), 16);
    this.#dead = reader.count();
  }

  #copies(left: number, right: number): number {
    const { operator, all } = this.#options;
    if (operator === "except") return all ? Math.max(0, left - right) : left > 0 && right <= 0 ? 1 : 0;
    const both = Math.max(0, Math.min(left, right));
    return all ? both : Math.min(1, both);
  }

  #columns(ids: readonly number[]): Column[] {
    return Array.from({ length: this.#options.width }, (_, column) =>
      columnOfValues(ids.map((id) => this.#rows.key(id, column))),
    );
  }

  /** Numbers the rows that are there anew, without gaps. */
  #sweep(): void {
    const live: number[] = [];
    for (let id = 0; id < this.#rows.count; id++) {
      if (this.#left[id] !== 0 || this.#right[id] !== 0) live.push(id);
    }
    const columns = this.#columns(live);
    const left = live.map((id) => this.#left[id] as number);
    const right = live.map((id) => this.#right[id] as number);
    this.#rows.clear();
    const ids = this.#rows.groupsOf(columns, live.length);
    this.#left = grown(new Float64Array(16), this.#rows.count);
    this.#right = grown(new Float64Array(16), this.#rows.count);
    for (let i = 0; i < live.length; i++) {
      this.#left[ids[i] as number] = left[i] as number;
      this.#right[ids[i] as number] = right[i] as number;
    }
    this.#dead = 0;
  }
}
