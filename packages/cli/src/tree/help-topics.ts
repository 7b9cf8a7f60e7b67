import { type Command, CommanderError } from "commander";
import type { System } from "../system/system.js";
import { describe } from "./describe.js";
import { manPage } from "./man-page.js";

/** Texts of `hstream help TOPIC`. */
const topics: Readonly<Record<string, string>> = {
  "exit-codes": `Exit codes

  0        done
  1        the server refused; every SQL error; a record that cannot be read
  2        the command line, or a file of settings, is wrong
  3        it does not exist, or exists already
  4        the server does not know or allow you, or TLS does not come about
  5        no server answers, or not in time
  6        some statements of a script failed, with --on-error continue
  130 143  ended by Ctrl-C, by SIGTERM
  141      the reader of the output has gone
`,
  environment: `Environment

  Every flag has a variable: HSTREAM_ and its name in capitals, "_" for "-". For instance

  HSTREAM_HOST, HSTREAM_PORT  the server; weaker than --host and --port
  HSTREAM_SERVICE_URL         hstream://host:port[,host:port], or hstreams:// for TLS
  HSTREAM_TOKEN               who you are; not seen in the list of processes, as --token is
  HSTREAM_TLS_CA              certificates to trust
  HSTREAM_CONTEXT             a name that "hstream context add" gave
  HSTREAM_OUTPUT              as -o
  HSTREAM_PLAIN=1             a shell without a live prompt

  A flag without a value is set by anything but "", 0, false, no and off. Besides there are

  HSTREAM_PAGER, PAGER        what long results are shown in
  VISUAL, EDITOR              what Ctrl-X opens
  NO_COLOR                    no colours
  XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_CACHE_HOME  where contexts, the history and names are kept

A flag is stronger than the environment, the environment than a context.
`,
  output: `Output

  -o table      for people; too wide for the terminal: one field a line
  -o vertical   one field a line
  -o json       one line a statement: [{"a":1}]
  -o ndjson     one object a line, as the rows come
  -o csv, tsv   a header, then lines; NULL is an empty cell, \\N in tsv
  -o markdown   a table for a document
  -o yaml       a list of maps

Results go to standard output, everything else to standard error. With json and ndjson an error is one line:
{"error":{"code":402,"message":"…","hint":null,"position":{"line":1,"column":8}}}
`,
  sql: `SQL

  CREATE STREAM demo;                          a stream; columns may be declared
  INSERT INTO demo (a, b) VALUES (1, 'x');
  SELECT * FROM demo WHERE a > 0;              what is stored, once
  SELECT * FROM demo EMIT CHANGES;             what comes, until Ctrl-C
  CREATE VIEW v AS SELECT b, COUNT(*) AS n FROM demo GROUP BY b;
  SHOW STREAMS; SHOW VIEWS; SHOW QUERIES; DESCRIBE demo; DROP STREAM demo;

In the shell :help STATEMENT and :help FUNCTION tell more.
`,
  contexts: `Contexts

  hstream context add staging hstream://10.0.0.5:6570
  hstream context use staging        hstream context use -   (the one before)
  hstream stream list --context staging

A context names a server. Flags and HSTREAM_HOST, HSTREAM_PORT, HSTREAM_SERVICE_URL are stronger.
`,
};

/** `help [command…|topic] [--json]` instead of commander's own. */
export function addHelpTopics(program: Command, system: System): void {
  program
    .helpCommand(false)
    .command("help [command...]")
    .description(`help on a command, or on ${Object.keys(topics).join(", ")}`)
    .option("--json", "all commands and flags, for programs")
    .option("--man", "the same as a manual page: hstream help --man > hstream.1")
    .action(async (words: readonly string[], options: { json?: boolean; man?: boolean }) => {
      if (options.man === true) return system.stdout.write(manPage(program, topics));
      if (options.json === true) return system.stdout.write(`${JSON.stringify(describe(program))}\n`);
      const topic = topics[words.join(" ")];
      const alsoCommand = program.commands.some((one) => one.name() === words.join(" "));
      if (topic !== undefined && !alsoCommand) return system.stdout.write(topic);
      let command = program;
      for (const word of words) {
        const child = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
        if (child === undefined) command.error(`error: unknown command '${word}'`);
        else command = child;
      }
      command.outputHelp();
      if (topic !== undefined) await system.stdout.write(`\n${topic}`);
      throw new CommanderError(0, "commander.help", "");
    });
}
