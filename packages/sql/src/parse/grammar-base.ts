import { EmbeddedActionsParser, EOF, type IParserErrorMessageProvider, type TokenType } from "chevrotain";
import { must } from "@hstream/proto";
import type { Span } from "../diagnostic.js";
import { parseDepthMax } from "../limits.js";
import type { Keyword } from "../tokens/keywords.js";
import { spanBetween, type Token, tokenSpan } from "../tokens/lexer.js";
import { allTypes, keywordTokens, Minus } from "../tokens/token-types.js";
import { Refusal } from "./refusal.js";

/** The token type of a keyword, for CONSUME. */
export function keyword(word: Keyword): TokenType {
  return must(keywordTokens.get(word), `${word} is a keyword`);
}

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

  protected notYet(table: ReadonlyMap<string, string>): void {
    const token = this.LA(1);
    const what = table.get(token.tokenType.name);
    if (what !== undefined) this.refuse(what, token);
  }

  protected refuse(what: string, token: Token): never {
    throw new Refusal(
      `${what.slice(0, 1).toUpperCase()}${what.slice(1)} is not supported yet`,
      tokenSpan(token),
    );
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
