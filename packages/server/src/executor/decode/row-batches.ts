import { type ColumnReader, decodeRowBatch, isMalformed, RowBatch } from "@hstream/proto";
import { fromJson, type SqlType, type SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, columnOfValues } from "../columns.js";

/**
 * Rows of a view or a system table, from encoded RowBatches, as the executor writes them: a deletion
 * is a change of −1. `wanted`: indexes of the relation's columns; `types`: theirs, in the same order.
 * Throws when the bytes are not a RowBatch of that relation, which our own side made.
 */
export function decodeRows(
  bytes: Uint8Array,
  wanted: readonly number[],
  types: readonly SqlType[],
): ChangeBatch {
  const width = wanted.reduce((most, index) => Math.max(most, index + 1), 0);
  const batch = RowBatch.decode(bytes);
  const rows = decodeRowBatch(batch, Math.max(width, batch.columns.length));
  if (isMalformed(rows)) throw new Error(`a batch of rows cannot be read: ${rows.reason}`);
  const columns = wanted.map((index, i) => toColumn(rows.columns[index], rows.rowCount, types[i]));
  let weights: Int32Array | undefined;
  for (let row = 0; row < rows.rowCount; row++) {
    if (!rows.isDelete(row)) continue;
    weights ??= new Int32Array(rows.rowCount).fill(1);
    weights[row] = -1;
  }
  return { rowCount: rows.rowCount, columns, weights, updates: undefined };
}

function toColumn(reader: ColumnReader | undefined, rowCount: number, type: SqlType | undefined): Column {
  const values: SqlValue[] = new Array<SqlValue>(rowCount).fill(null);
  if (reader !== undefined) {
    const json = reader.kind === "json" && type?.kind !== "string";
    for (let row = 0; row < rowCount; row++) {
      const cell = reader.get(row);
      values[row] = json || typeof cell === "object" ? fromJson(cell) : cell;
    }
  }
  return columnOfValues(values);
}
