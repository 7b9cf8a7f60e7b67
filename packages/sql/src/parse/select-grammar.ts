import type { ParserMethod } from "chevrotain";
import type {
  EmitNode,
  ExpressionNode,
  NameNode,
  OrderNode,
  RelationNode,
  SelectItemNode,
  SelectNode,
} from "../ast/ast.js";
import { spanBetween, type Token, tokenSpan } from "../tokens/lexer.js";
import { Comma, Dot, Integer, Minus, Name, OpenParen, Star } from "../tokens/token-types.js";
import { ExpressionGrammar } from "./expression-grammar.js";
import { keyword } from "./grammar-base.js";
import { nameOf } from "./literals.js";

/** What starts something that a later version will take, and what it is called in the finding. */
const notYetInFrom: ReadonlyMap<string, string> = new Map([
  ["JOIN", "JOIN"],
  ["INNER", "JOIN"],
  ["LEFT", "JOIN"],
  ["RIGHT", "JOIN"],
  ["FULL", "JOIN"],
  ["CROSS", "JOIN"],
  ["NATURAL", "JOIN"],
  [",", "more than one relation in FROM"],
]);
const notYetAfterSelect: ReadonlyMap<string, string> = new Map([
  ["UNION", "UNION"],
  ["EXCEPT", "EXCEPT"],
  ["INTERSECT", "INTERSECT"],
]);

