import { join } from "node:path";
import { HStreamClient, HStreamClientError } from "@hstream/client";
import type { CommandContext } from "../commands/context.js";
import { WorkProgress } from "../commands/work-progress.js";
import type { QuickstartFlags } from "../commands/quickstart.js";
import { startEmbeddedServer } from "../embedded-server.js";
import { CommandError } from "../failure.js";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { pageOfBatch } from "../output/page.js";
import { resultWriter } from "../output/result-writer.js";
import type { StopSignal } from "../system/system.js";
import type { DataSource } from "./data-source.js";
import { feed } from "./feed.js";
import { findFlights } from "./flights.js";
import { hostMetrics } from "./host.js";

/** How long an endless source runs where nobody is there to stop it. */
const endlessForMs = 2_000;

/** Starts a server with data streaming in, prints what they say, and on a terminal opens the shell. */
export async function runQuickstart(context: CommandContext, flags: QuickstartFlags): Promise<ExitCode> {
  const { system } = context;
  const interactive = system.stdin.isTTY === true && system.stdout.isTty;
  const source = await chooseSource(context, flags.source);
  const dataDir = flags.dataDir ?? (await system.files.temporaryDirectory("hstream-quickstart-"));
  // Beside the shell, stderr would garble the screen.
  const logFile = join(dataDir, "server.log");
  const server = await startEmbeddedServer(system, {
    dataDir,
    host: "127.0.0.1",
    port: "0",
    logFile,
    variables: context.variables,
  });
  const stop = new AbortController();
  let signal: StopSignal | undefined;
  const listen = (received: StopSignal) => {
    signal = received;
    stop.abort();
  };
  // In the shell Ctrl-C stops a query; before it, and off a terminal, the quickstart.
  const stopListening = system.onSignal(listen);
  const url = `hstream://127.0.0.1:${server.port}`;
  const client = await HStreamClient.connect(url);
  const background: Promise<unknown>[] = [];
  try {
    await system.stdout.write(`A server runs on 127.0.0.1:${server.port}, its data in ${dataDir}\n`);
    await play(context, client, source, stop.signal, background);
    if (signal !== undefined) return signal === "SIGINT" ? exitCodes.interrupted : exitCodes.terminated;
    if (!interactive) return exitCodes.ok;
    stopListening();
    const live = source.endless ? source : hostMetrics(system);
    if (live !== source) await createStream(client, live.stream);
    if (live !== source) background.push(feed(client, live, stop.signal));
    const { runShell } = await import("../shell/run-shell.js");
    const address = `127.0.0.1:${server.port}`;
    return await runShell({ ...context, url, server: address }, { greeting: greeting(source, live) });
  } finally {
    stop.abort();
    await Promise.allSettled(background);
    stopListening();
    await client.close();
    await server.close();
    if (flags.dataDir === undefined) await system.files.removeDirectory(dataDir);
  }
}

async function chooseSource(context: CommandContext, wanted: QuickstartFlags["source"]): Promise<DataSource> {
  if (wanted === "host") return hostMetrics(context.system);
  const flights = await findFlights(context.system.files);
  if (flights !== undefined) return flights;
  if (wanted === undefined) return hostMetrics(context.system);
  throw new CommandError({
    exitCode: exitCodes.failed,
    code: "quickstart",
    message: "The flights are not here: they come with a clone of the repository, not with the package.",
    hint: "Leave --source out: the load of this machine makes a live source.",
  });
}

/** Stream, view, continuous query, data, result; the endless feed goes on in the background. */
async function play(
  context: CommandContext,
  client: HStreamClient,
  source: DataSource,
  signal: AbortSignal,
  background: Promise<unknown>[],
): Promise<void> {
  const { stdout } = context.system;
  const fresh = await createStream(client, source.stream);
  if (fresh) {
    await stdout.write(`\n> ${source.view.sql}\n`);
    await client.sql(source.view.sql).finish();
  }
  await stdout.write(`\n> ${source.watch}\n`);
  const watching = new AbortController();
  const watch = await startWatch(context, client, source.watch, watching.signal);
  await stdout.write(`Streaming in ${source.title}:\n`);
  if (source.endless) {
    background.push(feed(client, source, signal));
    await context.system.sleep(endlessForMs, signal);
  } else if (fresh) {
    const progress = new WorkProgress(context, "auto", true);
    const count = await feed(client, source, signal, (records) => progress.add(records));
    progress.end();
    await stdout.write(`${count.toLocaleString("en-US")} records are stored.\n`);
  }
  watching.abort();
  const seen = await watch.rows;
  await stdout.write(`The continuous query saw ${seen.toLocaleString("en-US")} rows as they came.\n`);
  if (!signal.aborted) await report(context, client, source);
}

/** True when it was not there before. */
async function createStream(client: HStreamClient, name: string): Promise<boolean> {
  try {
    await client.streams.create(name);
    return true;
  } catch (error) {
    if (error instanceof HStreamClientError && error.code === 201) return false;
    throw error;
  }
}

/** Prints what a push query brings; settles once it runs. `rows`: how many came, once it is stopped. */
async function startWatch(
  context: CommandContext,
  client: HStreamClient,
  sql: string,
  signal: AbortSignal,
): Promise<{ readonly rows: Promise<number> }> {
  const statements = client.sql(sql, { signal })[Symbol.asyncIterator]();
  const first = await statements.next();
  const run = async () => {
    let rows = 0;
    if (first.done === true) return rows;
    const { stdout } = context.system;
    const writer = resultWriter("table", {
      write: stdout.write,
      warn: () => {},
      columns: stdout.columns,
      rows: () => undefined,
      changes: true,
    });
    try {
      for await (const batch of first.value.batches()) {
        await writer.page(pageOfBatch(batch));
        rows += batch.rowCount;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return rows;
  };
  return { rows: run() };
}

async function report(context: CommandContext, client: HStreamClient, source: DataSource): Promise<void> {
  const { stdout } = context.system;
  await stdout.write(`\n${source.report.title}:\n> ${source.report.sql}\n`);
  for await (const statement of client.sql(source.report.sql)) {
    const writer = resultWriter(context.format, {
      write: stdout.write,
      warn: () => {},
      columns: stdout.columns,
      rows: stdout.rows,
      changes: false,
    });
    for await (const batch of statement.batches()) await writer.page(pageOfBatch(batch));
    await writer.end(statement.columns.map(({ name }) => name));
  }
}

function greeting(source: DataSource, live: DataSource): string {
  const [watch = "", ...rest] = live.suggestions;
  const three = source === live ? [watch, ...rest, source.report.sql] : [...source.suggestions, watch];
  const lines = three.slice(0, 3).map((sql, place) => `  ${place + 1}. ${sql}`);
  return `\nThe server runs while this shell does. Try:\n${lines.join("\n")}\n:help helps, Ctrl-C stops a query, Ctrl-D leaves.\n\n`;
}
