import { alignRows } from "./keyed-table.js";
import { pageOf } from "./page.js";

/** Columns and rows as aligned lines, for lists of the shell's own. */
export function listLines(
  columns: readonly string[],
  rows: readonly (readonly (string | number | undefined)[])[],
  width: number,
): readonly string[] {
  const page = pageOf(columns, rows);
  const cells = rows.map((_, row) => columns.map((__, column) => page.text(row, column) ?? ""));
  return alignRows(
    columns,
    cells,
    columns.map((_, column) => rows.some((row) => typeof row[column] === "number")),
    width,
  );
}
