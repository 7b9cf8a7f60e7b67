import { Command, CommanderError, Option } from "commander";
import type { CommandContext } from "./commands/context.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { nearest } from "./nearest.js";
import { isOutputFormat, outputFormats } from "./output/format.js";
import type { System } from "./system/system.js";

/** Options that every command takes, before or behind its name. */
export interface GlobalOptions {
  readonly host: string;
  readonly port: number;
  readonly serviceUrl?: string;
  readonly output: string;
  readonly quiet?: boolean;
}

export interface Program {
  readonly command: Command;
  readonly exitCode: () => ExitCode;
  /** What was wrong with the command line. */
  readonly complaint: () => string;
  /** Where commands go to, for messages. */
  readonly server: () => string;
  readonly outputsJson: () => boolean;
}

/** True for what commander refused, or for help that was asked for (exit code 0). */
export function isUsageError(error: unknown): error is CommanderError {
  return error instanceof CommanderError;
}

/** The tree of commands. What they do is loaded when they run. */
export function buildProgram(system: System): Program {
  let exitCode: ExitCode = exitCodes.ok;
  let complaint = "";
  const program = new Command("hstream");
  const globals = () => program.opts<GlobalOptions>();
  const server = () => globals().serviceUrl ?? `${globals().host}:${globals().port}`;
  const context = (): CommandContext => {
    const options = globals();
    const format = isOutputFormat(options.output) ? options.output : "table";
    const url = options.serviceUrl ?? `hstream://${bracket(options.host)}:${options.port}`;
    return { system, format, url, server: server(), quiet: options.quiet === true };
  };
  const finish = async (work: Promise<ExitCode>) => {
    exitCode = await work;
  };

  program
    .description("HStream: a streaming database")
    .usage("<command> [options]")
    .addOption(new Option("--host <host>", "server to talk to").default("127.0.0.1").env("HSTREAM_HOST"))
    .addOption(
      new Option("--port <port>", "its port")
        .default(6570)
        .env("HSTREAM_PORT")
        .argParser(wholeNumber(1, 65_535)),
    )
    .addOption(
      new Option("--service-url <url>", "hstream://host:port[,host:port], instead of host and port").env(
        "HSTREAM_SERVICE_URL",
      ),
    )
    .addOption(
      new Option("-o, --output <format>", "how to print")
        .choices([...outputFormats])
        .default("table")
        .env("HSTREAM_OUTPUT"),
    )
    .addOption(new Option("-q, --quiet", "print results only").env("HSTREAM_QUIET"))
    .option("-v, --version", "print the version")
    .configureHelp({ showGlobalOptions: true })
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void system.stdout.write(text),
      writeErr: (text) => {
        complaint += text;
      },
    })
    .addHelpText("after", examples)
    .helpCommand(true);

  addServer(program, context, finish);
  addQuickstart(program, context, finish);
  addSql(program, context, finish);
  addStream(program, context, finish);
  addSubscription(program, context, finish);
  addLog(program, context, finish);
  helpOrSuggest(program);
  for (const command of everyCommand(program)) command.exitOverride().copyInheritedSettings(program);
  return {
    command: program,
    exitCode: () => exitCode,
    complaint: () => complaint,
    server,
    outputsJson: () => ["json", "ndjson"].includes(String(program.opts()["output"])),
  };
}

type Context = () => CommandContext;
type Finish = (work: Promise<ExitCode>) => Promise<void>;

function addServer(program: Command, context: Context, finish: Finish): void {
  const server = group(program, "server", "run a server");
  server
    .command("start")
    .description("start a server here; --host and --port say where it listens")
    .option("--data-dir <directory>", "where the data are kept (./hstream-data; env: HSTREAM_DATA_DIR)")
    .addOption(new Option("--config <file>", "read settings from a file").env("HSTREAM_CONFIG"))
    .option("--set <setting=value...>", "any other setting of the server, for instance fsync=interval")
    .addHelpText("after", "\nExample:\n  hstream server start --data-dir ./data --port 6570")
    .action((options: { dataDir?: string; config?: string; set?: string[] }) =>
      finish(
        import("./commands/server.js").then(({ startServerCommand }) =>
          startServerCommand(context(), {
            dataDir: options.dataDir,
            config: options.config,
            settings: options.set ?? [],
            host: given(program, "host"),
            port: given(program, "port"),
          }),
        ),
      ),
    );
}

