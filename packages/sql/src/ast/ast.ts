import type { Span } from "../diagnostic.js";
import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";

/** A name as written, without its quotes. */
export interface NameNode {
  readonly text: string;
  readonly span: Span;
  /** double: may be meant as a text, see bind/. */
  readonly quotes: "none" | "double" | "back";
}

export type ExpressionNode = { readonly span: Span } & (
  | { readonly kind: "literal"; readonly value: SqlValue; readonly type: SqlType; readonly text: string }
  /** One part, or relation and column. */
  | { readonly kind: "name"; readonly parts: readonly NameNode[] }
  | { readonly kind: "unary"; readonly operator: "-" | "+" | "NOT"; readonly operand: ExpressionNode }
  | {
      readonly kind: "binary";
      readonly operator: BinaryOperator;
      readonly left: ExpressionNode;
      readonly right: ExpressionNode;
    }
  /** A whole chain: a long one is not deep. */
  | {
      readonly kind: "logical";
      readonly operator: "AND" | "OR";
      readonly operands: readonly ExpressionNode[];
    }
  | {
      readonly kind: "between";
      readonly operand: ExpressionNode;
      readonly low: ExpressionNode;
      readonly high: ExpressionNode;
      readonly negated: boolean;
      readonly symmetric: boolean;
    }
  | {
      readonly kind: "in";
      readonly operand: ExpressionNode;
      readonly list: readonly ExpressionNode[];
      readonly negated: boolean;
    }
  | {
      readonly kind: "like";
      readonly operand: ExpressionNode;
      readonly pattern: ExpressionNode;
      readonly escape: ExpressionNode | undefined;
      readonly negated: boolean;
      readonly caseInsensitive: boolean;
    }
  | {
      readonly kind: "is";
      readonly operand: ExpressionNode;
      readonly test: "NULL" | "TRUE" | "FALSE";
      readonly negated: boolean;
    }
  | {
      readonly kind: "is-distinct";
      readonly left: ExpressionNode;
      readonly right: ExpressionNode;
      readonly negated: boolean;
    }
  | {
      readonly kind: "case";
      readonly operand: ExpressionNode | undefined;
      readonly branches: readonly { readonly when: ExpressionNode; readonly then: ExpressionNode }[];
      readonly otherwise: ExpressionNode | undefined;
    }
  | {
      readonly kind: "cast";
      readonly operand: ExpressionNode;
      readonly type: TypeNode;
      readonly style: "cast" | "colons";
    }
  | {
      readonly kind: "call";
      readonly name: NameNode;
      readonly args: readonly ExpressionNode[];
      readonly star: boolean;
      readonly distinct: boolean;
      /** Of the values that an aggregate takes in. */
      readonly orderBy: readonly OrderNode[];
      readonly filter: ExpressionNode | undefined;
      /** IGNORE NULLS. */
      readonly ignoreNulls: boolean;
      readonly over: OverNode | undefined;
    }
  /** A query in parentheses where a value stands. */
  | { readonly kind: "subquery"; readonly query: QueryNode }
  | { readonly kind: "exists"; readonly query: QueryNode }
  | {
      readonly kind: "in-query";
      readonly operand: ExpressionNode;
      readonly query: QueryNode;
      readonly negated: boolean;
    }
  /** x > ALL (SELECT …), x = ANY (SELECT …). */
  | {
      readonly kind: "quantified";
      readonly operator: BinaryOperator;
      readonly all: boolean;
      readonly operand: ExpressionNode;
      readonly query: QueryNode;
    }
  | { readonly kind: "array"; readonly elements: readonly ExpressionNode[] }
  | { readonly kind: "element"; readonly operand: ExpressionNode; readonly index: ExpressionNode }
  | {
      readonly kind: "slice";
      readonly operand: ExpressionNode;
      readonly from: ExpressionNode | undefined;
      readonly to: ExpressionNode | undefined;
    }
);

export interface OverNode {
  /** A window of the WINDOW clause: `whole` for OVER w, else the beginning of OVER (w …). */
  readonly base: { readonly name: NameNode; readonly whole: boolean } | undefined;
  readonly partitionBy: readonly ExpressionNode[];
  readonly orderBy: readonly OrderNode[];
  readonly frame: FrameNode | undefined;
  readonly span: Span;
}

/** WINDOW name AS (…). */
export interface NamedWindowNode {
  readonly name: NameNode;
  readonly over: OverNode;
}

export interface FrameNode {
  readonly unit: "rows" | "range" | "groups";
  readonly start: FrameBoundNode;
  readonly end: FrameBoundNode;
  readonly span: Span;
}

export type FrameBoundNode =
  | { readonly kind: "unbounded-preceding" | "current-row" | "unbounded-following" }
  | { readonly kind: "preceding" | "following"; readonly offset: ExpressionNode };

export type BinaryOperator =
  | "+"
  | "-"
  | "*"
  | "/"
  | "%"
  | "DIV"
  | "||"
  | "->"
  | "->>"
  | "#>"
  | "#>>"
  | "="
  | "<>"
  | "<"
  | "<="
  | ">"
  | ">=";

/** A type by its name; `dimensions` counts the [] behind it. */
export interface TypeNode {
  readonly name: NameNode;
  readonly dimensions: number;
  readonly span: Span;
}

export type SelectItemNode = { readonly span: Span } & (
  | { readonly kind: "star"; readonly relation: NameNode | undefined }
  | { readonly kind: "expression"; readonly expression: ExpressionNode; readonly alias: NameNode | undefined }
);

