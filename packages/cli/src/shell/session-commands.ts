import type { FunctionEntry } from "@hstream/sql/runtime";
import { unreachable } from "@hstream/proto";
import { failureOf, renderFailure } from "../failure.js";
import { nearest } from "../nearest.js";
import { chartKinds } from "../output/chart.js";
import { visible, wrapWords } from "../output/display.js";
import { isOutputFormat, outputFormats } from "../output/format.js";
import { clusterCommand, showNodes } from "./cluster-commands.js";
import { signaturesOf } from "./completion/signature.js";
import { planTree } from "./plan-tree.js";
import { runningQuery, watchPlan } from "./running-plan.js";
import { SavedQueries } from "./saved-queries.js";
import type { ShellTools } from "./shell-tools.js";
import { count } from "./session-output.js";
import { type ShellCommand, shellHelp } from "./shell-command.js";
import { findStatementHelp, statementTopics } from "./statement-help.js";
import { chartOfPages } from "./stream-view.js";
import { runTop } from "./top.js";
import { watch } from "./watch.js";

type Outcome = "continue" | "quit";

/** Does what a line says that is no SQL. */
export async function runShellCommand(
  session: ShellTools,
  command: ShellCommand,
  signal: AbortSignal,
): Promise<Outcome> {
  const { output } = session.options;
  const say = (text: string) => output.write(`${wrapWords(text, output.columns() - 1)}\n\n`);
  switch (command.kind) {
    case "unknown": {
      const suggestion = command.suggestion === undefined ? "" : ` Did you mean ${command.suggestion}?`;
      await say(`There is no command ":${command.word}".${suggestion} :help lists them.`);
      return "continue";
    }
    case "use-admin":
      await say(
        "USE ADMIN is not needed: the shell has the administration in it. :top, :nodes and :placement look, :drain moves.",
      );
      return "continue";
    case "show-nodes":
      await showNodes(session, signal, say);
      return "continue";
    case "use-cluster":
      await useCluster(session, command.url, say);
      return "continue";
    case "command":
      if (command.name === "quit") return "quit";
      await runNamed(session, command.name, command.argument, signal, say);
      return "continue";
    default:
      return unreachable(command);
  }
}

type Say = (text: string) => Promise<void>;

