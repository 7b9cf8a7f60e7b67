import { type Command, Option } from "commander";
import { inputFormats } from "../append/to-records.js";
import type { AppendFlags } from "../commands/append.js";
import type { ProgressMode } from "../commands/work-progress.js";
import { type Context, type Finish, wholeNumber } from "./tree-parts.js";

export interface ReadFlags {
  readonly from: string;
  readonly until?: string;
  readonly limit?: number;
  readonly total?: number;
  readonly timeout?: number;
  readonly shard?: string;
  /** Of read-shard. */
  readonly stream?: string;
  readonly key?: string;
  readonly progress: ProgressMode;
}

export interface TrimFlags {
  readonly to: string;
  readonly shard?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

/** What streams hold: `stream append`, `read`, `read-shard`, `list-shard`, `trim`. */
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
    .addOption(progressOption())
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
  const load = () => import("../commands/read.js");
  readOptions(stream.command("read <name>").alias("read-stream"))
    .description("print the records of a stream, from its beginning, and go on as more come")
    .option("--shard <id>", "only this shard")
    .option("--key <key>", "only the records of this key, up to now")
    .addHelpText(
      "after",
      "\nExamples:\n  hstream stream read demo --until latest\n  hstream stream read demo --from latest -o ndjson\n  hstream stream read demo --from 2026-01-31T12:00:00Z --limit 10\n  hstream stream read demo --key vienna",
    )
    .action((name: string, options: ReadFlags) =>
      finish(load().then(({ readStream }) => readStream(context(), name, options))),
    );
  readOptions(stream.command("read-shard <shard>"))
    .description("print the records of a shard, by its id")
    .option("--stream <name>", "the stream that has it; spares a search")
    .action((shard: string, options: ReadFlags) =>
      finish(load().then(({ readShard }) => readShard(context(), shard, options))),
    );
  stream
    .command("trim <name>")
    .description("remove what is stored before a place, for ever")
    .requiredOption(
      "--to <place>",
      "a time (what is older goes), a record id (up to its batch), or latest (all)",
    )
    .option("--shard <id>", "only this shard")
    .option("-y, --yes", "do not ask")
    .option("--dry-run", "only say what would be done")
    .addHelpText("after", "\nExample:\n  hstream stream trim demo --to 2026-01-31T00:00:00Z --yes")
    .action((name: string, options: TrimFlags) =>
      finish(import("../commands/trim.js").then(({ trimStream }) => trimStream(context(), name, options))),
    );
  stream
    .command("list-shard <name>")
    .description("the shards of a stream")
    .action((name: string) =>
      finish(import("../commands/stream.js").then(({ listShards }) => listShards(context(), name))),
    );
}

function readOptions(command: Command): Command {
  return command
    .option("--from <place>", "earliest, latest, a time, milliseconds since 1970, a record id", "earliest")
    .option("--until <place>", "where to end: latest is what is there now (never)")
    .option("--limit <count>", "end after so many records", wholeNumber(1))
    .addOption(new Option("--total <count>", "the same").hideHelp().argParser(wholeNumber(1)))
    .option("--timeout <seconds>", "end when nothing has come for so long", wholeNumber(1, 86_400))
    .addOption(progressOption());
}

function progressOption(): Option {
  return new Option("--progress <how>", "how far it is, on standard error; auto: on a terminal")
    .choices(["auto", "off", "plain"])
    .default("auto");
}
