import { type Command, Option } from "commander";
import type { AppendFlags } from "../commands/append.js";
import { inputFormats } from "../append/to-records.js";
import { type Context, type Finish, wholeNumber } from "./tree-parts.js";

/** What streams hold: `stream append`, `stream list-shard`. */
export function addStreamData(program: Command, context: Context, finish: Finish): void {
  const stream = program.commands.find((command) => command.name() === "stream");
  if (stream === undefined) return;
  stream
    .command("append <name> [file]")
    .description("append records: a JSON object a line, CSV or any lines, from a file or standard input")
    .addOption(
      new Option("--format <format>", "of the input (by the file's name)").choices([...inputFormats]),
    )
    .option("--separator <text>", "between a key and its record, as in key@{…}", "@")
    .option("--key-field <field>", "the field whose value is the key")
    .addOption(new Option("--compression <kind>", "of batches").choices(["none", "gzip"]).default("none"))
    .addOption(
      new Option("--progress <how>", "how far it is, on standard error; auto: on a terminal")
        .choices(["auto", "off", "plain"])
        .default("auto"),
    )
    .addOption(new Option("--retry-interval <seconds>", "").hideHelp().argParser(wholeNumber(0, 86_400)))
    .addOption(new Option("--retry-limit <count>", "").hideHelp().argParser(wholeNumber(0, 1_000)))
    .addHelpText(
      "after",
      "\nExamples:\n  hstream stream append demo records.ndjson\n  hstream stream append demo table.csv --key-field city\n  echo 'vienna@{\"n\":1}' | hstream stream append demo",
    )
    .action((name: string, file: string | undefined, options: AppendFlags) =>
      finish(
        import("../commands/append.js").then((run) => run.appendRecords(context(), name, file, options)),
      ),
    );
  stream
    .command("list-shard <name>")
    .description("the shards of a stream")
    .action((name: string) =>
      finish(import("../commands/stream.js").then(({ listShards }) => listShards(context(), name))),
    );
}
