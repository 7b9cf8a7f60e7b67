import { unreachable } from "@hstream/proto";
import { barChart, type ChartKind, lineChart, sparkline } from "../output/chart.js";
import { displayWidth, pad, truncate, visible } from "../output/display.js";
import { isOutputFormat, type OutputFormat } from "../output/format.js";
import { KeyedTable } from "../output/keyed-table.js";
import { LiveTable } from "../output/live-table.js";
import type { Page } from "../output/page.js";
import { type ResultWriter, resultWriter } from "../output/result-writer.js";

/** How the changes of a push query are shown: below each other in some format, or in place. */
export type StreamForm = OutputFormat | "live" | `chart ${ChartKind}`;

export interface StreamViewOptions {
  readonly write: (text: string) => Promise<void>;
  readonly columns: () => number;
  readonly rows: () => number;
  /** Columns whose values say which row a change is of; empty: none. */
  readonly keyColumns: readonly string[];
  readonly form: StreamForm;
}

/** Values that a chart remembers of one series. */
const seriesMax = 1_000;
/** Series that a chart has room for. */
const seriesCountMax = 1_000;

/** The forms that Ctrl-O goes through. */
const cycle: readonly StreamForm[] = [
  "table",
  "live",
  "chart line",
  "chart bar",
  "chart spark",
  "vertical",
  "ndjson",
];

/** Shows a push query, and can be told to show it differently while it runs. */
export class StreamView {
  readonly #options: StreamViewOptions;
  readonly #keyed: KeyedTable;
  readonly #series = new Map<string, number[]>();
  #form: StreamForm;
  #writer: ResultWriter | undefined;
  #table: LiveTable | undefined;
  #cut = 0;

  constructor(options: StreamViewOptions) {
    this.#options = options;
    this.#keyed = new KeyedTable(options.keyColumns);
    this.#form = options.form;
  }

  get form(): StreamForm {
    return this.#form;
  }

  /** Cells that were shortened to fit. */
  get cutCells(): number {
    return this.#cut + (this.#table?.cutCells ?? 0);
  }

