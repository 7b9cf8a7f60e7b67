import type { Command } from "commander";

/** A command as data, for programs. */
export interface DescribedCommand {
  readonly name: string;
  readonly description: string;
  readonly arguments: readonly string[];
  readonly options: readonly {
    readonly flags: string;
    readonly description: string;
    readonly env: string | null;
  }[];
  readonly commands: readonly DescribedCommand[];
}

/** The tree of commands as data. */
export function describe(command: Command): DescribedCommand {
  const shown = command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== "help");
  return {
    name: command.name(),
    description: command.description(),
    arguments: command.registeredArguments.map((one) =>
      one.required ? `<${one.name()}>` : `[${one.name()}]`,
    ),
    options: command.options
      .filter(({ hidden }) => !hidden)
      .map(({ flags, description, envVar }) => ({ flags, description, env: envVar ?? null })),
    commands: shown.map(describe),
  };
}
