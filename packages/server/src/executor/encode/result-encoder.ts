import { type ColumnDef, encodeColumn, encodeRowBatch, must } from "@hstream/proto";
import { DYNAMIC, type OutputColumn, type SqlType, type SqlValue, typeName } from "@hstream/sql/runtime";
import { HStreamError } from "../../errors.js";
import {
  type ChangeBatch,
  type Column,
  columnOfValues,
  type RecordColumn,
  sliceRows,
  valueAt,
} from "../columns.js";
import { wireColumn } from "./encode-column.js";
import { Scratch } from "./scratch.js";

export interface ResultLimits {
  /** What an encoded batch should stay below; only a single row may be larger. */
  readonly resultBatchBytesMax: number;
  /** Columns that a result may have in all. */
  readonly resultColumnsMax: number;
}

/** A column of the answer as the API names it; DYNAMIC where each value has a type of its own. */
export function columnDef(name: string, type: SqlType): ColumnDef {
  return { name, type: type.kind === "dynamic" ? "DYNAMIC" : typeName(type) };
}

/**
 * Output rows as encoded RowBatch messages. The columns are those of the plan that are values, in their
 * order (the header of the answer), then the fields of those that stand for whole records, in the order
 * in which they turned up; each is announced in the batch that first has it. Where several records meet, a
 * field is announced as `<relation>.<field>`; one whose name is taken as `<column>.<field>`.
 */
export class ResultEncoder {
  readonly #output: readonly OutputColumn[];
  readonly #limits: ResultLimits;
  readonly #names: Set<string>;
  /** Of each output column that stands for its fields: field → index among the added columns. */
  readonly #fields: readonly Map<string, number>[];
  readonly #added: ColumnDef[] = [];
  #announced = 0;
  readonly #scratch = new Scratch();
  /** Rows that the next batch is tried with, after those before it. */
  #rowsNext = 4096;

  constructor(output: readonly OutputColumn[], limits: ResultLimits) {
    this.#output = output;
    this.#limits = limits;
    this.#names = new Set(output.filter(({ spread }) => !spread).map(({ name }) => name));
    this.#fields = output.map(() => new Map<string, number>());
  }

  /** All columns so far. */
  columns(): ColumnDef[] {
    return [
      ...this.#output.filter(({ spread }) => !spread).map(({ name, type }) => columnDef(name, type)),
      ...this.#added,
    ];
  }

  /** `operations`: of each row 0 (is there) or 1 (is gone); absent: all 0. */
  encode(batch: ChangeBatch, operations: Uint8Array | undefined, into: Uint8Array[]): void {
    const { resultBatchBytesMax } = this.#limits;
    for (let from = 0; from < batch.rowCount; ) {
      const to = Math.min(batch.rowCount, from + this.#rowsNext);
      const announcedBefore = this.#announced;
      const bytes = this.#encodeWhole(sliceRows(batch, from, to), operations?.subarray(from, to));
      const rows = to - from;
      const isTooLarge = bytes.length > resultBatchBytesMax && rows > 1;
      const fitting = Math.floor((rows * resultBatchBytesMax * filledShare) / bytes.length);
      this.#rowsNext = Math.max(1, isTooLarge ? Math.min(fitting, rows >> 1) : fitting);
      if (isTooLarge) {
        // Announce again in the smaller one.
        this.#announced = announcedBefore;
        continue;
      }
      into.push(bytes);
      from = to;
    }
  }

  #encodeWhole(batch: ChangeBatch, operations: Uint8Array | undefined): Uint8Array {
    const { rowCount } = batch;
    const columns: { column: Column; type: SqlType }[] = [];
    const spread: Spread = this.#added.map(() => []);
    for (const [i, { type, spread: isSpread }] of this.#output.entries()) {
      const column = must(batch.columns[i], "a batch has the plan's output columns");
      if (isSpread) this.#spread(i, column, rowCount, spread);
      else columns.push({ column, type });
    }
    for (const part of spread) {
      const column = Array.isArray(part) ? columnOfValues(filled(part, rowCount)) : part;
      columns.push({ column, type: DYNAMIC });
    }
    const addedColumns = this.#added.slice(this.#announced);
    this.#announced = this.#added.length;
    const scratch = this.#scratch;
    const encoded = encodeRowBatch({
      rowCount,
      addedColumns,
      columns: columns.map(({ column, type }) => {
        return encodeColumn(wireColumn(column, rowCount, type, scratch), rowCount, (length) =>
          scratch.bytes(length),
        );
      }),
      operations: operations ?? noOperations,
    });
    scratch.reset();
    return encoded;
  }

  /** Puts the fields of the records in a column into the added columns' values. */
  #spread(output: number, column: Column, rowCount: number, into: Spread): void {
    const fields = must(this.#fields[output], "each output column has its fields");
    if (column.kind === "record") {
      this.#spreadFields(output, column, fields, into);
      return;
    }
    for (let row = 0; row < rowCount; row++) {
      const record = valueAt(column, row);
      if (!(record instanceof Map)) continue;
      for (const [name, value] of record as ReadonlyMap<string, SqlValue>) {
        const index = fields.get(name) ?? this.#addField(output, name, fields);
        while (into.length <= index) into.push([]);
        (into[index] as SqlValue[])[row] = value;
      }
    }
  }

  /** The columns themselves, of the fields that some record has. */
  #spreadFields(output: number, column: RecordColumn, fields: Map<string, number>, into: Spread): void {
    const seen = new Uint8Array(column.shapes.length);
    for (const shape of column.shapeOf) {
      if (seen[shape] === 1) continue;
      seen[shape] = 1;
      for (const field of column.shapes[shape] as readonly number[]) {
        const name = column.fields[field] as string;
        const index = fields.get(name) ?? this.#addField(output, name, fields);
        while (into.length <= index) into.push([]);
        into[index] = column.columns[field] as Column;
      }
    }
  }

  #addField(output: number, field: string, fields: Map<string, number>): number {
    const max = this.#limits.resultColumnsMax;
    if (this.#names.size >= max) {
      const message = `The answer has more than ${max} columns (resultColumnsMax). Name those that you need.`;
      throw new HStreamError("QueryFailed", { message });
    }
    const { prefix, name: column = "" } = this.#output[output] ?? {};
    let name =
      prefix !== undefined ? `${prefix}.${field}` : this.#names.has(field) ? `${column}.${field}` : field;
    while (this.#names.has(name)) name = `${name}_`;
    this.#names.add(name);
    fields.set(field, this.#added.length);
    this.#added.push(columnDef(name, DYNAMIC));
    return this.#added.length - 1;
  }
}

/** Of each added column its values by row, with gaps, or the column as a whole. */
type Spread = (SqlValue[] | Column)[];

/** Of resultBatchBytesMax, so that rows a little larger than those before still fit. */
const filledShare = 0.9;

const noOperations = new Uint8Array(0);

/** Rows in which a field is missing are NULL. */
function filled(values: readonly (SqlValue | undefined)[], rowCount: number): SqlValue[] {
  const result: SqlValue[] = new Array<SqlValue>(rowCount);
  for (let row = 0; row < rowCount; row++) result[row] = values[row] ?? null;
  return result;
}
