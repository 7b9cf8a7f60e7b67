import { dirname } from "node:path";
import type { CommandContext } from "../commands/context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { prepareTerminalModules } from "../system/process-system.js";
import type { FileNames } from "./completion/complete.js";
import { historyFile } from "./history-file.js";
import type { OpenedShell } from "./open-session.js";
import { SavedQueries } from "./saved-queries.js";
import type { SessionOutput } from "./session-output.js";

export interface ShellOptions {
  readonly historyFile?: string | undefined;
  readonly plain?: boolean | undefined;
  /** Printed instead of the usual first lines. */
  readonly greeting?: string;
}

/**
 * The shell: live on a terminal, plain where that is not possible or not wanted. The live prompt stands
 * before the lexer is loaded and the server has answered, so nothing here imports them.
 */
export async function runShell(context: CommandContext, options: ShellOptions): Promise<ExitCode> {
  const { system } = context;
  const greeting =
    options.greeting ?? `HStream at ${context.server}. Statements end with ";". :help helps.\n\n`;
  const history = historyFile(system, options.historyFile);
  const saved = new SavedQueries(system);
  let namesChanged: () => void = () => {};
  let opened: OpenedShell | undefined;
  const files = fileNames(context, () => namesChanged());
  const sources = {
    get relations() {
      return opened?.catalogue?.relations ?? [];
    },
    get functions() {
      return opened?.catalogue?.functions ?? [];
    },
    columns: (relation: string) => opened?.catalogue?.columns(relation) ?? [],
    files,
    get savedQueries() {
      return saved.names;
    },
  };
  const openSession = async (output: SessionOutput) => {
    const parts = { history, saved, namesChanged: () => namesChanged() };
    opened = await (await import("./open-session.js")).openSession(context, output, parts);
    return opened.session;
  };
  const loadLanguage = async () => (await import("./language.js")).shellLanguage;
  const run = async () => {
    const shell = { system, history, greeting, openSession, loadLanguage };
    if (options.plain === true || !canDraw(context)) {
      return (await import("./plain.js")).runPlainShell(shell);
    }
    const colours = context.colours && system.stdout.isTty;
    prepareTerminalModules(colours);
    return (await import("./tui/ink-shell.js")).runInkShell({
      ...shell,
      sources,
      colours,
      onNames: (callback) => {
        namesChanged = callback;
      },
    });
  };
  try {
    return (await run()) === undefined ? exitCodes.ok : exitCodes.terminated;
  } finally {
    await opened?.close();
  }
}

/** Files below what is typed; looked up in the background, one directory at a time. */
function fileNames({ system }: CommandContext, changed: () => void): FileNames {
  const known = new Map<string, readonly string[]>();
  return (typed) => {
    const directory = typed.endsWith("/") ? typed : typed.includes("/") ? `${dirname(typed)}/` : "";
    const names = known.get(directory);
    if (names !== undefined) return names;
    known.clear();
    known.set(directory, []);
    const remember = (found: readonly string[]) => {
      known.set(
        directory,
        found.map((name) => (directory === "./" && !typed.startsWith("./") ? name : directory + name)),
      );
      changed();
    };
    system.files.list(directory === "" ? "." : directory).then(remember, () => {});
    return [];
  };
}

function canDraw({ system }: CommandContext): boolean {
  const { stdin, stdout, env } = system;
  const plain = env["HSTREAM_PLAIN"];
  if (plain !== undefined && plain !== "" && plain !== "0") return false;
  return stdin.isTTY === true && stdout.isTty && env["TERM"] !== "dumb";
}
