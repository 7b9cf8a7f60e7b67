import type { HStreamClient } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import type { OutputFormat } from "../output/format.js";
import { type Cell, pageOf } from "../output/page.js";
import { resultWriter } from "../output/result-writer.js";
import type { System } from "../system/system.js";

/** What every command gets. */
export interface CommandContext {
  readonly system: System;
  readonly format: OutputFormat;
  /** Where to connect to. */
  readonly url: string;
  /** The same for messages. */
  readonly server: string;
  readonly quiet: boolean;
}

/** Connects, works, disconnects. */
export async function withClient(
  context: CommandContext,
  work: (client: HStreamClient) => Promise<void>,
): Promise<ExitCode> {
  const { HStreamClient } = await import("@hstream/client");
  const client = await HStreamClient.connect(context.url, { retryPauseMs: 500 });
  try {
    await work(client);
    return exitCodes.ok;
  } finally {
    await client.close();
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
  const { stdout, stderr } = context.system;
  if (context.format === "json" || context.format === "ndjson") {
    await stdout.write(`${JSON.stringify(fields)}\n`);
  } else if (!context.quiet) await stderr.write(`${sentence}\n`);
}
