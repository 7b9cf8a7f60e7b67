import { type Completion, commonStart } from "./completion/completion.js";
import { atEdge, edit, type EditorAction, type EditorState, emptyEditor } from "./editor.js";
import { type History, newer, older, remember } from "./history.js";
import { searchHistory, type SearchState } from "./history-search.js";
import type { Key } from "./keys.js";
import type { Menu } from "./menu.js";
import { parseShellCommand } from "./shell-command.js";

/** The input side of the shell. */
export interface PromptState {
  readonly editor: EditorState;
  readonly history: History;
  /** One line below the prompt, until the next key. */
  readonly hint: string | undefined;
  readonly menu: Menu | undefined;
  readonly search: SearchState | undefined;
}

export type PromptEffect =
  | { readonly kind: "none" }
  | { readonly kind: "submit"; readonly text: string }
  | { readonly kind: "quit" }
  | { readonly kind: "suspend" }
  | { readonly kind: "edit" };

export interface PromptStep {
  readonly state: PromptState;
  readonly effect: PromptEffect;
}

/** What the prompt asks of the rest of the shell. */
export interface PromptHelp {
  readonly isComplete: (text: string) => boolean;
  readonly complete: (text: string, cursor: number) => Completion;
}

const none: PromptEffect = { kind: "none" };

export function newPrompt(history: History): PromptState {
  return { editor: emptyEditor, history, hint: undefined, menu: undefined, search: undefined };
}

/** What one key does to the prompt; Ctrl-C while something runs is not for the prompt. */
export function pressKey(state: PromptState, key: Key, help: PromptHelp): PromptStep {
  const calm = state.hint === undefined ? state : { ...state, hint: undefined };
  if (calm.search !== undefined) {
    const step = pressInSearch(calm, calm.search, key);
    if (step !== undefined) return step;
    return pressKey({ ...calm, search: undefined }, key, help);
  }
  if (calm.menu !== undefined) {
    const step = pressInMenu(calm, calm.menu, key);
    if (step !== undefined) return step;
    const closed = { ...calm, menu: undefined };
    // Typing on narrows the menu.
    if (key.kind !== "text" || !/^[\p{L}\p{N}_]+$/u.test(key.text)) return pressKey(closed, key, help);
    return { state: offer(act(closed, { kind: "insert", text: key.text }).state, help), effect: none };
  }
  if (key.kind !== "key") return act(calm, { kind: "insert", text: key.text });
  if (key.name === "enter" && !key.alt && !key.shift) return enter(calm, help);
  if (key.name === "tab" && !key.shift) return { state: tab(calm, help), effect: none };
  const ghost = ghostText(calm, help);
  if (ghost !== "" && takesGhost(key)) return act(calm, { kind: "insert", text: ghost });
  if (ghost !== "" && (key.name === "f" || key.name === "right") && (key.alt || key.ctrl)) {
    const word = /^\s*\S+\s?/.exec(ghost)?.[0] ?? ghost;
    return act(calm, { kind: "insert", text: word });
  }
  if (key.ctrl) {
    switch (key.name) {
      case "c":
        return interrupt(calm);
      case "d":
        if (calm.editor.text === "") return { state: calm, effect: { kind: "quit" } };
        return act(calm, { kind: "erase", to: "right" });
      case "z":
        return { state: calm, effect: { kind: "suspend" } };
      case "x":
        return { state: calm, effect: { kind: "edit" } };
      case "r":
        return {
          state: { ...calm, search: { query: "", found: undefined, before: calm.editor } },
          effect: none,
        };
      default:
        break;
    }
  }
  const direction = historyDirection(calm, key);
  if (direction !== undefined) return { state: recall(calm, direction), effect: none };
  const action = actionOf(key);
  return action === undefined ? { state: calm, effect: none } : act(calm, action);
}

/** Names have come from the server: an open menu offers them too, unless one is being chosen. */
export function refreshMenu(state: PromptState, help: PromptHelp): PromptState {
  const { menu } = state;
  if (menu === undefined || menu.chosen !== undefined) return state;
  return offer({ ...state, menu: undefined }, help);
}

/**
 * What is offered in grey behind the cursor: the rest of the last statement that began like this, else the
 * rest of the only word that fits.
 */
export function ghostText(state: PromptState, help: PromptHelp): string {
  const { text, cursor } = state.editor;
  if (state.menu !== undefined || state.search !== undefined) return "";
  if (cursor !== text.length || text.trim().length < 2 || state.history.index !== undefined) return "";
  const { entries } = state.history;
  for (let index = entries.length - 1; index >= 0; index -= 1) {
    const entry = entries[index] ?? "";
    if (entry.length > text.length && entry.startsWith(text)) return entry.slice(text.length);
  }
  const { start, candidates } = help.complete(text, cursor);
  const [only, another] = candidates;
  if (only === undefined || another !== undefined || cursor - start < 2) return "";
  const word = text.slice(start, cursor);
  return only.text.toLowerCase().startsWith(word.toLowerCase()) ? only.text.slice(word.length) : "";
}

