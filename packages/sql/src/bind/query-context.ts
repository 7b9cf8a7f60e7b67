import type { NameNode, QueryNode } from "../ast/ast.js";
import type { Catalog, Relation } from "../catalog/catalog.js";
import type { Span } from "../diagnostic.js";
import type { Expression } from "../plan/expression.js";
import type { LogicalColumn, LogicalPlan } from "../plan/logical.js";
import type { Findings } from "./findings.js";
import type { RowTime } from "./windows.js";
import type { ColumnIds, QueryColumn, Scope } from "./scope.js";

/** What all query blocks of a statement share. */
export interface QueryContext {
  readonly catalog: Catalog;
  readonly findings: Findings;
  readonly ids: ColumnIds;
  /** One answer over what is stored, as opposed to changes without end. */
  readonly finite: boolean;
  /** Relations read, by id. */
  readonly sources: Map<string, Relation>;
  /** A query in FROM, in an expression or in parentheses. */
  readonly bindSubquery: (node: QueryNode, place: QueryPlace) => BoundRows;
  /** Relations named so far. */
  references: number;
}

/** Where a query block stands. */
export interface QueryPlace {
  readonly context: QueryContext;
  /** Common tables by name. */
  readonly tables: ReadonlyMap<string, CommonTable>;
  /** Of the query around a subquery in an expression. */
  readonly outer: Scope | undefined;
  /** The subquery stands for a value, so that it must be joined by equal keys. */
  readonly forValue?: boolean;
  /** The times of its rows are wanted, by a window or a WITHIN. */
  readonly timed?: boolean;
}

/** Bound anew at each use, so that each use has columns of its own. */
export interface CommonTable {
  readonly query: QueryNode;
  readonly columnAliases: readonly NameNode[];
  /** Those defined before it. */
  readonly tables: ReadonlyMap<string, CommonTable>;
}

/** A bound query block. */
export interface BoundRows {
  readonly plan: LogicalPlan;
  readonly columns: readonly OutputItem[];
  /** At most one row (for each row of the query around it). */
  readonly single: boolean;
  /** How it hangs on the query around it; undefined where it stands alone. */
  readonly correlation: Correlation | undefined;
  /** Where the times of its rows are wanted, and they have one: columns of the plan that are no columns of the block. */
  readonly rowTime?: RowTime;
}

export interface OutputItem extends QueryColumn {
  /** Written before the names of a record's fields, where several records meet. */
  readonly prefix: string | undefined;
  /** Where a name was given that another item has; the column is then called name_2. */
  readonly repeats?: { readonly name: string; readonly span: Span };
}

/**
 * The different rows of the query around a subquery, as far as the subquery reads them: a join with them makes of
 * any condition an equality (Neumann and Kemper 2015). The plan has `placeholder` where they shall stand.
 */
export interface OuterRows {
  readonly placeholder: LogicalPlan;
  readonly span: Span;
  /** `outer` over the outer query's columns. */
  readonly columns: readonly { readonly outer: Expression; readonly column: LogicalColumn }[];
}

export interface Correlation {
  readonly outerRows: OuterRows | undefined;
  /** `left` over the outer query's columns, `right` over the plan's. */
  readonly pairs: readonly {
    readonly left: Expression;
    readonly right: Expression;
    readonly nullsEqual: boolean;
  }[];
  /** Conditions over both. */
  readonly residuals: readonly Expression[];
  /** Columns that the plan gives for the pairs and residuals. */
  readonly hidden: readonly LogicalColumn[];
  /** Of an aggregate without GROUP BY: what each column is where no record comes, and a column that says one did. */
  readonly empty: { readonly marker: LogicalColumn; readonly values: readonly Expression[] } | undefined;
}
