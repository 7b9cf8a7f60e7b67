import { splitStatements } from "@hstream/sql/tokens";
import { sqlPainter } from "./colours.js";
import { complete, type CompletionSources } from "./completion/complete.js";
import type { Completion } from "./completion/completion.js";
import type { Painter } from "./painter.js";
import { isComplete } from "./statements.js";

/** What the prompt knows of SQL. Its lexer takes a moment to load, so the prompt stands before it. */
export interface ShellLanguage {
  /** Whether Enter runs the text. */
  readonly isComplete: (text: string) => boolean;
  readonly complete: (text: string, cursor: number, sources: CompletionSources) => Completion;
  readonly paint: (text: string, cursor: number) => Painter;
}

export const shellLanguage: ShellLanguage = {
  isComplete: (text) => isComplete(splitStatements, text),
  complete,
  paint: sqlPainter,
};
