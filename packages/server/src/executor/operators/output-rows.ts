import type { SqlValue } from "@hstream/sql/runtime";
import { columnOfValues } from "../columns.js";
import type { Output } from "./operator.js";

/** Collects output rows by column, and gives them in batches of at most `rowsMax`. */
export class OutputRows {
  readonly #width: number;
  readonly #out: Output;
  readonly #rowsMax: number;
  #columns: SqlValue[][] = [];
  #weights: number[] = [];
  #updates: number[] = [];
  #retracts = false;
  #hasUpdates = false;

  constructor(width: number, out: Output, rowsMax: number) {
    this.#width = width;
    this.#out = out;
    this.#rowsMax = rowsMax;
    this.#clear();
  }

  /** A row of which the columns come in two parts. `update`: number of the update that it is part of. */
  add(values: readonly SqlValue[], more: readonly SqlValue[], weight: 1 | -1, update?: number): void {
    // An update's two changes stay in one batch.
    const continues = update !== undefined && this.#updates.at(-1) === update;
    if (this.#weights.length + 1 >= this.#rowsMax && !continues) this.flush();
    for (let i = 0; i < values.length; i++) (this.#columns[i] as SqlValue[]).push(values[i] as SqlValue);
    for (let i = 0; i < more.length; i++) {
      (this.#columns[values.length + i] as SqlValue[]).push(more[i] as SqlValue);
    }
    this.#weights.push(weight);
    this.#updates.push(update ?? 0);
    this.#retracts ||= weight < 0;
    this.#hasUpdates ||= update !== undefined;
  }

  flush(): void {
    const rowCount = this.#weights.length;
    if (rowCount === 0) return;
    const columns = this.#columns.map(columnOfValues);
    const weights = this.#retracts ? Int32Array.from(this.#weights) : undefined;
    const updates = this.#retracts && this.#hasUpdates ? Int32Array.from(this.#updates) : undefined;
    this.#clear();
    this.#out({ rowCount, columns, weights, updates });
  }

  #clear(): void {
    this.#columns = Array.from({ length: this.#width }, () => []);
    this.#weights = [];
    this.#updates = [];
    this.#retracts = false;
    this.#hasUpdates = false;
  }
}
