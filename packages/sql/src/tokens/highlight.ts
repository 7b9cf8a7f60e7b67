import type { Span } from "../diagnostic.js";
import { lex, type Token, tokenSpan } from "./lexer.js";
import {
  BlockComment,
  Decimal,
  Integer,
  InfixOperator,
  isReserved,
  keywordTokens,
  LineComment,
  OpenParen,
  QuotedName,
  Text,
  Unknown,
  UnterminatedComment,
  UnterminatedName,
  UnterminatedText,
  Word,
} from "./token-types.js";

export type TokenClass =
  | "keyword"
  | "function"
  | "name"
  | "text"
  | "number"
  | "operator"
  | "punctuation"
  | "comment"
  | "error";

export interface ClassifiedToken {
  readonly class: TokenClass;
  readonly span: Span;
}

/** What each piece of a text is, in order, for colours; blanks are left out. Takes incomplete text. */
export function classifyTokens(text: string): readonly ClassifiedToken[] {
  const { tokens, comments } = lex(text);
  const all = tokens.map((token, i) => ({ class: classOf(token, tokens[i + 1]), span: tokenSpan(token) }));
  for (const comment of comments) all.push({ class: "comment", span: tokenSpan(comment) });
  return all.sort((a, b) => a.span.start - b.span.start);
}

function classOf(token: Token, next: Token | undefined): TokenClass {
  switch (token.tokenType) {
    case Text:
    case UnterminatedText:
      return "text";
    case Decimal:
    case Integer:
      return "number";
    case QuotedName:
    case UnterminatedName:
      return "name";
    case LineComment:
    case BlockComment:
    case UnterminatedComment:
      return "comment";
    case Unknown:
      return "error";
    case Word:
      return next?.tokenType === OpenParen ? "function" : "name";
    default:
      break;
  }
  if (keywordTokens.has(token.tokenType.name)) {
    return !isReserved(token.image) && next?.tokenType === OpenParen ? "function" : "keyword";
  }
  return token.tokenType.CATEGORIES?.includes(InfixOperator) === true ? "operator" : "punctuation";
}
