import { must } from "@hstream/proto";
import type { ScanColumn, SqlTimestamp, SqlValue } from "@hstream/sql/runtime";
import type { ChangeBatch, Column } from "../columns.js";
import { FieldValues } from "./field-values.js";
import { RecordColumns } from "./record-columns.js";

/** The rows of one `next`: the wanted fields, and the row that is being read. */
export class RowSink {
  readonly bytes: Buffer;
  readonly values: FieldValues;
  /** The rows' records, where the query wants whole records. */
  readonly records: RecordColumns | undefined;
  readonly #columns: readonly ScanColumn[];
  readonly #slots: readonly number[];
  readonly #times: SqlValue[] = [];
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
    this.#columns = columns;
    this.#slots = slots;
    this.records = columns.some((column) => column.kind === "record")
      ? new RecordColumns(bytes, capacity)
      : undefined;
    this.#wantsTime = columns.some((column) => column.kind === "append-time");
    this.values = new FieldValues(bytes, capacity, slotCount);
    for (let slot = 0; slot < slotCount; slot++) this.values.addSlot();
  }

  beginBatch(timeMs: number): void {
    this.#time = { kind: "timestamp", ms: timeMs };
  }

  beginRow(): void {
    this.values.beginRow();
  }

  /** Keeps the current row; without this it is overwritten by the next. */
  commit(): void {
    this.values.commit();
    this.records?.commit();
    if (this.#wantsTime) this.#times.push(this.#time);
  }

  finish(): ChangeBatch {
    const fields = this.values.columns();
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
    return { rowCount: this.values.rowCount, columns, weights: undefined, updates: undefined };
  }
}
