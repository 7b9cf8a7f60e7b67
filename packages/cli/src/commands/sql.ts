import { type ExitCode, exitCodes } from "../exit-codes.js";
import type { CommandContext } from "./context.js";

export interface SqlFlags {
  readonly execute: readonly string[];
  readonly file: readonly string[];
  readonly historyFile?: string;
  readonly plain?: boolean;
  readonly onError: "stop" | "continue";
}

/** `hstream sql`: the shell on a terminal, otherwise the given statements, to the first error. */
export async function sqlCommand(context: CommandContext, flags: SqlFlags): Promise<ExitCode> {
  const { system } = context;
  const given = flags.execute.length + flags.file.length > 0;
  if (!given && system.stdin.isTTY === true) {
    const { runShell } = await import("../shell/run-shell.js");
    return runShell(context, flags);
  }
  const scripts = given ? await readScripts(context, flags) : [await readAll(system.stdin)];
  return (await import("./run-scripts.js")).runScripts(context, scripts, flags.onError === "continue");
}

async function readScripts(context: CommandContext, flags: SqlFlags): Promise<readonly string[]> {
  const scripts = [...flags.execute];
  for (const path of flags.file) {
    try {
      scripts.push(
        path === "-" ? await readAll(context.system.stdin) : await context.system.files.read(path),
      );
    } catch (error) {
      const { CommandError } = await import("../failure.js");
      throw new CommandError({
        exitCode: exitCodes.failed,
        code: "file",
        message: `Cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }
  return scripts;
}

async function readAll(stdin: NodeJS.ReadStream): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stdin) parts.push(Buffer.from(part as Uint8Array));
  return Buffer.concat(parts)
    .toString("utf8")
    .replace(/^\uFEFF/, "");
}
