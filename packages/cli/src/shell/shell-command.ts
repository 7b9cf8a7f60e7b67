import { outputFormats } from "../output/format.js";
import { nearest } from "../nearest.js";
import { statementTopics } from "./statement-help.js";

/** What a command takes behind its name, for completion. */
export type CommandArgument =
  | { readonly kind: "sql" | "relation" | "file" | "saved" }
  | { readonly kind: "words" | "topic"; readonly words: readonly string[] };

export interface CommandName {
  readonly name: string;
  readonly aliases: readonly string[];
  /** Behind the name, as the help shows it. */
  readonly usage: string;
  readonly help: string;
  readonly takes?: CommandArgument;
}

function command(
  name: string,
  usage: string,
  help: string,
  takes?: CommandArgument,
  aliases: readonly string[] = [],
): CommandName {
  return { name, aliases, usage, help, ...(takes === undefined ? {} : { takes }) };
}

const words = (...list: readonly string[]): CommandArgument => ({ kind: "words", words: list });

/** Every command of the shell, in the order of the help. */
export const commandNames: readonly CommandName[] = [
  command(
    "help",
    "[FUNCTION|STATEMENT]",
    "this text, or help on one thing",
    { kind: "topic", words: statementTopics },
    ["h", "?"],
  ),
  command("quit", "", "leave, as Ctrl-D does", undefined, ["q", "exit"]),
  command("d", "[NAME]", "streams and views, or the columns of one", { kind: "relation" }, [
    "describe",
    "dt",
  ]),
  command("format", "[FORMAT]", "how results are printed", words(...outputFormats), ["x"]),
  command("last", "[FORMAT]", "the last result again, whole", words(...outputFormats)),
  command("live", "[on|off]", "push queries as a table that changes in place", words("on", "off")),
  command("chart", "[line|bar|spark|off] [SQL]", "results as a chart", words("line", "bar", "spark", "off")),
  command("watch", "2s [TIMES] [SQL]", "run a statement again and again", words("1s", "2s", "5s", "10s")),
  command("top", "", "what the server holds and does, live"),
  command("plan", "[SQL|QUERY|VIEW]", "how a statement runs, as a tree; of what runs, live with its rates", {
    kind: "sql",
  }),
  command("history", "[N|/PART/]", "statements of before", undefined, ["s"]),
  command("edit", "", "write the statement in $EDITOR", undefined, ["e"]),
  command("save", "NAME [SQL]", "keep a statement under a name", { kind: "saved" }),
  command("run", "NAME", "run a saved statement", { kind: "saved" }),
  command("source", "FILE", "run the statements of a file", { kind: "file" }, ["i"]),
  command("output", "[FILE]", "results go to a file; back again without one", { kind: "file" }, ["o"]),
  command("pager", "[on|off]", "long results in $PAGER", words("on", "off")),
  command("timing", "[on|off]", "how long a statement took", words("on", "off")),
  command("refresh", "", "ask the server for its names again"),
  command("nodes", "", "the nodes of the cluster, their load and what they hold, live"),
  command("placement", "NAME", "which node holds the shards of a stream", { kind: "relation" }),
  command("drain", "NODE", "move everything off a node"),
  command("undrain", "NODE", "let a node take work again"),
];

/** What a line means that is no SQL. */
export type ShellCommand =
  | { readonly kind: "command"; readonly name: string; readonly argument: string }
  | { readonly kind: "unknown"; readonly word: string; readonly suggestion: string | undefined }
  /** A statement of older shells, or one for the shell rather than for the server. */
  | { readonly kind: "use-admin" }
  | { readonly kind: "show-nodes" }
  | { readonly kind: "use-cluster"; readonly url: string };

const byName = new Map<string, CommandName>();
for (const one of commandNames) for (const name of [one.name, ...one.aliases]) byName.set(name, one);

/** The command in a line: `:help`, `\q`, `exit`, `USE ADMIN`. Undefined when it is SQL. */
export function parseShellCommand(text: string): ShellCommand | undefined {
  const line = text.trim();
  const bare = /^(exit|quit|help)\s*;?$/i.exec(line);
  if (bare?.[1] !== undefined) {
    return { kind: "command", name: byName.get(bare[1].toLowerCase())?.name ?? "help", argument: "" };
  }
  if (/^use\s+admin\s*;?$/i.test(line)) return { kind: "use-admin" };
  const cluster = /^use\s+cluster\s+'([^']+)'\s*;?$/i.exec(line);
  if (cluster?.[1] !== undefined) return { kind: "use-cluster", url: cluster[1] };
  if (/^show\s+nodes\s*;?$/i.test(line)) return { kind: "show-nodes" };
  const marked = /^[:\\](\S*)\s*([^]*)$/.exec(line);
  if (marked === null) return undefined;
  const word = (marked[1] ?? "").replace(/;$/, "").toLowerCase();
  const known = byName.get(word);
  if (known !== undefined) return { kind: "command", name: known.name, argument: (marked[2] ?? "").trim() };
  const near = nearest(word, [...byName.keys()]);
  return { kind: "unknown", word, suggestion: near === undefined ? undefined : `:${near}` };
}

/** The text of `:help`. */
export function shellHelp(): string {
  const width = Math.max(...commandNames.map(({ name, usage }) => name.length + usage.length)) + 2;
  const commands = commandNames.map(
    ({ name, usage, help }) => `  :${`${name} ${usage}`.padEnd(width)}  ${help}`,
  );
  return `Statements end with ";". Enter within one begins a new line. "\\G" at the end prints rows down.
  SHOW STREAMS;                          what there is
  CREATE STREAM demo;                    a stream without declared columns
  INSERT INTO demo (a, b) VALUES (1, 'x');
  SELECT * FROM demo;                    what it holds now
  SELECT * FROM demo EMIT CHANGES;       what comes from now on, until Ctrl-C

${commands.join("\n")}

  Tab          completes; again: the next    Right, Ctrl-E   takes the grey text
  Ctrl-R       searches the history          Up, Down        lines, then history
  Alt-B, Alt-F words                         Ctrl-W, Ctrl-U, Ctrl-K  cut; Ctrl-Y yanks, Alt-Y an older one
  Ctrl-_       undo; Alt-_ redo              Alt-Enter, Ctrl-J  a new line anywhere
  Ctrl-X       writes in $EDITOR             Ctrl-C          stops what runs, or clears the input
While a query runs: Ctrl-S pauses, Ctrl-O shows it in another form, Ctrl-C stops it.
`;
}
