import { type Command, Option } from "commander";
import type { DeleteFlags } from "./stream-tree.js";
import { type Context, dryRun, type Finish, group, wholeNumber } from "./tree-parts.js";

export interface ConnectorConfigFlags {
  readonly configJson?: string;
  readonly configPath?: string;
  readonly dryRun?: boolean;
}

export interface CreateConnectorFlags extends ConnectorConfigFlags {
  readonly type: "source" | "sink";
  readonly target: string;
}

export interface ConnectorLogFlags {
  readonly begin: number;
  readonly count: number;
}

/** `connector …`. */
export function addConnector(program: Command, context: Context, finish: Finish): void {
  const connector = group(program, "connector", "connectors: streams in from and out to other systems");
  const load = () => import("../commands/connector.js");
  connector
    .command("list")
    .description("all connectors")
    .action(() => finish(load().then(({ listConnectors }) => listConnectors(context()))));
  withConfig(connector.command("create <name>"))
    .description("create a connector")
    .addOption(new Option("--type <type>", "which way").choices(["source", "sink"]).makeOptionMandatory())
    .requiredOption("--target <target>", "what it reads or writes, for instance mysql")
    .addOption(dryRun())
    .action((name: string, options: CreateConnectorFlags) =>
      finish(load().then(({ createConnector }) => createConnector(context(), name, options))),
    );
  connector
    .command("describe <name>")
    .description("a connector and its configuration")
    .action((name: string) =>
      finish(load().then(({ describeConnector }) => describeConnector(context(), name))),
    );
  withConfig(connector.command("alter-config <name>"))
    .description("give a connector another configuration")
    .addOption(dryRun())
    .action((name: string, options: ConnectorConfigFlags) =>
      finish(load().then(({ alterConnector }) => alterConnector(context(), name, options))),
    );
  for (const verb of ["pause", "resume"] as const) {
    connector
      .command(`${verb} <name>`)
      .description(verb === "pause" ? "let a connector rest" : "let a connector go on")
      .action((name: string) =>
        finish(load().then(({ switchConnector }) => switchConnector(context(), name, verb))),
      );
  }
  connector
    .command("logs <name>")
    .description("what a connector has said")
    .option("--begin <line>", "the first line, from 0", wholeNumber(0, 2 ** 31 - 1), 0)
    .option("--count <lines>", "how many", wholeNumber(1, 100_000), 100)
    .action((name: string, options: ConnectorLogFlags) =>
      finish(load().then(({ connectorLogs }) => connectorLogs(context(), name, options))),
    );
  connector
    .command("spec <type> <target>")
    .description("what connectors of a type and target can be told")
    .action((type: string, target: string) =>
      finish(load().then(({ connectorSpec }) => connectorSpec(context(), type, target))),
    );
  connector
    .command("delete <name>")
    .description("delete a connector")
    .option("--if-exists", "no error when there is none of that name")
    .addOption(dryRun())
    .action((name: string, options: DeleteFlags) =>
      finish(load().then(({ deleteConnector }) => deleteConnector(context(), name, options))),
    );
}

function withConfig(command: Command): Command {
  return command
    .addOption(new Option("--config-json <json>", "its configuration, a JSON object").conflicts("configPath"))
    .option("--config-path <file>", "the same, from a file");
}
