import type { Candidate } from "./completion/completion.js";
import { displayWidth, pad, truncate, visible } from "../output/display.js";
import { painted } from "./painter.js";

/** The completions that are offered below the prompt. */
export interface Menu {
  readonly candidates: readonly Candidate[];
  /** Where the word begins, and what it was before one was chosen. */
  readonly start: number;
  readonly typed: string;
  /** undefined: none is chosen yet. */
  readonly chosen: number | undefined;
}

export const menuRowsMax = 8;

/** The lines of the menu, around what is chosen. */
export function menuLines(menu: Menu, columns: number, rowsMax: number, colours: boolean): readonly string[] {
  const rows = Math.min(menuRowsMax, rowsMax, menu.candidates.length);
  if (rows <= 0) return [];
  const chosen = menu.chosen ?? 0;
  const first = Math.min(Math.max(0, chosen - Math.floor(rows / 2)), menu.candidates.length - rows);
  const shown = menu.candidates.slice(first, first + rows);
  const width = Math.min(40, Math.max(...shown.map(({ text }) => displayWidth(visible(text)))));
  return shown.map((candidate, place) => {
    const name = pad(truncate(visible(candidate.text), width), width, false);
    const detail = candidate.detail === "" ? candidate.kind : candidate.detail;
    const isChosen = menu.chosen === first + place;
    const line = truncate(`${isChosen ? "›" : " "} ${name}  ${visible(detail)}`, Math.max(8, columns - 1));
    if (!colours) return line;
    if (isChosen) return painted("7", line);
    const cut = Math.min(line.length, 2 + name.length);
    return line.slice(0, cut) + painted("2", line.slice(cut));
  });
}
