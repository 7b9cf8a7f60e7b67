/** The text being typed. Offsets are UTF-16 units; the cursor stands between graphemes. */
export interface EditorState {
  readonly text: string;
  readonly cursor: number;
  /** The cell column that vertical moves aim at. */
  readonly goal: number | undefined;
  /** What was cut, the newest last. */
  readonly kills: readonly string[];
  readonly undo: readonly Snapshot[];
  readonly redo: readonly Snapshot[];
  /** What the last action was, so that likes are joined. */
  readonly last: "typing" | "kill" | "yank" | "other";
}

interface Snapshot {
  readonly text: string;
  readonly cursor: number;
}

export type Motion =
  | "left"
  | "right"
  | "word-left"
  | "word-right"
  | "line-start"
  | "line-end"
  | "start"
  | "end"
  | "up"
  | "down";

export type EditorAction =
  | { readonly kind: "insert"; readonly text: string }
  | { readonly kind: "move"; readonly to: Motion }
  /** Takes what lies between the cursor and there away. */
  | { readonly kind: "erase"; readonly to: Motion }
  /** The same, and keeps it to be yanked. */
  | { readonly kind: "kill"; readonly to: Motion }
  | { readonly kind: "yank" }
  /** After a yank: the kill before instead. */
  | { readonly kind: "yank-older" }
  | { readonly kind: "transpose" }
  | { readonly kind: "undo" }
  | { readonly kind: "redo" }
  /** Replaces everything, as history does. */
  | { readonly kind: "set"; readonly text: string }
  /** Puts a text in the place of a range; the cursor goes behind it. */
  | { readonly kind: "replace"; readonly from: number; readonly to: number; readonly text: string }
  /** Empties the editor; what was there can be yanked. */
  | { readonly kind: "clear" };

export const editorLimits = { textUnitsMax: 1_048_576, killsMax: 30, undoMax: 200 } as const;

export const emptyEditor: EditorState = {
  text: "",
  cursor: 0,
  goal: undefined,
  kills: [],
  undo: [],
  redo: [],
  last: "other",
};

/** One action on the text. Never fails: what is impossible changes nothing. */
export function edit(state: EditorState, action: EditorAction): EditorState {
  switch (action.kind) {
    case "insert":
      return insert(state, normalise(action.text), "typing");
    case "move":
      return move(state, action.to);
    case "erase":
      return cut(state, action.to, false);
    case "kill":
      return cut(state, action.to, true);
    case "yank":
      return insert(state, state.kills.at(-1) ?? "", "yank");
    case "yank-older":
      return yankOlder(state);
    case "transpose":
      return transpose(state);
    case "undo":
      return restore(state, state.undo, "undo");
    case "redo":
      return restore(state, state.redo, "redo");
    case "set": {
      const text = limit(normalise(action.text));
      return changed(state, text, text.length, "other");
    }
    case "replace": {
      const from = snap(state.text, Math.min(action.from, action.to));
      const to = Math.max(from, snap(state.text, action.to));
      const piece = normalise(action.text);
      const text = limit(state.text.slice(0, from) + piece + state.text.slice(to));
      return changed(state, text, snap(text, from + piece.length), "other");
    }
    case "clear":
      return state.text === ""
        ? state
        : { ...changed(state, "", 0, "other"), kills: withKill(state.kills, state.text) };
  }
}

/** Whether the cursor is on the first line, the last line. */
export function atEdge(state: EditorState): { readonly first: boolean; readonly last: boolean } {
  return {
    first: state.text.lastIndexOf("\n", state.cursor - 1) < 0 || state.cursor === 0,
    last: state.text.indexOf("\n", state.cursor) < 0,
  };
}

