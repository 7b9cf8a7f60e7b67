import type { ParserMethod } from "chevrotain";
import type { BinaryOperator, ExpressionNode, QueryNode } from "../ast/ast.js";
import { spanBetween, type Token, tokenSpan } from "../tokens/lexer.js";
import { CloseParen, Comma, InfixOperator, OpenParen } from "../tokens/token-types.js";
import { keyword } from "./grammar-base.js";
import { LiteralGrammar } from "./literal-grammar.js";
import { type Piece, precedence } from "./precedence.js";
import { Refusal } from "./refusal.js";

/** IS, BETWEEN, IN, LIKE behind an operand; the BNF is in grammar.ts. */
export abstract class ConditionGrammar extends LiteralGrammar {
  /** In select-grammar.ts: a query may stand inside an expression. */
  protected abstract readonly subquery: ParserMethod<[], QueryNode>;

  /** In expression-grammar.ts. */
  protected abstract readonly expression: ParserMethod<[], ExpressionNode>;
  protected abstract readonly chain: ParserMethod<[number], ExpressionNode>;

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

  /** x = ANY (SELECT …). An array is read only to say what to write for it. */
  readonly quantified: ParserMethod<[Piece[], BinaryOperator], void> = this.RULE(
    "quantified",
    (pieces: Piece[], operator: BinaryOperator) => {
      const word = this.OR<Token>([
        { ALT: () => this.CONSUME(keyword("ANY")) },
        { ALT: () => this.CONSUME(keyword("SOME")) },
        { ALT: () => this.CONSUME(keyword("ALL")) },
      ]);
      this.CONSUME(OpenParen);
      const of = this.OR1<{ query: QueryNode } | { array: ExpressionNode }>([
        { GATE: () => this.queryFollows(1), ALT: () => ({ query: this.SUBRULE(this.subquery) }) },
        { ALT: () => ({ array: this.SUBRULE(this.expression) }), IGNORE_AMBIGUITIES: true },
      ]);
      const end = this.CONSUME(CloseParen);
      this.ACTION(() => {
        const all = word.tokenType.name === "ALL";
        pieces.push({
          kind: "suffix",
          apply: (operand) => {
            const span = spanBetween(operand.span, tokenSpan(end));
            if ("query" in of) return { kind: "quantified", operator, all, operand, query: of.query, span };
            const hint = "of an array: ARRAY_CONTAIN(array, x)";
            throw new Refusal(`${operator} ${word.image} needs a subquery`, tokenSpan(word), hint);
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
}
