import type { CommandContext } from "../commands/context.js";
import type { QuickstartFlags } from "../commands/quickstart.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";

export async function runQuickstart(_context: CommandContext, _flags: QuickstartFlags): Promise<ExitCode> {
  return exitCodes.ok;
}
