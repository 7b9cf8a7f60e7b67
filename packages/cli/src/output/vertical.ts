import { displayWidth, pad, visible } from "./display.js";
import type { Page } from "./page.js";

/** One line a cell, for rows too wide for a table. `firstRow` is the number of the first row, from 1. */
export function renderVertical(page: Page, firstRow: number): string {
  const names = page.columns.map(visible);
  const width = Math.max(0, ...names.map(displayWidth));
  let out = "";
  for (let row = 0; row < page.rowCount; row += 1) {
    out += `── ${page.isDeletion(row) ? "deleted " : ""}row ${firstRow + row} ${"─".repeat(20)}\n`;
    names.forEach((name, column) => {
      out += `${pad(name, width, true)}: ${visible(page.text(row, column) ?? "NULL")}\n`;
    });
  }
  return out;
}
