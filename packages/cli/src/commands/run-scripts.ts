import { type HStreamClient, HStreamClientError, type SqlStatement } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError, failureOf, renderFailure, renderFailureAsJson } from "../failure.js";
import { pageOfBatch } from "../output/page.js";
import { resultWriter } from "../output/result-writer.js";
import type { StopSignal } from "../system/system.js";
import { type CommandContext, withClient } from "./context.js";
import { cutScript, type ScriptPart, shiftError } from "./script.js";

/**
 * Runs scripts one after the other and prints their results, to the first signal, and to the first error
 * unless it shall go on.
 */
export async function runScripts(
  context: CommandContext,
  scripts: readonly string[],
  goOn: boolean,
): Promise<ExitCode> {
  let failed = false;
  const stop = new AbortController();
  let signal: StopSignal | undefined;
  const stopListening = context.system.onSignal((received) => {
    signal = received;
    stop.abort();
  });
  try {
    const code = await withClient(context, async (client) => {
      for (const script of scripts) {
        for (const part of await cutScript(script, goOn)) {
          try {
            await runPart(context, client, part, stop.signal);
          } catch (error) {
            if (!goOn || stop.signal.aborted || isUnreachable(context, error)) throw error;
            failed = true;
            await tell(context, asSqlFailure(context, error));
          }
        }
      }
    });
    return failed ? exitCodes.partial : code;
  } catch (error) {
    if (signal !== undefined) return signal === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
    throw isUnreachable(context, error) ? error : asSqlFailure(context, error);
  } finally {
    stopListening();
  }
}

async function runPart(
  context: CommandContext,
  client: HStreamClient,
  part: ScriptPart,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const statement of client.sql(part.text, { signal })) {
      await printStatement(context, statement, part.vertical[statement.index] === true);
    }
  } catch (error) {
    throw shiftError(error, part);
  }
}

async function tell(context: CommandContext, error: unknown): Promise<void> {
  const { stderr } = context.system;
  const failure = failureOf(error, context.server);
  const asJson = context.format === "json" || context.format === "ndjson";
  await stderr.write(asJson ? renderFailureAsJson(failure) : renderFailure(failure, stderr.columns()));
}

async function printStatement(
  context: CommandContext,
  statement: SqlStatement,
  vertical: boolean,
): Promise<void> {
  const { stdout, stderr } = context.system;
  const warn = (text: string) => void (context.quiet || stderr.write(`${text}\n`));
  for (const notice of statement.notices) warn(`notice: ${notice}`);
  if (statement.kind === "command") {
    const { message, rowsAffected, notices } = await statement.done;
    const queryId = statement.queryId ?? null;
    if (context.format === "json") {
      await stdout.write(`${JSON.stringify({ message, rowsAffected, queryId })}\n`);
    } else if (context.format === "table" && !context.quiet) await stdout.write(`${message}\n`);
    else if (message !== "") warn(message);
    for (const notice of notices) warn(`notice: ${notice}`);
    return;
  }
  const writer = resultWriter(context.format, {
    write: stdout.write,
    warn,
    columns: stdout.columns,
    rows: stdout.rows,
    changes: statement.kind === "changes",
    vertical,
  });
  for await (const batch of statement.batches()) await writer.page(pageOfBatch(batch));
  await writer.end(statement.columns.map(({ name }) => name));
  for (const notice of (await statement.done).notices) warn(`notice: ${notice}`);
}

function isUnreachable(context: CommandContext, error: unknown): boolean {
  return failureOf(error, context.server).exitCode === exitCodes.unreachable;
}

/** What a script meets is a SQL error, exit code 1, whatever the API calls it. */
function asSqlFailure(context: CommandContext, error: unknown): unknown {
  if (!(error instanceof HStreamClientError) || error.reason === "usage") return error;
  return new CommandError({ ...failureOf(error, context.server), exitCode: exitCodes.failed });
}
