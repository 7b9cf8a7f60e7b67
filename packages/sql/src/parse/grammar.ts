import type { IParserErrorMessageProvider, ParserMethod } from "chevrotain";
import type {
  ColumnDefinitionNode,
  ExpressionNode,
  NameNode,
  OptionNode,
  QueryNode,
  SelectItemNode,
  ShowTarget,
  StatementNode,
} from "../ast/ast.js";
import { type Token } from "../tokens/lexer.js";
import { CastOperator, CloseParen, Comma, Equal, Integer, Name, OpenParen } from "../tokens/token-types.js";
import { keyword } from "./grammar-base.js";
import { adminStatement } from "./admin-statement.js";
import { nameOf } from "./literals.js";
import { Refusal } from "./refusal.js";
import { SelectGrammar } from "./select-grammar.js";

/*
 * statement ::= ADMIN '::' SELECT item (',' item)* FROM name [WHERE STREAM '=' name (',' name)*] | USE ( ADMIN | STREAM )
 *             | query | create | insert | show | describe | drop | terminate | pause | explain
 * create    ::= CREATE [OR REPLACE] STREAM [IF NOT EXISTS] relation [ '(' name type (',' name type)* ')' ] [WITH options]
 *             | CREATE [OR REPLACE] STREAM [IF NOT EXISTS] relation [WITH options] AS query [PARTITION BY name]
 *               [WITH options]
 *             | CREATE [OR REPLACE] VIEW [IF NOT EXISTS] relation [WITH options] AS query [WITH options]
 *             | CREATE ( SOURCE | SINK ) CONNECTOR relation [( FROM | TO ) name] [IF NOT EXISTS] WITH options
 * options   ::= '(' name '=' expression (',' name '=' expression)* ')'
 * insert    ::= INSERT INTO relation [ '(' name (',' name)* ')' ] ( VALUES ( row (',' row)* | expression ) | query )
 * row       ::= '(' expression (',' expression)* ')'
 * show      ::= SHOW ( STREAMS | VIEWS | QUERIES | TABLES | CONNECTORS | SUBSCRIPTIONS )
 *             | SHOW ERRORS FOR QUERY relation
 * describe  ::= ( DESCRIBE | DESC ) relation
 * drop      ::= DROP ( STREAM | VIEW | QUERY | CONNECTOR ) [IF EXISTS] relation [IF EXISTS]
 * terminate ::= TERMINATE ( ALL | QUERY ( relation | integer ) )
 * pause     ::= ( PAUSE | RESUME ) ( QUERY | VIEW | CONNECTOR ) relation
 * explain   ::= EXPLAIN [ '(' FORMAT ( TEXT | JSON ) ')' ] statement | EXPLAIN ANALYZE ( QUERY | VIEW ) relation
 *
 * query     ::= [WITH table (',' table)*] unions [ORDER BY order (',' order)*] [limit] [emit] [limit]
 * table     ::= name [names] AS '(' query ')'
 * unions    ::= intersections (( UNION | EXCEPT ) [ALL | DISTINCT] intersections)*
 * intersections ::= body (INTERSECT [ALL | DISTINCT] body)*
 * body      ::= select | VALUES row (',' row)* | '(' query ')'
 * select    ::= SELECT [DISTINCT | ALL] item (',' item)* [FROM joins (',' joins)*] [WHERE expression]
 *               [GROUP BY expression (',' expression)*] [HAVING expression]
 *               [WINDOW name AS over (',' name AS over)*]
 * item      ::= '*' | name '.' '*' | expression [[AS] name]
 * joins     ::= from ( [NATURAL] [type] JOIN from [within] [ON expression | USING names] [within] )*
 * type      ::= INNER | CROSS | ( LEFT | RIGHT | FULL ) [OUTER] | [LEFT] ( SEMI | ANTI )
 * within    ::= WITHIN '(' expression ')' | WITHIN INTERVAL …
 * from      ::= ( relation | '(' query ')' | window '(' from (',' expression)* ')' ) [[AS] name [names]]
 *             | '(' joins (',' joins)* ')'
 * window    ::= TUMBLE | TUMBLING | HOP | HOPPING | SESSION | SLIDE | SLIDING
 * names     ::= '(' name (',' name)* ')'
 * order     ::= expression [ASC | DESC] [NULLS ( FIRST | LAST )]
 * limit     ::= LIMIT expression [( OFFSET | ',' ) expression] | OFFSET expression
 * emit      ::= EMIT ( CHANGES [COALESCED | WITH RETRACTIONS] | FINAL | EVERY interval ) [FROM ( EARLIEST | LATEST )]
 * relation  ::= name ( '-' ( name | integer ) )*        -- without blanks: a-b is one name here
 *
 * expression ::= prefix* operand ( infix prefix* operand | suffix )*      -- ordered by precedence.ts
 * prefix    ::= NOT | '-' | '+'
 * suffix    ::= IS [NOT] ( NULL | TRUE | FALSE | DISTINCT FROM expression₅ )
 *             | [NOT] ( BETWEEN [SYMMETRIC] expression₅ AND expression₅ | IN '(' ( expression,… | query ) ')'
 *             | ( LIKE | ILIKE ) expression₅ [ESCAPE expression₅] )       -- ₅: tighter than comparisons
 *             | comparison ( ANY | SOME | ALL ) '(' query ')'
 * operand   ::= primary ( '[' expression ']' | '[' [expression] ':' [expression] ']' | '::' type )*
 * primary   ::= literal | name ['.' name] | '(' expression ')' | case | call | array
 *             | CAST '(' expression AS type ')' | '(' query ')' | EXISTS '(' query ')' | EXTRACT '(' name FROM expression ')'
 * literal   ::= text | ['-'] number | TRUE | FALSE | NULL | ( DATE | TIME | TIMESTAMP ) text
 *             | INTERVAL ( text | ['-'] number ) [unit] | INTERVAL integer ':' integer ':' integer
 * case      ::= CASE [expression] ( WHEN expression THEN expression )+ [ELSE expression] END
 * call      ::= name '(' [ '*' | [DISTINCT] expression (',' expression)* [ORDER BY order,…] ] ')'
 *               [FILTER '(' WHERE expression ')'] [( IGNORE | RESPECT ) NULLS] [OVER ( name | over )]
 * over      ::= '(' [name] [PARTITION BY expression,…] [ORDER BY order,…] [frame] ')'
 * frame     ::= ( ROWS | RANGE | GROUPS ) ( bound | BETWEEN bound AND bound )
 * bound     ::= ( UNBOUNDED | expression₅ ) ( PRECEDING | FOLLOWING ) | CURRENT ROW
 * array     ::= [ARRAY] '[' [expression,…] ']' | '{' [expression,…] '}' | '{' expression ':' expression,… '}'
 * type      ::= ( name | MAP '[' type '=>' type ']' ) ( '[' ']' )*
 */

