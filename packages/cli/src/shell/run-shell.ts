import { dirname } from "node:path";
import { HStreamClient } from "@hstream/client";
import type { CommandContext } from "../commands/context.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { prepareTerminalModules } from "../system/process-system.js";
import { Catalogue } from "./completion/catalogue.js";
import { complete, type FileNames } from "./completion/complete.js";
import { historyFile } from "./history-file.js";
import { SavedQueries } from "./saved-queries.js";
import { type SessionOutput, ShellSession } from "./session.js";
import type { ServerLink } from "./shell-tools.js";
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
  const [split, link] = await Promise.all([loadSplitter(), openLink(context)]);
  const greeting =
    options.greeting ?? `HStream at ${context.server}. Statements end with ";". :help helps.\n\n`;
  const history = historyFile(system, options.historyFile);
  const saved = new SavedQueries(system);
  const drawn = options.plain !== true && canDraw(context);
  let namesChanged: () => void = () => {};
  const changed = () => namesChanged();
  const catalogue = new Catalogue(() => link.client, system.uptime, changed);
  const files = fileNames(context, changed);
  const sources = {
    get relations() {
      return catalogue.relations;
    },
    get functions() {
      return catalogue.functions;
    },
    columns: (relation: string) => catalogue.columns(relation),
    files,
    get savedQueries() {
      return saved.names;
    },
  };
  const openSession = (output: SessionOutput) => {
    // Behind the prompt: names are there when they are asked for.
    system.schedule(0, () => {
      void saved.load();
      if (drawn) void catalogue.refresh();
    });
    return new ShellSession({
      link,
      format: context.format,
      split,
      output,
      system,
      history,
      saved,
      catalogue: drawn ? catalogue : undefined,
    });
  };
  const shell = {
    system,
    history,
    isComplete: (text: string) => isComplete(split, text),
    greeting,
    openSession,
  };
  const run = async () => {
    if (!drawn) return (await import("./plain.js")).runPlainShell(shell);
    const colours = coloursWanted(context);
    prepareTerminalModules(colours);
    return (await import("./tui/ink-shell.js")).runInkShell({
      ...shell,
      colours,
      complete: (text, cursor) => complete(text, cursor, sources),
      onNames: (callback) => {
        namesChanged = callback;
      },
    });
  };
  try {
    return (await run()) === undefined ? exitCodes.ok : exitCodes.terminated;
  } finally {
    await link.client.close();
  }
}

async function openLink(context: CommandContext): Promise<ServerLink> {
  const settings = { retryPauseMs: 500 };
  const link: ServerLink = {
    client: await HStreamClient.connect(context.url, settings),
    server: context.server,
    connect: async (url) => {
      const client = await HStreamClient.connect(url, settings);
      const before = link.client;
      link.client = client;
      link.server = url.replace(/^hstreams?:\/\//, "");
      await before.close();
    },
  };
  return link;
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

function coloursWanted({ system }: CommandContext): boolean {
  return system.stdout.isTty && (system.env["NO_COLOR"] ?? "") === "";
}
