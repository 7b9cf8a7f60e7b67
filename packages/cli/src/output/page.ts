import type { SqlBatch } from "@hstream/client";
import { truncate } from "./display.js";

/** Rows with named columns, whatever they come from. Cells are asked for in the form that is printed. */
export interface Page {
  readonly columns: readonly string[];
  readonly rowCount: number;
  /** For people. NULL is undefined. */
  text(row: number, column: number): string | undefined;
  /** JSON text. */
  json(row: number, column: number): string;
  /** Whether numbers stand in this column, which are aligned to the right. */
  isNumeric(column: number): boolean;
  /** Whether the row takes a former row back. */
  isDeletion(row: number): boolean;
}

/** What a cell of a list may hold. */
export type Cell = string | number | bigint | boolean | null | undefined;

/** A page of plain rows. */
export function pageOf(columns: readonly string[], rows: readonly (readonly Cell[])[]): Page {
  const cell = (row: number, column: number) => rows[row]?.[column];
  return {
    columns,
    rowCount: rows.length,
    text: (row, column) => {
      const value = cell(row, column);
      return value === null || value === undefined ? undefined : String(value);
    },
    json: (row, column) => {
      const value = cell(row, column);
      return typeof value === "bigint" ? String(value) : JSON.stringify(value ?? null);
    },
    isNumeric: (column) => rows.length > 0 && rows.every((row) => typeof row[column] === "number"),
    isDeletion: () => false,
  };
}

/** A page of a SQL result. */
export function pageOfBatch(batch: SqlBatch): Page {
  return {
    columns: batch.columns.map(({ name }) => name),
    rowCount: batch.rowCount,
    text: (row, column) => {
      const values = batch.values(column);
      return values.isNull(row) ? undefined : values.text(row);
    },
    json: (row, column) => batch.values(column).json(row),
    isNumeric: (column) => {
      const { kind } = batch.values(column);
      return kind === "int64" || kind === "float64" || (kind === "json" && looksNumeric(batch, column));
    },
    isDeletion: (row) => batch.isDeletion(row),
  };
}

function looksNumeric(batch: SqlBatch, column: number): boolean {
  const values = batch.values(column);
  for (let row = 0; row < Math.min(batch.rowCount, 50); row += 1) {
    if (!values.isNull(row) && !/^-?\d/.test(values.json(row))) return false;
  }
  return true;
}

/** The page with long cells shortened for people; `onCut` hears of each. */
export function shortened(page: Page, cellsMax: number, onCut: () => void): Page {
  return {
    ...page,
    columns: page.columns,
    rowCount: page.rowCount,
    text: (row, column) => {
      const text = page.text(row, column);
      if (text === undefined || text.length <= cellsMax) return text;
      onCut();
      return truncate(text.slice(0, cellsMax + 1), cellsMax);
    },
  };
}

/** Some rows of a page. */
export function slicePage(page: Page, from: number, to: number): Page {
  if (from === 0 && to === page.rowCount) return page;
  return {
    columns: page.columns,
    rowCount: to - from,
    text: (row, column) => page.text(from + row, column),
    json: (row, column) => page.json(from + row, column),
    isNumeric: (column) => page.isNumeric(column),
    isDeletion: (row) => page.isDeletion(from + row),
  };
}
