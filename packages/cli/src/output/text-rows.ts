import { visible } from "./display.js";
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

/** One line of tab-separated values: tabs, line ends and backslashes are escaped, NULL is \\N. */
export function tsvLine(cells: readonly (string | undefined)[]): string {
  return `${cells.map((text) => (text === undefined ? "\\N" : text.replace(/[\\\t\n\r]/g, escapeTsv))).join("\t")}\n`;
}

function escapeTsv(sign: string): string {
  return { "\t": "\\t", "\n": "\\n", "\r": "\\r" }[sign] ?? "\\\\";
}

/** One row of a Markdown table. */
export function markdownLine(cells: readonly (string | undefined)[]): string {
  const shown = cells.map((text) => visible(text ?? "NULL").replaceAll("|", "\\|"));
  return `| ${shown.join(" | ")} |\n`;
}
