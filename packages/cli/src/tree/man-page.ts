import type { Command } from "commander";
import { describe, type DescribedCommand } from "./describe.js";

/** The manual page hstream(1), made of the tree of commands: roff of the man macros. */
export function manPage(program: Command, topics: Readonly<Record<string, string>>): string {
  const tree = describe(program);
  const lines = [
    `.TH HSTREAM 1`,
    `.SH NAME`,
    `hstream \\- a streaming database: server, SQL shell and command line tools`,
    `.SH SYNOPSIS`,
    `.B hstream`,
    escape("<command> [options]"),
    `.SH COMMANDS`,
    ...tree.commands.flatMap((command) => commandLines(command, "")),
    `.SH OPTIONS`,
    `Every command takes these.`,
    ...tree.options.flatMap(optionLines),
  ];
  for (const [name, text] of Object.entries(topics)) {
    lines.push(
      `.SH ${escape(name.toUpperCase())}`,
      `.nf`,
      ...text.trimEnd().split("\n").slice(1).map(escape),
      `.fi`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function commandLines(command: DescribedCommand, before: string): readonly string[] {
  const name = `${before}${command.name}`;
  if (command.commands.length > 0) return command.commands.flatMap((one) => commandLines(one, `${name} `));
  return [
    `.SS ${escape(`hstream ${[name, ...command.arguments].join(" ")}`)}`,
    escape(command.description),
    ...command.options.flatMap(optionLines),
  ];
}

function optionLines({ flags, description, env }: DescribedCommand["options"][number]): readonly string[] {
  const variable = env === null ? "" : ` (${env})`;
  return [".TP", `.B ${escape(flags)}`, escape(`${description}${variable}`)];
}

/** What roff would take for its own. */
function escape(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/, "\\&$1");
}
