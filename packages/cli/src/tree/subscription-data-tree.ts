import type { Command } from "commander";
import { type Context, type Finish, wholeNumber } from "./tree-parts.js";

export interface ConsumeFlags {
  readonly limit?: number;
  readonly timeout?: number;
  readonly ack: boolean;
  readonly consumer?: string;
}

/** `subscription consume`. */
export function addConsume(program: Command, context: Context, finish: Finish): void {
  program.commands
    .find((command) => command.name() === "subscription")
    ?.command("consume <name>")
    .description("receive the records of a subscription, and acknowledge what was printed")
    .option("--limit <count>", "end after so many", wholeNumber(1))
    .option("--timeout <seconds>", "end when nothing has come for so long", wholeNumber(1, 86_400))
    .option("--no-ack", "acknowledge nothing: the records come again")
    .option("--consumer <name>", "the name of this consumer")
    .addHelpText(
      "after",
      "\nExamples:\n  hstream subscription consume s1 -o ndjson\n  hstream sub consume s1 --limit 10 --timeout 5",
    )
    .action((name: string, options: ConsumeFlags) =>
      finish(import("../commands/consume.js").then(({ consume }) => consume(context(), name, options))),
    );
}
