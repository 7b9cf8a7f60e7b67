import type { StatementText } from "@hstream/sql/tokens";

/** Finds the statements of a text; comments and blanks alone are none. */
export type StatementSplitter = (text: string) => readonly StatementText[];

/** Whether Enter runs the text. */
export function isComplete(split: StatementSplitter, text: string): boolean {
  return split(text).every(({ terminated }) => terminated);
}

/** The splitter of the SQL package; loaded when it is needed, since the lexer takes a moment. */
export async function loadSplitter(): Promise<StatementSplitter> {
  return (await import("@hstream/sql/tokens")).splitStatements;
}
