import { type ClassifiedToken, classifyTokens, splitStatements } from "@hstream/sql/tokens";

/** A token of the statement that is being typed. */
export interface Piece {
  readonly class: ClassifiedToken["class"];
  /** In upper case for words, as it is for quoted names and texts. */
  readonly text: string;
  readonly raw: string;
  readonly start: number;
  readonly end: number;
}

/** The tokens of the statement around the cursor. */
export function piecesAt(text: string, cursor: number): readonly Piece[] {
  const { start, end } = statementAt(text, cursor);
  return classifyTokens(text.slice(start, end)).map((token) => {
    const raw = text.slice(start + token.span.start, start + token.span.end);
    const quoted = /^["`']/.test(raw);
    const shown = { class: token.class, raw, text: quoted ? raw : raw.toUpperCase() };
    return { ...shown, start: start + token.span.start, end: start + token.span.end };
  });
}

/** The name that a token spells. */
export function nameIn(piece: Piece | undefined): string {
  return piece?.raw.replaceAll(/["`]/g, "") ?? "";
}

function statementAt(text: string, cursor: number): { readonly start: number; readonly end: number } {
  let start = 0;
  for (const statement of splitStatements(text)) {
    const end = statement.span.end + (statement.terminated ? 1 : 0);
    if (statement.terminated && end <= cursor) start = end;
    else return { start, end: statement.terminated ? statement.span.end : text.length };
  }
  return { start, end: text.length };
}
