import { render } from "ink";
import type { StopSignal, System } from "../../system/system.js";
import { painted, plainPainter, sqlPainter } from "../colours.js";
import type { Completion } from "../completion/complete.js";
import { edit } from "../editor.js";
import { editExternally } from "../external-editor.js";
import { burstMs, EnterGate } from "../enter-gate.js";
import type { HistoryFile } from "../history-file.js";
import { escapeTimeoutMs, KeyDecoder, type Key } from "../keys.js";
import { layoutEditor } from "../layout.js";
import { menuLines } from "../menu.js";
import { ghostText, newPrompt, pressKey, type PromptState, refreshMenu } from "../prompt.js";
import type { RunStatus, SessionOutput, ShellSession } from "../session.js";
import { statusLine } from "../status-line.js";
import { truncate, visible } from "../../output/display.js";
import { withoutHeight } from "./live-stdout.js";
import { Screen, type LiveArea } from "./screen.js";
import { Scrollback } from "./scrollback.js";
import { TerminalModes } from "./terminal-modes.js";

export interface InkShellOptions {
  readonly system: System;
  readonly history: HistoryFile;
  readonly isComplete: (text: string) => boolean;
  readonly complete: (text: string, cursor: number) => Completion;
  /** Called when names that completion offers have come. */
  readonly onNames: (changed: () => void) => void;
  readonly colours: boolean;
  /** Printed first. */
  readonly greeting: string;
  readonly openSession: (output: SessionOutput) => ShellSession;
}

const prompts = { prompt: "> ", continuation: "| " } as const;
/** What is submitted while something runs waits; more than this is refused. */
const queueMax = 100;

/** The shell with a live prompt. Settles when the user leaves, or with the signal that ended it. */
export async function runInkShell(options: InkShellOptions): Promise<StopSignal | undefined> {
  const { system, colours } = options;
  const { stdin } = system;
  const modes = new TerminalModes(system);
  let prompt: PromptState = newPrompt(await options.history.load());
  let status: RunStatus | undefined;
  let panel: readonly string[] = [];
  let running = false;
  let leaving = false;
  const queue: string[] = [];
  let endedBy: StopSignal | undefined;
  let leave: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });

  const size = () => ({ columns: system.stdout.columns() ?? 80, rows: system.stdout.rows() ?? 24 });

  const promptArea = (): LiveArea => {
    const { columns, rows } = size();
    const { text, cursor } = prompt.editor;
    // One row for the hint, one that must stay free, one for good measure.
    const room = Math.max(1, rows - 3);
    const menu = prompt.menu === undefined ? [] : menuLines(prompt.menu, columns, room - 1, colours);
    const layout = layoutEditor(text, cursor, { ...prompts, columns, rowsMax: room - menu.length });
    const paint = colours ? sqlPainter(text, cursor) : plainPainter(text);
    const ghost = ghostText(prompt, options);
    const shown = layout.places.map(({ prefix, start, end }, row) => {
      const line = prefix + paint(start, end);
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
  };
  const area = (): LiveArea => {
    if (leaving) return { kind: "nothing" };
    if (!running) return promptArea();
    if (status === undefined) return { kind: "nothing" };
    const { columns, rows } = size();
    return {
      kind: "status",
      panel: panel.slice(0, Math.max(0, rows - 2)),
      line: truncate(statusLine(status), columns - 1),
    };
  };

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
      maxFps: 60,
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
    stdin.off("data", onData);
    stdin.pause();
    modes.leave();
    try {
      await work();
    } finally {
      modes.enter();
      stdin.resume();
      stdin.on("data", onData);
      ink = start();
      lent = false;
      redraw();
    }
  };

  const session = options.openSession({
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
    prefill: (text) => {
      prompt = { ...prompt, editor: edit(prompt.editor, { kind: "set", text }) };
    },
  });
  options.onNames(() => {
    prompt = refreshMenu(prompt, options);
    if (!running) redraw();
  });

  const runQueue = async () => {
    running = true;
    for (let text = queue.shift(); text !== undefined; text = queue.shift()) {
      await scrollback.write(echo(text, colours));
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
    const before = text === "" ? (session.lastSql ?? "") : text;
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
        session.cancel();
        return true;
      case "s":
      case "q":
        session.togglePause();
        return true;
      case "o":
        void session.nextForm();
        return true;
      default:
        return false;
    }
  };

  const press = (key: Key) => {
    if (running && pressWhileRunning(key)) return;
    const step = pressKey(prompt, key, options);
    prompt = step.state;
    switch (step.effect.kind) {
      case "none":
        return;
      case "quit":
        session.cancel();
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
        if (!running) void runQueue();
        return;
    }
  };

  const decoder = new KeyDecoder();
  const gate = new EnterGate();
  let cancelEscape: (() => void) | undefined;
  let cancelEnter: (() => void) | undefined;
  // One redraw for a whole chunk, however many keys it holds.
  const take = (keys: readonly Key[]) => {
    for (const key of keys) press(key);
    if (!running) redraw();
  };
  const pass = (keys: readonly Key[]) => {
    cancelEnter?.();
    cancelEnter = undefined;
    take(gate.pass(keys, system.uptime()));
    if (gate.holds) cancelEnter = system.schedule(burstMs, () => take(gate.release()));
  };
  const onData = (chunk: string) => {
    cancelEscape?.();
    cancelEscape = undefined;
    pass(decoder.feed(chunk));
    if (decoder.waiting) cancelEscape = system.schedule(escapeTimeoutMs, () => pass(decoder.flush()));
  };
  stdin.setEncoding("utf8");
  stdin.on("data", onData);
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

  await scrollback.write(options.greeting);
  scrollback.flush();
  await left;

  leaving = true;
  session.cancel();
  scrollback.flush();
  cancelEscape?.();
  cancelEnter?.();
  redraw();
  ink.unmount();
  stdin.off("data", onData);
  stdin.pause();
  system.stdout.stream.off("resize", redraw);
  modes.leave();
  forgetExit();
  stopListening();
  return endedBy;
}

/** The statement as it stays in the scrollback. */
function echo(text: string, colours: boolean): string {
  const paint = colours ? sqlPainter(text, -1) : plainPainter(text);
  let start = 0;
  return `${text
    .split("\n")
    .map((line, index) => {
      const from = start;
      start += line.length + 1;
      return (index === 0 ? prompts.prompt : prompts.continuation) + paint(from, from + line.length);
    })
    .join("\n")}\n`;
}
