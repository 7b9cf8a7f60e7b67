import { must, unreachable } from "@hstream/proto";
import type { ScanColumn, SqlValue } from "@hstream/sql/runtime";
import type { ChangeBatch, Column } from "../columns.js";
import { ColumnBuilder } from "./column-builder.js";
import { RecordColumns } from "./record-columns.js";

/** The rows of one `next`: a builder for each wanted field, and the row that is being read. */
export class RowSink {
  readonly bytes: Buffer;
  readonly view: DataView;
  /** The rows' records, where the query wants whole records. */
  readonly records: RecordColumns | undefined;
  readonly #columns: readonly ScanColumn[];
  readonly #slots: readonly number[];
  readonly #builders: ColumnBuilder[] = [];
  /** Append times, where they are wanted. */
  readonly #times: Float64Array | undefined;
  /** Of each slot, the record (by `#serial`) that last had a value for it. */
  readonly #seen: Int32Array;
  #serial = 0;
  #row = 0;
  #timeMs = 0;

  constructor(
    bytes: Buffer,
    capacity: number,
    slotCount: number,
    columns: readonly ScanColumn[],
    slots: readonly number[],
  ) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#columns = columns;
    this.#slots = slots;
    this.records = columns.some((column) => column.kind === "record")
      ? new RecordColumns(bytes, this.view, capacity)
      : undefined;
    const wantsTime = columns.some(
      (column) => column.kind === "append-time" || (column.kind === "time" && column.field === undefined),
    );
    this.#times = wantsTime ? new Float64Array(capacity) : undefined;
    for (let slot = 0; slot < slotCount; slot++) this.#builders.push(new ColumnBuilder(bytes, capacity));
    this.#seen = new Int32Array(slotCount);
  }

  beginBatch(timeMs: number): void {
    this.#timeMs = timeMs;
  }

  beginRow(): void {
    this.#serial += 1;
  }

  number(slot: number, value: number): void {
    // SQL has neither NaN nor infinities.
    if (!(value - value === 0)) return this.null(slot);
    const builder = this.#builders[slot] as ColumnBuilder;
    if (builder.kind === "float64") builder.numbers[this.#row] = value;
    else builder.addNumber(this.#row, value);
    this.#seen[slot] = this.#serial;
  }

  text(slot: number, start: number, end: number): void {
    (this.#builders[slot] as ColumnBuilder).addText(this.#row, start, end);
    this.#seen[slot] = this.#serial;
  }

  boolean(slot: number, value: boolean): void {
    (this.#builders[slot] as ColumnBuilder).addBoolean(this.#row, value);
    this.#seen[slot] = this.#serial;
  }

  value(slot: number, value: SqlValue): void {
    (this.#builders[slot] as ColumnBuilder).addValue(this.#row, value);
    this.#seen[slot] = this.#serial;
  }

  null(slot: number): void {
    this.#seen[slot] = 0;
  }

  /** Keeps the current row; without this it is overwritten by the next. */
  commit(): void {
    for (let slot = 0; slot < this.#builders.length; slot++) {
      if (this.#seen[slot] !== this.#serial) (this.#builders[slot] as ColumnBuilder).addNull(this.#row);
    }
    this.records?.commit();
    if (this.#times !== undefined) this.#times[this.#row] = this.#timeMs;
    this.#row += 1;
  }

  finish(): ChangeBatch {
    const fields = this.#builders.map((builder) => builder.finish(this.#row));
    const records = this.records?.finish();
    const times = (): Column => ({
      kind: "timestamp",
      values: must(this.#times, "times are collected where they are wanted").subarray(0, this.#row),
      nulls: undefined,
    });
    const columns = this.#columns.map((column, i): Column => {
      switch (column.kind) {
        case "field":
          return fields[this.#slots[i] as number] as Column;
        case "record":
          return must(records, "records are collected where they are wanted");
        case "append-time":
          return times();
        case "time":
          return column.field === undefined ? times() : (fields[this.#slots[i] as number] as Column);
        case "watermark":
          // The source knows it.
          return { kind: "any", values: new Array<null>(this.#row).fill(null) };
        default:
          return unreachable(column);
      }
    });
    return { rowCount: this.#row, columns, weights: undefined, updates: undefined };
  }
}
