import {
  EmbeddedActionsParser,
  EOF,
  type IParserErrorMessageProvider,
  type ParserMethod,
  type TokenType,
} from "chevrotain";
import type {
  ColumnDefinitionNode,
  EmitNode,
  ExpressionNode,
  NameNode,
  OptionNode,
  OrderNode,
  RelationNode,
  SelectItemNode,
  SelectNode,
  ShowTarget,
  StatementNode,
  TypeNode,
} from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { must } from "@hstream/proto";
import { parseDepthMax } from "../limits.js";
import { spanBetween, type Token, tokenSpan } from "../tokens/lexer.js";
import {
  allTypes,
  CastOperator,
  CloseBrace,
  CloseBracket,
  CloseParen,
  Colon,
  Comma,
  Decimal,
  Dot,
  Equal,
  InfixOperator,
  Integer,
  keywordTokens,
  Minus,
  Name,
  OpenBrace,
  OpenBracket,
  OpenParen,
  Plus,
  Star,
  Text,
} from "../tokens/token-types.js";
import type { Keyword } from "../tokens/keywords.js";
import { BOOLEAN, NULL_TYPE } from "../types/types.js";
import { intervalUnit } from "../values/calendar.js";
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

/*
 * statement ::= query | create | insert | show | describe | drop | terminate | explain
 * query     ::= select
 * create    ::= CREATE STREAM [IF NOT EXISTS] relation [ '(' name type (',' name type)* ')' ] [WITH options]
 *             | CREATE VIEW [IF NOT EXISTS] relation AS select
 * options   ::= '(' name '=' expression (',' name '=' expression)* ')'
 * insert    ::= INSERT INTO relation [ '(' name (',' name)* ')' ] VALUES ( row (',' row)* | expression )
 * row       ::= '(' expression (',' expression)* ')'
 * show      ::= SHOW ( STREAMS | VIEWS | QUERIES | TABLES | CONNECTORS | SUBSCRIPTIONS )
 * describe  ::= ( DESCRIBE | DESC ) relation
 * drop      ::= DROP ( STREAM | VIEW | QUERY ) [IF EXISTS] relation [IF EXISTS]
 * terminate ::= TERMINATE QUERY ( relation | integer )
 * explain   ::= EXPLAIN [ '(' FORMAT ( TEXT | JSON ) ')' ] statement
 *
 * select    ::= SELECT item (',' item)* [FROM relation [[AS] name]] [WHERE expression]
 *               [GROUP BY expression (',' expression)*] [HAVING expression]
 *               [ORDER BY order (',' order)*] [limit] [emit] [limit]
 * item      ::= '*' | name '.' '*' | expression [[AS] name]
 * order     ::= expression [ASC | DESC] [NULLS ( FIRST | LAST )]
 * limit     ::= LIMIT expression [( OFFSET | ',' ) expression] | OFFSET expression
 * emit      ::= EMIT CHANGES [COALESCED | WITH RETRACTIONS] [FROM ( EARLIEST | LATEST )]
 * relation  ::= name ( '-' ( name | integer ) )*        -- without blanks: a-b is one name here
 *
 * expression ::= prefix* operand ( infix prefix* operand | suffix )*      -- ordered by precedence.ts
 * prefix    ::= NOT | '-' | '+'
 * suffix    ::= IS [NOT] ( NULL | TRUE | FALSE | DISTINCT FROM expression₅ )
 *             | [NOT] ( BETWEEN [SYMMETRIC] expression₅ AND expression₅ | IN '(' expression,… ')'
 *             | ( LIKE | ILIKE ) expression₅ [ESCAPE expression₅] )       -- ₅: tighter than comparisons
 * operand   ::= primary ( '[' expression ']' | '[' [expression] ':' [expression] ']' | '::' type )*
 * primary   ::= literal | name ['.' name] | '(' expression ')' | case | call | array
 *             | CAST '(' expression AS type ')'
 * literal   ::= text | ['-'] number | TRUE | FALSE | NULL | ( DATE | TIME | TIMESTAMP ) text
 *             | INTERVAL ( text | ['-'] number ) [unit] | INTERVAL integer ':' integer ':' integer
 * case      ::= CASE [expression] ( WHEN expression THEN expression )+ [ELSE expression] END
 * call      ::= name '(' [ '*' | [DISTINCT] expression (',' expression)* ] ')' [FILTER '(' WHERE expression ')']
 * array     ::= [ARRAY] '[' [expression,…] ']' | '{' [expression,…] '}'
 * type      ::= name ( '[' ']' )*
 */