function addQuickstart(program: Command, context: Context, finish: Finish): void {
  program
    .command("quickstart")
    .description("start a server with a demonstration in it, and look at it in the shell")
    .addOption(
      new Option("--data-dir <directory>", "where the data are kept (a new temporary directory)").env(
        "HSTREAM_DATA_DIR",
      ),
    )
    .addOption(
      new Option("--source <source>", "what to stream (flights where the data set is there, else host)")
        .choices(["flights", "host"])
        .env("HSTREAM_SOURCE"),
    )
    .action((options: { dataDir?: string; source?: "flights" | "host" }) =>
      finish(import("./commands/quickstart.js").then(({ quickstart }) => quickstart(context(), options))),
    );
}

function addSql(program: Command, context: Context, finish: Finish): void {
  program
    .command("sql")
    .description("the SQL shell; or run statements from -e, -f or standard input")
    .option("-e, --execute <statement>", "run this and end; can be repeated", collect, [])
    .option("-f, --file <path>", "run the statements of a file and end; can be repeated", collect, [])
    .addOption(
      new Option("--history-file <path>", "where the shell keeps its history").env("HSTREAM_HISTORY_FILE"),
    )
    .addOption(new Option("--plain", "a shell without a live prompt").env("HSTREAM_PLAIN"))
    .addHelpText(
      "after",
      '\nExamples:\n  hstream sql\n  hstream sql -e "SHOW STREAMS;"\n  hstream sql -o ndjson -e "SELECT * FROM demo EMIT CHANGES;"\n  hstream sql < setup.sql',
    )
    .action((options: { execute: string[]; file: string[]; historyFile?: string; plain?: boolean }) =>
      finish(import("./commands/sql.js").then(({ sqlCommand }) => sqlCommand(context(), options))),
    );
}

function addStream(program: Command, context: Context, finish: Finish): void {
  const stream = group(program, "stream", "create, list, describe and delete streams");
  const load = () => import("./commands/stream.js");
  stream
    .command("list")
    .description("all streams")
    .action(() => finish(load().then(({ listStreams }) => listStreams(context()))));
  stream
    .command("create <name>")
    .description("create a stream")
    .option("-r, --replication-factor <count>", "copies of each record", wholeNumber(1, 255), 1)
    .option(
      "-b, --backlog-duration <seconds>",
      "how long records are kept; 0 for ever",
      wholeNumber(0),
      604_800,
    )
    .option("-s, --shards <count>", "shards", wholeNumber(1), 1)
    .option("--if-not-exists", "no error when there is one of that name")
    .action((name: string, options: CreateStreamFlags) =>
      finish(load().then(({ createStream }) => createStream(context(), name, options))),
    );
  stream
    .command("describe <name>")
    .description("a stream and its shards")
    .action((name: string) => finish(load().then(({ describeStream }) => describeStream(context(), name))));
  stream
    .command("delete <name>")
    .description("delete a stream and what it holds")
    .option("-f, --force", "although it has subscriptions")
    .option("--if-exists", "no error when there is none of that name")
    .action((name: string, options: { force?: boolean; ifExists?: boolean }) =>
      finish(load().then(({ deleteStream }) => deleteStream(context(), name, options))),
    );
}

export interface CreateStreamFlags {
  readonly replicationFactor: number;
  readonly backlogDuration: number;
  readonly shards: number;
  readonly ifNotExists?: boolean;
}

export interface CreateSubscriptionFlags {
  readonly stream: string;
  readonly ackTimeout: number;
  readonly maxUnackedRecords: number;
  readonly offset: "earliest" | "latest";
  readonly ifNotExists?: boolean;
}

