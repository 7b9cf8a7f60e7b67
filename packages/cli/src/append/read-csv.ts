import { BadInput, type SourceLine } from "./read-lines.js";

/** A row of a CSV file and the line on which it begins. */
export interface CsvRow {
  readonly line: number;
  /** undefined: an empty cell without quotes. */
  readonly cells: readonly (string | CsvText | undefined)[];
}

/** A cell in quotes: a text, whatever it looks like. */
export interface CsvText {
  readonly quoted: string;
}

/** Rows as RFC 4180 has them; cells in quotes may hold line ends. */
export async function* readCsv(
  lines: AsyncIterable<readonly SourceLine[]>,
): AsyncGenerator<readonly CsvRow[]> {
  let open: { readonly line: number; text: string } | undefined;
  for await (const batch of lines) {
    const rows: CsvRow[] = [];
    for (const { line, text } of batch) {
      if (open === undefined && text === "") continue;
      const row: { readonly line: number; text: string } = open === undefined ? { line, text } : open;
      if (open !== undefined) row.text += `\n${text}`;
      const cells = parseRow(row.text, row.line);
      open = cells === undefined ? row : undefined;
      if (cells !== undefined) rows.push({ line: row.line, cells });
    }
    if (rows.length > 0) yield rows;
  }
  if (open !== undefined) throw new BadInput(open.line, 'a cell begins with " and does not end');
}

/** undefined: a quoted cell goes on in the next line. */
function parseRow(text: string, line: number): readonly (string | CsvText | undefined)[] | undefined {
  if (!text.includes('"')) return text.split(",").map((cell) => (cell === "" ? undefined : cell));
  const cells: (string | CsvText | undefined)[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let end = at + 1;
      for (;;) {
        end = text.indexOf('"', end);
        if (end < 0) return undefined;
        if (text[end + 1] !== '"') break;
        end += 2;
      }
      cells.push({ quoted: text.slice(at + 1, end).replaceAll('""', '"') });
      at = end + 1;
      if (at < text.length && text[at] !== ",")
        throw new BadInput(line, "a comma is missing behind a cell in quotes");
    } else {
      const comma = text.indexOf(",", at);
      const end = comma < 0 ? text.length : comma;
      const cell = text.slice(at, end);
      cells.push(cell === "" ? undefined : cell);
      at = end;
    }
    if (at >= text.length) return cells;
    at += 1;
  }
}
