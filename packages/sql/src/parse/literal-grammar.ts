import type { ParserMethod } from "chevrotain";
import type { ExpressionNode, TypeNode } from "../ast/ast.js";
import { type Token, tokenSpan } from "../tokens/lexer.js";
import {
  Arrow,
  CloseBracket,
  Colon,
  Decimal,
  Integer,
  Minus,
  Name,
  OpenBracket,
  Plus,
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
          // Years, months and days before the time: INTERVAL 1-2-3 0:0:5.
          this.OPTION2({
            GATE: () => this.nextIs(Minus, 3) && this.nextIs(Colon, 6),
            DEF: () => {
              this.CONSUME1(Minus);
              const months = this.SUBRULE2(this.number);
              this.CONSUME2(Minus);
              const days = this.SUBRULE3(this.number);
              const hours = this.SUBRULE4(this.number);
              text = `${text} years ${months.image} months ${days.image} days ${hours.image}`;
            },
          });
          this.MANY(() => {
            this.CONSUME(Colon);
            text += `:${this.SUBRULE1(this.number).image}`;
          });
          this.ACTION(() => {
            text = text.replace(/ (\d+):(\d+):([\d.]+)$/, " $1 hours $2 minutes $3 seconds");
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
          this.OPTION({
            GATE: () => this.timeFollows(word),
            DEF: () => {
              text += this.SUBRULE(this.timeOfDay);
            },
          });
        },
      },
    ]);
    return this.ACTION(() => momentLiteral(word.image, text, this.spanFrom(word)));
  });

  /** Behind TIMESTAMP 2022-1-1: [T] 12:0:0 [+8:0], as text of ISO 8601. */
  readonly timeOfDay: ParserMethod<[], string> = this.RULE("timeOfDay", () => {
    this.OPTION(() => this.CONSUME(Name));
    const parts: string[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Colon, DEF: () => parts.push(this.SUBRULE(this.number).image) });
    const zone: string[] = [];
    const sign = this.OPTION1({
      GATE: () => this.nextIs(Colon, 3),
      DEF: () => {
        const token = this.OR<Token>([{ ALT: () => this.CONSUME(Plus) }, { ALT: () => this.CONSUME(Minus) }]);
        this.AT_LEAST_ONE_SEP1({ SEP: Colon, DEF: () => zone.push(this.SUBRULE1(this.number).image) });
        return token.image;
      },
    });
    return this.ACTION(() => {
      const two = (part: string): string => (/^\d(\.|$)/.test(part) ? `0${part}` : part);
      const shift = sign === undefined ? "Z" : `${sign}${zone.map(two).join(":")}`;
      return `T${parts.map(two).join(":")}${shift}`;
    });
  });

  private timeFollows(word: Token): boolean {
    if (word.image.toUpperCase() !== "TIMESTAMP") return false;
    const at = this.LA(1).image.toUpperCase() === "T" ? 2 : 1;
    return this.nextIs(Integer, at) && this.nextIs(Colon, at + 1);
  }

  readonly type: ParserMethod<[], TypeNode> = this.RULE("type", () => {
    const name = this.CONSUME(Name);
    // MAP[STRING => INTEGER] is an object.
    const isMap = this.OPTION({
      GATE: () => !this.nextIs(CloseBracket, 2) && name.image.toUpperCase() === "MAP",
      DEF: () => {
        this.CONSUME1(OpenBracket);
        this.SUBRULE(this.type);
        this.CONSUME(Arrow);
        this.SUBRULE1(this.type);
        this.CONSUME1(CloseBracket);
        return true;
      },
    });
    let dimensions = 0;
    this.MANY({
      GATE: () => this.nextIs(CloseBracket, 2),
      DEF: () => {
        this.CONSUME(OpenBracket);
        this.CONSUME(CloseBracket);
        dimensions += 1;
      },
    });
    return this.ACTION((): TypeNode => {
      const named = nameOf(name);
      const text = isMap === true ? "JSONB" : named.text;
      return { name: { ...named, text }, dimensions, span: this.spanFrom(name) };
    });
  });
}
