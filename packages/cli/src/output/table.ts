import Table from "cli-table3";
import { visible } from "./display.js";
import type { Page } from "./page.js";

/** All rows of some pages in one table, as wide as they are. NULL is shown as NULL. */
export function renderTable(columns: readonly string[], pages: readonly Page[]): string {
  const table = new Table({
    head: columns.map(visible),
    colAligns: columns.map((_, column) => (pages.some((page) => page.isNumeric(column)) ? "right" : "left")),
    style: { head: [], border: [], compact: true },
  });
  for (const page of pages) {
    for (let row = 0; row < page.rowCount; row += 1) {
      table.push(columns.map((_, column) => visible(page.text(row, column) ?? "NULL")));
    }
  }
  return `${table.toString()}\n`;
}

/** Cells that the table would take across. */
export function tableWidth(rendered: string): number {
  const end = rendered.indexOf("\n");
  // The first line is the border: one cell a character.
  return end < 0 ? rendered.length : end;
}
