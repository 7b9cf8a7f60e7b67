import { EmbeddedActionsParser, EOF, type IParserErrorMessageProvider, type TokenType } from "chevrotain";
import { must } from "@hstream/proto";
import type { Span } from "../diagnostic.js";
import { parseDepthMax } from "../limits.js";
import type { Keyword } from "../tokens/keywords.js";
import { spanBetween, type Token, tokenSpan } from "../tokens/lexer.js";
import { allTypes, Integer, keywordTokens, Minus, Name, OpenParen, Star } from "../tokens/token-types.js";
import { Refusal } from "./refusal.js";

/** The token type of a keyword, for CONSUME. */
export function keyword(word: Keyword): TokenType {
  return must(keywordTokens.get(word), `${word} is a keyword`);
}

/** What Chevrotain does at an error, which its types do not show. */
interface ErrorRaising {
  maxLookahead: number;
  raiseNoAltException(occurrence: number, message: string | undefined): never;
  raiseEarlyExitException(occurrence: number, kind: unknown, message: string | undefined): never;
}

const raising = EmbeddedActionsParser.prototype as unknown as ErrorRaising;

const comparisonSigns: ReadonlySet<string> = new Set(["=", "==", "<>", "!=", "<", "<=", ">", ">="]);

/** What the parts of the grammar share: looking ahead, refusing, counting depth. */
export abstract class GrammarBase extends EmbeddedActionsParser {
  /** How many rules that can contain themselves are open. */
  protected depth = 0;

  constructor(messages: IParserErrorMessageProvider, checked: boolean) {
    super(allTypes, {
      maxLookahead: 2,
      recoveryEnabled: false,
      skipValidations: !checked,
      errorMessageProvider: messages,
    });
  }

  /**
   * At an error Chevrotain looks for all that could stand there, as far as it looks ahead, which takes up to 20 ms
   * in a grammar of this size. The findings name the next token only, so looking one ahead will do.
   */
  protected raiseNoAltException(occurrence: number, message: string | undefined): never {
    return this.#lookingOneAhead((self) => raising.raiseNoAltException.call(self, occurrence, message));
  }

  protected raiseEarlyExitException(occurrence: number, kind: unknown, message: string | undefined): never {
    return this.#lookingOneAhead((self) =>
      raising.raiseEarlyExitException.call(self, occurrence, kind, message),
    );
  }

  #lookingOneAhead(raise: (self: ErrorRaising) => never): never {
    const self = this as unknown as ErrorRaising;
    const before = self.maxLookahead;
    self.maxLookahead = 1;
    try {
      return raise(self);
    } finally {
      self.maxLookahead = before;
    }
  }

  protected spanFrom(first: Token): Span {
    return spanBetween(tokenSpan(first), tokenSpan(this.LA(0)));
  }

  protected next(word: Keyword, ahead = 1): boolean {
    return this.LA(ahead).tokenType.name === word;
  }

  protected nextIs(type: TokenType, ahead = 1): boolean {
    const { tokenType } = this.LA(ahead);
    return tokenType === type || tokenType.CATEGORIES?.includes(type) === true;
  }

  /** Whether a query starts at that token, behind any parentheses. */
  protected queryFollows(ahead: number): boolean {
    let at = ahead;
    while (this.LA(at).tokenType === OpenParen && at < ahead + parseDepthMax) at += 1;
    return this.next("SELECT", at) || this.next("WITH", at) || this.next("VALUES", at);
  }

  /** EXTRACT(word FROM …: a call of EXTRACT otherwise. */
  protected fromFollows(): boolean {
    return this.next("FROM", 4);
  }

  /** = ANY (, > ALL ( … */
  protected quantifierFollows(): boolean {
    return (
      (this.next("ANY", 2) || this.next("SOME", 2) || this.next("ALL", 2)) &&
      this.nextIs(OpenParen, 3) &&
      comparisonSigns.has(this.LA(1).image)
    );
  }

  /** SELECT ALL a: a word ALL is no name where an item follows it. */
  protected startsItem(ahead: number): boolean {
    const { tokenType } = this.LA(ahead);
    return this.nextIs(Name, ahead) || tokenType === Star || tokenType === Integer;
  }

  /** Whether "-" and a word or number follow without a blank: part of a relation's name. */
  protected hyphenFollows(): boolean {
    const [before, hyphen, after] = [this.LA(0), this.LA(1), this.LA(2)];
    return (
      hyphen.tokenType === Minus &&
      hyphen.startOffset === (before.endOffset ?? 0) + 1 &&
      after.startOffset === hyphen.startOffset + 1
    );
  }

  protected enter(): void {
    this.depth += 1;
    if (this.depth > parseDepthMax) {
      throw new Refusal(
        `This is nested more than ${parseDepthMax} deep`,
        tokenSpan(this.LA(1).tokenType === EOF ? this.LA(0) : this.LA(1)),
        "leave out parentheses, or split the statement",
      );
    }
  }
}
