import { Command, type Option } from "commander";
import type { System } from "../system/system.js";

/** Values that leave a flag without a value as it is. */
const off = ["", "0", "false", "no", "off"];
const withoutVariable = ["version", "help", "json", "man"];

/**
 * A command each of whose flags has a variable: `--max-unacked-records` is HSTREAM_MAX_UNACKED_RECORDS. A
 * flag without a value is set by anything but "", 0, false, no and off.
 */
export class CommandWithEnvironment extends Command {
  readonly #system: System;
  /** The names of all variables, those of the commands below, too. */
  readonly variables: Set<string>;

  constructor(name: string | undefined, system: System, variables: Set<string>) {
    super(name);
    this.#system = system;
    this.variables = variables;
  }

  override createCommand(name?: string): CommandWithEnvironment {
    return new CommandWithEnvironment(name, this.#system, this.variables);
  }

  override addOption(option: Option): this {
    const { long } = option;
    if (long !== undefined && long !== null && !withoutVariable.includes(option.name())) {
      const variable = `HSTREAM_${long.slice(2).replaceAll("-", "_").toUpperCase()}`;
      this.variables.add(variable);
      const value = this.#system.env[variable]?.toLowerCase();
      const takesValue = option.required || option.optional;
      if (value !== "" && (takesValue || value === undefined || !off.includes(value))) option.env(variable);
    }
    return super.addOption(option);
  }
}