function takesGhost(key: NamedKey): boolean {
  if (key.alt) return false;
  if (key.ctrl) return key.name === "e" || key.name === "f";
  return key.name === "right" || key.name === "end";
}

function act(state: PromptState, action: EditorAction): PromptStep {
  return { state: { ...state, editor: edit(state.editor, action) }, effect: none };
}

function tab(state: PromptState, help: PromptHelp): PromptState {
  const { text, cursor } = state.editor;
  const line = text.slice(text.lastIndexOf("\n", cursor - 1) + 1, cursor);
  // At the start of a further line Tab indents.
  if (cursor > 0 && line.trim() === "" && text.includes("\n")) {
    return act(state, { kind: "insert", text: "  " }).state;
  }
  const completion = help.complete(text, cursor);
  const [only, another] = completion.candidates;
  if (only === undefined) return { ...state, hint: "Nothing to complete here, as far as is known yet." };
  const word = text.slice(completion.start, cursor);
  // What only resembles the word is offered, not put in.
  const continues = only.text.toLowerCase().startsWith(word.toLowerCase());
  if (another === undefined && continues) return put(state, completion.start, only.text, true);
  const common = commonStart(completion);
  const longer = common.length > word.length && common.toLowerCase().startsWith(word.toLowerCase());
  const extended = longer ? put(state, completion.start, common, false) : state;
  const typed = extended.editor.text.slice(completion.start, extended.editor.cursor);
  const menu = { candidates: completion.candidates, start: completion.start, typed, chosen: undefined };
  return { ...extended, menu };
}

/** Shows the menu for what stands before the cursor, if there is anything to offer. */
function offer(state: PromptState, help: PromptHelp): PromptState {
  const { text, cursor } = state.editor;
  const { start, candidates } = help.complete(text, cursor);
  if (candidates.length === 0) return state;
  return { ...state, menu: { candidates, start, typed: text.slice(start, cursor), chosen: undefined } };
}

