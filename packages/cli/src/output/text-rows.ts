import type { Page } from "./page.js";

/** Rows as JSON objects, one each; a row that is taken back has "$op":"delete" in front. */
export function jsonRows(page: Page): readonly string[] {
  const keys = page.columns.map((name, place) => `${place === 0 ? "" : ","}${JSON.stringify(name)}:`);
  const out: string[] = [];
  for (let row = 0; row < page.rowCount; row += 1) {
    let text = page.isDeletion(row) ? `{"$op":"delete"${keys.length > 0 ? "," : ""}` : "{";
    for (let column = 0; column < keys.length; column += 1) text += keys[column] + page.json(row, column);
    out.push(`${text}}`);
  }
  return out;
}

/** One line of CSV, as RFC 4180 has it, but with a plain line feed. */
export function csvLine(cells: readonly (string | undefined)[]): string {
  return `${cells.map(csvCell).join(",")}\n`;
}

/** NULL is an empty cell, an empty string a quoted one. */
function csvCell(text: string | undefined): string {
  if (text === undefined) return "";
  if (text === "" || /[",\r\n]/.test(text) || text.trim() !== text) return `"${text.replaceAll('"', '""')}"`;
  return text;
}
