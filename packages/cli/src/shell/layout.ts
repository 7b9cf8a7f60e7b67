import { displayWidth } from "../output/display.js";

/** The rows of the screen that show the editor, and where the cursor stands in them. */
export interface EditorLayout {
  /** As they are without colours. */
  readonly rows: readonly string[];
  /** Of each row: what stands before the text, and which part of the text it shows. */
  readonly places: readonly RowPlace[];
  readonly cursorRow: number;
  readonly cursorColumn: number;
}

export interface RowPlace {
  readonly prefix: string;
  readonly start: number;
  readonly end: number;
}

export interface LayoutOptions {
  readonly prompt: string;
  readonly continuation: string;
  readonly columns: number;
  /** At least 1; the rows around the cursor are shown. */
  readonly rowsMax: number;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** Wraps the text at the terminal's width, each line with its prompt, and cuts what does not fit. */
export function layoutEditor(text: string, cursor: number, options: LayoutOptions): EditorLayout {
  const columns = Math.max(8, options.columns);
  const rows: string[] = [];
  const places: RowPlace[] = [];
  let cursorRow = 0;
  let cursorColumn = 0;
  let offset = 0;
  for (const [number, line] of text.split("\n").entries()) {
    let row = number === 0 ? options.prompt : options.continuation;
    let prefix = row;
    let start = offset;
    let width = displayWidth(row);
    const indent = " ".repeat(width);
    for (const { segment } of segmenter.segment(line)) {
      const cells = displayWidth(segment);
      if (width + cells > columns - 1) {
        rows.push(row);
        places.push({ prefix, start, end: offset });
        row = indent;
        prefix = indent;
        start = offset;
        width = indent.length;
      }
      if (offset === cursor) {
        cursorRow = rows.length;
        cursorColumn = width;
      }
      row += segment;
      width += cells;
      offset += segment.length;
    }
    if (offset === cursor) {
      cursorRow = rows.length;
      cursorColumn = width;
    }
    rows.push(row);
    places.push({ prefix, start, end: offset });
    offset += 1;
  }
  return cutAround({ rows, places, cursorRow, cursorColumn }, Math.max(1, options.rowsMax));
}

function cutAround(layout: EditorLayout, rowsMax: number): EditorLayout {
  const { rows, places, cursorRow, cursorColumn } = layout;
  if (rows.length <= rowsMax) return layout;
  const first = Math.min(Math.max(0, cursorRow - Math.floor(rowsMax / 2)), rows.length - rowsMax);
  const shown = { rows: rows.slice(first, first + rowsMax), places: places.slice(first, first + rowsMax) };
  return { ...shown, cursorRow: cursorRow - first, cursorColumn };
}