  async page(page: Page): Promise<void> {
    const form = this.#form;
    if (!isOutputFormat(form)) {
      this.#keyed.add(page);
      if (form !== "live") this.#remember(page);
      return;
    }
    // So that a switch in the midst of it shows every group.
    if (this.#options.keyColumns.length > 0) this.#keyed.add(page);
    if (form === "table") {
      this.#table ??= new LiveTable(this.#options.columns, this.#options.rows);
      await this.#options.write(this.#table.render(page));
      return;
    }
    this.#writer ??= this.#writerOf(form);
    await this.#writer.page(page);
  }

  /** The next form; what was begun in the present one is ended. */
  async next(): Promise<void> {
    const place = cycle.indexOf(this.#form);
    await this.#end();
    this.#form = cycle[(place + 1) % cycle.length] ?? "table";
  }

  /** The lines that change in place; empty where rows are printed. */
  panel(linesMax: number): readonly string[] {
    return isOutputFormat(this.#form) ? [] : this.#draw(linesMax);
  }

  /** Prints what was in place as it was last, so that it can be copied. */
  async end(columns: readonly string[]): Promise<void> {
    if (isOutputFormat(this.#form)) {
      await this.#writer?.end(columns);
      return;
    }
    // A table is printed whole, a chart as it stood.
    const lines =
      this.#form === "live"
        ? this.#keyed.render(this.#options.columns() - 1, Number.MAX_SAFE_INTEGER)
        : this.#draw(this.#options.rows() - 3);
    if (lines.length > 0) await this.#options.write(`${lines.join("\n")}\n`);
  }

  async #end(): Promise<void> {
    this.#cut = this.cutCells;
    this.#table = undefined;
    await this.#writer?.end([]);
    this.#writer = undefined;
  }

  #writerOf(format: OutputFormat): ResultWriter {
    const { write, columns, rows } = this.#options;
    return resultWriter(format, {
      write,
      warn: (text) => void write(`${text}\n`),
      columns,
      rows,
      changes: true,
    });
  }

  #draw(linesMax: number): readonly string[] {
    const width = this.#options.columns() - 1;
    const form = this.#form;
    switch (form) {
      case "live":
        return this.#keyed.render(width, linesMax);
      case "chart line": {
        const values = [...this.#series.values()][0] ?? [];
        const title = this.#titleOf([...this.#series.keys()][0]);
        return [truncate(visible(title), width), ...lineChart(values, width, Math.min(10, linesMax - 1))];
      }
      case "chart spark":
        return this.#sparklines(width, linesMax);
      case "chart bar":
        return this.#bars(width, linesMax);
      default:
        return isOutputFormat(form) ? [] : unreachable(form);
    }
  }

  /** What a line shows: a column, of a group when there are groups. */
  #titleOf(series: string | undefined): string {
    if (series === undefined) return "no column of numbers yet";
    const value = this.#keyed.columns[this.#valueColumns()[0] ?? -1];
    return value === undefined || value === series ? series : `${value} of ${series}`;
  }

  #bars(width: number, linesMax: number): readonly string[] {
    const { columns } = this.#keyed;
    const value = this.#valueColumns()[0];
    if (value === undefined) return ["no column of numbers"];
    const names = columns.map((_, column) => column).filter((column) => !this.#keyed.isNumeric(column));
    const bars = this.#keyed.rows.map((row) => ({
      name: names.map((column) => row[column] ?? "NULL").join(" "),
      value: row[value] === undefined ? Number.NaN : Number(row[value]),
    }));
    return [truncate(visible(columns[value] ?? ""), width), ...barChart(bars, width, linesMax - 1)];
  }

  #sparklines(width: number, linesMax: number): readonly string[] {
    const all = [...this.#series];
    const shown = all.slice(0, Math.max(1, linesMax - 1));
    const nameWidth = Math.min(
      Math.floor(width / 3),
      Math.max(1, ...shown.map(([name]) => displayWidth(visible(name)))),
    );
    const lines = shown.map(([name, values]) => {
      const last = String(values.at(-1) ?? "");
      const room = width - nameWidth - last.length - 2;
      return `${pad(truncate(visible(name), nameWidth), nameWidth, false)} ${sparkline(values, room)} ${last}`;
    });
    const hidden = all.length - shown.length;
    return hidden > 0 ? [...lines, `… ${hidden} more`] : lines;
  }

  /** Columns of numbers that are no keys. */
  #valueColumns(): readonly number[] {
    const { columns } = this.#keyed;
    const all = columns.map((_, column) => column).filter((column) => this.#keyed.isNumeric(column));
    const values = all.filter((column) => !this.#options.keyColumns.includes(columns[column] ?? ""));
    return values.length > 0 ? values : all;
  }

  #remember(page: Page): void {
    const values = this.#valueColumns();
    const keys = this.#options.keyColumns.map((name) => page.columns.indexOf(name)).filter((at) => at >= 0);
    for (let row = 0; row < page.rowCount; row += 1) {
      if (page.isDeletion(row)) continue;
      const key = keys.map((column) => page.text(row, column) ?? "NULL").join(" ");
      for (const column of key === "" ? values : values.slice(0, 1)) {
        const text = page.text(row, column);
        const name = key === "" ? (page.columns[column] ?? "") : key;
        let series = this.#series.get(name);
        if (series === undefined) {
          if (this.#series.size >= seriesCountMax) continue;
          series = [];
          this.#series.set(name, series);
        }
        series.push(text === undefined ? Number.NaN : Number(text));
        if (series.length > seriesMax * 2) series.splice(0, series.length - seriesMax);
      }
    }
  }
}

/** A finite result as a chart. */
export function chartOfPages(
  kind: ChartKind,
  pages: readonly Page[],
  columns: number,
  rows: number,
): readonly string[] {
  const [first] = pages;
  if (first === undefined) return ["no rows"];
  const view = new StreamView({
    write: async () => {},
    columns: () => columns,
    rows: () => rows,
    keyColumns: [],
    form: `chart ${kind}`,
  });
  for (const page of pages) void view.page(page);
  return view.panel(rows);
}