function insert(state: EditorState, piece: string, last: EditorState["last"]): EditorState {
  const room = editorLimits.textUnitsMax - state.text.length;
  const fitting = piece.length <= room ? piece : piece.slice(0, Math.max(0, room));
  if (fitting === "") return state;
  const text = state.text.slice(0, state.cursor) + fitting + state.text.slice(state.cursor);
  const next = changed(state, text, snap(text, state.cursor + fitting.length), last);
  // Letters typed in a row are undone together, word by word.
  const joins = last === "typing" && state.last === "typing" && !/^\s/.test(fitting) && fitting.length < 8;
  return joins ? { ...next, undo: state.undo } : next;
}

function move(state: EditorState, to: Motion): EditorState {
  if (to !== "up" && to !== "down") {
    return { ...state, cursor: target(state, to), goal: undefined, last: "other" };
  }
  const goal = state.goal ?? graphemesIn(lineOf(state).before);
  const cursor = vertical(state, to, goal);
  return { ...state, cursor, goal, last: "other" };
}

function cut(state: EditorState, to: Motion, keep: boolean): EditorState {
  let end = target(state, to);
  // At the end of a line the line break itself goes.
  if (keep && to === "line-end" && end === state.cursor) end = Math.min(state.text.length, end + 1);
  if (end === state.cursor) return state;
  const [from, until] = end < state.cursor ? [end, state.cursor] : [state.cursor, end];
  const text = state.text.slice(0, from) + state.text.slice(until);
  const next = changed(state, text, snap(text, from), keep ? "kill" : "other");
  if (!keep) return next;
  const piece = state.text.slice(from, until);
  const before = state.last === "kill" ? (state.kills.at(-1) ?? "") : undefined;
  if (before === undefined) return { ...next, kills: withKill(state.kills, piece) };
  const joined = end < state.cursor ? piece + before : before + piece;
  return { ...next, kills: withKill(state.kills.slice(0, -1), joined) };
}

function yankOlder(state: EditorState): EditorState {
  const newest = state.kills.at(-1);
  if (state.last !== "yank" || newest === undefined || state.kills.length < 2) return state;
  if (!state.text.slice(0, state.cursor).endsWith(newest)) return state;
  const kills = [newest, ...state.kills.slice(0, -1)];
  const start = state.cursor - newest.length;
  const without = {
    ...state,
    text: state.text.slice(0, start) + state.text.slice(state.cursor),
    cursor: start,
  };
  return { ...insert({ ...without, kills }, kills.at(-1) ?? "", "yank"), undo: state.undo };
}

function transpose(state: EditorState): EditorState {
  const { before, after } = lineOf(state);
  const middle = after === "" ? previousBoundary(state.text, state.cursor) : state.cursor;
  const start = previousBoundary(state.text, middle);
  const end = nextBoundary(state.text, middle);
  if (before === "" || start >= middle || end <= middle) return state;
  const swapped = state.text.slice(middle, end) + state.text.slice(start, middle);
  if (swapped.includes("\n")) return state;
  const text = state.text.slice(0, start) + swapped + state.text.slice(end);
  return changed(state, text, snap(text, end), "other");
}

function restore(state: EditorState, from: readonly Snapshot[], way: "undo" | "redo"): EditorState {
  const snapshot = from.at(-1);
  if (snapshot === undefined) return state;
  const now = { text: state.text, cursor: state.cursor };
  const rest = from.slice(0, -1);
  const stacks =
    way === "undo"
      ? { undo: rest, redo: limited([...state.redo, now]) }
      : { undo: limited([...state.undo, now]), redo: rest };
  return { ...state, ...snapshot, ...stacks, goal: undefined, last: "other" };
}

function changed(state: EditorState, text: string, cursor: number, last: EditorState["last"]): EditorState {
  const undo = limited([...state.undo, { text: state.text, cursor: state.cursor }]);
  return { text, cursor, goal: undefined, kills: state.kills, undo, redo: [], last };
}

