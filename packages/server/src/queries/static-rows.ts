import { type ColumnDef, encodeColumn, RowBatch } from "@hstream/proto";
import type { SqlEvent } from "./sql-service.js";

/** Rows that the server itself tells: of SHOW, DESCRIBE and EXPLAIN. */
export interface StaticRows {
  readonly columns: readonly ColumnDef[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

export const textColumn = (name: string): ColumnDef => ({ name, type: "STRING" });
export const integerColumn = (name: string): ColumnDef => ({ name, type: "INTEGER" });

/** Rows in one batch: what is told here is small, whatever the number of streams. */
const batchRowsMax = 4_096;

export function* rowEvents(statementIndex: number, { columns, rows }: StaticRows): Generator<SqlEvent> {
  yield {
    kind: "header",
    statementIndex,
    statementKind: 1,
    columns: [...columns],
    notices: [],
    queryId: "",
  };
  for (let at = 0; at < rows.length; at += batchRowsMax) {
    yield { kind: "rows", encoded: encode(columns, rows.slice(at, at + batchRowsMax)) };
  }
  yield { kind: "done", message: "", rowsAffected: 0n, notices: [] };
}

function encode(columns: StaticRows["columns"], rows: StaticRows["rows"]): Uint8Array {
  const data = columns.map(({ type }, index) => {
    const values = rows.map((row) => row[index] ?? null);
    if (type !== "INTEGER") {
      return encodeColumn(
        { kind: "text", values: values.map((v) => (v === null ? null : String(v))) },
        rows.length,
      );
    }
    return encodeColumn({ kind: "int64", values: Float64Array.from(values, Number) }, rows.length);
  });
  return RowBatch.encode({
    rowCount: rows.length,
    addedColumns: [],
    columns: data,
    operations: new Uint8Array(0),
  }).finish();
}
