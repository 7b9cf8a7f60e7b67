import type { ParserMethod } from "chevrotain";
import type {
  ExpressionNode,
  FrameBoundNode,
  FrameNode,
  OrderNode,
  OverNode,
  QueryNode,
  TypeNode,
} from "../ast/ast.js";
import { spanBetween, type Token, tokenSpan } from "../tokens/lexer.js";
import {
  CastOperator,
  CloseBrace,
  CloseBracket,
  CloseParen,
  Colon,
  Comma,
  Decimal,
  Dot,
  InfixOperator,
  Integer,
  Minus,
  Name,
  OpenBrace,
  OpenBracket,
  OpenParen,
  Plus,
  Star,
  Text,
} from "../tokens/token-types.js";
import { BOOLEAN, NULL_TYPE, STRING } from "../types/types.js";
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
import { buildChain, type Piece, precedence, precedenceOf } from "./precedence.js";
import { Refusal } from "./refusal.js";

/** Expressions, literals and types; the BNF is in grammar.ts. */
export abstract class ExpressionGrammar extends GrammarBase {
  /** In select-grammar.ts: a query may stand inside an expression. */
  protected abstract readonly subquery: ParserMethod<[], QueryNode>;

  readonly expression: ParserMethod<[], ExpressionNode> = this.RULE("expression", () =>
    this.SUBRULE(this.chain, { ARGS: [0] }),
  );

  /** Only operators that bind tighter than `above`. */
  readonly chain: ParserMethod<[number], ExpressionNode> = this.RULE("chain", (above: number) => {
    const pieces: Piece[] = [];
    this.ACTION(() => this.enter());
    this.SUBRULE(this.prefixed, { ARGS: [pieces] });
    this.MANY({
      GATE: () =>
        this.nextIs(InfixOperator)
          ? precedenceOf(operatorOf(this.LA(1))) > above
          : above < precedence.comparison,
      DEF: () => {
        this.OR([
          {
            ALT: () => {
              const token = this.CONSUME(InfixOperator);
              this.ACTION(() =>
                pieces.push({ kind: "infix", operator: operatorOf(token), span: tokenSpan(token) }),
              );
              this.SUBRULE1(this.prefixed, { ARGS: [pieces] });
            },
          },
          { ALT: () => this.SUBRULE(this.suffix, { ARGS: [pieces] }) },
        ]);
      },
    });
    return this.ACTION(() => {
      this.depth -= 1;
      return buildChain(pieces);
    });
  });

  readonly prefixed: ParserMethod<[Piece[]], void> = this.RULE("prefixed", (pieces: Piece[]) => {
    let prefixes = 0;
    this.MANY({
      // A sign before a number is part of the literal.
      GATE: () => !(this.nextIs(Minus) && (this.nextIs(Integer, 2) || this.nextIs(Decimal, 2))),
      DEF: () => {
        const token = this.OR<Token>([
          { ALT: () => this.CONSUME(keyword("NOT")) },
          { ALT: () => this.CONSUME(Minus) },
          { ALT: () => this.CONSUME(Plus) },
        ]);
        this.ACTION(() => {
          prefixes += 1;
          this.enter();
          const operator = token.tokenType === Minus ? "-" : token.tokenType === Plus ? "+" : "NOT";
          pieces.push({ kind: "prefix", operator, span: tokenSpan(token) });
        });
      },
    });
    const node = this.SUBRULE(this.operand);
    this.ACTION(() => {
      this.depth -= prefixes;
      pieces.push({ kind: "operand", node });
    });
  });

