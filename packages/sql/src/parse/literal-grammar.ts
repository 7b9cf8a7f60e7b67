import type { ParserMethod } from "chevrotain";
import type { ExpressionNode, TypeNode } from "../ast/ast.js";
import { type Token, tokenSpan } from "../tokens/lexer.js";
import {
  CloseBracket,
  Colon,
  Decimal,
  Integer,
  Minus,
  Name,
  OpenBracket,
  Text,
} from "../tokens/token-types.js";
import { BOOLEAN, NULL_TYPE } from "../types/types.js";
import { intervalUnit } from "../values/calendar.js";
import { GrammarBase, keyword } from "./grammar-base.js";
import {
  intervalLiteral,
  literal,
  momentLiteral,
  nameOf,
  numberLiteral,
  textLiteral,
  textOf,
} from "./literals.js";

/** Literals and types; the BNF is in grammar.ts. */
export abstract class LiteralGrammar extends GrammarBase {
  readonly constant: ParserMethod<[], ExpressionNode> = this.RULE("constant", () =>
    this.OR<ExpressionNode>([
      {
        ALT: () => {
          const token = this.CONSUME(Text);
          return this.ACTION(() => textLiteral(token));
        },
      },
      {
        ALT: () => {
          const minus = this.OPTION(() => this.CONSUME(Minus));
          const token = this.SUBRULE(this.number);
          return this.ACTION(() =>
            numberLiteral(token, minus === undefined ? "" : "-", this.spanFrom(minus ?? token)),
          );
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(keyword("NULL"));
          return this.ACTION(() => literal(null, NULL_TYPE, "NULL", tokenSpan(token)));
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(keyword("TRUE"));
          return this.ACTION(() => literal(true, BOOLEAN, "TRUE", tokenSpan(token)));
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(keyword("FALSE"));
          return this.ACTION(() => literal(false, BOOLEAN, "FALSE", tokenSpan(token)));
        },
      },
    ]),
  );

  readonly number: ParserMethod<[], Token> = this.RULE("numberToken", () =>
    this.OR<Token>([{ ALT: () => this.CONSUME(Integer) }, { ALT: () => this.CONSUME(Decimal) }]),
  );

  readonly interval: ParserMethod<[], ExpressionNode> = this.RULE("interval", () => {
    const first = this.CONSUME(keyword("INTERVAL"));
    let text = "";
    this.OR([
      {
        ALT: () => {
          const token = this.CONSUME(Text);
          this.ACTION(() => {
            text = textOf(token);
          });
        },
      },
      {
        ALT: () => {
          this.OPTION(() => {
            this.CONSUME(Minus);
            text = "-";
          });
          text += this.SUBRULE(this.number).image;
          this.MANY(() => {
            this.CONSUME(Colon);
            text += `:${this.SUBRULE1(this.number).image}`;
          });
        },
      },
    ]);
    // A word behind it is the unit, or an alias when the text needs none: INTERVAL '5 SECOND' x.
    const unit = this.OPTION1({
      GATE: () => intervalUnit(this.LA(1).image) !== undefined || /^\s*-?[\d.]+\s*$/.test(text),
      DEF: () => this.CONSUME(Name),
    });
    return this.ACTION(() => intervalLiteral(text, unit, this.spanFrom(first)));
  });

  readonly moment: ParserMethod<[], ExpressionNode> = this.RULE("moment", () => {
    const word = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("DATE")) },
      { ALT: () => this.CONSUME(keyword("TIMESTAMP")) },
      { ALT: () => this.CONSUME(keyword("TIME")) },
    ]);
    let text = "";
    this.OR1([
      {
        ALT: () => {
          const token = this.CONSUME(Text);
          this.ACTION(() => {
            text = textOf(token);
          });
        },
      },
      {
        // DATE 2021-1-2, TIME 11:45:14
        ALT: () => {
          text = this.SUBRULE(this.number).image;
          this.MANY(() => {
            const separator = this.OR2<Token>([
              { ALT: () => this.CONSUME(Minus) },
              { ALT: () => this.CONSUME(Colon) },
            ]);
            text += separator.image + this.SUBRULE1(this.number).image;
          });
        },
      },
    ]);
    return this.ACTION(() => momentLiteral(word.image, text, this.spanFrom(word)));
  });

  readonly type: ParserMethod<[], TypeNode> = this.RULE("type", () => {
    const name = this.CONSUME(Name);
    let dimensions = 0;
    this.MANY({
      GATE: () => this.nextIs(CloseBracket, 2),
      DEF: () => {
        this.CONSUME(OpenBracket);
        this.CONSUME(CloseBracket);
        dimensions += 1;
      },
    });
    return this.ACTION((): TypeNode => ({ name: nameOf(name), dimensions, span: this.spanFrom(name) }));
  });
}
