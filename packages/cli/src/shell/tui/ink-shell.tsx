import { render } from "ink";
import type { StopSignal, System } from "../../system/system.js";
import type { HistoryFile } from "../history-file.js";
import { escapeTimeoutMs, KeyDecoder, type Key } from "../keys.js";
import { type EditorLayout, layoutEditor } from "../layout.js";
import { newPrompt, pressKey, type PromptState } from "../prompt.js";
import type { RunStatus, SessionOutput, ShellSession } from "../session.js";
import { statusLine } from "../status-line.js";
import { withoutHeight } from "./live-stdout.js";
import { Screen, type LiveArea } from "./screen.js";
import { Scrollback } from "./scrollback.js";
import { TerminalModes } from "./terminal-modes.js";

export interface InkShellOptions {
  readonly system: System;
  readonly history: HistoryFile;
  readonly isComplete: (text: string) => boolean;
  /** Printed first. */
  readonly greeting: string;
  readonly openSession: (output: SessionOutput) => ShellSession;
}

const prompts = { prompt: "> ", continuation: "| " } as const;
/** What is submitted while something runs waits; more than this is refused. */
const queueMax = 100;

/** The shell with a live prompt. Settles when the user leaves, or with the signal that ended it. */
export async function runInkShell(options: InkShellOptions): Promise<StopSignal | undefined> {
  const { system } = options;
  const { stdin } = system;
  const modes = new TerminalModes(system);
  let prompt: PromptState = newPrompt(await options.history.load());
  let status: RunStatus | undefined;
  let running = false;
  let leaving = false;
  const queue: string[] = [];
  let endedBy: StopSignal | undefined;
  let leave: () => void = () => {};
  const left = new Promise<void>((resolve) => {
    leave = resolve;
  });

  const size = () => ({ columns: system.stdout.columns() ?? 80, rows: system.stdout.rows() ?? 24 });
  const layout = (): EditorLayout => {
    const { columns, rows } = size();
    const { text, cursor } = prompt.editor;
    // Two rows less than the terminal has: one for the hint, one that must stay free.
    return layoutEditor(text, cursor, { ...prompts, columns, rowsMax: rows - 3 });
  };
  const area = (): LiveArea => {
    if (leaving) return { kind: "nothing" };
    if (!running) return { kind: "prompt", layout: layout(), hint: prompt.hint };
    return status === undefined ? { kind: "nothing" } : { kind: "status", line: statusLine(status) };
  };

  modes.enter();
  let print: (text: string) => void = () => {};
  const onReady = (write: (text: string) => void) => {
    print = write;
  };
  const screen = () => <Screen area={area()} onReady={onReady} />;
  const ink = render(screen(), {
    stdout: withoutHeight(system.stdout.stream),
    stdin,
    stderr: system.stderr.stream,
    exitOnCtrlC: false,
    patchConsole: false,
    maxFps: 60,
  });
  const redraw = () => ink.rerender(screen());
  const scrollback = new Scrollback(system, (text) => print(text));
  const session = options.openSession({
    write: (text) => scrollback.write(text),
    discard: () => scrollback.discard(),
    columns: () => size().columns,
    rows: () => size().rows,
    status: (next) => {
      status = next;
      redraw();
    },
  });

  const runQueue = async () => {
    running = true;
    for (let text = queue.shift(); text !== undefined; text = queue.shift()) {
      await scrollback.write(echo(text));
      scrollback.flush();
      redraw();
      await options.history.append(text);
      if ((await session.run(text)) === "quit") {
        leave();
        break;
      }
      scrollback.flush();
    }
    running = false;
    redraw();
  };

  const press = (key: Key) => {
    if (running && key.kind === "key" && key.ctrl && key.name === "c") {
      queue.length = 0;
      session.cancel();
      return;
    }
    const step = pressKey(prompt, key, options.isComplete);
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
      case "submit":
        if (queue.length < queueMax) queue.push(step.effect.text);
        if (!running) void runQueue();
        return;
    }
  };

  const decoder = new KeyDecoder();
  let cancelEscape: (() => void) | undefined;
  // One redraw for a whole chunk, however many keys it holds.
  const take = (keys: readonly Key[]) => {
    for (const key of keys) press(key);
    if (!running) redraw();
  };
  const onData = (chunk: string) => {
    cancelEscape?.();
    cancelEscape = undefined;
    take(decoder.feed(chunk));
    if (decoder.waiting) cancelEscape = system.schedule(escapeTimeoutMs, () => take(decoder.flush()));
  };
  stdin.setEncoding("utf8");
  stdin.on("data", onData);
  stdin.once("end", leave);
  stdin.once("error", leave);
  system.stdout.stream.on("resize", redraw);
  const stopListening = system.onSignal((signal) => {
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
function echo(text: string): string {
  return `${text
    .split("\n")
    .map((line, index) => (index === 0 ? prompts.prompt : prompts.continuation) + line)
    .join("\n")}\n`;
}
