import { type Command, CommanderError, Option } from "commander";
import type { CommandContext } from "../commands/context.js";
import type { ExitCode } from "../exit-codes.js";
import { nearest } from "../nearest.js";

/** What a command is given when it runs; asked for then, since flags may stand anywhere. */
export type Context = () => CommandContext;
/** Keeps the exit code of the command that ran. */
export type Finish = (work: Promise<ExitCode>) => Promise<void>;

/** A noun: alone it prints its help; an unknown verb is a usage error with a suggestion. */
export function group(program: Command, name: string, description: string): Command {
  const noun = program.command(name).description(description);
  helpOrSuggest(noun);
  return noun;
}

/** Alone the command prints its help; with a word that it does not know, an error that suggests one. */
export function helpOrSuggest(command: Command): void {
  command
    .argument("[command]")
    .usage("<command> [options]")
    .allowExcessArguments(true)
    .action((word: string | undefined) => {
      if (word === undefined) return command.outputHelp();
      const known = command.commands.flatMap((child) => [child.name(), ...child.aliases()]);
      const near = nearest(word, known);
      const suggestion = near === undefined ? "" : `\n(Did you mean ${near}?)`;
      return command.error(`error: unknown command '${word}'${suggestion}`);
    });
}

export function dryRun(): Option {
  return new Option("--dry-run", "only say what would be done");
}

/** A parser of whole numbers within a range. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
    throw new CommanderError(1, "commander.invalidArgument", `It must be a whole number, ${range}.`);
  };
}
