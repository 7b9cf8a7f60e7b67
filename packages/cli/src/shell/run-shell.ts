import type { CommandContext } from "../commands/context.js";
import type { SqlFlags } from "../commands/sql.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";

export async function runShell(
  _context: CommandContext,
  _flags: Pick<SqlFlags, "historyFile" | "plain">,
): Promise<ExitCode> {
  return exitCodes.ok;
}