function put(state: PromptState, start: number, text: string, whole: boolean): PromptState {
  const { cursor, text: before } = state.editor;
  const atEnd = cursor === before.length || !/^[\s(]/.test(before.slice(cursor));
  const blank = whole && atEnd && /[\p{L}\p{N}_"]$/u.test(text) ? " " : "";
  return {
    ...state,
    editor: edit(state.editor, { kind: "replace", from: start, to: cursor, text: text + blank }),
  };
}

/** undefined: the key is not for the menu. */
function pressInMenu(state: PromptState, menu: Menu, key: Key): PromptStep | undefined {
  if (key.kind !== "key") return undefined;
  const count = menu.candidates.length;
  const choose = (chosen: number): PromptStep => {
    const candidate = menu.candidates[chosen];
    const next = candidate === undefined ? state : put(state, menu.start, candidate.text, false);
    return { state: { ...next, menu: { ...menu, chosen } }, effect: none };
  };
  const forward = (key.name === "tab" && !key.shift) || key.name === "down" || (key.ctrl && key.name === "n");
  const back = (key.name === "tab" && key.shift) || key.name === "up" || (key.ctrl && key.name === "p");
  if (forward) return choose(menu.chosen === undefined ? 0 : (menu.chosen + 1) % count);
  if (back) return choose(((menu.chosen ?? 0) + count - 1) % count);
  const closed: PromptState = { ...state, menu: undefined };
  if (key.name === "escape" || (key.ctrl && (key.name === "c" || key.name === "g"))) {
    return {
      state: menu.chosen === undefined ? closed : put(closed, menu.start, menu.typed, false),
      effect: none,
    };
  }
  if (key.name === "enter" && menu.chosen !== undefined) {
    const candidate = menu.candidates[menu.chosen];
    return {
      state: candidate === undefined ? closed : put(closed, menu.start, candidate.text, true),
      effect: none,
    };
  }
  return undefined;
}

/** undefined: the search is over and the key means what it means. */
function pressInSearch(state: PromptState, search: SearchState, key: Key): PromptStep | undefined {
  const { entries } = state.history;
  const show = (query: string, found: number | undefined): PromptStep => {
    const text = found === undefined ? undefined : entries[found];
    const editor = text === undefined ? state.editor : edit(search.before, { kind: "set", text });
    return { state: { ...state, editor, search: { ...search, query, found } }, effect: none };
  };
  if (key.kind !== "key") {
    const query = search.query + key.text.replaceAll(/[\r\n]+/g, " ");
    return show(query, searchHistory(entries, query, search.found ?? entries.length - 1, -1));
  }
  if (key.name === "backspace") {
    const query = [...search.query].slice(0, -1).join("");
    return show(query, searchHistory(entries, query, entries.length - 1, -1));
  }
  if (key.ctrl && (key.name === "r" || key.name === "s")) {
    const step = key.name === "r" ? -1 : 1;
    const from = search.found === undefined ? entries.length - 1 : search.found + step;
    return show(search.query, searchHistory(entries, search.query, from, step) ?? search.found);
  }
  if (key.ctrl && (key.name === "g" || key.name === "c")) {
    return { state: { ...state, editor: search.before, search: undefined }, effect: none };
  }
  if (key.name === "enter" || key.name === "escape" || key.name === "tab") {
    return { state: { ...state, search: undefined }, effect: none };
  }
  return undefined;
}

function enter(state: PromptState, help: PromptHelp): PromptStep {
  const { text } = state.editor;
  if (text.trim() === "") {
    return { state: { ...state, editor: edit(state.editor, { kind: "set", text: "" }) }, effect: none };
  }
  if (parseShellCommand(text) === undefined && !help.isComplete(text)) {
    return act(state, { kind: "insert", text: "\n" });
  }
  const submitted = text.trimEnd();
  const history = remember(state.history, submitted);
  const { kills } = state.editor;
  return {
    state: { ...newPrompt(history), editor: { ...emptyEditor, kills } },
    effect: { kind: "submit", text: submitted },
  };
}

function interrupt(state: PromptState): PromptStep {
  if (state.editor.text === "") {
    return { state: { ...state, hint: "Ctrl-D or :quit leaves the shell." }, effect: none };
  }
  const history = { ...state.history, index: undefined, draft: "" };
  const editor = edit(state.editor, { kind: "clear" });
  return { state: { ...state, editor, history, hint: "Cleared; Ctrl-Y brings it back." }, effect: none };
}

type NamedKey = Extract<Key, { kind: "key" }>;

/** Up and down reach into history once they leave the text. */
function historyDirection(state: PromptState, key: NamedKey): "older" | "newer" | undefined {
  const edge = atEdge(state.editor);
  if (key.ctrl && key.name === "p") return "older";
  if (key.ctrl && key.name === "n") return "newer";
  if (key.ctrl || key.alt) return undefined;
  if (key.name === "up" && edge.first) return "older";
  if (key.name === "down" && edge.last) return "newer";
  return undefined;
}

function recall(state: PromptState, direction: "older" | "newer"): PromptState {
  const step = direction === "older" ? older(state.history, state.editor.text) : newer(state.history);
  if (step === undefined) return state;
  return { ...state, history: step.history, editor: edit(state.editor, { kind: "set", text: step.text }) };
}

/** The usual keys of Emacs and of terminals. */
function actionOf({ name, ctrl, alt, shift }: NamedKey): EditorAction | undefined {
  if (ctrl) return controlActions[name];
  if (alt) return altActions[name];
  switch (name) {
    case "enter":
      return shift ? { kind: "insert", text: "\n" } : undefined;
    case "newline":
      return { kind: "insert", text: "\n" };
    case "backspace":
      return { kind: "erase", to: "left" };
    case "delete":
      return { kind: "erase", to: "right" };
    case "home":
      return { kind: "move", to: "line-start" };
    case "end":
      return { kind: "move", to: "line-end" };
    case "left":
    case "right":
    case "up":
    case "down":
      return { kind: "move", to: name };
    default:
      return undefined;
  }
}

const controlActions: Readonly<Record<string, EditorAction>> = {
  a: { kind: "move", to: "line-start" },
  b: { kind: "move", to: "left" },
  e: { kind: "move", to: "line-end" },
  f: { kind: "move", to: "right" },
  h: { kind: "erase", to: "left" },
  k: { kind: "kill", to: "line-end" },
  t: { kind: "transpose" },
  u: { kind: "kill", to: "line-start" },
  w: { kind: "kill", to: "word-left" },
  y: { kind: "yank" },
  _: { kind: "undo" },
  left: { kind: "move", to: "word-left" },
  right: { kind: "move", to: "word-right" },
  home: { kind: "move", to: "start" },
  end: { kind: "move", to: "end" },
  backspace: { kind: "kill", to: "word-left" },
  delete: { kind: "kill", to: "word-right" },
};

const altActions: Readonly<Record<string, EditorAction>> = {
  b: { kind: "move", to: "word-left" },
  f: { kind: "move", to: "word-right" },
  d: { kind: "kill", to: "word-right" },
  y: { kind: "yank-older" },
  _: { kind: "redo" },
  "<": { kind: "move", to: "start" },
  ">": { kind: "move", to: "end" },
  left: { kind: "move", to: "word-left" },
  right: { kind: "move", to: "word-right" },
  backspace: { kind: "kill", to: "word-left" },
  enter: { kind: "insert", text: "\n" },
};