  readonly suffix: ParserMethod<[Piece[]], void> = this.RULE("suffix", (pieces: Piece[]) => {
    let negated = false;
    this.OR([
      {
        ALT: () => {
          this.CONSUME(keyword("IS"));
          this.OPTION(() => {
            this.CONSUME(keyword("NOT"));
            negated = true;
          });
          this.SUBRULE(this.isTest, { ARGS: [pieces, negated] });
        },
      },
      {
        ALT: () => {
          this.OPTION1(() => {
            this.CONSUME1(keyword("NOT"));
            negated = true;
          });
          this.OR1([
            { ALT: () => this.SUBRULE(this.between, { ARGS: [pieces, negated] }) },
            { ALT: () => this.SUBRULE(this.inList, { ARGS: [pieces, negated] }) },
            { ALT: () => this.SUBRULE(this.like, { ARGS: [pieces, negated] }) },
          ]);
        },
      },
    ]);
  });

  readonly isTest: ParserMethod<[Piece[], boolean], void> = this.RULE(
    "isTest",
    (pieces: Piece[], negated: boolean) => {
      const test = (name: "NULL" | "TRUE" | "FALSE", token: Token): void => {
        this.ACTION(() => {
          const end = tokenSpan(token);
          pieces.push({
            kind: "suffix",
            apply: (operand) => ({
              kind: "is",
              operand,
              test: name,
              negated,
              span: spanBetween(operand.span, end),
            }),
          });
        });
      };
      this.OR([
        { ALT: () => test("NULL", this.CONSUME(keyword("NULL"))) },
        { ALT: () => test("TRUE", this.CONSUME(keyword("TRUE"))) },
        { ALT: () => test("FALSE", this.CONSUME(keyword("FALSE"))) },
        {
          ALT: () => {
            this.CONSUME(keyword("DISTINCT"));
            this.CONSUME(keyword("FROM"));
            const right = this.SUBRULE(this.chain, { ARGS: [precedence.comparison] });
            this.ACTION(() => {
              pieces.push({
                kind: "suffix",
                apply: (left) => {
                  const span = spanBetween(left.span, right.span);
                  return { kind: "is-distinct", left, right, negated, span };
                },
              });
            });
          },
        },
      ]);
    },
  );

  readonly between: ParserMethod<[Piece[], boolean], void> = this.RULE(
    "between",
    (pieces: Piece[], negated: boolean) => {
      this.CONSUME(keyword("BETWEEN"));
      let symmetric = false;
      this.OPTION({
        GATE: () => !this.nextIs(InfixOperator, 2),
        DEF: () => {
          this.CONSUME(keyword("SYMMETRIC"));
          symmetric = true;
        },
      });
      const low = this.SUBRULE(this.chain, { ARGS: [precedence.comparison] });
      this.CONSUME(keyword("AND"));
      const high = this.SUBRULE1(this.chain, { ARGS: [precedence.comparison] });
      this.ACTION(() => {
        pieces.push({
          kind: "suffix",
          apply: (operand) => {
            const span = spanBetween(operand.span, high.span);
            return { kind: "between", operand, low, high, negated, symmetric, span };
          },
        });
      });
    },
  );

