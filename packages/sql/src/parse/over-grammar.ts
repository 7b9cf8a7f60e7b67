import type { ParserMethod } from "chevrotain";
import type {
  ExpressionNode,
  FrameBoundNode,
  FrameNode,
  NamedWindowNode,
  OrderNode,
  OverNode,
} from "../ast/ast.js";
import type { Token } from "../tokens/lexer.js";
import { CloseParen, Comma, InfixOperator, Name, OpenParen } from "../tokens/token-types.js";
import { ExpressionGrammar } from "./expression-grammar.js";
import { keyword } from "./grammar-base.js";
import { nameOf } from "./literals.js";
import { precedence } from "./precedence.js";

/** OVER (…), WINDOW … and ORDER BY; the BNF is in grammar.ts. */
export abstract class OverGrammar extends ExpressionGrammar {
  readonly over: ParserMethod<[], OverNode> = this.RULE("over", () => {
    const first = this.CONSUME(keyword("OVER"));
    return this.OR<OverNode>([
      { ALT: () => this.SUBRULE(this.windowDefinition, { ARGS: [first] }) },
      {
        ALT: () => {
          const name = this.CONSUME(Name);
          return this.ACTION((): OverNode => {
            const base = { name: nameOf(name), whole: true };
            return { base, partitionBy: [], orderBy: [], frame: undefined, span: this.spanFrom(first) };
          });
        },
      },
    ]);
  });

  readonly namedWindow: ParserMethod<[], NamedWindowNode> = this.RULE("namedWindow", () => {
    const name = this.CONSUME(Name);
    this.CONSUME(keyword("AS"));
    const over = this.SUBRULE(this.windowDefinition, { ARGS: [name] });
    return this.ACTION((): NamedWindowNode => ({ name: nameOf(name), over }));
  });

  readonly windowDefinition: ParserMethod<[Token], OverNode> = this.RULE(
    "windowDefinition",
    (first: Token) => {
      this.CONSUME(OpenParen);
      const named = this.OPTION3({
        GATE: () =>
          !(this.next("PARTITION") && this.next("BY", 2)) &&
          !((this.next("ROWS") || this.next("RANGE") || this.next("GROUPS")) && !this.endsName(2)),
        DEF: () => this.CONSUME(Name),
      });
      const partitionBy: ExpressionNode[] = [];
      this.OPTION(() => {
        this.CONSUME(keyword("PARTITION"));
        this.CONSUME(keyword("BY"));
        this.AT_LEAST_ONE_SEP({ SEP: Comma, DEF: () => partitionBy.push(this.SUBRULE(this.expression)) });
      });
      const orderBy = this.OPTION1(() => this.SUBRULE(this.orderBy)) ?? [];
      const frame = this.OPTION2(() => this.SUBRULE(this.frame));
      this.CONSUME(CloseParen);
      return this.ACTION((): OverNode => {
        const base = named === undefined ? undefined : { name: nameOf(named), whole: false };
        return { base, partitionBy, orderBy, frame, span: this.spanFrom(first) };
      });
    },
  );

  /** Whether a name of a window ends before that token. */
  private endsName(ahead: number): boolean {
    return this.nextIs(CloseParen, ahead) || this.next("ORDER", ahead) || this.next("PARTITION", ahead);
  }

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
}
