import { render } from "ink";
import type { StopSignal, System } from "../../system/system.js";
import { truncate } from "../../output/display.js";
import type { CompletionSources } from "../completion/complete.js";
import { edit } from "../editor.js";
import { editExternally } from "../external-editor.js";
import type { HistoryFile } from "../history-file.js";
import type { Key } from "../keys.js";
import type { ShellLanguage } from "../language.js";
import { plainPainter } from "../painter.js";
import { newPrompt, pressKey, type PromptHelp, type PromptState, refreshMenu } from "../prompt.js";
import type { RunStatus, SessionOutput } from "../session-output.js";
import type { ShellSession } from "../session.js";
import { statusLine } from "../status-line.js";
import { KeyInput } from "./key-input.js";
import { withoutHeight } from "./live-stdout.js";
import { echoOf, promptArea, rowsOf } from "./prompt-area.js";
import { type LiveArea, Screen } from "./screen.js";
import { Scrollback } from "./scrollback.js";
import { TerminalModes } from "./terminal-modes.js";

export interface InkShellOptions {
  readonly system: System;
  readonly history: HistoryFile;
  readonly sources: CompletionSources;
  /** Called when names that completion offers have come. */
  readonly onNames: (changed: () => void) => void;
  readonly colours: boolean;
  /** Printed first. */
  readonly greeting: string;
  readonly loadLanguage: () => Promise<ShellLanguage>;
  /** Called once the prompt stands. */
  readonly openSession: (output: SessionOutput) => Promise<ShellSession>;
}

/** What is submitted while something runs waits; more than this is refused. */
const queueMax = 100;
/** Rows of the prompt while something runs. */
const typedAheadRowsMax = 8;
/** Keys that wait for the lexer; more than this are refused. */
const earlyKeysMax = 10_000;