  readonly inList: ParserMethod<[Piece[], boolean], void> = this.RULE(
    "inList",
    (pieces: Piece[], negated: boolean) => {
      this.CONSUME(keyword("IN"));
      this.CONSUME(OpenParen);
      const list: ExpressionNode[] = [];
      const query = this.OR<QueryNode | undefined>([
        { GATE: () => this.queryFollows(1), ALT: () => this.SUBRULE(this.subquery) },
        {
          ALT: () => {
            this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => list.push(this.SUBRULE(this.expression)) });
            return undefined;
          },
          IGNORE_AMBIGUITIES: true,
        },
      ]);
      const end = this.CONSUME(CloseParen);
      this.ACTION(() => {
        pieces.push({
          kind: "suffix",
          apply: (operand) => {
            const span = spanBetween(operand.span, tokenSpan(end));
            return query === undefined
              ? { kind: "in", operand, list, negated, span }
              : { kind: "in-query", operand, query, negated, span };
          },
        });
      });
    },
  );

  readonly like: ParserMethod<[Piece[], boolean], void> = this.RULE(
    "like",
    (pieces: Piece[], negated: boolean) => {
      const word = this.OR<Token>([
        { ALT: () => this.CONSUME(keyword("LIKE")) },
        { ALT: () => this.CONSUME(keyword("ILIKE")) },
      ]);
      const pattern = this.SUBRULE(this.chain, { ARGS: [precedence.comparison] });
      const escape = this.OPTION(() => {
        this.CONSUME(keyword("ESCAPE"));
        return this.SUBRULE1(this.chain, { ARGS: [precedence.comparison] });
      });
      this.ACTION(() => {
        const caseInsensitive = word.tokenType.name === "ILIKE";
        pieces.push({
          kind: "suffix",
          apply: (operand) => {
            const span = spanBetween(operand.span, (escape ?? pattern).span);
            return { kind: "like", operand, pattern, escape, negated, caseInsensitive, span };
          },
        });
      });
    },
  );

  readonly operand: ParserMethod<[], ExpressionNode> = this.RULE("operand", () => {
    let node = this.SUBRULE(this.primary);
    let chained = 0;
    this.MANY(() => {
      this.ACTION(() => {
        chained += 1;
        this.enter();
      });
      const operand = node;
      node = this.OR<ExpressionNode>([
        { ALT: () => this.SUBRULE(this.access, { ARGS: [operand] }) },
        {
          ALT: () => {
            this.CONSUME(CastOperator);
            const type = this.SUBRULE(this.type);
            return this.ACTION((): ExpressionNode => {
              return {
                kind: "cast",
                operand,
                type,
                style: "colons",
                span: spanBetween(operand.span, type.span),
              };
            });
          },
        },
      ]);
    });
    return this.ACTION(() => {
      this.depth -= chained;
      return node;
    });
  });

  readonly access: ParserMethod<[ExpressionNode], ExpressionNode> = this.RULE(
    "access",
    (operand: ExpressionNode) => {
      this.CONSUME(OpenBracket);
      const from = this.OPTION(() => this.SUBRULE(this.expression));
      let slice = false;
      const to = this.OPTION1(() => {
        this.CONSUME(Colon);
        slice = true;
        return this.OPTION2(() => this.SUBRULE1(this.expression));
      });
      const end = this.CONSUME(CloseBracket);
      return this.ACTION((): ExpressionNode => {
        const span = spanBetween(operand.span, tokenSpan(end));
        if (slice) return { kind: "slice", operand, from, to, span };
        if (from === undefined)
          throw new Refusal("An array position is missing between [ and ]", tokenSpan(end));
        return { kind: "element", operand, index: from, span };
      });
    },
  );

  readonly primary: ParserMethod<[], ExpressionNode> = this.RULE("primary", () =>
    this.OR<ExpressionNode>([
      { ALT: () => this.SUBRULE(this.constant) },
      { GATE: () => this.queryFollows(2), ALT: () => this.SUBRULE(this.scalarQuery) },
      { ALT: () => this.SUBRULE(this.parenthesised), IGNORE_AMBIGUITIES: true },
      { GATE: () => this.nextIs(OpenParen, 2) && this.queryFollows(3), ALT: () => this.SUBRULE(this.exists) },
      { GATE: () => this.nextIs(OpenParen, 2) && this.fromFollows(), ALT: () => this.SUBRULE(this.extract) },
      { ALT: () => this.SUBRULE(this.caseOf) },
      {
        GATE: () => !this.nextIs(Name) || (this.next("ARRAY") && this.nextIs(OpenBracket, 2)),
        ALT: () => this.SUBRULE(this.array),
      },
      {
        GATE: () =>
          this.next("INTERVAL") && [Text, Integer, Decimal, Minus].some((type) => this.nextIs(type, 2)),
        ALT: () => this.SUBRULE(this.interval),
      },
      {
        GATE: () => this.nextIs(Text, 2) || this.nextIs(Integer, 2),
        ALT: () => this.SUBRULE(this.moment),
      },
      { GATE: () => this.nextIs(OpenParen, 2), ALT: () => this.SUBRULE(this.castTo) },
      { GATE: () => this.nextIs(OpenParen, 2), ALT: () => this.SUBRULE(this.call) },
      { ALT: () => this.SUBRULE(this.columnName) },
    ]),
  );

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

  readonly parenthesised: ParserMethod<[], ExpressionNode> = this.RULE("parenthesised", () => {
    const open = this.CONSUME(OpenParen);
    const node = this.SUBRULE(this.expression);
    this.CONSUME(CloseParen);
    return this.ACTION((): ExpressionNode => ({ ...node, span: this.spanFrom(open) }));
  });

  readonly caseOf: ParserMethod<[], ExpressionNode> = this.RULE("caseOf", () => {
    const first = this.CONSUME(keyword("CASE"));
    const operand = this.OPTION(() => this.SUBRULE(this.expression));
    const branches: { when: ExpressionNode; then: ExpressionNode }[] = [];
    this.AT_LEAST_ONE(() => {
      this.CONSUME(keyword("WHEN"));
      const when = this.SUBRULE1(this.expression);
      this.CONSUME(keyword("THEN"));
      const then = this.SUBRULE2(this.expression);
      branches.push({ when, then });
    });
    const otherwise = this.OPTION1(() => {
      this.CONSUME(keyword("ELSE"));
      return this.SUBRULE3(this.expression);
    });
    this.CONSUME(keyword("END"));
    return this.ACTION((): ExpressionNode => {
      return { kind: "case", operand, branches, otherwise, span: this.spanFrom(first) };
    });
  });

  readonly array: ParserMethod<[], ExpressionNode> = this.RULE("array", () => {
    const elements: ExpressionNode[] = [];
    const first = this.OR<Token>([
      {
        ALT: () => {
          const word = this.OPTION(() => this.CONSUME(keyword("ARRAY")));
          const open = this.CONSUME(OpenBracket);
          this.MANY_SEP({ SEP: Comma, DEF: () => elements.push(this.SUBRULE(this.expression)) });
          this.CONSUME(CloseBracket);
          return word ?? open;
        },
      },
      {
        ALT: () => {
          const open = this.CONSUME(OpenBrace);
          this.MANY_SEP1({ SEP: Comma, DEF: () => elements.push(this.SUBRULE1(this.expression)) });
          this.CONSUME(CloseBrace);
          return open;
        },
      },
    ]);
    return this.ACTION((): ExpressionNode => ({ kind: "array", elements, span: this.spanFrom(first) }));
  });

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

  readonly castTo: ParserMethod<[], ExpressionNode> = this.RULE("castTo", () => {
    const first = this.CONSUME(keyword("CAST"));
    this.CONSUME(OpenParen);
    const operand = this.SUBRULE(this.expression);
    this.CONSUME(keyword("AS"));
    const type = this.SUBRULE(this.type);
    this.CONSUME(CloseParen);
    return this.ACTION((): ExpressionNode => {
      return { kind: "cast", operand, type, style: "cast", span: this.spanFrom(first) };
    });
  });

  readonly call: ParserMethod<[], ExpressionNode> = this.RULE("call", () => {
    const first = this.CONSUME(Name);
    this.CONSUME(OpenParen);
    const args: ExpressionNode[] = [];
    let star = false;
    let distinct = false;
    this.OR([
      {
        ALT: () => {
          this.CONSUME(Star);
          star = true;
        },
      },
      {
        ALT: () => {
          this.OPTION(() => {
            this.CONSUME(keyword("DISTINCT"));
            distinct = true;
          });
          this.MANY_SEP({ SEP: Comma, DEF: () => args.push(this.SUBRULE(this.expression)) });
        },
      },
    ]);
    this.CONSUME(CloseParen);
    const filter = this.OPTION1({
      GATE: () => this.nextIs(OpenParen, 2),
      DEF: () => {
        this.CONSUME(keyword("FILTER"));
        this.CONSUME1(OpenParen);
        this.CONSUME(keyword("WHERE"));
        const condition = this.SUBRULE1(this.expression);
        this.CONSUME1(CloseParen);
        return condition;
      },
    });
    let ignoreNulls = false;
    this.OPTION2({
      GATE: () => this.next("NULLS", 2),
      DEF: () => {
        this.OR2([
          {
            ALT: () => {
              this.CONSUME(keyword("IGNORE"));
              ignoreNulls = true;
            },
          },
          { ALT: () => this.CONSUME(keyword("RESPECT")) },
        ]);
        this.CONSUME(keyword("NULLS"));
      },
    });
    const over = this.OPTION3({
      GATE: () => this.nextIs(OpenParen, 2),
      DEF: () => this.SUBRULE(this.over),
    });
    return this.ACTION((): ExpressionNode => {
      const name = nameOf(first);
      return {
        kind: "call",
        name,
        args,
        star,
        distinct,
        filter,
        ignoreNulls,
        over,
        span: this.spanFrom(first),
      };
    });
  });

  readonly over: ParserMethod<[], OverNode> = this.RULE("over", () => {
    const first = this.CONSUME(keyword("OVER"));
    this.CONSUME(OpenParen);
    const partitionBy: ExpressionNode[] = [];
    this.OPTION(() => {
      this.CONSUME(keyword("PARTITION"));
      this.CONSUME(keyword("BY"));
      this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => partitionBy.push(this.SUBRULE(this.expression)) });
    });
    const orderBy = this.OPTION1(() => this.SUBRULE(this.orderBy)) ?? [];
    const frame = this.OPTION2(() => this.SUBRULE(this.frame));
    this.CONSUME(CloseParen);
    return this.ACTION((): OverNode => ({ partitionBy, orderBy, frame, span: this.spanFrom(first) }));
  });

  readonly frame: ParserMethod<[], FrameNode> = this.RULE("frame", () => {
    const unit = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("ROWS")) },
      { ALT: () => this.CONSUME(keyword("RANGE")) },
      { ALT: () => this.CONSUME(keyword("GROUPS")) },
    ]);
    let end: FrameBoundNode = { kind: "current-row" };
    const start = this.OR1<FrameBoundNode>([
      {
        GATE: () => !this.nextIs(InfixOperator, 2),
        ALT: () => {
          this.CONSUME(keyword("BETWEEN"));
          const from = this.SUBRULE(this.frameBound);
          this.CONSUME(keyword("AND"));
          end = this.SUBRULE1(this.frameBound);
          return from;
        },
      },
      { ALT: () => this.SUBRULE2(this.frameBound) },
    ]);
    return this.ACTION((): FrameNode => {
      const name = unit.tokenType.name.toLowerCase() as FrameNode["unit"];
      return { unit: name, start, end, span: this.spanFrom(unit) };
    });
  });

  readonly frameBound: ParserMethod<[], FrameBoundNode> = this.RULE("frameBound", () =>
    this.OR<FrameBoundNode>([
      {
        GATE: () => this.next("PRECEDING", 2) || this.next("FOLLOWING", 2),
        ALT: () => {
          this.CONSUME(keyword("UNBOUNDED"));
          const preceding = this.SUBRULE(this.precedingOrFollowing);
          return { kind: preceding ? "unbounded-preceding" : "unbounded-following" } as const;
        },
      },
      {
        GATE: () => this.next("ROW", 2),
        ALT: () => {
          this.CONSUME(keyword("CURRENT"));
          this.CONSUME(keyword("ROW"));
          return { kind: "current-row" } as const;
        },
      },
      {
        IGNORE_AMBIGUITIES: true,
        ALT: () => {
          const offset = this.SUBRULE(this.chain, { ARGS: [precedence.comparison] });
          const preceding = this.SUBRULE1(this.precedingOrFollowing);
          return { kind: preceding ? "preceding" : "following", offset } as const;
        },
      },
    ]),
  );

  readonly precedingOrFollowing: ParserMethod<[], boolean> = this.RULE("precedingOrFollowing", () =>
    this.OR<boolean>([
      { ALT: () => (this.CONSUME(keyword("PRECEDING")), true) },
      { ALT: () => (this.CONSUME(keyword("FOLLOWING")), false) },
    ]),
  );

  readonly orderBy: ParserMethod<[], OrderNode[]> = this.RULE("orderBy", () => {
    const keys: OrderNode[] = [];
    this.CONSUME(keyword("ORDER"));
    this.CONSUME(keyword("BY"));
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => keys.push(this.SUBRULE(this.order)) });
    return keys;
  });

  readonly order: ParserMethod<[], OrderNode> = this.RULE("order", () => {
    const expression = this.SUBRULE(this.expression);
    let descending = false;
    let nulls: "first" | "last" | undefined;
    this.OPTION(() => {
      this.OR([
        { ALT: () => this.CONSUME(keyword("ASC")) },
        {
          ALT: () => {
            this.CONSUME(keyword("DESC"));
            descending = true;
          },
        },
      ]);
    });
    this.OPTION1(() => {
      this.CONSUME(keyword("NULLS"));
      this.OR1([
        {
          ALT: () => {
            this.CONSUME(keyword("FIRST"));
            nulls = "first";
          },
        },
        {
          ALT: () => {
            this.CONSUME(keyword("LAST"));
            nulls = "last";
          },
        },
      ]);
    });
    return this.ACTION((): OrderNode => ({ expression, descending, nulls }));
  });

  readonly scalarQuery: ParserMethod<[], ExpressionNode> = this.RULE("scalarQuery", () => {
    const open = this.CONSUME(OpenParen);
    const query = this.SUBRULE(this.subquery);
    this.CONSUME(CloseParen);
    return this.ACTION((): ExpressionNode => ({ kind: "subquery", query, span: this.spanFrom(open) }));
  });

  readonly exists: ParserMethod<[], ExpressionNode> = this.RULE("exists", () => {
    const first = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("EXISTS")) },
      { ALT: () => this.CONSUME(keyword("EXIST")) },
    ]);
    this.CONSUME(OpenParen);
    const query = this.SUBRULE(this.subquery);
    this.CONSUME(CloseParen);
    return this.ACTION((): ExpressionNode => ({ kind: "exists", query, span: this.spanFrom(first) }));
  });

  /** EXTRACT(YEAR FROM x) is DATE_PART('YEAR', x). */
  readonly extract: ParserMethod<[], ExpressionNode> = this.RULE("extract", () => {
    const first = this.CONSUME(keyword("EXTRACT"));
    this.CONSUME(OpenParen);
    const part = this.CONSUME(Name);
    this.CONSUME(keyword("FROM"));
    const operand = this.SUBRULE(this.expression);
    this.CONSUME(CloseParen);
    return this.ACTION((): ExpressionNode => {
      const name = { ...nameOf(first), text: "DATE_PART" };
      const unit = literal(part.image, STRING, `'${part.image}'`, tokenSpan(part));
      const rest = { star: false, distinct: false, filter: undefined, ignoreNulls: false, over: undefined };
      return { kind: "call", name, args: [unit, operand], ...rest, span: this.spanFrom(first) };
    });
  });

  readonly columnName: ParserMethod<[], ExpressionNode> = this.RULE("columnName", () => {
    const first = this.CONSUME(Name);
    const second = this.OPTION(() => {
      this.CONSUME(Dot);
      return this.CONSUME1(Name);
    });
    return this.ACTION((): ExpressionNode => {
      const parts = second === undefined ? [nameOf(first)] : [nameOf(first), nameOf(second)];
      return { kind: "name", parts, span: this.spanFrom(first) };
    });
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

/** Operators have one spelling inside: != is <>, words are in upper case. */
function operatorOf(token: Token): string {
  if (token.image === "!=") return "<>";
  return token.image === "==" ? "=" : token.image.toUpperCase();
}
