import { type ColumnReader, decodeRowBatch, isMalformed, RowBatch } from "@hstream/proto";
import { fromJson, type SqlType, type SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, columnOfValues } from "../columns.js";

/** Between our own sides: the old state of a row, of which the new one follows at once. */
export const replacedOperation = 2;

/**
 * Rows of a view or a system table, from encoded RowBatches, as the executor writes them: a deletion
 * is a change of −1, an old state and the new one behind it are one update. `wanted`: indexes of the relation's columns; `types`: theirs, in the same order.
 * Throws when the bytes are not a RowBatch of that relation, which our own side made.
 */
export function decodeRows(
  bytes: Uint8Array,
  wanted: readonly number[],
  types: readonly SqlType[],
): ChangeBatch {
  const width = wanted.reduce((most, index) => Math.max(most, index + 1), 0);
  const batch = RowBatch.decode(bytes);
  const { operations } = batch;
  const plain = operations.includes(replacedOperation)
    ? { ...batch, operations: operations.map((operation) => Math.min(operation, 1)) }
    : batch;
  const rows = decodeRowBatch(plain, Math.max(width, batch.columns.length));
  if (isMalformed(rows)) throw new Error(`a batch of rows cannot be read: ${rows.reason}`);
  const columns = wanted.map((index, i) => toColumn(rows.columns[index], rows.rowCount, types[i]));
  const { rowCount } = rows;
  if (!operations.some((operation) => operation > 0)) {
    return { rowCount, columns, weights: undefined, updates: undefined };
  }
  const weights = Int32Array.from(operations, (operation) => (operation === 0 ? 1 : -1));
  if (plain === batch) return { rowCount, columns, weights, updates: undefined };
  // Numbered so that only the two states of one update have the same number.
  const updates = Int32Array.from(operations, (_, row) => row);
  for (let row = 0; row + 1 < rowCount; row++)
    if (operations[row] === replacedOperation) updates[row + 1] = row;
  return { rowCount, columns, weights, updates };
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
