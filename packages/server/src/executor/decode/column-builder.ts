import { unreachable } from "@hstream/proto";
import type { SqlValue } from "@hstream/sql/runtime";
import { type Column, textAt } from "../columns.js";

/**
 * Collects the values of one column, row by row in rising order, into the narrowest form: it begins as
 * what the first value is, and becomes `any` when a value of another kind comes. Rows without a value
 * are NULL. A row's value may be written again as long as the row is the newest; NULL is final.
 */
export class ColumnBuilder {
  /** What the decoder writes to directly while `kind` is "float64". */
  kind: "empty" | "float64" | "boolean" | "text" | "any" = "empty";
  numbers: Float64Array = noNumbers;
  readonly #bytes: Buffer;
  readonly #capacity: number;
  #booleans: Uint8Array = noBytes;
  #starts: Int32Array = noOffsets;
  #ends: Int32Array = noOffsets;
  #values: SqlValue[] = [];
  #nulls: Uint8Array | undefined;

  /** `bytes` is where texts are read from; at most `capacity` rows. */
  constructor(bytes: Buffer, capacity: number) {
    this.#bytes = bytes;
    this.#capacity = capacity;
  }

  addNumber(row: number, value: number): void {
    if (this.kind !== "float64") {
      if (this.kind !== "empty") return this.addValue(row, value);
      this.kind = "float64";
      this.numbers = new Float64Array(this.#capacity);
    }
    this.numbers[row] = value;
  }

  addBoolean(row: number, value: boolean): void {
    if (this.kind !== "boolean") {
      if (this.kind !== "empty") return this.addValue(row, value);
      this.kind = "boolean";
      this.#booleans = new Uint8Array(this.#capacity);
    }
    this.#booleans[row] = value ? 1 : 0;
  }

  addText(row: number, start: number, end: number): void {
    if (this.kind !== "text" && !this.#beginTexts(row, start, end)) return;
    this.#starts[row] = start;
    this.#ends[row] = end;
  }

  /** Whether this becomes a column of texts; otherwise the text has become a value. */
  #beginTexts(row: number, start: number, end: number): boolean {
    if (this.kind !== "empty") {
      this.addValue(row, this.#bytes.toString("utf8", start, end));
      return false;
    }
    this.kind = "text";
    this.#starts = new Int32Array(this.#capacity);
    this.#ends = new Int32Array(this.#capacity);
    return true;
  }

  addValue(row: number, value: SqlValue): void {
    if (this.kind !== "any") this.#widen(row);
    this.#values[row] = value;
  }

  addNull(row: number): void {
    if (this.kind === "any") this.#values[row] = null;
    else {
      this.#nulls ??= new Uint8Array(this.#capacity);
      this.#nulls[row] = 1;
    }
  }

  /** The column of the first `rowCount` rows. The builder is used up. */
  finish(rowCount: number): Column {
    const nulls = this.#nulls?.subarray(0, rowCount);
    switch (this.kind) {
      case "empty":
        return { kind: "any", values: new Array<SqlValue>(rowCount).fill(null) };
      case "float64":
        return { kind: "float64", values: this.numbers.subarray(0, rowCount), nulls };
      case "boolean":
        return { kind: "boolean", values: this.#booleans.subarray(0, rowCount), nulls };
      case "text": {
        const starts = this.#starts.subarray(0, rowCount);
        return { kind: "text", bytes: this.#bytes, starts, ends: this.#ends.subarray(0, rowCount), nulls };
      }
      case "any":
        this.#values.length = rowCount;
        return { kind: "any", values: this.#values };
      default:
        return unreachable(this.kind);
    }
  }

  #widen(rows: number): void {
    const values: SqlValue[] = [];
    for (let row = 0; row < rows; row++) values.push(this.#valueAt(row));
    this.#values = values;
    this.#nulls = undefined;
    this.kind = "any";
  }

  #valueAt(row: number): SqlValue {
    if (this.#nulls?.[row] === 1) return null;
    switch (this.kind) {
      case "float64":
        return this.numbers[row] as number;
      case "boolean":
        return this.#booleans[row] === 1;
      case "text":
        return textAt(
          { kind: "text", bytes: this.#bytes, starts: this.#starts, ends: this.#ends, nulls: undefined },
          row,
        );
      default:
        return null;
    }
  }
}

const noNumbers = new Float64Array(0);
const noBytes = new Uint8Array(0);
const noOffsets = new Int32Array(0);
