import { must, unreachable } from "@hstream/proto";
import type { ScanColumn } from "@hstream/sql/runtime";
import type { ChangeBatch, Column } from "../columns.js";
import { FieldValues } from "./field-values.js";
import { RecordColumns } from "./record-columns.js";

/** The rows of one `next`: the wanted fields, and the row that is being read. */
export class RowSink {
  readonly bytes: Buffer;
  /** The same memory, to be read several bytes at a time. */
  readonly words: DataView;
  readonly values: FieldValues;
  /** The rows' records, where the query wants whole records. */
  readonly records: RecordColumns | undefined;
  readonly #columns: readonly ScanColumn[];
  readonly #slots: readonly number[];
  /** Append times, where they are wanted. */
  readonly #times: Float64Array | undefined;
  #timeMs = 0;
  /** From the first deletion on. */
  #weights: Int32Array | undefined;
  readonly #capacity: number;

  constructor(
    bytes: Buffer,
    capacity: number,
    slotCount: number,
    columns: readonly ScanColumn[],
    slots: readonly number[],
  ) {
    this.bytes = bytes;
    this.words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#capacity = capacity;
    this.#columns = columns;
    this.#slots = slots;
    const record = columns.find((column) => column.kind === "record");
    this.records = record === undefined ? undefined : new RecordColumns(bytes, capacity, record.without);
    const wantsTime = columns.some(
      (column) => column.kind === "append-time" || (column.kind === "time" && column.field === undefined),
    );
    this.#times = wantsTime ? new Float64Array(capacity) : undefined;
    this.values = new FieldValues(bytes, capacity, slotCount);
    for (let slot = 0; slot < slotCount; slot++) this.values.addSlot();
  }

  beginBatch(timeMs: number): void {
    this.#timeMs = timeMs;
  }

  beginRow(): void {
    this.values.beginRow();
  }

  /** Keeps the current row; without this it is overwritten by the next. `isGone`: its record takes a row back. */
  commit(isGone: boolean): void {
    if (isGone) this.#weights ??= new Int32Array(this.#capacity).fill(1);
    if (this.#weights !== undefined) this.#weights[this.values.rowCount] = isGone ? -1 : 1;
    if (this.#times !== undefined) this.#times[this.values.rowCount] = this.#timeMs;
    this.values.commit();
    this.records?.commit();
  }

  finish(): ChangeBatch {
    const fields = this.values.columns();
    const records = this.records?.finish();
    const times = (): Column => ({
      kind: "timestamp",
      values: must(this.#times, "times are collected where they are wanted").subarray(
        0,
        this.values.rowCount,
      ),
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
          return { kind: "any", values: new Array<null>(this.values.rowCount).fill(null) };
        default:
          return unreachable(column);
      }
    });
    const weights = this.#weights?.subarray(0, this.values.rowCount);
    return { rowCount: this.values.rowCount, columns, weights, updates: undefined };
  }
}