/** Statements; select-grammar.ts and expression-grammar.ts have what they are made of. */
export class Grammar extends SelectGrammar {
  /** `checked`: with Chevrotain's own checks of the grammar, which take a while. */
  constructor(messages: IParserErrorMessageProvider, checked: boolean) {
    super(messages, checked);
    this.performSelfAnalysis();
  }

  /** Parses one statement's tokens; undefined when `errors` says why. Throws Refusal. */
  parse(tokens: Token[]): StatementNode | undefined {
    this.depth = 0;
    this.input = tokens;
    return this.statement();
  }

  readonly statement: ParserMethod<[], StatementNode> = this.RULE("statement", () => {
    this.ACTION(() => this.enter());
    const node = this.OR<StatementNode>([
      { ALT: () => this.SUBRULE(this.query) },
      { ALT: () => this.SUBRULE(this.create) },
      { ALT: () => this.SUBRULE(this.insert) },
      { ALT: () => this.SUBRULE(this.show) },
      { ALT: () => this.SUBRULE(this.describe) },
      { ALT: () => this.SUBRULE(this.drop) },
      { ALT: () => this.SUBRULE(this.terminate) },
      { ALT: () => this.SUBRULE(this.pause) },
      { ALT: () => this.SUBRULE(this.explain) },
      { ALT: () => this.SUBRULE(this.admin) },
      { ALT: () => this.SUBRULE(this.use) },
    ]);
    this.ACTION(() => {
      this.depth -= 1;
    });
    return node;
  });

