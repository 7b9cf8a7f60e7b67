import type { ColumnData, ColumnDef, ExecuteSqlResponse, StatementKind } from "@hstream/proto";

/** Events of ExecuteSql, for tests: columns are encoded by the type of their values. */
export function header(
  statementIndex: number,
  kind: StatementKind,
  columns: readonly ColumnDef[] = [],
): ExecuteSqlResponse {
  return {
    event: {
      $case: "header",
      value: {
        statementIndex,
        kind,
        columns: [...columns],
        notices: [],
        queryId: kind === 2 ? `q${statementIndex}` : "",
      },
    },
  };
}

export function done(message = "", rowsAffected = 0): ExecuteSqlResponse {
  return { event: { $case: "done", value: { message, rowsAffected: BigInt(rowsAffected), notices: [] } } };
}

export function rows(
  cells: readonly (readonly unknown[])[],
  columns: number,
  addedColumns: readonly ColumnDef[] = [],
  operations: Uint8Array = new Uint8Array(),
): ExecuteSqlResponse {
  const data = Array.from({ length: columns }, (_, column) =>
    encode(cells.map((row) => row[column] ?? null)),
  );
  return {
    event: {
      $case: "rows",
      value: { rowCount: cells.length, addedColumns: [...addedColumns], columns: data, operations },
    },
  };
}

function encode(values: readonly unknown[]): ColumnData {
  const nulls = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, row) => {
    if (value === null) nulls[row >>> 3] = (nulls[row >>> 3] ?? 0) | (1 << (row & 7));
  });
  const present = values.filter((value) => value !== null);
  if (present.length === 0) return { nulls: new Uint8Array(), values: { $case: "allNull", value: true } };
  const marks = present.length === values.length ? new Uint8Array() : nulls;
  if (present.every((value) => typeof value === "bigint" || Number.isSafeInteger(value))) {
    const packed = BigInt64Array.from(values, (value) => BigInt((value as number | null) ?? 0));
    return { nulls: marks, values: { $case: "int64", value: new Uint8Array(packed.buffer) } };
  }
  if (present.every((value) => typeof value === "number")) {
    const packed = Float64Array.from(values, (value) => Number(value));
    return { nulls: marks, values: { $case: "float64", value: new Uint8Array(packed.buffer) } };
  }
  if (present.every((value) => typeof value === "boolean")) {
    const packed = Uint8Array.from(values, (value) => (value === true ? 1 : 0));
    return { nulls: marks, values: { $case: "booleans", value: packed } };
  }
  const text = present.every((value) => typeof value === "string");
  const parts = values.map((value) => Buffer.from(text ? String(value ?? "") : JSON.stringify(value)));
  const offsets = new Uint32Array(parts.length + 1);
  parts.forEach((part, row) => {
    offsets[row + 1] = (offsets[row] ?? 0) + part.byteLength;
  });
  const value = { offsets: new Uint8Array(offsets.buffer), bytes: new Uint8Array(Buffer.concat(parts)) };
  return { nulls: marks, values: { $case: text ? "text" : "json", value } };
}