/** SELECT and its clauses; the BNF is in grammar.ts. */
export abstract class SelectGrammar extends ExpressionGrammar {
  readonly select: ParserMethod<[], SelectNode> = this.RULE("select", () => {
    const first = this.CONSUME(keyword("SELECT"));
    this.ACTION(() => {
      if (this.next("DISTINCT")) this.refuse("SELECT DISTINCT", this.LA(1));
    });
    const items: SelectItemNode[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => items.push(this.SUBRULE(this.item)) });
    const from = this.OPTION(() => {
      this.CONSUME(keyword("FROM"));
      return this.SUBRULE(this.relation);
    });
    const where = this.OPTION1(() => {
      this.CONSUME(keyword("WHERE"));
      return this.SUBRULE1(this.expression);
    });
    const groupBy: ExpressionNode[] = [];
    this.OPTION2(() => {
      this.CONSUME(keyword("GROUP"));
      this.CONSUME(keyword("BY"));
      this.AT_LEAST_ONE_SEP1({ SEP: Comma, DEF: () => groupBy.push(this.SUBRULE2(this.expression)) });
    });
    const having = this.OPTION3(() => {
      this.CONSUME(keyword("HAVING"));
      return this.SUBRULE3(this.expression);
    });
    this.ACTION(() => this.notYet(notYetAfterSelect));
    const orderBy: OrderNode[] = [];
    this.OPTION4(() => {
      this.CONSUME(keyword("ORDER"));
      this.CONSUME1(keyword("BY"));
      this.AT_LEAST_ONE_SEP2({ SEP: Comma, DEF: () => orderBy.push(this.SUBRULE(this.order)) });
    });
    const before = this.OPTION5(() => this.SUBRULE(this.limit));
    const emit = this.OPTION6(() => this.SUBRULE(this.emit));
    const after = this.OPTION7(() => this.SUBRULE1(this.limit));
    return this.ACTION((): SelectNode => {
      this.notYet(notYetAfterSelect);
      const { limit, offset } = before ?? after ?? { limit: undefined, offset: undefined };
      const span = this.spanFrom(first);
      return { kind: "select", items, from, where, groupBy, having, orderBy, limit, offset, emit, span };
    });
  });

  readonly item: ParserMethod<[], SelectItemNode> = this.RULE("item", () =>
    this.OR<SelectItemNode>([
      {
        ALT: () => {
          const star = this.CONSUME(Star);
          return this.ACTION(
            (): SelectItemNode => ({ kind: "star", relation: undefined, span: tokenSpan(star) }),
          );
        },
      },
      {
        GATE: () => this.nextIs(Dot, 2) && this.nextIs(Star, 3),
        ALT: () => {
          const name = this.CONSUME(Name);
          this.CONSUME(Dot);
          this.CONSUME1(Star);
          return this.ACTION((): SelectItemNode => {
            return { kind: "star", relation: nameOf(name), span: this.spanFrom(name) };
          });
        },
      },
      {
        ALT: () => {
          const expression = this.SUBRULE(this.expression);
          const alias = this.SUBRULE(this.alias);
          return this.ACTION((): SelectItemNode => {
            const span = alias === undefined ? expression.span : spanBetween(expression.span, alias.span);
            return { kind: "expression", expression, alias, span };
          });
        },
      },
    ]),
  );

  readonly alias: ParserMethod<[], NameNode | undefined> = this.RULE("alias", () =>
    this.OPTION(() => {
      this.OPTION1(() => this.CONSUME(keyword("AS")));
      const name = this.CONSUME(Name);
      return this.ACTION(() => nameOf(name));
    }),
  );

  readonly relation: ParserMethod<[], RelationNode> = this.RULE("relation", () => {
    this.ACTION(() => {
      if (this.nextIs(OpenParen)) this.refuse("a subquery in FROM", this.LA(1));
    });
    const name = this.SUBRULE(this.relationName);
    this.ACTION(() => {
      if (this.nextIs(OpenParen)) this.refuse(`${name.text.toUpperCase()}(…) in FROM`, this.LA(0));
    });
    const alias = this.SUBRULE(this.alias);
    return this.ACTION((): RelationNode => {
      this.notYet(notYetInFrom);
      return { name, alias, span: alias === undefined ? name.span : spanBetween(name.span, alias.span) };
    });
  });

  readonly relationName: ParserMethod<[], NameNode> = this.RULE("relationName", () => {
    const first = this.CONSUME(Name);
    let text = "";
    this.MANY({
      GATE: () => this.hyphenFollows(),
      DEF: () => {
        this.CONSUME(Minus);
        const part = this.OR<Token>([
          { ALT: () => this.CONSUME1(Name) },
          { ALT: () => this.CONSUME(Integer) },
        ]);
        text += `-${part.image}`;
      },
    });
    return this.ACTION((): NameNode => {
      const name = nameOf(first);
      return text === "" ? name : { text: name.text + text, quotes: name.quotes, span: this.spanFrom(first) };
    });
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

  readonly limit: ParserMethod<
    [],
    { limit: ExpressionNode | undefined; offset: ExpressionNode | undefined }
  > = this.RULE("limit", () => {
    let limit: ExpressionNode | undefined;
    let offset: ExpressionNode | undefined;
    this.OR([
      {
        ALT: () => {
          this.CONSUME(keyword("LIMIT"));
          limit = this.SUBRULE(this.expression);
          this.OPTION(() => {
            this.OR1([
              {
                ALT: () => {
                  this.CONSUME(keyword("OFFSET"));
                  offset = this.SUBRULE1(this.expression);
                },
              },
              {
                // LIMIT offset, count
                ALT: () => {
                  this.CONSUME(Comma);
                  offset = limit;
                  limit = this.SUBRULE2(this.expression);
                },
              },
            ]);
          });
        },
      },
      {
        ALT: () => {
          this.CONSUME1(keyword("OFFSET"));
          offset = this.SUBRULE3(this.expression);
        },
      },
    ]);
    return { limit, offset };
  });

  readonly emit: ParserMethod<[], EmitNode> = this.RULE("emit", () => {
    const first = this.CONSUME(keyword("EMIT"));
    this.ACTION(() => {
      if (this.next("FINAL") || this.next("EVERY")) this.refuse(`EMIT ${this.LA(1).image}`, this.LA(1));
    });
    this.CONSUME(keyword("CHANGES"));
    let mode: EmitNode["mode"] = "changes";
    let from: EmitNode["from"];
    this.OPTION(() => {
      this.OR([
        {
          ALT: () => {
            this.CONSUME(keyword("COALESCED"));
            mode = "coalesced";
          },
        },
        {
          ALT: () => {
            this.CONSUME(keyword("WITH"));
            this.CONSUME(keyword("RETRACTIONS"));
            mode = "retractions";
          },
        },
      ]);
    });
    this.OPTION1(() => {
      this.CONSUME(keyword("FROM"));
      this.OR1([
        {
          ALT: () => {
            this.CONSUME(keyword("EARLIEST"));
            from = "earliest";
          },
        },
        {
          ALT: () => {
            this.CONSUME(keyword("LATEST"));
            from = "latest";
          },
        },
      ]);
    });
    return this.ACTION((): EmitNode => ({ mode, from, span: this.spanFrom(first) }));
  });
}
