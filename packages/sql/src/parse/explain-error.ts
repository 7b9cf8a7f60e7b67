import {
  EOF,
  type IParserErrorMessageProvider,
  type IRecognitionException,
  type TokenType,
} from "chevrotain";
import type { Diagnostic, Span } from "../diagnostic.js";
import { nearestName } from "../diagnostics/nearest-name.js";
import { type Token, tokenSpan } from "../tokens/lexer.js";
import { contextualWords, reservedWords } from "../tokens/keywords.js";
import {
  Comma,
  isReserved,
  Name,
  Text,
  Unknown,
  UnterminatedComment,
  UnterminatedName,
  UnterminatedText,
  Word,
} from "../tokens/token-types.js";

/** Remembers what the grammar expected at its first error, as structure instead of a sentence. */
export class ExpectedTokens implements IParserErrorMessageProvider {
  expected: readonly TokenType[] = [];

  buildMismatchTokenMessage(options: { expected: TokenType }): string {
    return this.#remember([options.expected]);
  }

  buildNotAllInputParsedMessage(): string {
    return this.#remember([]);
  }

  buildNoViableAltMessage(options: { expectedPathsPerAlt: TokenType[][][] }): string {
    return this.#remember(options.expectedPathsPerAlt.flat().flatMap((path) => path.slice(0, 1)));
  }

  buildEarlyExitMessage(options: { expectedIterationPaths: TokenType[][] }): string {
    return this.#remember(options.expectedIterationPaths.flatMap((path) => path.slice(0, 1)));
  }

  #remember(expected: readonly TokenType[]): string {
    this.expected = [...new Set(expected)];
    return "";
  }
}

const keywords: readonly string[] = [...reservedWords, ...contextualWords];

/** The finding for a statement that does not fit the grammar. */
export function explainError(
  error: IRecognitionException,
  expected: readonly TokenType[],
  tokens: readonly Token[],
): Diagnostic {
  const atEnd = error.token.tokenType === EOF;
  const span = atEnd ? endSpan(tokens) : tokenSpan(error.token);
  const broken = atEnd ? undefined : explainToken(error.token);
  if (broken !== undefined) return { severity: "error", span, ...broken };
  const found = atEnd ? "The statement ends too early" : `Unexpected ${shown(error.token)}`;
  const wanted = expectation(expected);
  const message = wanted === undefined ? found : `${found}: ${wanted} expected`;
  const hint = hintFor(error, expected, tokens);
  return hint === undefined
    ? { severity: "error", message, span }
    : { severity: "error", message, hint, span };
}

function shown(token: Token): string {
  return token.image.length > 40 ? `'${token.image.slice(0, 40)}…'` : `'${token.image}'`;
}

/** After the last token. */
function endSpan(tokens: readonly Token[]): Span {
  const last = tokens.at(-1);
  if (last === undefined) return { start: 0, end: 0, line: 1, column: 1 };
  const end = (last.endOffset ?? last.startOffset) + 1;
  return { start: end, end, line: last.endLine ?? 1, column: (last.endColumn ?? 0) + 1 };
}

/** What the lexer could not make sense of. */
export function explainToken(token: Token): { readonly message: string; readonly hint?: string } | undefined {
  switch (token.tokenType) {
    case UnterminatedText:
      return { message: "This text has no end", hint: "close it with ' (a quote inside is written twice)" };
    case UnterminatedName:
      return { message: "This quoted name has no end", hint: `close it with ${token.image[0] ?? '"'}` };
    case UnterminatedComment:
      return { message: "This comment has no end", hint: "close it with */" };
    case Unknown:
      return { message: `The character ${shown(token)} means nothing in SQL` };
    default:
      return undefined;
  }
}

/** At most five things, or "an expression" for the many that can start one. */
function expectation(expected: readonly TokenType[]): string | undefined {
  const names = expected.map((type) =>
    type === Name
      ? "a name"
      : type === Text
        ? "a text"
        : type.name === "operator"
          ? "an operator"
          : type.name,
  );
  if (names.includes("CASE") && names.includes("a name")) return "an expression";
  if (names.length === 0 || names.length > 8) return undefined;
  const some = names.slice(0, 5);
  return some.length === 1 ? some[0] : `${some.slice(0, -1).join(", ")} or ${some.at(-1) ?? ""}`;
}

function hintFor(
  error: IRecognitionException,
  expected: readonly TokenType[],
  tokens: readonly Token[],
): string | undefined {
  const at = tokens.indexOf(error.token);
  const wanted = expected.map((type) => type.name).filter((name) => keywords.includes(name));
  const candidates = wanted.length > 0 ? wanted : keywords;
  const here =
    error.token.tokenType === Word ? nearestName(error.token.image.toUpperCase(), candidates) : undefined;
  if (here !== undefined) return `did you mean ${here}?`;
  if (at > 0 && tokens[at - 1]?.tokenType === Comma) return "leave out the comma before it";
  if (expected.includes(Name) && isReserved(error.token.image)) {
    return `${error.token.image.toUpperCase()} is a reserved word; as a name write "${error.token.image}"`;
  }
  // A misspelled keyword may have been taken for an alias: look one word back.
  const before = at > 0 ? tokens[at - 1] : at < 0 ? tokens.at(-1) : undefined;
  if (before?.tokenType === Word) {
    const near = nearestName(before.image.toUpperCase(), reservedWords);
    if (near !== undefined) return `did you mean ${near} instead of ${before.image}?`;
  }
  if (at > 0 && ["SELECT", "CREATE", "INSERT"].includes(error.token.tokenType.name)) {
    return "statements are separated by ;";
  }
  return undefined;
}
