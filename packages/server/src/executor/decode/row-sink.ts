import { must } from "@hstream/proto";
import type { ScanColumn, SqlTimestamp, SqlValue } from "@hstream/sql/runtime";
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
  readonly #times: SqlValue[] = [];
  /** Of each slot, the record (by `#serial`) that last had a value for it. */
  readonly #seen: Int32Array;
  #serial = 0;
  #row = 0;
  readonly #wantsTime: boolean;
  #time: SqlTimestamp = { kind: "timestamp", ms: 0 };

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
    const record = columns.find((column) => column.kind === "record");
    this.records =
      record === undefined ? undefined : new RecordColumns(bytes, this.view, capacity, record.without);
    this.#wantsTime = columns.some((column) => column.kind === "append-time");
    for (let slot = 0; slot < slotCount; slot++) this.#builders.push(new ColumnBuilder(bytes, capacity));
    this.#seen = new Int32Array(slotCount);
  }

  beginBatch(timeMs: number): void {
    this.#time = { kind: "timestamp", ms: timeMs };
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
    if (this.#wantsTime) this.#times.push(this.#time);
    this.#row += 1;
  }

  finish(): ChangeBatch {
    const fields = this.#builders.map((builder) => builder.finish(this.#row));
    const records = this.records?.finish();
    const columns = this.#columns.map((column, i): Column => {
      switch (column.kind) {
        case "field":
          return fields[this.#slots[i] as number] as Column;
        case "record":
          return must(records, "records are collected where they are wanted");
        case "append-time":
          return { kind: "any", values: this.#times };
      }
    });
    return { rowCount: this.#row, columns, weights: undefined, updates: undefined };
  }
}
