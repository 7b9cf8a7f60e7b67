import type { IParserErrorMessageProvider, ParserMethod } from "chevrotain";
import type {
  ColumnDefinitionNode,
  ExpressionNode,
  NameNode,
  OptionNode,
  ShowTarget,
  StatementNode,
} from "../ast/ast.js";
import { type Token } from "../tokens/lexer.js";
import { CloseParen, Comma, Equal, Integer, Name, OpenParen } from "../tokens/token-types.js";
import { keyword } from "./grammar-base.js";
import { nameOf } from "./literals.js";
import { SelectGrammar } from "./select-grammar.js";

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
      { ALT: () => this.SUBRULE(this.explain) },
    ]);
    this.ACTION(() => {
      this.depth -= 1;
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
      if (this.next("AS")) this.refuse("CREATE STREAM … AS SELECT", this.LA(1));
    });
    const options = this.OPTION2(() => this.SUBRULE(this.options)) ?? [];
    return this.ACTION((): StatementNode => {
      return { kind: "create-stream", name, ifNotExists, columns, options, span: this.spanFrom(first) };
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
        this.ACTION(() => options.push({ name: nameOf(name), value, span: this.spanFrom(name) }));
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
      return { kind: "create-view", name, ifNotExists, query, span: this.spanFrom(first) };
    });
  });

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
    this.ACTION(() => {
      if (this.next("SELECT")) this.refuse("INSERT INTO … SELECT", this.LA(1));
    });
    this.CONSUME(keyword("VALUES"));
    const rows: ExpressionNode[][] = [];
    const payload = this.OR<ExpressionNode | undefined>([
      {
        // A parenthesis opens a row, never a payload.
        IGNORE_AMBIGUITIES: true,
        ALT: () => {
          this.AT_LEAST_ONE_SEP2({ SEP: Comma, DEF: () => rows.push(this.SUBRULE(this.row)) });
          return undefined;
        },
      },
      { ALT: () => this.SUBRULE(this.expression) },
    ]);
    return this.ACTION((): StatementNode => {
      const columns = names.length > 0 ? names : undefined;
      const span = this.spanFrom(first);
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
      return { kind: "show", target: target.image.toLowerCase() as ShowTarget, span: this.spanFrom(first) };
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
    const target = this.OR<"stream" | "view" | "query">([
      { ALT: () => (this.CONSUME(keyword("STREAM")), "stream") },
      { ALT: () => (this.CONSUME(keyword("VIEW")), "view") },
      { ALT: () => (this.CONSUME(keyword("QUERY")), "query") },
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
    return this.ACTION((): StatementNode => ({ kind: "terminate", query, span: this.spanFrom(first) }));
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
      (): StatementNode => ({ kind: "explain", format, statement, span: this.spanFrom(first) }),
    );
  });
}
