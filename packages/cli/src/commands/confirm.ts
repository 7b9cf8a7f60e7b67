import { exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import { visible } from "../output/display.js";
import type { CommandContext } from "./context.js";

/**
 * Asks before something is lost for ever. Only on a terminal; elsewhere it is an error that names the flag.
 * Throws when the answer is not yes.
 */
export async function confirm(context: CommandContext, question: string): Promise<void> {
  const { stdin, stderr } = context.system;
  if (stdin.isTTY !== true || !stderr.isTty) {
    throw new CommandError({
      exitCode: exitCodes.usage,
      message: `${question} Nobody is at a terminal to be asked.`,
      hint: "--yes answers.",
    });
  }
  await stderr.write(`${visible(question)} [y/N] `);
  if (/^y(es)?$/i.test((await firstLine(stdin)).trim())) return;
  throw new CommandError({ exitCode: exitCodes.failed, code: "cancelled", message: "Nothing was done." });
}

async function firstLine(stdin: NodeJS.ReadStream): Promise<string> {
  let text = "";
  for await (const piece of stdin) {
    text += String(piece);
    if (text.includes("\n") || text.length > 1_000) break;
  }
  return text.split("\n")[0] ?? "";
}