function addSubscription(program: Command, context: Context, finish: Finish): void {
  const subscription = group(
    program,
    "subscription",
    "create, list, describe and delete subscriptions",
  ).alias("sub");
  const load = () => import("./commands/subscription.js");
  subscription
    .command("list")
    .description("all subscriptions")
    .action(() => finish(load().then(({ listSubscriptions }) => listSubscriptions(context()))));
  subscription
    .command("create <name>")
    .description("create a subscription of a stream")
    .requiredOption("--stream <stream>", "the stream")
    .option("--ack-timeout <seconds>", "when an unacknowledged record comes again", wholeNumber(1), 60)
    .option("--max-unacked-records <count>", "records out at a time", wholeNumber(1), 10_000)
    .addOption(
      new Option("--offset <offset>", "where to begin").choices(["earliest", "latest"]).default("latest"),
    )
    .option("--if-not-exists", "no error when there is one of that name")
    .action((name: string, options: CreateSubscriptionFlags) =>
      finish(load().then(({ createSubscription }) => createSubscription(context(), name, options))),
    );
  subscription
    .command("describe <name>")
    .description("a subscription, its progress and its consumers")
    .action((name: string) =>
      finish(load().then(({ describeSubscription }) => describeSubscription(context(), name))),
    );
  subscription
    .command("delete <name>")
    .description("delete a subscription")
    .option("-f, --force", "although it has consumers")
    .option("--if-exists", "no error when there is none of that name")
    .action((name: string, options: { force?: boolean; ifExists?: boolean }) =>
      finish(load().then(({ deleteSubscription }) => deleteSubscription(context(), name, options))),
    );
}

function addLog(program: Command, context: Context, finish: Finish): void {
  const log = group(program, "log", "look at and repair the files of a server that does not run");
  const load = () => import("./commands/log.js");
  log
    .command("verify <data-dir>")
    .description("check every byte; exit code 1 when something is wrong")
    .action((dataDir: string) => finish(load().then((log) => log.verifyCommand(context(), dataDir))));
  log
    .command("dump <data-dir>")
    .description("print every frame as a line of JSON")
    .action((dataDir: string) => finish(load().then((log) => log.dumpCommand(context(), dataDir))));
  log
    .command("repair <data-dir>")
    .description("save what can be read of damaged files; the damaged ones are put aside")
    .action((dataDir: string) => finish(load().then((log) => log.repairCommand(context(), dataDir))));
  program
    .command("backup <data-dir> <target>")
    .description("copy the data of a server on this machine, running or not")
    .action((dataDir: string, target: string) =>
      finish(load().then((log) => log.backupCommand(context(), dataDir, target))),
    );
  program
    .command("restore <backup> <data-dir>")
    .description("make a data directory of a backup, and check it")
    .action((backup: string, dataDir: string) =>
      finish(load().then((log) => log.restoreCommand(context(), backup, dataDir))),
    );
}

/** A noun: alone it prints its help; an unknown verb is a usage error with a suggestion. */
function group(program: Command, name: string, description: string): Command {
  const noun = program.command(name).description(description);
  helpOrSuggest(noun);
  return noun;
}

/** Alone the command prints its help; with a word that it does not know, an error that suggests one. */
function helpOrSuggest(command: Command): void {
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

function* everyCommand(command: Command): Generator<Command> {
  for (const child of command.commands) {
    yield child;
    yield* everyCommand(child);
  }
}

/** A flag as it was typed; undefined when its value comes from elsewhere. */
function given(program: Command, name: string): string | undefined {
  return program.getOptionValueSource(name) === "cli" ? String(program.opts()[name]) : undefined;
}

function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    const range = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `${min} to ${max}`;
    throw new CommanderError(1, "commander.invalidArgument", `It must be a whole number, ${range}.`);
  };
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function bracket(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}

const examples = `
Examples:
  hstream quickstart
  hstream server start --data-dir ./data
  hstream stream create demo
  hstream sql -e "INSERT INTO demo (a, b) VALUES (1, 'x');"
  hstream sql -o json -e "SELECT a, b FROM demo;"

Every option can also be set in the environment: HSTREAM_HOST, HSTREAM_PORT, HSTREAM_SERVICE_URL, HSTREAM_OUTPUT.
Exit codes: 0 ok, 1 refused, 2 usage, 3 not found or exists already, 5 no server, 130/143 interrupted.`;
