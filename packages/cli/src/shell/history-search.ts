import type { EditorState } from "./editor.js";

/** A search through history that is under way (Ctrl-R). */
export interface SearchState {
  readonly query: string;
  /** The entry that is shown; undefined when nothing has the query in it. */
  readonly found: number | undefined;
  /** What was there before, for Ctrl-G. */
  readonly before: EditorState;
}

/** The next entry that has the query in it, beside `from` in the given direction, letters of either case. */
export function searchHistory(
  entries: readonly string[],
  query: string,
  from: number,
  step: -1 | 1,
): number | undefined {
  if (query === "") return undefined;
  const wanted = query.toLowerCase();
  for (let index = from; index >= 0 && index < entries.length; index += step) {
    if (entries[index]?.toLowerCase().includes(wanted) === true) return index;
  }
  return undefined;
}
