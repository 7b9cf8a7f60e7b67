import { displayWidth, pad, truncate, visible } from "./display.js";
import type { Page } from "./page.js";

export const keyedRowsMax = 10_000;

interface KeyedRow {
  readonly cells: readonly (string | undefined)[];
  readonly key: string;
  /** When it last changed, counted in rows. */
  changedAt: number;
}

/**
 * The last state of each key of a push query. Without key columns every row is its own, and the last ones
 * are kept. More keys than `keyedRowsMax`: the ones that changed longest ago go.
 */
export class KeyedTable {
  readonly #keyColumns: readonly string[];
  readonly #rows = new Map<string, KeyedRow>();
  #columns: readonly string[] = [];
  #numeric: readonly boolean[] = [];
  #count = 0;
  #dropped = 0;

  constructor(keyColumns: readonly string[]) {
    this.#keyColumns = keyColumns;
  }

  get columns(): readonly string[] {
    return this.#columns;
  }

  /** Rows in the order in which their keys came. */
  get rows(): readonly (readonly (string | undefined)[])[] {
    return [...this.#rows.values()].map(({ cells }) => cells);
  }

  get size(): number {
    return this.#rows.size;
  }

  isNumeric(column: number): boolean {
    return this.#numeric[column] === true;
  }

  add(page: Page): void {
    if (page.rowCount === 0) return;
    this.#columns = page.columns;
    this.#numeric = page.columns.map((_, column) => page.isNumeric(column));
    const places = this.#keyColumns.map((name) => page.columns.indexOf(name)).filter((place) => place >= 0);
    for (let row = 0; row < page.rowCount; row += 1) {
      this.#count += 1;
      const cells = page.columns.map((_, column) => page.text(row, column));
      const key =
        places.length === 0
          ? String(this.#count)
          : JSON.stringify(places.map((column) => page.json(row, column)));
      const known = this.#rows.get(key);
      if (page.isDeletion(row)) {
        this.#rows.delete(key);
        continue;
      }
      if (known === undefined) this.#rows.set(key, { key, cells, changedAt: this.#count });
      else this.#rows.set(key, { key, cells, changedAt: this.#count });
    }
    if (this.#rows.size > keyedRowsMax * 1.1) this.#shrink();
  }

  /** The table in at most so many lines, with the rows that changed last; what is left out is counted. */
  render(columns: number, linesMax: number): readonly string[] {
    if (this.#columns.length === 0) return [];
    const room = Math.max(1, linesMax - 3);
    const all = [...this.#rows.values()];
    let shown = all;
    if (all.length > room) {
      const newest = new Set([...all].sort((a, b) => b.changedAt - a.changedAt).slice(0, room));
      shown = all.filter((row) => newest.has(row));
    }
    const hidden = all.length - shown.length + this.#dropped;
    const lines = alignRows(
      this.#columns,
      shown.map(({ cells }) => cells),
      this.#numeric,
      columns,
    );
    return hidden > 0 ? [...lines, `… ${hidden.toLocaleString("en-US")} more rows`] : lines;
  }

  #shrink(): void {
    const oldest = [...this.#rows.values()].sort((a, b) => a.changedAt - b.changedAt);
    for (const { key } of oldest.slice(0, this.#rows.size - keyedRowsMax)) {
      this.#rows.delete(key);
      this.#dropped += 1;
    }
  }
}

/** Header, rule and rows in columns, cut to the width; a cell that does not fit ends with "…". */
export function alignRows(
  columns: readonly string[],
  rows: readonly (readonly (string | undefined)[])[],
  numeric: readonly boolean[],
  widthMax: number,
): readonly string[] {
  const names = columns.map(visible);
  const cells = rows.map((row) => columns.map((_, column) => visible(row[column] ?? "NULL")));
  const widths = names.map((name, column) =>
    cells.reduce(
      (most, row) => Math.max(most, displayWidth(row[column] ?? "")),
      Math.max(1, displayWidth(name)),
    ),
  );
  let total = widths.reduce((sum, width) => sum + width + 3, -1);
  while (total > widthMax) {
    const widest = Math.max(...widths);
    if (widest <= 4) break;
    widths[widths.indexOf(widest)] = widest - 1;
    total -= 1;
  }
  const line = (row: readonly string[]) =>
    truncate(
      ` ${row
        .map((cell, column) => {
          const width = widths[column] ?? 1;
          return pad(truncate(cell, width), width, numeric[column] === true);
        })
        .join(" │ ")}`.trimEnd(),
      widthMax,
    );
  const rule = truncate(`─${widths.map((width) => "─".repeat(width)).join("─┼─")}`, widthMax);
  return [line(names), rule, ...cells.map(line)];
}
