import type { ConnectorInfo } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import type {
  ConnectorConfigFlags,
  ConnectorLogFlags,
  CreateConnectorFlags,
} from "../tree/connector-tree.js";
import type { DeleteFlags } from "../tree/stream-tree.js";
import { type CommandContext, isStructured, printList, printObject, report, withClient } from "./context.js";
import { unlessCode } from "./stream.js";

const columns = ["name", "type", "target", "status", "node", "created_at", "config"];

function cells(connector: ConnectorInfo) {
  const { name, type, target, status, node, createdAt, config } = connector;
  return [name, type, target, status, node, createdAt?.toISOString(), config];
}

export function listConnectors(context: CommandContext): Promise<ExitCode> {
  return withClient(context, async (client) => {
    await printList(context, columns, (await client.connectors.list()).map(cells));
  });
}

export function describeConnector(context: CommandContext, name: string): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const found = cells(await client.connectors.get(name));
    if (!isStructured(context.format)) return printList(context, columns, [found]);
    await printObject(context, Object.fromEntries(columns.map((one, place) => [one, found[place] ?? null])));
  });
}

export async function createConnector(
  context: CommandContext,
  name: string,
  flags: CreateConnectorFlags,
): Promise<ExitCode> {
  const { type, target } = flags;
  const config = (await configOf(context, flags)) ?? "{}";
  return withClient(context, async (client) => {
    const fields = { connector: name, type, target };
    if (flags.dryRun === true) {
      return report(context, `Would create connector "${name}".`, { ...fields, created: false });
    }
    await client.connectors.create(name, { type, target, config });
    await report(context, `Created connector "${name}".`, { ...fields, created: true });
  });
}

export async function alterConnector(
  context: CommandContext,
  name: string,
  flags: ConnectorConfigFlags,
): Promise<ExitCode> {
  const config = await configOf(context, flags);
  if (config === undefined) {
    throw new CommandError({
      exitCode: exitCodes.usage,
      message: "The configuration is missing.",
      hint: "--config-json or --config-path gives it.",
    });
  }
  return withClient(context, async (client) => {
    if (flags.dryRun === true) await client.connectors.get(name);
    else await client.connectors.alterConfig(name, config);
    const altered = flags.dryRun !== true;
    const sentence = altered ? `Altered connector "${name}".` : `Would alter connector "${name}".`;
    await report(context, sentence, { connector: name, altered });
  });
}

export function switchConnector(
  context: CommandContext,
  name: string,
  verb: "pause" | "resume",
): Promise<ExitCode> {
  return withClient(context, async (client) => {
    await client.connectors[verb](name);
    await report(context, verb === "pause" ? `Paused connector "${name}".` : `Resumed connector "${name}".`, {
      connector: name,
      paused: verb === "pause",
    });
  });
}

export function connectorLogs(
  context: CommandContext,
  name: string,
  { begin, count }: ConnectorLogFlags,
): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const logs = await client.connectors.logs(name, begin, count);
    const lines = logs === "" ? [] : logs.replace(/\n$/, "").split("\n");
    await printList(
      context,
      ["line", "text"],
      lines.map((text, place) => [begin + place, text]),
    );
  });
}

export function connectorSpec(context: CommandContext, type: string, target: string): Promise<ExitCode> {
  if (type !== "source" && type !== "sink") {
    throw new CommandError({ exitCode: exitCodes.usage, message: `"${type}" is neither source nor sink.` });
  }
  return withClient(context, async (client) => {
    await context.system.stdout.write(`${(await client.connectors.spec(type, target)).trim()}\n`);
  });
}

export function deleteConnector(
  context: CommandContext,
  name: string,
  flags: DeleteFlags,
): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const dry = flags.dryRun === true;
    const work = dry ? client.connectors.get(name) : client.connectors.delete(name);
    const exists = await unlessCode(600, flags.ifExists, work);
    const done = dry ? `Would delete connector "${name}".` : `Deleted connector "${name}".`;
    const sentence = exists ? done : `There is no connector "${name}".`;
    await report(context, sentence, { connector: name, deleted: exists && !dry });
  });
}

/** The text of the JSON object that was given; undefined when none was. */
async function configOf(context: CommandContext, flags: ConnectorConfigFlags): Promise<string | undefined> {
  const { configJson, configPath } = flags;
  let text = configJson;
  if (configPath !== undefined) {
    try {
      text = await context.system.files.read(configPath);
    } catch (error) {
      throw new CommandError({
        exitCode: exitCodes.failed,
        code: "file",
        message: `Cannot read ${configPath}: ${error instanceof Error ? error.message : String(error)}`,
      });
    }
  }
  if (text === undefined) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return text;
  } catch {
    // Said below.
  }
  throw new CommandError({
    exitCode: exitCodes.usage,
    message: `${configPath ?? "--config-json"} is not a JSON object.`,
  });
}
