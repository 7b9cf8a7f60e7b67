import type { ExitCode } from "../exit-codes.js";
import type { CommandContext } from "./context.js";

export interface QuickstartFlags {
  readonly dataDir?: string;
  readonly source?: "flights" | "host";
}

/** `hstream quickstart`. */
export async function quickstart(context: CommandContext, flags: QuickstartFlags): Promise<ExitCode> {
  const { runQuickstart } = await import("../quickstart/run-quickstart.js");
  return runQuickstart(context, flags);
}
