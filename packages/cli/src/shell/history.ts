/** Statements of before, the newest last, and where the user is among them. */
export interface History {
  readonly entries: readonly string[];
  /** undefined: at what is being typed. */
  readonly index: number | undefined;
  /** What was being typed when the user went back. */
  readonly draft: string;
}

export const historyEntriesMax = 10_000;

export function historyOf(entries: readonly string[]): History {
  return { entries: entries.slice(-historyEntriesMax), index: undefined, draft: "" };
}

/** Adds a statement, unless it is the last one again, and returns to the present. */
export function remember(history: History, statement: string): History {
  const again = history.entries.at(-1) === statement;
  return historyOf(again ? history.entries : [...history.entries, statement]);
}

/** The statement before; undefined when there is none. */
export function older(history: History, typed: string): { history: History; text: string } | undefined {
  const index = (history.index ?? history.entries.length) - 1;
  const text = history.entries[index];
  if (text === undefined) return undefined;
  const draft = history.index === undefined ? typed : history.draft;
  return { history: { ...history, index, draft }, text };
}

/** The statement after, in the end what was being typed; undefined when there is none. */
export function newer(history: History): { history: History; text: string } | undefined {
  if (history.index === undefined) return undefined;
  const text = history.entries[history.index + 1];
  if (text === undefined) return { history: { ...history, index: undefined }, text: history.draft };
  return { history: { ...history, index: history.index + 1 }, text };
}

/** One line of the history file: {"at": ms since 1970, "sql": statement}. */
export function historyLine(at: number, sql: string): string {
  return `${JSON.stringify({ at, sql })}\n`;
}

export interface TimedStatement {
  /** Milliseconds since 1970; undefined where the file does not say. */
  readonly at: number | undefined;
  readonly sql: string;
}

/** The statements of a history file; what is not a line of it is passed over. */
export function parseHistory(file: string): readonly TimedStatement[] {
  const entries: TimedStatement[] = [];
  for (const line of file.split("\n")) {
    if (line === "") continue;
    try {
      const { at, sql } = JSON.parse(line) as { at?: unknown; sql?: unknown };
      if (typeof sql !== "string" || entries.at(-1)?.sql === sql) continue;
      entries.push({ at: typeof at === "number" && Number.isFinite(at) ? at : undefined, sql });
    } catch {
      // Another shell may be in the midst of writing it.
    }
  }
  return entries.slice(-historyEntriesMax);
}
