import type { ParserMethod } from "chevrotain";
import type {
  AliasNode,
  CommonTableNode,
  EmitNode,
  ExpressionNode,
  FromNode,
  JoinTypeNode,
  NamedWindowNode,
  NameNode,
  QueryBodyNode,
  QueryNode,
  SelectItemNode,
  SelectNode,
} from "../ast/ast.js";
import { spanBetween, type Token, tokenSpan } from "../tokens/lexer.js";
import { CloseParen, Comma, Dot, Integer, Minus, Name, OpenParen, Star } from "../tokens/token-types.js";

import { windowNamed } from "../tokens/window-names.js";
import { keyword } from "./grammar-base.js";
import { nameOf } from "./literals.js";
import { OverGrammar } from "./over-grammar.js";
import { Refusal } from "./refusal.js";

/** Queries and their clauses; the BNF is in grammar.ts. */
export abstract class SelectGrammar extends OverGrammar {
  /** A query inside another statement. */
  readonly subquery: ParserMethod<[], QueryNode> = this.RULE("subquery", () => {
    this.ACTION(() => this.enter());
    const query = this.SUBRULE(this.queryExpression);
    this.ACTION(() => {
      this.depth -= 1;
    });
    return query;
  });

  readonly queryExpression: ParserMethod<[], QueryNode> = this.RULE("queryExpression", () => {
    const first = this.LA(1);
    const tables: CommonTableNode[] = [];
    this.OPTION(() => {
      this.CONSUME(keyword("WITH"));
      this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => tables.push(this.SUBRULE(this.commonTable)) });
    });
    const body = this.SUBRULE(this.unions);
    const orderBy = this.OPTION1(() => this.SUBRULE(this.orderBy)) ?? [];
    const before = this.OPTION2(() => this.SUBRULE(this.limit));
    const emit = this.OPTION3(() => this.SUBRULE(this.emit));
    const after = this.OPTION4(() => this.SUBRULE1(this.limit));
    return this.ACTION((): QueryNode => {
      const { limit, offset } = before ?? after ?? { limit: undefined, offset: undefined };
      return { kind: "query", with: tables, body, orderBy, limit, offset, emit, span: this.spanFrom(first) };
    });
  });

  readonly commonTable: ParserMethod<[], CommonTableNode> = this.RULE("commonTable", () => {
    const name = this.CONSUME(Name);
    const columns = this.OPTION(() => this.SUBRULE(this.columnNames)) ?? [];
    this.CONSUME(keyword("AS"));
    this.CONSUME(OpenParen);
    const query = this.SUBRULE(this.subquery);
    this.CONSUME(CloseParen);
    return this.ACTION((): CommonTableNode => {
      return { alias: { name: nameOf(name), columns, span: tokenSpan(name) }, query };
    });
  });

  readonly columnNames: ParserMethod<[], NameNode[]> = this.RULE("columnNames", () => {
    const names: NameNode[] = [];
    this.CONSUME(OpenParen);
    this.AT_LEAST_ONE_SEP({
      SEP: Comma,
      DEF: () => {
        const name = this.CONSUME(Name);
        this.ACTION(() => names.push(nameOf(name)));
      },
    });
    this.CONSUME(CloseParen);
    return names;
  });

  /** UNION and EXCEPT, from left to right; INTERSECT binds tighter. */
  readonly unions: ParserMethod<[], QueryBodyNode> = this.RULE("unions", () => {
    let left = this.SUBRULE(this.intersections);
    this.MANY(() => {
      const word = this.OR<Token>([
        { ALT: () => this.CONSUME(keyword("UNION")) },
        { ALT: () => this.CONSUME(keyword("EXCEPT")) },
      ]);
      const all = this.SUBRULE(this.allOrDistinct);
      const right = this.SUBRULE1(this.intersections);
      this.ACTION(() => {
        left = setOperation(word, all, left, right);
      });
    });
    return left;
  });

  readonly intersections: ParserMethod<[], QueryBodyNode> = this.RULE("intersections", () => {
    let left = this.SUBRULE(this.body);
    this.MANY(() => {
      const word = this.CONSUME(keyword("INTERSECT"));
      const all = this.SUBRULE(this.allOrDistinct);
      const right = this.SUBRULE1(this.body);
      this.ACTION(() => {
        left = setOperation(word, all, left, right);
      });
    });
    return left;
  });

  readonly allOrDistinct: ParserMethod<[], boolean> = this.RULE("allOrDistinct", () => {
    let all = false;
    this.OPTION(() => {
      this.OR([
        {
          ALT: () => {
            this.CONSUME(keyword("ALL"));
            all = true;
          },
        },
        { ALT: () => this.CONSUME(keyword("DISTINCT")) },
      ]);
    });
    return all;
  });

  readonly body: ParserMethod<[], QueryBodyNode> = this.RULE("body", () =>
    this.OR<QueryBodyNode>([
      { ALT: () => this.SUBRULE(this.select) },
      { ALT: () => this.SUBRULE(this.valuesRows) },
      {
        ALT: () => {
          this.CONSUME(OpenParen);
          const query = this.SUBRULE(this.subquery);
          this.CONSUME(CloseParen);
          return query;
        },
      },
    ]),
  );

  readonly valuesRows: ParserMethod<[], QueryBodyNode> = this.RULE("valuesRows", () => {
    const first = this.CONSUME(keyword("VALUES"));
    const rows: ExpressionNode[][] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => rows.push(this.SUBRULE(this.row)) });
    return this.ACTION((): QueryBodyNode => ({ kind: "values", rows, span: this.spanFrom(first) }));
  });

  readonly row: ParserMethod<[], ExpressionNode[]> = this.RULE("row", () => {
    const values: ExpressionNode[] = [];
    this.CONSUME(OpenParen);
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => values.push(this.SUBRULE(this.expression)) });
    this.CONSUME(CloseParen);
    return values;
  });

  readonly select: ParserMethod<[], SelectNode> = this.RULE("select", () => {
    const first = this.CONSUME(keyword("SELECT"));
    let distinct = false;
    this.OPTION({
      GATE: () => this.next("DISTINCT") || !(this.nextIs(Comma, 2) || this.next("FROM", 2)),
      DEF: () => {
        this.OR([
          {
            ALT: () => {
              this.CONSUME(keyword("DISTINCT"));
              distinct = true;
            },
          },
          { GATE: () => this.startsItem(2), ALT: () => this.CONSUME(keyword("ALL")) },
        ]);
      },
    });
    const items: SelectItemNode[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => items.push(this.SUBRULE(this.item)) });
    const from = this.OPTION1(() => {
      this.CONSUME(keyword("FROM"));
      return this.SUBRULE(this.fromList);
    });
    const where = this.OPTION2(() => {
      this.CONSUME(keyword("WHERE"));
      return this.SUBRULE1(this.expression);
    });
    const groupBy: ExpressionNode[] = [];
    this.OPTION3(() => {
      this.CONSUME(keyword("GROUP"));
      this.CONSUME(keyword("BY"));
      this.AT_LEAST_ONE_SEP1({ SEP: Comma, DEF: () => groupBy.push(this.SUBRULE2(this.expression)) });
    });
    const having = this.OPTION4(() => {
      this.CONSUME(keyword("HAVING"));
      return this.SUBRULE3(this.expression);
    });
    const windows: NamedWindowNode[] = [];
    this.OPTION5(() => {
      this.CONSUME(keyword("WINDOW"));
      this.AT_LEAST_ONE_SEP2({ SEP: Comma, DEF: () => windows.push(this.SUBRULE(this.namedWindow)) });
    });
    return this.ACTION((): SelectNode => {
      const span = this.spanFrom(first);
      return { kind: "select", distinct, items, from, where, groupBy, having, windows, span };
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
    this.OPTION({
      GATE: () => !this.clauseFollows(),
      DEF: () => {
        this.OPTION1(() => this.CONSUME(keyword("AS")));
        const name = this.CONSUME(Name);
        return this.ACTION(() => nameOf(name));
      },
    }),
  );

  /** Words that are free as names, where they begin the next clause. */
  private clauseFollows(): boolean {
    if (this.next("PARTITION")) return this.next("BY", 2);
    if (this.next("WINDOW")) return this.nextIs(Name, 2) && this.next("AS", 3);
    return (this.next("SEMI") || this.next("ANTI")) && this.next("JOIN", 2);
  }

  readonly relationAlias: ParserMethod<[], AliasNode | undefined> = this.RULE("relationAlias", () => {
    const name = this.SUBRULE(this.alias);
    const columns =
      this.OPTION({
        GATE: () => name !== undefined,
        DEF: () => this.SUBRULE(this.columnNames),
      }) ?? [];
    return this.ACTION((): AliasNode | undefined => {
      if (name === undefined) return undefined;
      const end = columns.at(-1)?.span ?? name.span;
      return { name, columns, span: spanBetween(name.span, end) };
    });
  });

  /** a, b is a cross join of the two. */
  readonly fromList: ParserMethod<[], FromNode> = this.RULE("fromList", () => {
    let left = this.SUBRULE(this.joins);
    this.MANY(() => {
      this.CONSUME(Comma);
      const right = this.SUBRULE1(this.joins);
      this.ACTION(() => {
        const rest = {
          type: "cross",
          natural: false,
          using: undefined,
          on: undefined,
          within: undefined,
        } as const;
        left = { kind: "join", ...rest, left, right, span: spanBetween(left.span, right.span) };
      });
    });
    return left;
  });

  readonly joins: ParserMethod<[], FromNode> = this.RULE("joins", () => {
    let left = this.SUBRULE(this.fromItem);
    this.MANY(() => {
      left = this.SUBRULE(this.join, { ARGS: [left] });
    });
    return left;
  });

  readonly join: ParserMethod<[FromNode], FromNode> = this.RULE("join", (left: FromNode) => {
    let natural = false;
    let type: Extract<FromNode, { kind: "join" }>["type"] = "inner";
    this.OPTION(() => {
      this.CONSUME(keyword("NATURAL"));
      natural = true;
    });
    this.OPTION1(() => {
      type = this.SUBRULE(this.joinType);
    });
    this.CONSUME(keyword("JOIN"));
    const right = this.SUBRULE(this.fromItem);
    const before = this.OPTION2(() => this.SUBRULE(this.within));
    let on: ExpressionNode | undefined;
    const using = this.OPTION3(() =>
      this.OR<NameNode[] | undefined>([
        {
          ALT: () => {
            this.CONSUME(keyword("ON"));
            on = this.SUBRULE(this.expression);
            return undefined;
          },
        },
        {
          ALT: () => {
            this.CONSUME(keyword("USING"));
            return this.SUBRULE(this.columnNames);
          },
        },
      ]),
    );
    const after = this.OPTION4(() => this.SUBRULE1(this.within));
    return this.ACTION((): FromNode => {
      const span = spanBetween(left.span, tokenSpan(this.LA(0)));
      return { kind: "join", type, natural, using, on, within: before ?? after, left, right, span };
    });
  });

  readonly joinType: ParserMethod<[], JoinTypeNode> = this.RULE("joinType", () => {
    const word = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("INNER")) },
      { ALT: () => this.CONSUME(keyword("LEFT")) },
      { ALT: () => this.CONSUME(keyword("RIGHT")) },
      { ALT: () => this.CONSUME(keyword("FULL")) },
      { ALT: () => this.CONSUME(keyword("CROSS")) },
      { ALT: () => this.CONSUME(keyword("SEMI")) },
      { ALT: () => this.CONSUME(keyword("ANTI")) },
    ]);
    const more = this.OPTION({
      GATE: () =>
        ["LEFT", "RIGHT", "FULL"].includes(word.tokenType.name) &&
        (word.tokenType.name === "LEFT" || this.next("OUTER")),
      DEF: () =>
        this.OR1<Token>([
          { ALT: () => this.CONSUME(keyword("OUTER")) },
          { ALT: () => this.CONSUME1(keyword("SEMI")) },
          { ALT: () => this.CONSUME1(keyword("ANTI")) },
        ]),
    });
    return this.ACTION(() => {
      const given = more === undefined || more.tokenType.name === "OUTER" ? word : more;
      return given.tokenType.name.toLowerCase() as JoinTypeNode;
    });
  });

  readonly within: ParserMethod<[], ExpressionNode> = this.RULE("within", () => {
    this.CONSUME(keyword("WITHIN"));
    return this.SUBRULE(this.primary);
  });

  readonly fromItem: ParserMethod<[], FromNode> = this.RULE("fromItem", () =>
    this.OR<FromNode>([
      { GATE: () => this.queryFollows(2), ALT: () => this.SUBRULE(this.fromQuery) },
      { IGNORE_AMBIGUITIES: true, ALT: () => this.SUBRULE(this.fromParenthesis) },
      { GATE: () => this.windowFollows(), ALT: () => this.SUBRULE(this.fromWindow) },
      { ALT: () => this.SUBRULE(this.fromRelation) },
    ]),
  );

  readonly fromQuery: ParserMethod<[], FromNode> = this.RULE("fromQuery", () => {
    const open = this.CONSUME(OpenParen);
    const query = this.SUBRULE(this.subquery);
    this.CONSUME(CloseParen);
    const alias = this.SUBRULE(this.relationAlias);
    return this.ACTION((): FromNode => ({ kind: "subquery", query, alias, span: this.spanFrom(open) }));
  });

  readonly fromParenthesis: ParserMethod<[], FromNode> = this.RULE("fromParenthesis", () => {
    this.CONSUME(OpenParen);
    this.ACTION(() => this.enter());
    const node = this.SUBRULE(this.fromList);
    this.ACTION(() => {
      this.depth -= 1;
    });
    this.CONSUME(CloseParen);
    return node;
  });

  readonly fromWindow: ParserMethod<[], FromNode> = this.RULE("fromWindow", () => {
    const word = this.CONSUME(Name);
    this.CONSUME(OpenParen);
    this.ACTION(() => this.enter());
    const input = this.SUBRULE(this.fromItem);
    this.ACTION(() => {
      this.depth -= 1;
    });
    const args: ExpressionNode[] = [];
    this.MANY(() => {
      this.CONSUME(Comma);
      args.push(this.SUBRULE(this.expression));
    });
    this.CONSUME(CloseParen);
    const alias = this.SUBRULE(this.relationAlias);
    return this.ACTION((): FromNode => {
      const window = windowNamed(word.image) ?? "TUMBLE";
      return { kind: "window", window, input, args, alias, span: this.spanFrom(word) };
    });
  });

  readonly fromRelation: ParserMethod<[], FromNode> = this.RULE("fromRelation", () => {
    const name = this.SUBRULE(this.relationName);
    this.ACTION(() => {
      if (!this.nextIs(OpenParen)) return;
      const hint = "functions in FROM are TUMBLE, HOP, SESSION and SLIDE";
      throw new Refusal(`There is no table function ${name.text.toUpperCase()}`, name.span, hint);
    });
    const alias = this.SUBRULE(this.relationAlias);
    return this.ACTION((): FromNode => {
      const span = alias === undefined ? name.span : spanBetween(name.span, alias.span);
      return { kind: "relation", name, alias, span };
    });
  });

  private windowFollows(): boolean {
    return this.nextIs(OpenParen, 2) && windowNamed(this.LA(1).image) !== undefined;
  }

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
    let mode: EmitNode["mode"] = "changes";
    let interval: ExpressionNode | undefined;
    this.OR([
      {
        ALT: () => {
          this.CONSUME(keyword("FINAL"));
          mode = "final";
        },
      },
      {
        ALT: () => {
          this.CONSUME(keyword("EVERY"));
          interval = this.SUBRULE(this.primary);
          mode = "every";
        },
      },
      {
        ALT: () => {
          this.CONSUME(keyword("CHANGES"));
          this.OPTION({
            GATE: () => !this.next("WITH") || this.next("RETRACTIONS", 2),
            DEF: () => {
              mode = this.SUBRULE(this.emitMode);
            },
          });
        },
      },
    ]);
    let from: EmitNode["from"];
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
    return this.ACTION((): EmitNode => ({ mode, interval, from, span: this.spanFrom(first) }));
  });

  readonly emitMode: ParserMethod<[], "coalesced" | "retractions"> = this.RULE("emitMode", () =>
    this.OR<"coalesced" | "retractions">([
      { ALT: () => (this.CONSUME(keyword("COALESCED")), "coalesced") },
      {
        ALT: () => {
          this.CONSUME(keyword("WITH"));
          this.CONSUME(keyword("RETRACTIONS"));
          return "retractions";
        },
      },
    ]),
  );
}

function setOperation(word: Token, all: boolean, left: QueryBodyNode, right: QueryBodyNode): QueryBodyNode {
  const operator = word.tokenType.name as "UNION" | "EXCEPT" | "INTERSECT";
  return { kind: "set-operation", operator, all, left, right, span: spanBetween(left.span, right.span) };
}
