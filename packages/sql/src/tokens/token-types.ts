import { createToken, Lexer, type TokenType } from "chevrotain";
import { contextualWords, type Keyword, reservedWords } from "./keywords.js";

/** A name: a plain word, a contextual keyword, or a quoted one. */
export const Name = createToken({ name: "name", pattern: Lexer.NA });
/** An unquoted word that is not reserved. */
export const Word = createToken({
  name: "word",
  // Everything beyond Latin-1 signs counts as a letter; white space is matched before.
  pattern: /[A-Za-z_\u00aa-\uffff][A-Za-z0-9_\u00aa-\uffff]*/,
  categories: [Name],
});
export const QuotedName = createToken({
  name: "quoted name",
  // A backslash takes the meaning of a quote away, as it did in the texts of the first dialects.
  pattern: /"[^"\\]*(?:(?:\\[^]|"")[^"\\]*)*"|`[^`]*`/,
  categories: [Name],
  line_breaks: true,
});
export const Text = createToken({ name: "text", pattern: /'[^']*(?:''[^']*)*'/, line_breaks: true });
export const Decimal = createToken({
  name: "number",
  pattern: /(?:\d+\.\d+|\.\d+|\d+\.(?!\.))(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+/,
});
export const Integer = createToken({ name: "integer", pattern: /\d+/ });

export const Semicolon = createToken({ name: ";", pattern: ";" });
/** Ends a statement and asks for one field a line. */
export const VerticalEnd = createToken({ name: "\\G", pattern: /\\(?:G|gx)/ });

export const LineComment = createToken({
  name: "line comment",
  pattern: /(?:--|\/\/)[^\n\r]*/,
  group: "comments",
});
export const BlockComment = createToken({
  name: "comment",
  pattern: /\/\*[^*]*\*+(?:[^/*][^*]*\*+)*\//,
  group: "comments",
  line_breaks: true,
});
const Blank = createToken({ name: "blank", pattern: /\s+/, group: Lexer.SKIPPED, line_breaks: true });

export const UnterminatedText = createToken({
  name: "unterminated text",
  pattern: /'[^]*/,
  line_breaks: true,
});
export const UnterminatedName = createToken({
  name: "unterminated name",
  pattern: /"[^]*|`[^]*/,
  line_breaks: true,
});
export const UnterminatedComment = createToken({
  name: "unterminated comment",
  pattern: /\/\*[^]*/,
  line_breaks: true,
});
export const Unknown = createToken({ name: "unknown character", pattern: /[^]/, line_breaks: true });

/** An operator that stands between two operands. */
export const InfixOperator = createToken({ name: "operator", pattern: Lexer.NA });

function symbol(name: string, pattern: string | RegExp = name, categories: TokenType[] = []): TokenType {
  return createToken({ name, pattern, categories });
}

export const CastOperator = symbol("::");
export const Plus = symbol("+", "+", [InfixOperator]);
export const Minus = symbol("-", "-", [InfixOperator]);
export const Star = symbol("*", "*", [InfixOperator]);
export const Equal = symbol("=", /==?/, [InfixOperator]);
export const Comma = symbol(",");
export const Dot = symbol(".");
export const Colon = symbol(":");
export const OpenParen = symbol("(");
export const CloseParen = symbol(")");
export const OpenBracket = symbol("[");
export const CloseBracket = symbol("]");
export const OpenBrace = symbol("{");
export const CloseBrace = symbol("}");

export const Arrow = symbol("=>", "=>", [InfixOperator]);

const infixSymbols: readonly TokenType[] = [
  symbol("->>", "->>", [InfixOperator]),
  symbol("->", "->", [InfixOperator]),
  symbol("#>>", "#>>", [InfixOperator]),
  symbol("#>", "#>", [InfixOperator]),
  symbol("||", "||", [InfixOperator]),
  symbol("&&", "&&", [InfixOperator]),
  Arrow,
  symbol("<>", /<>|!=/, [InfixOperator]),
  symbol("<=", "<=", [InfixOperator]),
  symbol(">=", ">=", [InfixOperator]),
  symbol("<", "<", [InfixOperator]),
  symbol(">", ">", [InfixOperator]),
  symbol("/", "/", [InfixOperator]),
  symbol("%", "%", [InfixOperator]),
];

const infixWords: ReadonlySet<string> = new Set(["AND", "OR", "DIV"]);

function keywordToken(word: Keyword, reserved: boolean): TokenType {
  const categories = [...(reserved ? [] : [Name]), ...(infixWords.has(word) ? [InfixOperator] : [])];
  // Made from words after lexing, never matched by a pattern.
  return createToken({ name: word, pattern: Lexer.NA, categories });
}

/** Token types of all keywords, by upper-case word. */
export const keywordTokens: ReadonlyMap<string, TokenType> = new Map<string, TokenType>([
  ...reservedWords.map((word) => [word, keywordToken(word, true)] as const),
  ...contextualWords.map((word) => [word, keywordToken(word, false)] as const),
]);

const reserved: ReadonlySet<string> = new Set(reservedWords);

export function isReserved(word: string): boolean {
  return reserved.has(word.toUpperCase());
}

/** What the lexer matches, in order of preference. */
export const lexedTypes: TokenType[] = [
  Blank,
  LineComment,
  BlockComment,
  UnterminatedComment,
  Word,
  Decimal,
  Integer,
  Text,
  UnterminatedText,
  QuotedName,
  UnterminatedName,
  Semicolon,
  VerticalEnd,
  CastOperator,
  ...infixSymbols,
  Plus,
  Minus,
  Star,
  Equal,
  Comma,
  Dot,
  Colon,
  OpenParen,
  CloseParen,
  OpenBracket,
  CloseBracket,
  OpenBrace,
  CloseBrace,
  Unknown,
];

/** The vocabulary of the parser. */
export const allTypes: TokenType[] = [...lexedTypes, Name, InfixOperator, ...keywordTokens.values()];