/** What stands in FROM. */
export type FromNode = { readonly span: Span } & (
  | { readonly kind: "relation"; readonly name: NameNode; readonly alias: AliasNode | undefined }
  | { readonly kind: "subquery"; readonly query: QueryNode; readonly alias: AliasNode | undefined }
  /** TUMBLE(s, …) and its kind, under its present name. */
  | {
      readonly kind: "window";
      readonly window: WindowKind;
      readonly input: FromNode;
      readonly args: readonly ExpressionNode[];
      readonly alias: AliasNode | undefined;
    }
  | {
      readonly kind: "join";
      readonly type: JoinTypeNode;
      readonly natural: boolean;
      readonly using: readonly NameNode[] | undefined;
      readonly on: ExpressionNode | undefined;
      readonly within: ExpressionNode | undefined;
      readonly left: FromNode;
      readonly right: FromNode;
    }
);

export type JoinTypeNode = "inner" | "left" | "right" | "full" | "cross" | "semi" | "anti";

export type WindowKind = "TUMBLE" | "HOP" | "SESSION" | "SLIDE";

/** AS name (column, …). */
export interface AliasNode {
  readonly name: NameNode;
  readonly columns: readonly NameNode[];
  readonly span: Span;
}

export interface OrderNode {
  readonly expression: ExpressionNode;
  readonly descending: boolean;
  readonly nulls: "first" | "last" | undefined;
}

export interface EmitNode {
  readonly mode: "changes" | "coalesced" | "retractions" | "final" | "every";
  /** Of EMIT EVERY. */
  readonly interval: ExpressionNode | undefined;
  readonly from: "earliest" | "latest" | undefined;
  readonly span: Span;
}

/** What gives rows, before they are ordered. */
export type QueryBodyNode =
  | SelectNode
  | { readonly kind: "values"; readonly rows: readonly (readonly ExpressionNode[])[]; readonly span: Span }
  | {
      readonly kind: "set-operation";
      readonly operator: "UNION" | "EXCEPT" | "INTERSECT";
      readonly all: boolean;
      readonly left: QueryBodyNode;
      readonly right: QueryBodyNode;
      readonly span: Span;
    }
  /** In parentheses. */
  | QueryNode;

export interface SelectNode {
  readonly kind: "select";
  readonly span: Span;
  readonly distinct: boolean;
  readonly items: readonly SelectItemNode[];
  readonly from: FromNode | undefined;
  readonly where: ExpressionNode | undefined;
  readonly groupBy: readonly ExpressionNode[];
  readonly having: ExpressionNode | undefined;
  readonly windows: readonly NamedWindowNode[];
}

export interface CommonTableNode {
  readonly alias: AliasNode;
  readonly query: QueryNode;
}

export interface QueryNode {
  readonly kind: "query";
  readonly span: Span;
  readonly with: readonly CommonTableNode[];
  readonly body: QueryBodyNode;
  readonly orderBy: readonly OrderNode[];
  readonly limit: ExpressionNode | undefined;
  readonly offset: ExpressionNode | undefined;
  readonly emit: EmitNode | undefined;
}

export interface OptionNode {
  readonly name: NameNode;
  readonly value: ExpressionNode;
  readonly span: Span;
}

export interface ColumnDefinitionNode {
  readonly name: NameNode;
  readonly type: TypeNode;
}

export type ShowTarget = "streams" | "views" | "queries" | "tables" | "connectors" | "subscriptions";

export type StatementNode = { readonly span: Span } & (
  | {
      readonly kind: "create-stream";
      readonly name: NameNode;
      readonly ifNotExists: boolean;
      readonly columns: readonly ColumnDefinitionNode[];
      readonly orReplace: boolean;
      readonly options: readonly OptionNode[];
    }
  | {
      readonly kind: "create-stream-as";
      readonly name: NameNode;
      readonly ifNotExists: boolean;
      readonly orReplace: boolean;
      readonly query: QueryNode;
      readonly partitionBy: NameNode | undefined;
      readonly options: readonly OptionNode[];
    }
  | {
      readonly kind: "create-connector";
      readonly direction: "source" | "sink";
      readonly name: NameNode;
      readonly ifNotExists: boolean;
      /** FROM or TO what; older texts say it by an option TYPE. */
      readonly type: NameNode | undefined;
      readonly options: readonly OptionNode[];
    }
  | {
      readonly kind: "create-view";
      readonly name: NameNode;
      readonly ifNotExists: boolean;
      readonly orReplace: boolean;
      readonly query: QueryNode;
      readonly options: readonly OptionNode[];
    }
  | {
      readonly kind: "insert";
      readonly relation: NameNode;
      readonly columns: readonly NameNode[] | undefined;
      readonly source:
        | { readonly kind: "rows"; readonly rows: readonly (readonly ExpressionNode[])[] }
        /** VALUES '…' without parentheses: JSON text, or bytes. */
        | { readonly kind: "payload"; readonly value: ExpressionNode }
        | { readonly kind: "query"; readonly query: QueryNode };
    }
  | { readonly kind: "show"; readonly target: ShowTarget }
  | { readonly kind: "show-errors"; readonly query: NameNode }
  | { readonly kind: "describe"; readonly name: NameNode }
  | {
      readonly kind: "drop";
      readonly target: "stream" | "view" | "query" | "connector";
      readonly name: NameNode;
      readonly ifExists: boolean;
    }
  /** Without a name: all queries. */
  | { readonly kind: "terminate"; readonly query: NameNode | undefined }
  | {
      readonly kind: "pause" | "resume";
      readonly target: "query" | "view" | "connector";
      readonly name: NameNode;
    }
  /** EXPLAIN ANALYZE of what runs. */
  | { readonly kind: "analyze"; readonly target: "query" | "view"; readonly name: NameNode }
  | { readonly kind: "explain"; readonly format: "text" | "json"; readonly statement: StatementNode }
  | { readonly kind: "query"; readonly query: QueryNode }
);
