import type { StopSignal, System } from "../system/system.js";
import type { HistoryFile } from "./history-file.js";
import type { ShellLanguage } from "./language.js";
import type { SessionOutput } from "./session-output.js";
import type { ShellSession } from "./session.js";
import { parseShellCommand } from "./shell-command.js";

export interface PlainShellOptions {
  readonly system: System;
  readonly history: HistoryFile;
  readonly greeting: string;
  readonly loadLanguage: () => Promise<ShellLanguage>;
  readonly openSession: (output: SessionOutput) => Promise<ShellSession>;
}

/**
 * The shell without a live prompt: the terminal edits lines, and what is complete runs. Settles when the
 * user leaves, or with the signal that ended it.
 */
export async function runPlainShell(options: PlainShellOptions): Promise<StopSignal | undefined> {
  const { system } = options;
  const { stdin, stdout } = system;
  const { isComplete } = await options.loadLanguage();
  const session = await options.openSession({
    write: stdout.write,
    discard: () => {},
    columns: () => stdout.columns() ?? 80,
    rows: () => stdout.rows() ?? Number.MAX_SAFE_INTEGER,
    status: () => {},
    panel: () => {},
    live: false,
    lend: undefined,
    confirm: undefined,
    prefill: () => {},
  });
  let text = "";
  const prompt = () => stdout.write(stdout.isTty ? (text === "" ? "> " : "| ") : "");
  let endedBy: StopSignal | undefined;
  const stopListening = system.onSignal((signal) => {
    if (signal !== "SIGINT") {
      endedBy = signal;
      session.cancel();
      stdin.destroy();
      return;
    }
    if (session.running) return session.cancel();
    const hint = text === "" ? "\nCtrl-D or :quit leaves the shell.\n" : "\n";
    text = "";
    void stdout.write(hint).then(prompt);
  });
  await stdout.write(options.greeting);
  await prompt();
  for await (const line of lines(stdin)) {
    text += text === "" ? line : `\n${line}`;
    const command = parseShellCommand(text) !== undefined;
    if (text.trim() === "") text = "";
    else if (command || isComplete(text)) {
      const submitted = text;
      text = "";
      await options.history.append(submitted);
      if ((await session.run(submitted)) === "quit") break;
    }
    await prompt();
  }
  stopListening();
  stdin.pause();
  return endedBy;
}

async function* lines(stdin: NodeJS.ReadStream): AsyncGenerator<string> {
  stdin.setEncoding("utf8");
  let rest = "";
  try {
    for await (const chunk of stdin) {
      rest += String(chunk);
      const parts = rest.split(/\r?\n/);
      rest = parts.pop() ?? "";
      yield* parts;
    }
  } catch {
    // The terminal is gone, or a signal ended the shell.
  }
  if (rest !== "") yield rest;
}
