import { truncate, visible } from "../../output/display.js";
import { layoutEditor } from "../layout.js";
import { menuLines } from "../menu.js";
import { painted, type Painter, plainPainter } from "../painter.js";
import { ghostText, type PromptHelp, type PromptState } from "../prompt.js";
import type { PromptArea } from "./screen.js";

export const prompts = { prompt: "> ", continuation: "| " } as const;

/** What the prompt is drawn with. */
export interface PromptLook extends PromptHelp {
  readonly columns: number;
  readonly rows: number;
  /** undefined: without colours. */
  readonly paint: ((text: string, cursor: number) => Painter) | undefined;
}

/** The prompt as it is drawn: lower than the terminal, whatever is typed. */
export function promptArea(prompt: PromptState, look: PromptLook): PromptArea {
  const { columns, rows, paint } = look;
  const { text, cursor } = prompt.editor;
  const colours = paint !== undefined;
  // One row for the hint, one that must stay free, one for good measure.
  const room = Math.max(1, rows - 3);
  const menu = prompt.menu === undefined ? [] : menuLines(prompt.menu, columns, room - 1, colours);
  const layout = layoutEditor(text, cursor, { ...prompts, columns, rowsMax: room - menu.length });
  const painter = (paint ?? plainPainter)(text, cursor);
  const ghost = ghostText(prompt, look);
  const shown = layout.places.map(({ prefix, start, end }, row) => {
    const line = prefix + painter(start, end);
    if (ghost === "" || end !== text.length || row !== layout.rows.length - 1) return line;
    const left = columns - 2 - layout.cursorColumn;
    const grey = truncate(visible(ghost.split("\n")[0] ?? ""), left);
    return colours ? line + painted("2", grey) : line;
  });
  const { search } = prompt;
  const hint =
    search === undefined
      ? prompt.hint
      : `search: ${visible(search.query)}${search.query !== "" && search.found === undefined ? " (not found)" : ""}  Ctrl-R older · Enter takes it · Ctrl-G back`;
  return { kind: "prompt", layout, shown, below: menu, hint };
}

/** Rows of the terminal that the prompt takes. */
export function rowsOf({ shown, below, hint }: PromptArea): number {
  return shown.length + below.length + (hint === undefined ? 0 : 1);
}

/** The statement as it stays in the scrollback. */
export function echoOf(text: string, paint: PromptLook["paint"]): string {
  const painter = (paint ?? plainPainter)(text, -1);
  let start = 0;
  return `${text
    .split("\n")
    .map((line, index) => {
      const from = start;
      start += line.length + 1;
      return (index === 0 ? prompts.prompt : prompts.continuation) + painter(from, from + line.length);
    })
    .join("\n")}\n`;
}
