import { nearest } from "../nearest.js";

/** What a line means that is no SQL. */
export type ShellCommand =
  | { readonly kind: "help" }
  | { readonly kind: "quit" }
  | { readonly kind: "unknown"; readonly word: string; readonly suggestion: string | undefined };

const names: Readonly<Record<string, "help" | "quit">> = {
  help: "help",
  h: "help",
  "?": "help",
  quit: "quit",
  q: "quit",
  exit: "quit",
};

/** The command in a line: `:help`, `\q`, `exit`. Undefined when it is SQL. */
export function parseShellCommand(text: string): ShellCommand | undefined {
  const line = text.trim();
  const bare = /^(exit|quit|help)\s*;?$/i.exec(line);
  if (bare?.[1] !== undefined) return { kind: names[bare[1].toLowerCase()] ?? "help" };
  const marked = /^[:\\](\S*)/.exec(line);
  if (marked === null) return undefined;
  const word = (marked[1] ?? "").replace(/;$/, "").toLowerCase();
  const kind = Object.hasOwn(names, word) ? names[word] : undefined;
  if (kind !== undefined) return { kind };
  const near = nearest(word, ["help", "quit"]);
  return { kind: "unknown", word, suggestion: near === undefined ? undefined : `:${near}` };
}

export const shellHelp = `Statements end with ";". Enter within one begins a new line. "\\G" at the end prints rows down.
  SHOW STREAMS;                          what there is
  CREATE STREAM demo;                    a stream without declared columns
  INSERT INTO demo (a, b) VALUES (1, 'x');
  SELECT * FROM demo;                    what it holds now
  SELECT * FROM demo EMIT CHANGES;       what comes from now on, until Ctrl-C

  :help  this text        :quit, \\q, exit, Ctrl-D  leave
  Up, Down     lines, then history      Ctrl-A, Ctrl-E   start, end of the line
  Alt-B, Alt-F words                    Ctrl-W, Ctrl-U, Ctrl-K   cut; Ctrl-Y yanks, Alt-Y an older one
  Ctrl-_       undo; Alt-_ redo         Alt-Enter, Ctrl-J  a new line anywhere
  Ctrl-C       stops what runs, or clears the input
`;
