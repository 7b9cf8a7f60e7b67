import { atEdge, edit, type EditorAction, type EditorState, emptyEditor } from "./editor.js";
import { type History, newer, older, remember } from "./history.js";
import type { Key } from "./keys.js";
import { parseShellCommand } from "./shell-command.js";

/** The input side of the shell. */
export interface PromptState {
  readonly editor: EditorState;
  readonly history: History;
  /** One line below the prompt, until the next key. */
  readonly hint: string | undefined;
}

export type PromptEffect =
  | { readonly kind: "none" }
  | { readonly kind: "submit"; readonly text: string }
  | { readonly kind: "quit" }
  | { readonly kind: "suspend" };

export interface PromptStep {
  readonly state: PromptState;
  readonly effect: PromptEffect;
}

export function newPrompt(history: History): PromptState {
  return { editor: emptyEditor, history, hint: undefined };
}

/** What one key does to the prompt; Ctrl-C while something runs is not for the prompt. */
export function pressKey(state: PromptState, key: Key, isComplete: (text: string) => boolean): PromptStep {
  const calm = state.hint === undefined ? state : { ...state, hint: undefined };
  if (key.kind !== "key") return act(calm, { kind: "insert", text: key.text });
  if (key.name === "enter" && !key.alt && !key.shift) return enter(calm, isComplete);
  if (key.ctrl && key.name === "c") return interrupt(calm);
  if (key.ctrl && key.name === "d") {
    return calm.editor.text === ""
      ? { state: calm, effect: { kind: "quit" } }
      : act(calm, { kind: "erase", to: "right" });
  }
  if (key.ctrl && key.name === "z") return { state: calm, effect: { kind: "suspend" } };
  const direction = historyDirection(calm, key);
  if (direction !== undefined) return { state: recall(calm, direction), effect: { kind: "none" } };
  const action = actionOf(key);
  return action === undefined ? { state: calm, effect: { kind: "none" } } : act(calm, action);
}

function act(state: PromptState, action: EditorAction): PromptStep {
  return { state: { ...state, editor: edit(state.editor, action) }, effect: { kind: "none" } };
}

function enter(state: PromptState, isComplete: (text: string) => boolean): PromptStep {
  const { text } = state.editor;
  if (text.trim() === "") {
    return {
      state: { ...state, editor: edit(state.editor, { kind: "set", text: "" }) },
      effect: { kind: "none" },
    };
  }
  if (parseShellCommand(text) === undefined && !isComplete(text)) {
    return act(state, { kind: "insert", text: "\n" });
  }
  const submitted = text.trimEnd();
  const history = remember(state.history, submitted);
  const { kills } = state.editor;
  return {
    state: { editor: { ...emptyEditor, kills }, history, hint: undefined },
    effect: { kind: "submit", text: submitted },
  };
}

function interrupt(state: PromptState): PromptStep {
  if (state.editor.text === "") {
    return { state: { ...state, hint: "Ctrl-D or :quit leaves the shell." }, effect: { kind: "none" } };
  }
  const history = { ...state.history, index: undefined, draft: "" };
  return {
    state: {
      editor: edit(state.editor, { kind: "clear" }),
      history,
      hint: "Cleared; Ctrl-Y brings it back.",
    },
    effect: { kind: "none" },
  };
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
    case "tab":
      return { kind: "insert", text: "  " };
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
