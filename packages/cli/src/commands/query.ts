import type { HStreamClient } from "@hstream/client";
import { type ExitCode, exitCodes } from "../exit-codes.js";
import { CommandError } from "../failure.js";
import type { DeleteFlags } from "../tree/stream-tree.js";
import { type CommandContext, isStructured, printList, printObject, report, withClient } from "./context.js";

const queryColumns = ["id", "status", "created_at", "sql", "kind", "sources", "sink"];
const viewColumns = ["name", "status", "created_at", "sql", "query"];

export function listQueries(context: CommandContext): Promise<ExitCode> {
  return withClient(context, async (client) =>
    printList(context, queryColumns, await rowsOf(client, "SHOW QUERIES;")),
  );
}

export function describeQuery(context: CommandContext, id: string): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const found = (await rowsOf(client, "SHOW QUERIES;")).find(([first]) => first === id);
    if (found === undefined) throw missing("query", id, "hstream query list");
    await printOne(context, queryColumns, found);
  });
}

export function terminateQuery(context: CommandContext, id: string, flags: DeleteFlags): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const exists = (await rowsOf(client, "SHOW QUERIES;")).some(([first]) => first === id);
    if (!exists && flags.ifExists !== true) throw missing("query", id, "hstream query list");
    const dry = flags.dryRun === true;
    if (exists && !dry) await client.sql(`TERMINATE QUERY ${quoted(id)};`).finish();
    const done = dry ? `Would terminate query "${id}".` : `Terminated query "${id}".`;
    const sentence = exists ? done : `There is no query "${id}".`;
    await report(context, sentence, { query: id, terminated: exists && !dry });
  });
}

export function listViews(context: CommandContext): Promise<ExitCode> {
  return withClient(context, async (client) =>
    printList(context, viewColumns, await rowsOf(client, "SHOW VIEWS;")),
  );
}

export function describeView(context: CommandContext, name: string): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const found = (await rowsOf(client, "SHOW VIEWS;")).find(([first]) => first === name);
    if (found === undefined) throw missing("view", name, "hstream view list");
    const described = await rowsOf(client, `DESCRIBE ${quoted(name)};`);
    const columns = described.map(([column, type]) => ({ column: column ?? "", type: type ?? "" }));
    if (isStructured(context.format)) {
      const fields = Object.fromEntries(viewColumns.map((one, place) => [one, found[place] ?? null]));
      return printObject(context, { ...fields, columns });
    }
    if (context.format === "table") await printList(context, viewColumns, [found]);
    await printList(
      context,
      ["column", "type"],
      columns.map(({ column, type }) => [column, type]),
    );
  });
}

export function deleteView(context: CommandContext, name: string, flags: DeleteFlags): Promise<ExitCode> {
  return withClient(context, async (client) => {
    const exists = (await rowsOf(client, "SHOW VIEWS;")).some(([first]) => first === name);
    if (!exists && flags.ifExists !== true) throw missing("view", name, "hstream view list");
    const dry = flags.dryRun === true;
    if (exists && !dry) await client.sql(`DROP VIEW ${quoted(name)};`).finish();
    const done = dry ? `Would delete view "${name}".` : `Deleted view "${name}".`;
    const sentence = exists ? done : `There is no view "${name}".`;
    await report(context, sentence, { view: name, deleted: exists && !dry });
  });
}

async function printOne(
  context: CommandContext,
  columns: readonly string[],
  row: readonly string[],
): Promise<void> {
  if (!isStructured(context.format)) return printList(context, columns, [row]);
  await printObject(context, Object.fromEntries(columns.map((one, place) => [one, row[place] ?? null])));
}

function missing(kind: string, name: string, list: string): CommandError {
  return new CommandError({
    exitCode: exitCodes.existence,
    code: "not found",
    message: `There is no ${kind} "${name}".`,
    hint: `${list} shows what there is.`,
  });
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

async function rowsOf(client: HStreamClient, sql: string): Promise<readonly (readonly string[])[]> {
  const rows: string[][] = [];
  for await (const statement of client.sql(sql)) {
    for await (const batch of statement.batches()) {
      for (let row = 0; row < batch.rowCount; row += 1) {
        rows.push(batch.columns.map((_, column) => batch.values(column).text(row)));
      }
    }
  }
  return rows;
}
