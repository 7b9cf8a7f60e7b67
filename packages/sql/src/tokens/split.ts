import type { Span } from "../diagnostic.js";
import { lex, spanBetween, type Token, tokenSpan } from "./lexer.js";
import { Semicolon, VerticalEnd } from "./token-types.js";

/** A statement as it stands in a script. */
export interface StatementText {
  /** Without its end; comments inside stay. */
  readonly text: string;
  readonly span: Span;
  /** Whether a ";" or "\G" ended it. The last statement may still be growing. */
  readonly terminated: boolean;
  /** Ended by \G or \gx: one field a line. */
  readonly verticalOutput: boolean;
}

/** Where each statement ends: at ";", "\G" and "\gx" outside strings, quoted names and comments. */
export function splitStatements(text: string): readonly StatementText[] {
  return splitTokens(lex(text).tokens).map(({ tokens, end }) => {
    const span = tokensSpan(tokens);
    return {
      text: text.slice(span.start, span.end),
      span,
      terminated: end !== undefined,
      verticalOutput: end?.tokenType === VerticalEnd,
    };
  });
}

export interface StatementTokens {
  /** At least one. */
  readonly tokens: Token[];
  readonly end: Token | undefined;
}

export function splitTokens(tokens: readonly Token[]): readonly StatementTokens[] {
  const statements: StatementTokens[] = [];
  let current: Token[] = [];
  for (const token of tokens) {
    if (token.tokenType === Semicolon || token.tokenType === VerticalEnd) {
      if (current.length > 0) statements.push({ tokens: current, end: token });
      current = [];
    } else current.push(token);
  }
  if (current.length > 0) statements.push({ tokens: current, end: undefined });
  return statements;
}

export function tokensSpan(tokens: readonly Token[]): Span {
  const [first] = tokens;
  const last = tokens.at(-1);
  if (first === undefined || last === undefined) return { start: 0, end: 0, line: 1, column: 1 };
  return spanBetween(tokenSpan(first), tokenSpan(last));
}