function target(state: EditorState, to: Motion): number {
  const { text, cursor } = state;
  switch (to) {
    case "left":
      return previousBoundary(text, cursor);
    case "right":
      return nextBoundary(text, cursor);
    case "word-left":
      return snap(
        text,
        cursor - (/[\p{L}\p{N}_]*[^\p{L}\p{N}_]*$/u.exec(text.slice(0, cursor))?.[0].length ?? 0),
      );
    case "word-right":
      return snap(
        text,
        cursor + (/^[^\p{L}\p{N}_]*[\p{L}\p{N}_]*/u.exec(text.slice(cursor))?.[0].length ?? 0),
      );
    case "line-start":
      return cursor - lineOf(state).before.length;
    case "line-end":
      return cursor + lineOf(state).after.length;
    case "start":
      return 0;
    case "end":
      return text.length;
    case "up":
    case "down":
      return vertical(state, to, state.goal ?? graphemesIn(lineOf(state).before));
  }
}

/** The place in the neighbouring line that is `goal` graphemes from its start; at an edge, the edge. */
function vertical(state: EditorState, to: "up" | "down", goal: number): number {
  const { text, cursor } = state;
  const start = cursor - lineOf(state).before.length;
  if (to === "up") {
    if (start === 0) return 0;
    const above = text.lastIndexOf("\n", start - 2) + 1;
    return above + unitsOf(text.slice(above, start - 1), goal);
  }
  const end = cursor + lineOf(state).after.length;
  if (end === text.length) return text.length;
  const stop = text.indexOf("\n", end + 1);
  return end + 1 + unitsOf(text.slice(end + 1, stop < 0 ? text.length : stop), goal);
}

function lineOf({ text, cursor }: EditorState): { readonly before: string; readonly after: string } {
  const start = cursor === 0 ? 0 : text.lastIndexOf("\n", cursor - 1) + 1;
  const end = text.indexOf("\n", cursor);
  return { before: text.slice(start, cursor), after: text.slice(cursor, end < 0 ? text.length : end) };
}

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** No grapheme worth the name is longer; keeps one key press cheap in a long line. */
const graphemeUnitsMax = 64;

function nextBoundary(text: string, cursor: number): number {
  if (cursor >= text.length) return text.length;
  const [first] = segmenter.segment(text.slice(cursor, cursor + graphemeUnitsMax));
  return cursor + (first?.segment.length ?? 1);
}

function previousBoundary(text: string, cursor: number): number {
  if (cursor <= 0) return 0;
  const from = Math.max(0, cursor - graphemeUnitsMax);
  const segments = [...segmenter.segment(text.slice(from, cursor))];
  return cursor - (segments.at(-1)?.segment.length ?? 1);
}

function graphemesIn(text: string): number {
  let count = 0;
  for (const _ of segmenter.segment(text)) count += 1;
  return count;
}

function unitsOf(line: string, graphemes: number): number {
  let units = 0;
  let count = 0;
  for (const { segment } of segmenter.segment(line)) {
    if (count === graphemes) break;
    units += segment.length;
    count += 1;
  }
  return units;
}

/** The offset, or the end of the surrogate pair that it would split. */
function snap(text: string, offset: number): number {
  const at = Math.min(Math.max(0, offset), text.length);
  const before = text.charCodeAt(at - 1);
  const after = text.charCodeAt(at);
  const splits = before >= 0xd800 && before < 0xdc00 && after >= 0xdc00 && after < 0xe000;
  return splits ? at + 1 : at;
}

/** Line ends as \n, tabs as blanks; other control characters have no place in a statement. */
function normalise(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(/\t/g, "    ")
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, "");
}

function limit(text: string): string {
  return text.slice(0, editorLimits.textUnitsMax);
}

function limited(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  return snapshots.length > editorLimits.undoMax ? snapshots.slice(-editorLimits.undoMax) : snapshots;
}

function withKill(kills: readonly string[], text: string): readonly string[] {
  return [...kills, text].slice(-editorLimits.killsMax);
}
