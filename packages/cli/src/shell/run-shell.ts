import { HStreamClient } from "@hstream/client";
import type { CommandContext } from "../commands/context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { prepareTerminalModules } from "../system/process-system.js";
import { historyFile } from "./history-file.js";
import { type SessionOutput, ShellSession } from "./session.js";
import { isComplete, loadSplitter } from "./statements.js";

export interface ShellOptions {
  readonly historyFile?: string | undefined;
  readonly plain?: boolean | undefined;
  /** Printed instead of the usual first lines. */
  readonly greeting?: string;
}

/** The shell: live on a terminal, plain where that is not possible or not wanted. */
export async function runShell(context: CommandContext, options: ShellOptions): Promise<ExitCode> {
  const { system } = context;
  const [split, client] = await Promise.all([
    loadSplitter(),
    HStreamClient.connect(context.url, { retryPauseMs: 500 }),
  ]);
  const greeting =
    options.greeting ?? `HStream at ${context.server}. Statements end with ";". :help helps.\n\n`;
  const shell = {
    system,
    history: historyFile(system, options.historyFile),
    isComplete: (text: string) => isComplete(split, text),
    greeting,
    openSession: (output: SessionOutput) =>
      new ShellSession({
        client,
        server: context.server,
        format: context.format,
        split,
        output,
        clock: system.uptime,
        schedule: system.schedule,
      }),
  };
  const run = async () => {
    if (options.plain === true || !canDraw(context)) {
      return (await import("./plain.js")).runPlainShell(shell);
    }
    prepareTerminalModules(coloursWanted(context));
    return (await import("./tui/ink-shell.js")).runInkShell(shell);
  };
  try {
    return (await run()) === undefined ? exitCodes.ok : exitCodes.terminated;
  } finally {
    await client.close();
  }
}

function canDraw({ system }: CommandContext): boolean {
  const { stdin, stdout, env } = system;
  const plain = env["HSTREAM_PLAIN"];
  if (plain !== undefined && plain !== "" && plain !== "0") return false;
  return stdin.isTTY === true && stdout.isTty && env["TERM"] !== "dumb";
}

function coloursWanted({ system }: CommandContext): boolean {
  return system.stdout.isTty && (system.env["NO_COLOR"] ?? "") === "";
}