  readonly query: ParserMethod<[], StatementNode> = this.RULE("query", () => {
    const query = this.SUBRULE(this.queryExpression);
    return this.ACTION((): StatementNode => ({ kind: "query", query, span: query.span }));
  });

  readonly create: ParserMethod<[], StatementNode> = this.RULE("create", () => {
    const first = this.CONSUME(keyword("CREATE"));
    let orReplace = false;
    this.OPTION(() => {
      this.CONSUME(keyword("OR"));
      this.CONSUME(keyword("REPLACE"));
      orReplace = true;
    });
    return this.OR<StatementNode>([
      { ALT: () => this.SUBRULE(this.createStream, { ARGS: [first, orReplace] }) },
      { ALT: () => this.SUBRULE(this.createView, { ARGS: [first, orReplace] }) },
      { ALT: () => this.SUBRULE(this.createConnector, { ARGS: [first] }) },
    ]);
  });

  readonly createStream: ParserMethod<[Token, boolean], StatementNode> = this.RULE(
    "createStream",
    (first: Token, orReplace: boolean) => {
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
      const before = this.OPTION1(() => this.SUBRULE(this.options));
      let partitionBy: NameNode | undefined;
      const query = this.OPTION2(() => {
        this.CONSUME(keyword("AS"));
        const selected = this.SUBRULE(this.queryExpression);
        this.OPTION3(() => {
          this.CONSUME(keyword("PARTITION"));
          this.CONSUME(keyword("BY"));
          const column = this.CONSUME1(Name);
          this.ACTION(() => {
            partitionBy = nameOf(column);
          });
        });
        return selected;
      });
      const after = this.OPTION4({
        GATE: () => query !== undefined,
        DEF: () => this.SUBRULE1(this.options),
      });
      return this.ACTION((): StatementNode => {
        const options = [...(before ?? []), ...(after ?? [])];
        const rest = { name, ifNotExists, orReplace, options, span: this.spanFrom(first) };
        if (query === undefined) return { kind: "create-stream", columns, ...rest };
        const [column] = columns;
        if (column !== undefined) {
          const hint = "leave them out: the query gives names and types";
          throw new Refusal("CREATE STREAM … AS takes no declared columns", column.name.span, hint);
        }
        return { kind: "create-stream-as", query, partitionBy, ...rest };
      });
    },
  );

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
        this.ACTION(() => options.push({ name: nameOf(name), value, span: this.spanFrom(name) }));
      },
    });
    this.CONSUME(CloseParen);
    return options;
  });

  readonly createView: ParserMethod<[Token, boolean], StatementNode> = this.RULE(
    "createView",
    (first: Token, orReplace: boolean) => {
      this.CONSUME(keyword("VIEW"));
      const ifNotExists = this.SUBRULE(this.ifNotExists);
      const name = this.SUBRULE(this.relationName);
      const before = this.OPTION(() => this.SUBRULE(this.options));
      this.CONSUME(keyword("AS"));
      const query = this.SUBRULE(this.queryExpression);
      const after = this.OPTION1(() => this.SUBRULE1(this.options));
      return this.ACTION((): StatementNode => {
        const options = [...(before ?? []), ...(after ?? [])];
        return {
          kind: "create-view",
          name,
          ifNotExists,
          orReplace,
          query,
          options,
          span: this.spanFrom(first),
        };
      });
    },
  );

  readonly createConnector: ParserMethod<[Token], StatementNode> = this.RULE(
    "createConnector",
    (first: Token) => {
      const direction = this.OR<"source" | "sink">([
        { ALT: () => (this.CONSUME(keyword("SOURCE")), "source") },
        { ALT: () => (this.CONSUME(keyword("SINK")), "sink") },
      ]);
      this.CONSUME(keyword("CONNECTOR"));
      const before = this.SUBRULE(this.ifNotExists);
      const name = this.SUBRULE(this.relationName);
      const type = this.OPTION(() => {
        this.OR1([{ ALT: () => this.CONSUME(keyword("FROM")) }, { ALT: () => this.CONSUME(keyword("TO")) }]);
        const word = this.CONSUME(Name);
        return this.ACTION(() => nameOf(word));
      });
      const after = this.SUBRULE1(this.ifNotExists);
      const options = this.SUBRULE(this.options);
      return this.ACTION((): StatementNode => {
        const ifNotExists = before || after;
        return {
          kind: "create-connector",
          direction,
          name,
          ifNotExists,
          type,
          options,
          span: this.spanFrom(first),
        };
      });
    },
  );

  readonly ifNotExists: ParserMethod<[], boolean> = this.RULE("ifNotExists", () => {
    let found = false;
    this.OPTION({
      GATE: () => this.next("IF") && this.next("NOT", 2),
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
      GATE: () => this.next("IF") && (this.next("EXISTS", 2) || this.next("EXIST", 2)),
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
    const rows: ExpressionNode[][] = [];
    const source = this.OR<QueryNode | ExpressionNode | undefined>([
      { GATE: () => !this.next("VALUES"), ALT: () => this.SUBRULE(this.subquery) },
      {
        GATE: () => this.nextIs(OpenParen, 2),
        IGNORE_AMBIGUITIES: true,
        ALT: () => {
          this.CONSUME(keyword("VALUES"));
          this.AT_LEAST_ONE_SEP2({ SEP: Comma, DEF: () => rows.push(this.SUBRULE(this.row)) });
          return undefined;
        },
      },
      {
        IGNORE_AMBIGUITIES: true,
        ALT: () => {
          this.CONSUME1(keyword("VALUES"));
          return this.SUBRULE(this.expression);
        },
      },
    ]);
    return this.ACTION((): StatementNode => {
      const columns = names.length > 0 ? names : undefined;
      const span = this.spanFrom(first);
      const kind = "insert";
      if (source === undefined) return { kind, relation, columns, source: { kind: "rows", rows }, span };
      return source.kind === "query"
        ? { kind, relation, columns, source: { kind: "query", query: source }, span }
        : { kind, relation, columns, source: { kind: "payload", value: source }, span };
    });
  });

  readonly show: ParserMethod<[], StatementNode> = this.RULE("show", () => {
    const first = this.CONSUME(keyword("SHOW"));
    const target = this.OR<Token | NameNode>([
      { ALT: () => this.CONSUME(keyword("STREAMS")) },
      { ALT: () => this.CONSUME(keyword("VIEWS")) },
      { ALT: () => this.CONSUME(keyword("QUERIES")) },
      { ALT: () => this.CONSUME(keyword("TABLES")) },
      { ALT: () => this.CONSUME(keyword("CONNECTORS")) },
      { ALT: () => this.CONSUME(keyword("SUBSCRIPTIONS")) },
      {
        ALT: () => {
          this.CONSUME(keyword("ERRORS"));
          this.CONSUME(keyword("FOR"));
          this.CONSUME(keyword("QUERY"));
          return this.SUBRULE(this.relationName);
        },
      },
    ]);
    return this.ACTION((): StatementNode => {
      const span = this.spanFrom(first);
      return "image" in target
        ? { kind: "show", target: target.image.toLowerCase() as ShowTarget, span }
        : { kind: "show-errors", query: target, span };
    });
  });

  /** Of the first dialect: ADMIN::SELECT … FROM APPEND_THROUGHPUT WHERE STREAM = s1, s2. */
  readonly admin: ParserMethod<[], StatementNode> = this.RULE("admin", () => {
    const first = this.CONSUME(keyword("ADMIN"));
    this.CONSUME(CastOperator);
    this.CONSUME(keyword("SELECT"));
    const items: SelectItemNode[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => items.push(this.SUBRULE(this.item)) });
    this.CONSUME(keyword("FROM"));
    const table = this.CONSUME(Name);
    const streams: Token[] = [];
    this.OPTION(() => {
      this.CONSUME(keyword("WHERE"));
      this.CONSUME(keyword("STREAM"));
      this.CONSUME(Equal);
      this.AT_LEAST_ONE_SEP1({ SEP: Comma, DEF: () => streams.push(this.CONSUME1(Name)) });
    });
    return this.ACTION(() => adminStatement(items, nameOf(table), streams.map(nameOf), this.spanFrom(first)));
  });

  /** USE ADMIN and USE STREAM chose between two languages, of which there is one: they show what there is. */
  readonly use: ParserMethod<[], StatementNode> = this.RULE("use", () => {
    const first = this.CONSUME(keyword("USE"));
    const word = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("ADMIN")) },
      { ALT: () => this.CONSUME(keyword("STREAM")) },
    ]);
    return this.ACTION((): StatementNode => {
      const target = word.tokenType.name === "ADMIN" ? "tables" : "streams";
      return { kind: "show", target, span: this.spanFrom(first) };
    });
  });

  readonly describe: ParserMethod<[], StatementNode> = this.RULE("describe", () => {
    const first = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("DESCRIBE")) },
      { ALT: () => this.CONSUME(keyword("DESC")) },
    ]);
    const name = this.SUBRULE(this.relationName);
    return this.ACTION((): StatementNode => ({ kind: "describe", name, span: this.spanFrom(first) }));
  });

  readonly drop: ParserMethod<[], StatementNode> = this.RULE("drop", () => {
    const first = this.CONSUME(keyword("DROP"));
    const target = this.OR<"stream" | "view" | "query" | "connector">([
      { ALT: () => (this.CONSUME(keyword("STREAM")), "stream") },
      { ALT: () => (this.CONSUME(keyword("VIEW")), "view") },
      { ALT: () => (this.CONSUME(keyword("QUERY")), "query") },
      { ALT: () => (this.CONSUME(keyword("CONNECTOR")), "connector") },
    ]);
    const before = this.SUBRULE(this.ifExists);
    const name = this.SUBRULE(this.relationName);
    const after = this.SUBRULE2(this.ifExists);
    return this.ACTION((): StatementNode => {
      return { kind: "drop", target, name, ifExists: before || after, span: this.spanFrom(first) };
    });
  });

  readonly terminate: ParserMethod<[], StatementNode> = this.RULE("terminate", () => {
    const first = this.CONSUME(keyword("TERMINATE"));
    const query = this.OR<NameNode | undefined>([
      { ALT: () => (this.CONSUME(keyword("ALL")), undefined) },
      {
        ALT: () => {
          this.CONSUME(keyword("QUERY"));
          return this.OR1<NameNode>([
            { ALT: () => this.SUBRULE(this.relationName) },
            {
              ALT: () => {
                const number = this.CONSUME(Integer);
                return this.ACTION(() => nameOf(number));
              },
            },
          ]);
        },
      },
    ]);
    return this.ACTION((): StatementNode => ({ kind: "terminate", query, span: this.spanFrom(first) }));
  });

  readonly pause: ParserMethod<[], StatementNode> = this.RULE("pause", () => {
    const first = this.OR<Token>([
      { ALT: () => this.CONSUME(keyword("PAUSE")) },
      { ALT: () => this.CONSUME(keyword("RESUME")) },
    ]);
    const target = this.OR1<"query" | "view" | "connector">([
      { ALT: () => (this.CONSUME(keyword("QUERY")), "query") },
      { ALT: () => (this.CONSUME(keyword("VIEW")), "view") },
      { ALT: () => (this.CONSUME(keyword("CONNECTOR")), "connector") },
    ]);
    const name = this.SUBRULE(this.relationName);
    return this.ACTION((): StatementNode => {
      const kind = first.tokenType.name === "PAUSE" ? "pause" : "resume";
      return { kind, target, name, span: this.spanFrom(first) };
    });
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
    return this.OR1<StatementNode>([
      { GATE: () => this.next("ANALYZE"), ALT: () => this.SUBRULE(this.analyze, { ARGS: [first] }) },
      {
        ALT: () => {
          const statement = this.SUBRULE(this.statement);
          return this.ACTION(
            (): StatementNode => ({ kind: "explain", format, statement, span: this.spanFrom(first) }),
          );
        },
      },
    ]);
  });

  readonly analyze: ParserMethod<[Token], StatementNode> = this.RULE("analyze", (first: Token) => {
    this.CONSUME(keyword("ANALYZE"));
    const target = this.OR<"query" | "view">([
      { ALT: () => (this.CONSUME(keyword("QUERY")), "query") },
      { ALT: () => (this.CONSUME(keyword("VIEW")), "view") },
    ]);
    const name = this.SUBRULE(this.relationName);
    return this.ACTION((): StatementNode => ({ kind: "analyze", target, name, span: this.spanFrom(first) }));
  });
}
