import type { HStreamClient } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import type { OutputFormat } from "../output/format.js";
import { type Cell, pageOf } from "../output/page.js";
import { resultWriter } from "../output/result-writer.js";
import { yamlDocument } from "../output/yaml.js";
import type { System } from "../system/system.js";
import type { Access } from "./access.js";

/** What every command gets. */
export interface CommandContext {
  readonly system: System;
  readonly format: OutputFormat;
  /** Where to connect to. */
  readonly url: string;
  /** The same for messages. */
  readonly server: string;
  readonly quiet: boolean;
  /** Whether colours are wanted where they can be shown. */
  readonly colours: boolean;
  readonly access: Access;
  /** The variables of the environment that are flags of these tools. */
  readonly variables: ReadonlySet<string>;
  /** How long to wait for a server that does not answer yet. */
  readonly retryTimeoutSeconds: number;
}

/** Connects, works, disconnects. */
export async function withClient(
  context: CommandContext,
  work: (client: HStreamClient) => Promise<void>,
): Promise<ExitCode> {
  const client = await connect(context);
  try {
    await work(client);
    return exitCodes.ok;
  } finally {
    await client.close();
  }
}

/** Connects to the server of the command. */
export function connect(context: CommandContext): Promise<HStreamClient> {
  return connectTo(context, context.url);
}

/** Connects; tries again for as long as --retry-timeout says while no server answers. */
export async function connectTo(context: CommandContext, url: string): Promise<HStreamClient> {
  const { HStreamClient, HStreamClientError } = await import("@hstream/client");
  const { connectWith } = await import("./access.js");
  const { system, retryTimeoutSeconds } = context;
  const target = await connectWith(system, url, context.access);
  const until = system.uptime() + retryTimeoutSeconds * 1_000;
  for (;;) {
    try {
      return await HStreamClient.connect(target.url, { retryPauseMs: 500, ...target.options });
    } catch (error) {
      const lost = error instanceof HStreamClientError && ["unavailable", "timeout"].includes(error.reason);
      if (!lost || system.uptime() >= until) throw error;
      await system.sleep(500, new AbortController().signal);
    }
  }
}

/** Prints a list in the format that was asked for. */
export async function printList(
  context: CommandContext,
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
): Promise<void> {
  const { stdout, stderr } = context.system;
  const writer = resultWriter(context.format, {
    write: stdout.write,
    warn: (text) => void stderr.write(`${text}\n`),
    columns: stdout.columns,
    rows: stdout.rows,
    changes: false,
  });
  await writer.page(pageOf(columns, rows));
  await writer.end(columns);
}

/** Says what was done; programs get it as JSON on stdout, people on stderr. */
export async function report(
  context: CommandContext,
  sentence: string,
  fields: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { stderr } = context.system;
  if (isStructured(context.format)) await printObject(context, fields);
  else if (!context.quiet) await stderr.write(`${sentence}\n`);
}

/** Formats in which an object is printed as one. */
export function isStructured(format: OutputFormat): boolean {
  return format === "json" || format === "ndjson" || format === "yaml";
}

export async function printObject(context: CommandContext, fields: object): Promise<void> {
  const text = context.format === "yaml" ? yamlDocument(fields) : `${JSON.stringify(fields)}\n`;
  await context.system.stdout.write(text);
}
