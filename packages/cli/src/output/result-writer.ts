import type { OutputFormat } from "./format.js";
import { LiveTable } from "./live-table.js";
import { type Page, slicePage } from "./page.js";
import { renderTable, tableWidth } from "./table.js";
import { csvLine, jsonRows, markdownLine, tsvLine } from "./text-rows.js";
import { renderVertical } from "./vertical.js";
import { yamlRows } from "./yaml.js";

/** Prints one result, page by page. Nothing is kept beyond what a table needs. */
export interface ResultWriter {
  page(page: Page): Promise<void>;
  /** After the last page; `columns` matter when there was none. */
  end(columns: readonly string[]): Promise<void>;
}

export interface WriterOptions {
  readonly write: (text: string) => Promise<void>;
  /** Told about what the output cannot show. */
  readonly warn: (text: string) => void;
  /** Cells across; undefined off a terminal. */
  readonly columns: () => number | undefined;
  readonly rows: () => number | undefined;
  /** The result has no end. */
  readonly changes: boolean;
  /** Print every row down instead of across. */
  readonly vertical?: boolean;
}

/** Rows in one table; a longer result comes in several. */
const tableRowsMax = 1_000;

export function resultWriter(format: OutputFormat, options: WriterOptions): ResultWriter {
  switch (format) {
    case "table":
      if (options.vertical === true) return verticalWriter(options);
      return options.changes ? liveWriter(options) : tableWriter(options);
    case "json":
      return options.changes ? ndjsonWriter(options) : jsonWriter(options);
    case "ndjson":
      return ndjsonWriter(options);
    case "csv":
      return linesWriter(options, csvLine, () => "");
    case "tsv":
      return linesWriter(options, tsvLine, () => "");
    case "markdown":
      return linesWriter(options, markdownLine, markdownRule);
    case "vertical":
      return verticalWriter(options);
    case "yaml":
      return yamlWriter(options);
  }
}

function markdownRule(columns: readonly string[], page: Page | undefined, mark: readonly string[]): string {
  const rules = columns.map((_, column) => (page?.isNumeric(column) === true ? "---:" : "---"));
  return `| ${[...mark.map(() => "---"), ...rules].join(" | ")} |\n`;
}

function yamlWriter({ write, changes }: WriterOptions): ResultWriter {
  let begun = false;
  return {
    page: async (page) => {
      if (page.rowCount > 0) await write(yamlRows(page));
      begun ||= page.rowCount > 0;
    },
    end: async () => (begun || changes ? undefined : write("[]\n")),
  };
}

function jsonWriter({ write }: WriterOptions): ResultWriter {
  let begun = false;
  return {
    page: async (page) => {
      const rows = jsonRows(page);
      if (rows.length === 0) return;
      await write((begun ? "," : "[") + rows.join(","));
      begun = true;
    },
    end: async () => write(begun ? "]\n" : "[]\n"),
  };
}

function ndjsonWriter({ write }: WriterOptions): ResultWriter {
  return {
    page: async (page) => {
      const rows = jsonRows(page);
      if (rows.length > 0) await write(`${rows.join("\n")}\n`);
    },
    end: async () => {},
  };
}

/** A header, then a line a row. */
function linesWriter(
  { write, warn, changes }: WriterOptions,
  lineOf: (cells: readonly (string | undefined)[]) => string,
  ruleOf: (columns: readonly string[], page: Page | undefined, mark: readonly string[]) => string,
): ResultWriter {
  let header: readonly string[] | undefined;
  const mark = changes ? ["$op"] : [];
  return {
    page: async (page) => {
      let out = "";
      if (header === undefined) out += lineOf([...mark, ...page.columns]) + ruleOf(page.columns, page, mark);
      else if (page.columns.length > header.length) {
        const added = page.columns.slice(header.length).join(", ");
        warn(`New columns, not in the header, follow at the end of the lines: ${added}`);
      }
      header = page.columns;
      for (let row = 0; row < page.rowCount; row += 1) {
        const cells = page.columns.map((_, column) => page.text(row, column));
        out += lineOf(changes ? [page.isDeletion(row) ? "delete" : "insert", ...cells] : cells);
      }
      await write(out);
    },
    end: async (columns) => {
      if (header !== undefined || columns.length === 0) return;
      await write(lineOf([...mark, ...columns]) + ruleOf(columns, undefined, mark));
    },
  };
}

function liveWriter({ write, columns, rows }: WriterOptions): ResultWriter {
  const table = new LiveTable(columns, rows);
  return {
    page: async (page) => write(table.render(page)),
    end: async () => {},
  };
}

function verticalWriter({ write }: WriterOptions): ResultWriter {
  let printed = 0;
  return {
    page: async (page) => {
      await write(renderVertical(page, printed + 1));
      printed += page.rowCount;
    },
    end: async () => {},
  };
}

/** Gathers rows into tables; what is wider than the terminal is printed down instead. */
function tableWriter(options: WriterOptions): ResultWriter {
  let waiting: Page[] = [];
  let waitingRows = 0;
  let printed = 0;
  const flush = async (columns: readonly string[]) => {
    const rendered = renderTable(columns, waiting);
    const width = options.columns();
    if (width !== undefined && waitingRows > 0 && tableWidth(rendered) > width) {
      let first = printed + 1;
      for (const page of waiting) {
        await options.write(renderVertical(page, first));
        first += page.rowCount;
      }
    } else await options.write(rendered);
    printed += waitingRows;
    waiting = [];
    waitingRows = 0;
  };
  return {
    page: async (page) => {
      for (let from = 0; from < page.rowCount; ) {
        const to = Math.min(page.rowCount, from + tableRowsMax - waitingRows);
        waiting.push(slicePage(page, from, to));
        waitingRows += to - from;
        from = to;
        if (waitingRows === tableRowsMax) await flush(page.columns);
      }
    },
    end: async (columns) => {
      if (waitingRows > 0 || (printed === 0 && columns.length > 0)) await flush(columns);
    },
  };
}
