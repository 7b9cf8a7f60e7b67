import type { RowBatch } from "@hstream/proto";
import { type ColumnValues, nullColumn, readColumn, type SqlCell } from "./column.js";

/** A column of a result. `type` as SQL spells it; DYNAMIC where each value has a type of its own. */
export interface SqlColumn {
  readonly name: string;
  readonly type: string;
}

/** A row: column name → cell. Of several columns of one name the last one counts. */
export type SqlRow = { readonly [column: string]: SqlCell };

/** Some rows of a result, by columns. */
export class SqlBatch {
  readonly rowCount: number;
  /** All columns known when the batch came. */
  readonly columns: readonly SqlColumn[];
  readonly #values: readonly ColumnValues[];
  readonly #operations: Uint8Array;

  constructor(batch: RowBatch, columns: readonly SqlColumn[]) {
    this.rowCount = batch.rowCount;
    this.columns = columns;
    this.#values = batch.columns.map((data) => readColumn(data, batch.rowCount));
    this.#operations = batch.operations;
  }

  /** The values of a column, by its place. */
  values(column: number): ColumnValues {
    return this.#values[column] ?? nullColumn;
  }

  /** Whether the row takes back a row of before. */
  isDeletion(row: number): boolean {
    return this.#operations[row] === 1;
  }

  /** One row as an object. */
  row(row: number): SqlRow {
    const cells: Record<string, SqlCell> = {};
    this.columns.forEach(({ name }, column) => {
      const value = this.values(column).value(row);
      if (name === "__proto__") Object.defineProperty(cells, name, { value, enumerable: true });
      else cells[name] = value;
    });
    return cells;
  }
}
