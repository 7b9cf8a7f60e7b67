import type { ParserMethod } from "chevrotain";
import type { BinaryOperator, ExpressionNode, OrderNode, OverNode } from "../ast/ast.js";
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
import { STRING } from "../types/types.js";
import { ConditionGrammar } from "./condition-grammar.js";
import { keyword } from "./grammar-base.js";
import { literal, nameOf } from "./literals.js";
import { buildChain, type Piece, precedence, precedenceOf } from "./precedence.js";
import { Refusal } from "./refusal.js";

/** Expressions; the BNF is in grammar.ts. */
export abstract class ExpressionGrammar extends ConditionGrammar {
  /** In over-grammar.ts. */
  protected abstract readonly over: ParserMethod<[], OverNode>;
  protected abstract readonly orderBy: ParserMethod<[], OrderNode[]>;

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
              const quantified = this.quantifierFollows();
              const token = this.CONSUME(InfixOperator);
              this.OR1([
                {
                  GATE: () => quantified,
                  ALT: () =>
                    this.SUBRULE(this.quantified, { ARGS: [pieces, operatorOf(token) as BinaryOperator] }),
                },
                {
                  ALT: () => {
                    this.ACTION(() =>
                      pieces.push({ kind: "infix", operator: operatorOf(token), span: tokenSpan(token) }),
                    );
                    this.SUBRULE1(this.prefixed, { ARGS: [pieces] });
                  },
                  IGNORE_AMBIGUITIES: true,
                },
              ]);
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
    // Of an object {k: v}: names and values in turn.
    const fields: ExpressionNode[] = [];
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
          this.MANY_SEP1({
            SEP: Comma,
            DEF: () => {
              const element = this.SUBRULE1(this.expression);
              const value = this.OPTION1(() => {
                this.CONSUME(Colon);
                return this.SUBRULE2(this.expression);
              });
              this.ACTION(() => {
                if (value === undefined) elements.push(element);
                else fields.push(fieldName(element), value);
              });
            },
          });
          this.CONSUME(CloseBrace);
          return open;
        },
      },
    ]);
    return this.ACTION((): ExpressionNode => {
      const span = this.spanFrom(first);
      if (fields.length === 0) return { kind: "array", elements, span };
      if (elements.length > 0) throw new Refusal("This is half an array, half an object", span);
      const name = { text: "JSON_OBJECT", span, quotes: "none" } as const;
      return { kind: "call", name, ...plainCall, args: fields, span };
    });
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
    let orderBy: readonly OrderNode[] = [];
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
          this.OPTION4(() => {
            orderBy = this.SUBRULE(this.orderBy);
          });
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
      GATE: () => this.nextIs(OpenParen, 2) || this.nextIs(Name, 2),
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
        orderBy,
        filter,
        ignoreNulls,
        over,
        span: this.spanFrom(first),
      };
    });
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
      const rest = { ...plainCall, args: [unit, operand] };
      return { kind: "call", name, ...rest, span: this.spanFrom(first) };
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
}

/** The name of a field in {k: v}: a bare word is the word. */
function fieldName(node: ExpressionNode): ExpressionNode {
  const [name, ...more] = node.kind === "name" ? node.parts : [];
  if (name === undefined || more.length > 0) return node;
  return literal(name.text, STRING, `'${name.text.replaceAll("'", "''")}'`, node.span);
}

/** What else a call may have. */
const plainCall = {
  star: false,
  distinct: false,
  orderBy: [],
  filter: undefined,
  ignoreNulls: false,
  over: undefined,
} as const;

/** Operators have one spelling inside: != is <>, words are in upper case. */
function operatorOf(token: Token): string {
  if (token.image === "!=") return "<>";
  if (token.image === "=>") return "->";
  return token.image === "==" ? "=" : token.image.toUpperCase();
}
