import { type Command, CommanderError, Option } from "commander";
import type { CommandContext } from "./commands/context.js";
import type { SqlFlags } from "./commands/sql.js";
import { type ExitCode, exitCodes } from "./exit-codes.js";
import { isOutputFormat, outputFormats } from "./output/format.js";
import type { System } from "./system/system.js";
import { addBench } from "./tree/bench-tree.js";
import { addCompletion } from "./tree/completion-tree.js";
import { addConnector } from "./tree/connector-tree.js";
import { addContexts } from "./tree/context-tree.js";
import { addDoctor } from "./tree/doctor-tree.js";
import { CommandWithEnvironment } from "./tree/environment.js";
import { addHelpTopics } from "./tree/help-topics.js";
import { addLog } from "./tree/log-tree.js";
import { addNode } from "./tree/node-tree.js";
import { addQueries } from "./tree/query-tree.js";
import { addStreamData } from "./tree/stream-data-tree.js";
import { addStream } from "./tree/stream-tree.js";
import { addConsume } from "./tree/subscription-data-tree.js";
import { addSubscription } from "./tree/subscription-tree.js";
import { type Context, type Finish, group, helpOrSuggest, wholeNumber } from "./tree/tree-parts.js";

/** Options that every command takes, before or behind its name. */
export interface GlobalOptions {
  readonly host: string;
  readonly port: number;
  readonly serviceUrl?: string;
  readonly output: string;
  readonly quiet?: boolean;
  readonly context?: string;
  readonly retryTimeout?: number;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsKey?: string;
  readonly tlsCert?: string;
  readonly tlsServerName?: string;
  readonly token?: string;
  readonly color: boolean;
  readonly debug?: boolean;
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

/** Flags of HStreamDB's tools. */
interface RetryFlags {
  readonly retryLimit?: number;
  readonly retryInterval?: number;
  readonly updateInterval?: number;
}

/** True for what commander refused, or for help that was asked for (exit code 0). */
export function isUsageError(error: unknown): error is CommanderError {
  return error instanceof CommanderError;
}

/** The tree of commands. What they do is loaded when they run. */
export function buildProgram(system: System): Program {
  let exitCode: ExitCode = exitCodes.ok;
  let complaint = "";
  const variables = new Set<string>();
  const program: Command = new CommandWithEnvironment("hstream", system, variables);
  const globals = () => program.opts<GlobalOptions>();
  let saved: string | undefined;
  let retrySeconds = 0;
  const server = () => globals().serviceUrl ?? saved ?? `${globals().host}:${globals().port}`;
  const context = (): CommandContext => {
    const options = globals();
    const format = isOutputFormat(options.output) ? options.output : "table";
    const url = options.serviceUrl ?? saved ?? `hstream://${bracket(options.host)}:${options.port}`;
    const { tls, tlsCa, tlsKey, tlsCert, tlsServerName, token } = options;
    return {
      system,
      format,
      url,
      server: server(),
      quiet: options.quiet === true,
      colours: options.color && wantsColours(system),
      retryTimeoutSeconds: options.retryTimeout ?? retrySeconds,
      access: { tls: tls === true, tlsCa, tlsKey, tlsCert, tlsServerName, token },
      variables,
    };
  };
  const finish = async (work: Promise<ExitCode>) => {
    exitCode = await work;
  };

  program
    .description("HStream: a streaming database")
    .usage("<command> [options]")
    .addOption(new Option("--host <host>", "server to talk to").default("127.0.0.1"))
    .addOption(
      new Option("--port <port>", "its port")
        .default(6570)

        .argParser(wholeNumber(0, 65_535)),
    )
    .addOption(
      new Option("--service-url <url>", "hstream://host:port[,host:port], instead of host and port").env(
        "HSTREAM_SERVICE_URL",
      ),
    )
    .addOption(
      new Option("-o, --output <format>", "how to print").choices([...outputFormats]).default("table"),
    )
    .addOption(new Option("-q, --quiet", "print results only"))
    .addOption(new Option("--context <name>", "a server that `context add` gave a name"))
    .addOption(
      new Option(
        "--retry-timeout <seconds>",
        "how long to wait for a server that does not answer yet",
      ).argParser(wholeNumber(0, 86_400)),
    )
    .option("--tls", "speak TLS; also asked for by hstreams:// and by the flags below")
    .option("--tls-ca <file>", "certificates that the server's is signed by (those that Node trusts)")
    .option("--tls-cert <file>", "this client's certificate, for servers that ask for one")
    .option("--tls-key <file>", "its private key")
    .option("--tls-server-name <name>", "the name in the server's certificate (the host)")
    .option(
      "--token <token>",
      "who you are, to servers that ask; HSTREAM_TOKEN keeps it out of the process list",
    )
    .option("--no-color", "no colours; so does NO_COLOR")
    .option("--debug", "stacks of defects")
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
    .helpCommand(false);

  program.hook("preAction", async (_, action) => {
    const { retryLimit, retryInterval, updateInterval } = action.opts<RetryFlags>();
    if (retryLimit !== undefined) retrySeconds = retryLimit * (retryInterval ?? 5);
    if (updateInterval !== undefined) {
      await system.stderr.write(
        "notice: --update-interval has no effect: the client finds servers by itself\n",
      );
    }
    const { context: name } = globals();
    // Flags and the environment are stronger than a context.
    const chosen = ["host", "port", "serviceUrl"].some((one) => {
      const source = program.getOptionValueSource(one);
      return source === "cli" || (source === "env" && name === undefined);
    });
    if (chosen && program.getOptionValueSource("context") !== "cli") return;
    saved = await (await import("./commands/contexts.js")).contextUrl(system, name);
  });
  addServer(program, context, finish);
  addQuickstart(program, context, finish);
  addSql(program, context, finish);
  addStream(program, context, finish);
  addSubscription(program, context, finish);
  addStreamData(program, context, finish);
  addConsume(program, context, finish);
  addQueries(program, context, finish);
  addConnector(program, context, finish);
  addNode(program, context, finish);
  addContexts(program, context, finish);
  addCompletion(program, context, finish);
  addDoctor(program, context, finish);
  addLog(program, context, finish);
  addBench(program, context, finish);
  addHelpTopics(program, system);
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

function addServer(program: Command, context: Context, finish: Finish): void {
  const server = group(program, "server", "run a server");
  server
    .command("start")
    .description("start a server here; --host and --port say where it listens")
    .option("--data-dir <directory>", "where the data are kept (./hstream-data)")
    .option("--http-port <port>", "where REST and metrics are; 0 for nowhere (ten above the port)")
    .addOption(new Option("--config <file>", "read settings from a file"))
    .option("--set <setting=value...>", "any other setting of the server, for instance fsync=interval")
    .addHelpText("after", "\nExample:\n  hstream server start --data-dir ./data --port 6570")
    .action((options: { dataDir?: string; httpPort?: string; config?: string; set?: string[] }) =>
      finish(
        import("./commands/server.js").then(({ startServerCommand }) =>
          startServerCommand(context(), {
            dataDir: options.dataDir,
            httpPort: options.httpPort,
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
      new Option(
        "--data-dir <directory>",
        "where the data are kept (a temporary directory, removed at the end)",
      ),
    )
    .addOption(
      new Option(
        "--source <source>",
        "what to stream (flights where the data set is there, else host)",
      ).choices(["flights", "host"]),
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
    .addOption(new Option("--history-file <path>", "where the shell keeps its history"))
    .addOption(new Option("--plain", "a shell without a live prompt"))
    .addOption(
      new Option("--on-error <what>", "of scripts: end at the first error, or go on and end with 6")
        .choices(["stop", "continue"])
        .default("stop"),
    )
    .addOption(new Option("--update-interval <seconds>", "").hideHelp().argParser(wholeNumber(0, 86_400)))
    .addOption(new Option("--retry-interval <seconds>", "").hideHelp().argParser(wholeNumber(0, 86_400)))
    .addOption(new Option("--retry-limit <count>", "").hideHelp().argParser(wholeNumber(0, 1_000)))
    .addHelpText(
      "after",
      '\nExamples:\n  hstream sql\n  hstream sql -e "SHOW STREAMS;"\n  hstream sql -o ndjson -e "SELECT * FROM demo EMIT CHANGES;"\n  hstream sql < setup.sql',
    )
    .action((options: SqlFlags) =>
      finish(import("./commands/sql.js").then(({ sqlCommand }) => sqlCommand(context(), options))),
    );
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

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function wantsColours({ env }: System): boolean {
  return (env["NO_COLOR"] ?? "") === "";
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

More: hstream help exit-codes | environment | output | sql | contexts`;
