import type { Expression } from "../plan/expression.js";
import {
  columnExpression,
  columnsOf,
  type LogicalColumn,
  type LogicalPlan,
  type ProjectItem,
} from "../plan/logical.js";
import { columnsIn } from "../plan/rewrite.js";
import type { OuterRows } from "./query-context.js";

/** How a query block hangs on the one around it, as the block itself sees it. */
export interface BlockCorrelation {
  readonly pairs: readonly CorrelatedPair[];
  readonly residuals: readonly Expression[];
  readonly outerRows: OuterRows | undefined;
  /** What the outer rows are joined by. */
  readonly joining: readonly Expression[];
}

export interface CorrelatedPair {
  /** Over the outer query's columns. */
  readonly left: Expression;
  /** Over what stands before the projection. */
  readonly inner: Expression;
  /** As it goes out. */
  readonly column: LogicalColumn;
  readonly nullsEqual: boolean;
}

/** `outer = inner`, over the columns of the two queries; or IS NOT DISTINCT FROM. */
export interface Equality {
  readonly outer: Expression;
  readonly inner: Expression;
  readonly nullsEqual: boolean;
}

/** Whether an expression names columns of the query around. `correlated`: their ids. */
export function isOuter(expression: Expression, correlated: ReadonlySet<number>): boolean {
  return correlated.size > 0 && [...columnsIn(expression)].some((id) => correlated.has(id));
}

/** Conditions that name columns of the query around: the equalities between the two, and the others. */
export function equalitiesOf(
  conditions: readonly Expression[],
  correlated: ReadonlySet<number>,
): { readonly equalities: readonly Equality[]; readonly residuals: readonly Expression[] } {
  const equalities: Equality[] = [];
  const residuals: Expression[] = [];
  for (const condition of conditions) {
    const equality = equalityOf(condition, correlated);
    if (equality === undefined) residuals.push(condition);
    else equalities.push(equality);
  }
  return { equalities, residuals };
}

function equalityOf(condition: Expression, correlated: ReadonlySet<number>): Equality | undefined {
  if (condition.kind !== "call") return undefined;
  const nullsEqual = condition.function === "IS NOT DISTINCT FROM";
  const [a, b] = condition.args;
  if ((condition.function !== "=" && !nullsEqual) || a === undefined || b === undefined) return undefined;
  const isOnlyOuter = (one: Expression): boolean => [...columnsIn(one)].every((id) => correlated.has(id));
  if (isOnlyOuter(a))
    return isOuter(b, correlated) || isOnlyOuter(b) ? undefined : { outer: a, inner: b, nullsEqual };
  return isOnlyOuter(b) && !isOuter(a, correlated) ? { outer: b, inner: a, nullsEqual } : undefined;
}

/** What the query around needs of the block beside its columns. `plan`: what stands before the projection. */
export function hiddenItems(
  plan: LogicalPlan,
  { residuals, pairs }: BlockCorrelation,
): readonly ProjectItem[] {
  const items = new Map<number, ProjectItem>();
  for (const { column, inner } of pairs) items.set(column.id, { column, expression: inner });
  const given = new Map(columnsOf(plan).map((column) => [column.id, column]));
  for (const id of residuals.flatMap((residual) => [...columnsIn(residual)])) {
    const column = given.get(id);
    if (column !== undefined) items.set(id, { column, expression: columnExpression(column) });
  }
  return [...items.values()];
}
