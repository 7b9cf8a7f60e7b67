/** A statement of a text, as the SQL lexer sees it. */
export interface StatementText {
  /** Without its end. */
  readonly text: string;
  /** Whether an end was found; only the last one may lack it. */
  readonly terminated: boolean;
  /** Ended by \G: rows are printed down. */
  readonly verticalOutput: boolean;
}

/** Finds the statements of a text; comments and blanks alone are none. */
export type StatementSplitter = (text: string) => readonly StatementText[];

/** Whether Enter runs the text. */
export function isComplete(split: StatementSplitter, text: string): boolean {
  return split(text).every(({ terminated }) => terminated);
}

/** The splitter of the SQL package; loaded when it is needed, since the lexer takes a moment. */
export async function loadSplitter(): Promise<StatementSplitter> {
  const name: string = "@hstream/sql/tokens";
  const { splitStatements } = (await import(name)) as { splitStatements: StatementSplitter };
  return splitStatements;
}