function keyword(word: Keyword): TokenType {
  return must(keywordTokens.get(word), `${word} is a keyword`);
}

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

export class Grammar extends EmbeddedActionsParser {
  #depth = 0;

  constructor(messages: IParserErrorMessageProvider, checked: boolean) {
    super(allTypes, {
      maxLookahead: 2,
      recoveryEnabled: false,
      skipValidations: !checked,
      errorMessageProvider: messages,
    });
    this.performSelfAnalysis();
  }

  /** Parses one statement's tokens; undefined when `errors` says why. Throws Refusal. */
  parse(tokens: Token[]): StatementNode | undefined {
    this.#depth = 0;
    this.input = tokens;
    return this.statement();
  }

  // ---- helpers -------------------------------------------------------------------------------------

  #spanFrom(first: Token): Span {
    return spanBetween(tokenSpan(first), tokenSpan(this.LA(0)));
  }

  #next(word: Keyword, ahead = 1): boolean {
    return this.LA(ahead).tokenType.name === word;
  }

  #nextIs(type: TokenType, ahead = 1): boolean {
    const { tokenType } = this.LA(ahead);
    return tokenType === type || tokenType.CATEGORIES?.includes(type) === true;
  }

  #notYet(table: ReadonlyMap<string, string>): void {
    const token = this.LA(1);
    const what = table.get(token.tokenType.name);
    if (what !== undefined) this.#refuse(what, token);
  }

  #refuse(what: string, token: Token): never {
    throw new Refusal(`${what} is not supported yet`, tokenSpan(token));
  }

  /** Whether "-" and a word or number follow without a blank: part of a relation's name. */
  #hyphenFollows(): boolean {
    const [before, hyphen, after] = [this.LA(0), this.LA(1), this.LA(2)];
    return (
      hyphen.tokenType === Minus &&
      hyphen.startOffset === (before.endOffset ?? 0) + 1 &&
      after.startOffset === hyphen.startOffset + 1
    );
  }

  #enter(): void {
    this.#depth += 1;
    if (this.#depth > parseDepthMax) {
      throw new Refusal(
        `This is nested more than ${parseDepthMax} deep`,
        tokenSpan(this.LA(1).tokenType === EOF ? this.LA(0) : this.LA(1)),
        "leave out parentheses, or split the statement",
      );
    }
  }

  // ---- statements ----------------------------------------------------------------------------------

  readonly statement: ParserMethod<[], StatementNode> = this.RULE("statement", () => {
    this.ACTION(() => this.#enter());
    const node = this.OR<StatementNode>([
      { ALT: () => this.SUBRULE(this.query) },
      { ALT: () => this.SUBRULE(this.create) },
      { ALT: () => this.SUBRULE(this.insert) },
      { ALT: () => this.SUBRULE(this.show) },
      { ALT: () => this.SUBRULE(this.describe) },
      { ALT: () => this.SUBRULE(this.drop) },
      { ALT: () => this.SUBRULE(this.terminate) },
      { ALT: () => this.SUBRULE(this.explain) },
    ]);
    this.ACTION(() => {
      this.#depth -= 1;
    });
    return node;
  });

  readonly query: ParserMethod<[], StatementNode> = this.RULE("query", () => {
    const select = this.SUBRULE(this.select);
    return this.ACTION((): StatementNode => ({ kind: "query", select, span: select.span }));
  });

  readonly create: ParserMethod<[], StatementNode> = this.RULE("create", () => {
    const first = this.CONSUME(keyword("CREATE"));
    return this.OR<StatementNode>([
      { ALT: () => this.SUBRULE(this.createStream, { ARGS: [first] }) },
      { ALT: () => this.SUBRULE(this.createView, { ARGS: [first] }) },
    ]);
  });

  readonly createStream: ParserMethod<[Token], StatementNode> = this.RULE("createStream", (first: Token) => {
    this.CONSUME(keyword("STREAM"));
    const ifNotExists = this.SUBRULE(this.ifNotExists);
    const name = this.SUBRULE(this.relationName);
    const columns: ColumnDefinitionNode[] = [];
    this.OPTION(() => {
      this.CONSUME(OpenParen);
      this.AT_LEAST_ONE_SEP({
        SEP: Comma,
        DEF: () => {
          const column = this.CONSUME(Name);
          const type = this.SUBRULE(this.type);
          this.ACTION(() => columns.push({ name: nameOf(column), type }));
        },
      });
      this.CONSUME(CloseParen);
    });
    this.ACTION(() => {
      if (this.#next("AS")) this.#refuse("CREATE STREAM … AS SELECT", this.LA(1));
    });
    const options = this.OPTION2(() => this.SUBRULE(this.options)) ?? [];
    return this.ACTION((): StatementNode => {
      return { kind: "create-stream", name, ifNotExists, columns, options, span: this.#spanFrom(first) };
    });
  });

  readonly options: ParserMethod<[], OptionNode[]> = this.RULE("options", () => {
    const options: OptionNode[] = [];
    this.CONSUME(keyword("WITH"));
    this.CONSUME(OpenParen);
    this.AT_LEAST_ONE_SEP({
      SEP: Comma,
      DEF: () => {
        const name = this.CONSUME(Name);
        this.CONSUME(Equal);
        const value = this.SUBRULE(this.expression);
        this.ACTION(() => options.push({ name: nameOf(name), value, span: this.#spanFrom(name) }));
      },
    });
    this.CONSUME(CloseParen);
    return options;
  });

  readonly createView: ParserMethod<[Token], StatementNode> = this.RULE("createView", (first: Token) => {
    this.CONSUME(keyword("VIEW"));
    const ifNotExists = this.SUBRULE(this.ifNotExists);
    const name = this.SUBRULE(this.relationName);
    this.CONSUME(keyword("AS"));
    const query = this.SUBRULE(this.select);
    return this.ACTION((): StatementNode => {
      return { kind: "create-view", name, ifNotExists, query, span: this.#spanFrom(first) };
    });
  });

  readonly ifNotExists: ParserMethod<[], boolean> = this.RULE("ifNotExists", () => {
    let found = false;
    this.OPTION({
      GATE: () => this.#next("IF") && this.#next("NOT", 2),
      DEF: () => {
        this.CONSUME(keyword("IF"));
        this.CONSUME(keyword("NOT"));
        this.OR([
          { ALT: () => this.CONSUME(keyword("EXISTS")) },
          { ALT: () => this.CONSUME(keyword("EXIST")) },
        ]);
        found = true;
      },
    });
    return found;
  });

  readonly ifExists: ParserMethod<[], boolean> = this.RULE("ifExists", () => {
    let found = false;
    this.OPTION({
      GATE: () => this.#next("IF") && (this.#next("EXISTS", 2) || this.#next("EXIST", 2)),
      DEF: () => {
        this.CONSUME(keyword("IF"));
        this.OR([
          { ALT: () => this.CONSUME(keyword("EXISTS")) },
          { ALT: () => this.CONSUME(keyword("EXIST")) },
        ]);
        found = true;
      },
    });
    return found;
  });

  readonly insert: ParserMethod<[], StatementNode> = this.RULE("insert", () => {
    const first = this.CONSUME(keyword("INSERT"));
    this.CONSUME(keyword("INTO"));
    const relation = this.SUBRULE(this.relationName);
    const names: NameNode[] = [];
    this.OPTION(() => {
      this.CONSUME(OpenParen);
      this.AT_LEAST_ONE_SEP({
        SEP: Comma,
        DEF: () => {
          const column = this.CONSUME(Name);
          this.ACTION(() => names.push(nameOf(column)));
        },
      });
      this.CONSUME(CloseParen);
    });
    this.ACTION(() => {
      if (this.#next("SELECT")) this.#refuse("INSERT INTO … SELECT", this.LA(1));
    });
    this.CONSUME(keyword("VALUES"));
    const rows: ExpressionNode[][] = [];
    const payload = this.OR<ExpressionNode | undefined>([
      {
        ALT: () => {
          this.AT_LEAST_ONE_SEP2({ SEP: Comma, DEF: () => rows.push(this.SUBRULE(this.row)) });
          return undefined;
        },
      },
      { ALT: () => this.SUBRULE(this.expression) },
    ]);
    return this.ACTION((): StatementNode => {
      const columns = names.length > 0 ? names : undefined;
      const span = this.#spanFrom(first);
      return payload === undefined
        ? { kind: "insert", relation, columns, source: { kind: "rows", rows }, span }
        : { kind: "insert", relation, columns, source: { kind: "payload", value: payload }, span };
    });
  });

  readonly row: ParserMethod<[], ExpressionNode[]> = this.RULE("row", () => {
    const values: ExpressionNode[] = [];
    this.CONSUME(OpenParen);
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => values.push(this.SUBRULE(this.expression)) });
    this.CONSUME(CloseParen);
    return values;
  });

  readonly show: ParserMethod<[], StatementNode> = this.RULE("show", () => {
    const first = this.CONSUME(keyword("SHOW"));
    const target = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("STREAMS")) },
      { ALT: () => this.CONSUME(keyword("VIEWS")) },
      { ALT: () => this.CONSUME(keyword("QUERIES")) },
      { ALT: () => this.CONSUME(keyword("TABLES")) },
      { ALT: () => this.CONSUME(keyword("CONNECTORS")) },
      { ALT: () => this.CONSUME(keyword("SUBSCRIPTIONS")) },
    ]);
    return this.ACTION((): StatementNode => {
      return { kind: "show", target: target.image.toLowerCase() as ShowTarget, span: this.#spanFrom(first) };
    });
  });

  readonly describe: ParserMethod<[], StatementNode> = this.RULE("describe", () => {
    const first = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("DESCRIBE")) },
      { ALT: () => this.CONSUME(keyword("DESC")) },
    ]);
    const name = this.SUBRULE(this.relationName);
    return this.ACTION((): StatementNode => ({ kind: "describe", name, span: this.#spanFrom(first) }));
  });

  readonly drop: ParserMethod<[], StatementNode> = this.RULE("drop", () => {
    const first = this.CONSUME(keyword("DROP"));
    const target = this.OR<"stream" | "view" | "query">([
      { ALT: () => (this.CONSUME(keyword("STREAM")), "stream") },
      { ALT: () => (this.CONSUME(keyword("VIEW")), "view") },
      { ALT: () => (this.CONSUME(keyword("QUERY")), "query") },
    ]);
    const before = this.SUBRULE(this.ifExists);
    const name = this.SUBRULE(this.relationName);
    const after = this.SUBRULE2(this.ifExists);
    return this.ACTION((): StatementNode => {
      return { kind: "drop", target, name, ifExists: before || after, span: this.#spanFrom(first) };
    });
  });

  readonly terminate: ParserMethod<[], StatementNode> = this.RULE("terminate", () => {
    const first = this.CONSUME(keyword("TERMINATE"));
    this.CONSUME(keyword("QUERY"));
    const query = this.OR<NameNode>([
      { ALT: () => this.SUBRULE(this.relationName) },
      {
        ALT: () => {
          const number = this.CONSUME(Integer);
          return this.ACTION(() => nameOf(number));
        },
      },
    ]);
    return this.ACTION((): StatementNode => ({ kind: "terminate", query, span: this.#spanFrom(first) }));
  });

  readonly explain: ParserMethod<[], StatementNode> = this.RULE("explain", () => {
    const first = this.CONSUME(keyword("EXPLAIN"));
    let format: "text" | "json" = "text";
    this.OPTION(() => {
      this.CONSUME(OpenParen);
      this.CONSUME(keyword("FORMAT"));
      this.OR([
        { ALT: () => this.CONSUME(keyword("TEXT")) },
        {
          ALT: () => {
            this.CONSUME(keyword("JSON"));
            format = "json";
          },
        },
      ]);
      this.CONSUME(CloseParen);
    });
    const statement = this.SUBRULE(this.statement);
    return this.ACTION(
      (): StatementNode => ({ kind: "explain", format, statement, span: this.#spanFrom(first) }),
    );
  });

  // ---- select --------------------------------------------------------------------------------------

  readonly select: ParserMethod<[], SelectNode> = this.RULE("select", () => {
    const first = this.CONSUME(keyword("SELECT"));
    this.ACTION(() => {
      if (this.#next("DISTINCT")) this.#refuse("SELECT DISTINCT", this.LA(1));
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
    this.ACTION(() => this.#notYet(notYetAfterSelect));
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
      this.#notYet(notYetAfterSelect);
      const { limit, offset } = before ?? after ?? { limit: undefined, offset: undefined };
      const span = this.#spanFrom(first);
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
        GATE: () => this.#nextIs(Dot, 2) && this.#nextIs(Star, 3),
        ALT: () => {
          const name = this.CONSUME(Name);
          this.CONSUME(Dot);
          this.CONSUME1(Star);
          return this.ACTION((): SelectItemNode => {
            return { kind: "star", relation: nameOf(name), span: this.#spanFrom(name) };
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
      if (this.#nextIs(OpenParen)) this.#refuse("a subquery in FROM", this.LA(1));
    });
    const name = this.SUBRULE(this.relationName);
    this.ACTION(() => {
      if (this.#nextIs(OpenParen)) this.#refuse(`${name.text.toUpperCase()}(…) in FROM`, this.LA(0));
    });
    const alias = this.SUBRULE(this.alias);
    return this.ACTION((): RelationNode => {
      this.#notYet(notYetInFrom);
      return { name, alias, span: alias === undefined ? name.span : spanBetween(name.span, alias.span) };
    });
  });

  readonly relationName: ParserMethod<[], NameNode> = this.RULE("relationName", () => {
    const first = this.CONSUME(Name);
    let text = "";
    this.MANY({
      GATE: () => this.#hyphenFollows(),
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
      return text === ""
        ? name
        : { text: name.text + text, quotes: name.quotes, span: this.#spanFrom(first) };
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
      if (this.#next("FINAL") || this.#next("EVERY")) this.#refuse(`EMIT ${this.LA(1).image}`, this.LA(1));
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
    return this.ACTION((): EmitNode => ({ mode, from, span: this.#spanFrom(first) }));
  });

  // ---- expressions ---------------------------------------------------------------------------------

  readonly expression: ParserMethod<[], ExpressionNode> = this.RULE("expression", () =>
    this.SUBRULE(this.chain, { ARGS: [0] }),
  );

  /** Only operators that bind tighter than `above`. */
  readonly chain: ParserMethod<[number], ExpressionNode> = this.RULE("chain", (above: number) => {
    const pieces: Piece[] = [];
    this.ACTION(() => this.#enter());
    this.SUBRULE(this.prefixed, { ARGS: [pieces] });
    this.MANY({
      GATE: () =>
        this.#nextIs(InfixOperator)
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
      this.#depth -= 1;
      return buildChain(pieces);
    });
  });

  readonly prefixed: ParserMethod<[Piece[]], void> = this.RULE("prefixed", (pieces: Piece[]) => {
    let prefixes = 0;
    this.MANY({
      // A sign before a number is part of the literal.
      GATE: () => !(this.#nextIs(Minus) && (this.#nextIs(Integer, 2) || this.#nextIs(Decimal, 2))),
      DEF: () => {
        const token = this.OR<Token>([
          { ALT: () => this.CONSUME(keyword("NOT")) },
          { ALT: () => this.CONSUME(Minus) },
          { ALT: () => this.CONSUME(Plus) },
        ]);
        this.ACTION(() => {
          prefixes += 1;
          this.#enter();
          const operator = token.tokenType === Minus ? "-" : token.tokenType === Plus ? "+" : "NOT";
          pieces.push({ kind: "prefix", operator, span: tokenSpan(token) });
        });
      },
    });
    const node = this.SUBRULE(this.operand);
    this.ACTION(() => {
      this.#depth -= prefixes;
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
      this.OR([
        { ALT: () => this.CONSUME(keyword("NULL")) },
        { ALT: () => this.CONSUME(keyword("TRUE")) },
        { ALT: () => this.CONSUME(keyword("FALSE")) },
        {
          ALT: () => {
            this.CONSUME(keyword("DISTINCT"));
            this.CONSUME(keyword("FROM"));
            const right = this.SUBRULE(this.chain, { ARGS: [precedence.comparison] });
            this.ACTION(() => {
              pieces.push({
                kind: "suffix",
                apply: (left) => ({
                  kind: "is-distinct",
                  left,
                  right,
                  negated,
                  span: spanBetween(left.span, right.span),
                }),
              });
            });
          },
        },
      ]);
      this.ACTION(() => {
        const token = this.LA(0);
        const test = token.tokenType.name;
        if (pieces.at(-1)?.kind === "suffix" || (test !== "NULL" && test !== "TRUE" && test !== "FALSE"))
          return;
        const end = tokenSpan(token);
        pieces.push({
          kind: "suffix",
          apply: (operand) => ({ kind: "is", operand, test, negated, span: spanBetween(operand.span, end) }),
        });
      });
    },
  );

  readonly between: ParserMethod<[Piece[], boolean], void> = this.RULE(
    "between",
    (pieces: Piece[], negated: boolean) => {
      this.CONSUME(keyword("BETWEEN"));
      let symmetric = false;
      this.OPTION({
        GATE: () => !this.#nextIs(InfixOperator, 2),
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
      this.ACTION(() => {
        if (this.#next("SELECT")) this.#refuse("a subquery", this.LA(1));
      });
      const list: ExpressionNode[] = [];
      this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => list.push(this.SUBRULE(this.expression)) });
      const end = this.CONSUME(CloseParen);
      this.ACTION(() => {
        pieces.push({
          kind: "suffix",
          apply: (operand) => ({
            kind: "in",
            operand,
            list,
            negated,
            span: spanBetween(operand.span, tokenSpan(end)),
          }),
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
        this.#enter();
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
      this.#depth -= chained;
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
      { ALT: () => this.SUBRULE(this.parenthesised) },
      { ALT: () => this.SUBRULE(this.caseOf) },
      {
        GATE: () => !this.#nextIs(Name) || (this.#next("ARRAY") && this.#nextIs(OpenBracket, 2)),
        ALT: () => this.SUBRULE(this.array),
      },
      {
        GATE: () =>
          this.#next("INTERVAL") && [Text, Integer, Decimal, Minus].some((type) => this.#nextIs(type, 2)),
        ALT: () => this.SUBRULE(this.interval),
      },
      {
        GATE: () => this.#nextIs(Text, 2) || this.#nextIs(Integer, 2),
        ALT: () => this.SUBRULE(this.moment),
      },
      { GATE: () => this.#nextIs(OpenParen, 2), ALT: () => this.SUBRULE(this.castTo) },
      { GATE: () => this.#nextIs(OpenParen, 2), ALT: () => this.SUBRULE(this.call) },
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
            numberLiteral(token, minus === undefined ? "" : "-", this.#spanFrom(minus ?? token)),
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
    this.ACTION(() => {
      if (this.#next("SELECT")) this.#refuse("a subquery", this.LA(1));
    });
    const node = this.SUBRULE(this.expression);
    this.CONSUME(CloseParen);
    return this.ACTION((): ExpressionNode => ({ ...node, span: this.#spanFrom(open) }));
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
      return { kind: "case", operand, branches, otherwise, span: this.#spanFrom(first) };
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
    return this.ACTION((): ExpressionNode => ({ kind: "array", elements, span: this.#spanFrom(first) }));
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
    return this.ACTION(() => intervalLiteral(text, unit, this.#spanFrom(first)));
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
    return this.ACTION(() => momentLiteral(word.image, text, this.#spanFrom(word)));
  });

  readonly castTo: ParserMethod<[], ExpressionNode> = this.RULE("castTo", () => {
    const first = this.CONSUME(keyword("CAST"));
    this.CONSUME(OpenParen);
    const operand = this.SUBRULE(this.expression);
    this.CONSUME(keyword("AS"));
    const type = this.SUBRULE(this.type);
    this.CONSUME(CloseParen);
    return this.ACTION((): ExpressionNode => {
      return { kind: "cast", operand, type, style: "cast", span: this.#spanFrom(first) };
    });
  });

  readonly call: ParserMethod<[], ExpressionNode> = this.RULE("call", () => {
    const first = this.CONSUME(Name);
    this.CONSUME(OpenParen);
    const args: ExpressionNode[] = [];
    let star = false;
    let distinct = false;
    this.ACTION(() => {
      if (this.#next("SELECT")) this.#refuse("a subquery", this.LA(1));
    });
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
      GATE: () => this.#nextIs(OpenParen, 2),
      DEF: () => {
        this.CONSUME(keyword("FILTER"));
        this.CONSUME1(OpenParen);
        this.CONSUME(keyword("WHERE"));
        const condition = this.SUBRULE1(this.expression);
        this.CONSUME1(CloseParen);
        return condition;
      },
    });
    return this.ACTION((): ExpressionNode => {
      if (this.#next("OVER") && this.#nextIs(OpenParen, 2))
        this.#refuse("a window function (OVER)", this.LA(1));
      return { kind: "call", name: nameOf(first), args, star, distinct, filter, span: this.#spanFrom(first) };
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
      return { kind: "name", parts, span: this.#spanFrom(first) };
    });
  });

  readonly type: ParserMethod<[], TypeNode> = this.RULE("type", () => {
    const name = this.CONSUME(Name);
    let dimensions = 0;
    this.MANY({
      GATE: () => this.#nextIs(CloseBracket, 2),
      DEF: () => {
        this.CONSUME(OpenBracket);
        this.CONSUME(CloseBracket);
        dimensions += 1;
      },
    });
    return this.ACTION((): TypeNode => ({ name: nameOf(name), dimensions, span: this.#spanFrom(name) }));
  });
}

/** Operators have one spelling inside: != is <>, words are in upper case. */
function operatorOf(token: Token): string {
  if (token.image === "!=") return "<>";
  return token.image === "==" ? "=" : token.image.toUpperCase();
}
