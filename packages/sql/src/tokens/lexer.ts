import { type IToken, Lexer, type TokenType } from "chevrotain";
import type { Span } from "../diagnostic.js";
import { keywordTokens, lexedTypes, Word } from "./token-types.js";

export type Token = IToken;

let lexer: Lexer | undefined;

export interface LexResult {
  readonly tokens: Token[];
  readonly comments: readonly Token[];
}

/** The tokens of a text, whatever it is; comments apart. */
export function lex(text: string): LexResult {
  lexer ??= new Lexer([...lexedTypes], { ensureOptimizations: false, skipValidations: true });
  const result = lexer.tokenize(text);
  for (const token of result.tokens) {
    if (token.tokenType !== Word) continue;
    const keyword = keywordOf(token.image);
    if (keyword === undefined) continue;
    token.tokenType = keyword;
    token.tokenTypeIdx = keyword.tokenTypeIdx ?? 0;
  }
  return { tokens: result.tokens, comments: result.groups["comments"] ?? [] };
}

const longestKeyword = Math.max(...[...keywordTokens.keys()].map((word) => word.length));

function keywordOf(image: string): TokenType | undefined {
  return image.length > longestKeyword ? undefined : keywordTokens.get(image.toUpperCase());
}

export function tokenSpan(token: Token): Span {
  return {
    start: token.startOffset,
    end: (token.endOffset ?? token.startOffset) + 1,
    line: token.startLine ?? 1,
    column: token.startColumn ?? 1,
  };
}

/** From the start of one to the end of the other. */
export function spanBetween(first: Span, last: Span): Span {
  return { start: first.start, end: Math.max(first.end, last.end), line: first.line, column: first.column };
}
