import { displayWidth, pad, truncate, visible } from "./display.js";
import type { Page } from "./page.js";

/**
 * Rows of a push query as lines under each other. The widths come from the first page and then stay;
 * the header is repeated every screenful, and comes again when columns are added. A row that is taken
 * back starts with a minus.
 */
export class LiveTable {
  /** Cells across; undefined: no limit, and nothing is cut. */
  readonly #widthMax: () => number | undefined;
  readonly #repeatEvery: () => number | undefined;
  #columns: readonly string[] = [];
  #widths: number[] = [];
  #numeric: boolean[] = [];
  #linesSinceHeader = 0;
  #measuredFor: number | undefined;
  /** Cells that were shortened to fit. */
  cutCells = 0;

  constructor(widthMax: () => number | undefined, repeatEvery: () => number | undefined) {
    this.#widthMax = widthMax;
    this.#repeatEvery = repeatEvery;
  }

  render(page: Page): string {
    let out = "";
    // Widths stay, until columns are added or the terminal has another width.
    const width = this.#widthMax();
    if (
      this.#columns.length !== page.columns.length ||
      this.#linesSinceHeader === 0 ||
      width !== this.#measuredFor
    ) {
      this.#measuredFor = width;
      this.#measure(page);
      out += this.#header();
    }
    for (let row = 0; row < page.rowCount; row += 1) {
      const every = this.#repeatEvery();
      if (every !== undefined && this.#linesSinceHeader >= Math.max(5, every - 4)) out += this.#header();
      const cells = this.#columns.map((_, column) => visible(page.text(row, column) ?? "NULL"));
      out += this.#line(cells, page.isDeletion(row) ? "- " : "  ");
      this.#linesSinceHeader += 1;
    }
    return out;
  }

  #measure(page: Page): void {
    this.#columns = page.columns;
    this.#numeric = page.columns.map((_, column) => page.isNumeric(column));
    const sample = Math.min(page.rowCount, 50);
    this.#widths = page.columns.map((name, column) => {
      let width = Math.max(4, displayWidth(visible(name)));
      for (let row = 0; row < sample; row += 1) {
        width = Math.max(width, displayWidth(visible(page.text(row, column) ?? "NULL")));
      }
      // Room for numbers that grow, and for the texts that one row did not show.
      if (this.#numeric[column] === true) return Math.max(width, 8);
      return sample < 50 ? Math.max(width, 12) : width;
    });
    this.#shrink();
  }

  /** Takes cells from the widest columns until the line fits. */
  #shrink(): void {
    const max = this.#widthMax();
    if (max === undefined) return;
    let total = this.#widths.reduce((sum, width) => sum + width + 3, 0) - 1;
    while (total > max - 1) {
      const widest = Math.max(...this.#widths);
      if (widest <= 4) return;
      const column = this.#widths.indexOf(widest);
      this.#widths[column] = widest - 1;
      total -= 1;
    }
  }

  #header(): string {
    this.#linesSinceHeader = 1;
    const rule = this.#widths.map((width) => "─".repeat(width)).join("─┼─");
    const cut = this.cutCells;
    const names = this.#line(this.#columns.map(visible), "  ");
    this.cutCells = cut;
    return `${names}  ${rule}\n`;
  }

  #line(cells: readonly string[], mark: string): string {
    const limited = this.#widthMax() !== undefined;
    const padded = cells.map((cell, column) => {
      const width = this.#widths[column] ?? 4;
      if (limited && displayWidth(cell) > width) this.cutCells += 1;
      return pad(limited ? truncate(cell, width) : cell, width, this.#numeric[column] === true);
    });
    return `${mark}${padded.join(" │ ").trimEnd()}\n`;
  }
}