/** The shell with a live prompt. Settles when the user leaves, or with the signal that ended it. */
export async function runInkShell(options: InkShellOptions): Promise<StopSignal | undefined> {
  const { system, colours } = options;
  const { stdin } = system;
  const modes = new TerminalModes(system);
  let prompt: PromptState = newPrompt(await options.history.load());
  let status: RunStatus | undefined;
  let panel: readonly string[] = [];
  let question: { readonly text: string; readonly answer: (yes: boolean) => void } | undefined;
  let running = false;
  let leaving = false;
  const queue: string[] = [];
  let endedBy: StopSignal | undefined;
  let leave: () => void = () => {};
  let fail: (error: unknown) => void = () => {};
  const left = new Promise<void>((resolve, reject) => {
    leave = resolve;
    fail = reject;
  });

  const size = () => ({ columns: system.stdout.columns() ?? 80, rows: system.stdout.rows() ?? 24 });

  // Until the lexer is there: no colours, no completion, and keys that ask it wait.
  let language: ShellLanguage | undefined;
  const early: Key[] = [];
  const help: PromptHelp = {
    isComplete: (text) => language?.isComplete(text) ?? false,
    complete: (text, cursor) =>
      language?.complete(text, cursor, options.sources) ?? { start: cursor, candidates: [] },
  };
  const paint = colours
    ? (text: string, cursor: number) => language?.paint(text, cursor) ?? plainPainter(text)
    : undefined;
  const area = (): LiveArea => {
    if (leaving) return { kind: "nothing" };
    if (question !== undefined) {
      const line = truncate(`${question.text} y: yes, any other key: no`, size().columns - 1);
      return { kind: "status", panel: [], line, prompt: undefined };
    }
    if (!running) return promptArea(prompt, { ...help, ...size(), paint });
    if (status === undefined) return { kind: "nothing" };
    const { columns, rows } = size();
    // What is typed ahead is seen, in a few rows below the status.
    const typed = rows >= 5 && (prompt.editor.text !== "" || prompt.search !== undefined);
    const below = typed
      ? promptArea(prompt, { ...help, columns, rows: Math.min(rows - 1, typedAheadRowsMax), paint })
      : undefined;
    const taken = below === undefined ? 0 : rowsOf(below);
    return {
      kind: "status",
      panel: panel.slice(0, Math.max(0, rows - 2 - taken)),
      line: truncate(statusLine(status), columns - 1),
      prompt: below,
    };
  };

  await system.stdout.write(options.greeting);
  modes.enter();
  let print: (text: string) => void = () => {};
  const onReady = (write: (text: string) => void) => {
    print = write;
  };
  const screen = () => <Screen area={area()} onReady={onReady} />;
  const start = () =>
    render(screen(), {
      stdout: withoutHeight(system.stdout.stream),
      stdin,
      stderr: system.stderr.stream,
      exitOnCtrlC: false,
      patchConsole: false,
      // Frames are drawn for keys and for the status; a key shall not wait for the next.
      maxFps: 250,
    });
  let ink = start();
  /** Another program has the terminal. */
  let lent = false;
  const redraw = () => {
    if (!lent) ink.rerender(screen());
  };
  const scrollback = new Scrollback(system, (text) => print(text));

  const lend = async (work: () => Promise<void>) => {
    scrollback.flush();
    lent = true;
    // Nothing of the live area may stay on the screen of the other program.
    ink.rerender(<Screen area={{ kind: "nothing" }} onReady={onReady} />);
    ink.unmount();
    input.stop();
    modes.leave();
    try {
      await work();
    } finally {
      modes.enter();
      input.start();
      ink = start();
      lent = false;
      redraw();
    }
  };

  let session: ShellSession | undefined;
  const output: SessionOutput = {
    write: (text) => scrollback.write(text),
    discard: () => scrollback.discard(),
    columns: () => size().columns,
    rows: () => size().rows,
    status: (next) => {
      status = next;
      redraw();
    },
    panel: (lines) => {
      panel = lines;
    },
    live: true,
    lend,
    confirm: (text) =>
      new Promise((resolve) => {
        const answer = (yes: boolean) => {
          question = undefined;
          redraw();
          resolve(yes);
        };
        question = { text, answer };
        redraw();
      }),
    prefill: (text) => {
      prompt = { ...prompt, editor: edit(prompt.editor, { kind: "set", text }) };
    },
  };
  options.onNames(() => {
    prompt = refreshMenu(prompt, help);
    if (!running) redraw();
  });

  const runQueue = async () => {
    // Without a session yet, what is submitted waits for it.
    if (session === undefined) return;
    running = true;
    for (let text = queue.shift(); text !== undefined; text = queue.shift()) {
      await scrollback.write(echoOf(text, paint));
      scrollback.flush();
      redraw();
      await options.history.append(text);
      if ((await session.run(text)) === "quit") {
        leave();
        break;
      }
      scrollback.flush();
      const merged = await options.history.reload();
      if (merged !== undefined && prompt.history.index === undefined) prompt = { ...prompt, history: merged };
    }
    running = false;
    redraw();
  };

  const openEditor = async () => {
    const { text } = prompt.editor;
    const before = text === "" ? (session?.lastSql ?? "") : text;
    let edited: string | undefined;
    await lend(async () => {
      edited = await editExternally(system, before);
    });
    prompt =
      edited === undefined
        ? { ...prompt, hint: "The editor cannot be started: set $EDITOR." }
        : { ...prompt, editor: edit(prompt.editor, { kind: "set", text: edited }) };
    redraw();
  };

  const pressWhileRunning = (key: Key): boolean => {
    if (key.kind !== "key" || !key.ctrl) return false;
    switch (key.name) {
      case "c":
        queue.length = 0;
        session?.cancel();
        return true;
      case "s":
      case "q":
        session?.togglePause();
        return true;
      case "o":
        void session?.nextForm();
        return true;
      default:
        return false;
    }
  };

  const press = (key: Key) => {
    if (question !== undefined) return question.answer(key.kind === "text" && /^y$/i.test(key.text));
    if (running && pressWhileRunning(key)) return;
    const step = pressKey(prompt, key, help);
    prompt = step.state;
    switch (step.effect.kind) {
      case "none":
        return;
      case "quit":
        session?.cancel();
        return leave();
      case "suspend":
        modes.leave();
        void system.suspend().then(() => {
          modes.enter();
          redraw();
        });
        return;
      case "edit":
        if (!running) void openEditor();
        return;
      case "submit":
        if (/^\s*[:\\](edit|e)\s*$/.test(step.effect.text) && !running) return void openEditor();
        if (queue.length < queueMax) queue.push(step.effect.text);
        if (session === undefined) prompt = { ...prompt, hint: "It runs as soon as the server answers." };
        if (!running) void runQueue();
        return;
    }
  };

  // One redraw for a whole chunk, however many keys it holds.
  const take = (keys: readonly Key[]) => {
    for (const key of keys) {
      if (language !== undefined || (early.length === 0 && needsNoLexer(key))) press(key);
      else if (early.length < earlyKeysMax) early.push(key);
    }
    redraw();
  };
  const input = new KeyInput(system, take);
  input.start();
  stdin.once("end", leave);
  stdin.once("error", leave);
  system.stdout.stream.on("resize", redraw);
  const stopListening = system.onSignal((signal) => {
    if (lent && signal === "SIGINT") return;
    if (signal === "SIGINT") press({ kind: "key", name: "c", ctrl: true, alt: false, shift: false });
    else {
      endedBy = signal;
      leave();
    }
  });
  const forgetExit = system.onExit(() => modes.leave());

  // The prompt stands; the rest is loaded behind it.
  const open = async () => {
    language = await options.loadLanguage();
    take(early.splice(0));
    session = await options.openSession(output);
    prompt = { ...prompt, hint: undefined };
    await runQueue();
  };
  system.schedule(0, () => void open().catch(fail));
  try {
    await left;
    return endedBy;
  } finally {
    leaving = true;
    question?.answer(false);
    session?.cancel();
    scrollback.flush();
    redraw();
    ink.unmount();
    input.stop();
    system.stdout.stream.off("resize", redraw);
    modes.leave();
    forgetExit();
    stopListening();
  }
}

/** Letters can be typed, and the shell left, before the lexer is there. */
function needsNoLexer(key: Key): boolean {
  return key.kind !== "key" || (key.ctrl && (key.name === "c" || key.name === "d"));
}
