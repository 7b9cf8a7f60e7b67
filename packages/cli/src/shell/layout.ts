import { displayWidth } from "../output/display.js";

/** The rows of the screen that show the editor, and where the cursor stands in them. */
export interface EditorLayout {
  readonly rows: readonly string[];
  readonly cursorRow: number;
  readonly cursorColumn: number;
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
  let cursorRow = 0;
  let cursorColumn = 0;
  let offset = 0;
  for (const [number, line] of text.split("\n").entries()) {
    let row = number === 0 ? options.prompt : options.continuation;
    let width = displayWidth(row);
    const indent = " ".repeat(width);
    for (const { segment } of segmenter.segment(line)) {
      const cells = displayWidth(segment);
      if (width + cells > columns - 1) {
        rows.push(row);
        row = indent;
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
    offset += 1;
  }
  return cutAround(rows, cursorRow, cursorColumn, Math.max(1, options.rowsMax));
}

function cutAround(
  rows: readonly string[],
  cursorRow: number,
  cursorColumn: number,
  rowsMax: number,
): EditorLayout {
  if (rows.length <= rowsMax) return { rows, cursorRow, cursorColumn };
  const first = Math.min(Math.max(0, cursorRow - Math.floor(rowsMax / 2)), rows.length - rowsMax);
  return { rows: rows.slice(first, first + rowsMax), cursorRow: cursorRow - first, cursorColumn };
}