/** Talks to another server from now on, if there is one; else to the present one as before. */
async function useCluster(session: ShellTools, url: string, say: Say): Promise<void> {
  const { link, output, catalogue } = session.options;
  try {
    await link.connect(url);
  } catch (error) {
    const failure = failureOf(error, url.replace(/^hstreams?:\/\//, ""));
    return output.write(`${renderFailure(failure, output.columns())}Still connected to ${link.server}.\n\n`);
  }
  catalogue?.forget();
  await say(`Connected to ${link.server}.`);
}

async function runNamed(
  session: ShellTools,
  name: string,
  argument: string,
  signal: AbortSignal,
  say: Say,
): Promise<void> {
  const { output, system, catalogue, saved, history } = session.options;
  const { settings } = session;
  switch (name) {
    case "help":
      return help(session, argument, say);
    case "d":
      return describe(session, argument, signal);
    case "format":
      if (argument === "") return say(`Results are printed as ${settings.format}.`);
      if (!isOutputFormat(argument)) return say(unknownWord("format", argument, outputFormats));
      settings.format = argument;
      return say(`Results are printed as ${argument} from now on.`);
    case "last":
      return last(session, argument, say);
    case "live":
      settings.live = argument === "" ? !settings.live : argument === "on";
      if (settings.live) settings.chart = undefined;
      return say(
        settings.live
          ? "Push queries are shown as a table that changes in place. With GROUP BY there is one row a group."
          : "Push queries are printed row by row.",
      );
    case "chart":
      return chart(session, argument, signal, say);
    case "watch":
      return watch(session, argument, signal, say);
    case "top":
      return runTop(session, signal);
    case "plan":
      return plan(session, argument, signal, say);
    case "history":
      return showHistory(session, argument);
    case "edit":
      return say("Ctrl-X opens $EDITOR with what is typed; in this shell there is no live prompt to edit.");
    case "save":
      return save(session, argument, say);
    case "run": {
      const sql = await saved.read(argument);
      if (sql === undefined) {
        return say(unknownWord("saved statement", argument, saved.names));
      }
      await output.write(`${sql.trim()}\n`);
      await session.runSql(sql, signal);
      return;
    }
    case "source": {
      if (argument === "") return say(":source takes the name of a file.");
      try {
        await session.runSql((await system.files.read(argument)).replace(/^\uFEFF/, ""), signal);
      } catch (error) {
        await say(`Cannot read ${argument}: ${error instanceof Error ? error.message : String(error)}`);
      }
      return;
    }
    case "output":
      return redirect(session, argument, say);
    case "pager":
      settings.pager = argument === "" ? !settings.pager : argument === "on";
      return say(settings.pager ? "Results larger than the screen go to the pager." : "No pager.");
    case "timing":
      settings.timing = argument === "" ? !settings.timing : argument === "on";
      return say(settings.timing ? "Times are shown." : "Times are not shown.");
    case "refresh":
      catalogue?.forget();
      await catalogue?.refresh();
      await history.reload();
      return say("Asked the server for its names again.");
    case "nodes":
    case "placement":
    case "drain":
    case "undrain":
      return clusterCommand(session, name, argument, signal, say);
    default:
      return say(`":${name}" does nothing here.`);
  }
}

async function help(session: ShellTools, argument: string, say: Say): Promise<void> {
  const topic = argument.replace(/;$/, "").replace(/\($/, "").trim();
  if (topic === "") return session.options.output.write(`${shellHelp()}\n`);
  const statement = findStatementHelp(topic);
  if (statement !== undefined) {
    const { syntax, example } = statement;
    return say(`${statement.help}\n  ${syntax}\nExample:\n  ${example}`);
  }
  const { functionEntry, functionTable, typeName } = await import("@hstream/sql/runtime");
  const entry = functionEntry(topic.toUpperCase());
  if (entry !== undefined) return say(functionHelp(entry, signaturesOf(entry, typeName)));
  const near = nearest(topic, [...functionTable.map((one) => one.name), ...statementTopics]);
  await say(`There is no help on "${visible(topic)}".${near === undefined ? "" : ` Did you mean ${near}?`}`);
}

/** Signatures, what it does, other names, examples. */
function functionHelp(entry: FunctionEntry, signatures: readonly string[]): string {
  const head = signatures.length > 0 ? signatures : [entry.name];
  const aliases = entry.aliases ?? [];
  return [
    ...head,
    `  ${entry.help}`,
    ...(aliases.length > 0 ? [`  Also called ${aliases.join(", ")}.`] : []),
    ...entry.examples.map(({ sql, result }) => `  ${sql} → ${result}`),
  ].join("\n");
}

async function describe(session: ShellTools, argument: string, signal: AbortSignal): Promise<void> {
  const name = argument.replace(/;$/, "").trim();
  if (name === "") {
    await session.runSql("SHOW STREAMS; SHOW VIEWS;", signal);
    return;
  }
  const bare = name.replace(/^"(.*)"$/, "$1");
  await session.runSql(`DESCRIBE "${bare.replaceAll('"', '""')}";`, signal);
}

async function last(session: ShellTools, argument: string, say: Say): Promise<void> {
  const { kept, settings } = session;
  if (kept === undefined) return say("There is no result yet.");
  const format = argument === "" ? settings.format : argument;
  if (!isOutputFormat(format)) return say(unknownWord("format", argument, outputFormats));
  await session.printPages(kept.pages, kept.columns, format);
  const left = kept.left > 0 ? `; ${count(kept.left, "row")} more were not kept` : "";
  await say(`${count(kept.rows, "row")}${left}`);
}

async function chart(session: ShellTools, argument: string, signal: AbortSignal, say: Say): Promise<void> {
  const { settings, options, kept } = session;
  const [word = "", ...rest] = argument.split(/\s+/);
  if (word === "off") {
    settings.chart = undefined;
    return say("Results are printed as rows.");
  }
  const kind = chartKinds.find((one) => one === word);
  const sql = (kind === undefined ? [word, ...rest] : rest).join(" ").trim();
  if (kind === undefined && sql !== "" && !/^select\b/i.test(sql)) {
    return say(unknownWord("chart", word, [...chartKinds, "off"]));
  }
  const chosen = kind ?? settings.chart ?? (/group\s+by/i.test(sql) ? "bar" : "line");
  if (sql !== "") {
    const before = settings.chart;
    settings.chart = chosen;
    try {
      await session.runSql(sql.endsWith(";") ? sql : `${sql};`, signal);
    } finally {
      settings.chart = before;
    }
    return;
  }
  if (kind === undefined && kept !== undefined) {
    const { output } = options;
    const lines = chartOfPages(chosen, kept.pages, output.columns() - 1, output.rows() - 3);
    return session.printResult(`${lines.join("\n")}\n\n`);
  }
  settings.chart = chosen;
  return say(`Results are drawn as a ${chosen} chart from now on; ":chart off" ends that.`);
}

async function plan(session: ShellTools, argument: string, signal: AbortSignal, say: Say): Promise<void> {
  const { link, output, split } = session.options;
  const sql = (argument === "" ? session.lastSql : argument) ?? "";
  // One word: a query that runs, or the view that one keeps.
  const name = /^"?([^\s"]+)"?;?$/.exec(argument)?.[1]?.replace(/;$/, "");
  if (name !== undefined) {
    const queryId = await runningQuery(session, name, signal);
    if (queryId === undefined) return say(`No query "${visible(name)}" runs. SHOW QUERIES; lists them.`);
    return watchPlan(session, queryId, signal);
  }
  const statement = split(sql)[0]?.text;
  if (statement === undefined) return say(":plan takes a statement, or shows that of the last one.");
  const bare = statement.replace(/^explain\s*(\(\s*format\s+\w+\s*\))?\s*/i, "");
  let text = "";
  for await (const result of link.client.sql(`EXPLAIN ${bare};`, { signal })) {
    for await (const batch of result.batches()) {
      for (let row = 0; row < batch.rowCount; row += 1) text += `${batch.values(0).text(row)}\n`;
    }
  }
  await output.write(`${planTree(text).map(visible).join("\n")}\n\n`);
}

async function showHistory(session: ShellTools, argument: string): Promise<void> {
  const { history, output } = session.options;
  const entries = await history.timed();
  const pattern = /^\/(.*)\/?$/.exec(argument)?.[1]?.replace(/\/$/, "").toLowerCase();
  const found =
    pattern === undefined ? entries : entries.filter(({ sql }) => sql.toLowerCase().includes(pattern));
  const most = /^\d+$/.test(argument) ? Number(argument) : 50;
  const shown = most === 0 ? [] : found.slice(-most);
  const lines = shown.map(({ at, sql }) => {
    const time =
      at === undefined ? "?".padEnd(19) : new Date(at).toISOString().slice(0, 19).replace("T", " ");
    return `${time}  ${sql
      .split("\n")
      .map(visible)
      .join(`\n${" ".repeat(21)}`)}`;
  });
  await output.write(
    `${lines.join("\n")}${lines.length > 0 ? "\n" : ""}${count(found.length, "statement")}\n\n`,
  );
}

async function save(session: ShellTools, argument: string, say: Say): Promise<void> {
  const { saved } = session.options;
  const [, name = "", given = ""] = /^(\S*)\s*([^]*)$/.exec(argument) ?? [];
  if (!SavedQueries.isName(name)) {
    const list = saved.names.length === 0 ? "Nothing is saved yet." : `Saved: ${saved.names.join(", ")}.`;
    return say(`:save NAME [SQL] keeps a statement; NAME has letters, digits, "_" and "-". ${list}`);
  }
  const sql = given === "" ? session.lastSql : given;
  if (sql === undefined) return say("There is no statement to save yet.");
  await saved.save(name, sql);
  return say(`Saved. :run ${name} runs it.`);
}

async function redirect(session: ShellTools, argument: string, say: Say): Promise<void> {
  const { system } = session.options;
  if (argument === "") {
    const { outputFile } = session.settings;
    session.settings.outputFile = undefined;
    return say(
      outputFile === undefined
        ? "Results are printed here."
        : `Results are printed here again, not into ${outputFile}.`,
    );
  }
  try {
    await system.files.append(argument, "");
  } catch (error) {
    return say(`Cannot write ${argument}: ${error instanceof Error ? error.message : String(error)}`);
  }
  session.settings.outputFile = argument;
  return say(`Results are appended to ${argument}; ":output" alone ends that.`);
}

function unknownWord(what: string, word: string, known: readonly string[]): string {
  const near = nearest(word, known);
  const suggestion =
    near === undefined ? ` There is: ${known.join(", ") || "none"}.` : ` Did you mean ${near}?`;
  return `There is no ${what} "${visible(word)}".${suggestion}`;
}
