import type { Span } from "../diagnostic.js";
import type { Expression } from "../plan/expression.js";
import { columnExpression, type LogicalPlan } from "../plan/logical.js";
import { conjunction, operandsOf, replaceColumns } from "../plan/rewrite.js";
import type { OuterRows, QueryContext } from "./query-context.js";

/**
 * The rows of the query around a subquery, with the columns that `conditions` read of them; and the conditions
 * over these. `correlated`: the ids of the outer columns.
 */
export function outerRowsOf(
  conditions: readonly Expression[],
  correlated: ReadonlySet<number>,
  span: Span,
  { ids }: QueryContext,
): { readonly outerRows: OuterRows; readonly joining: readonly Expression[] } {
  const read = new Map<number, OuterRows["columns"][number]>();
  const visit = (expression: Expression): void => {
    if (expression.kind === "column" && correlated.has(expression.index) && !read.has(expression.index)) {
      const column = { id: ids.next(), name: expression.name, type: expression.type };
      read.set(expression.index, { outer: expression, column });
    }
    operandsOf(expression).forEach(visit);
  };
  conditions.forEach(visit);
  const columns = [...read.values()];
  const inside = (id: number): Expression | undefined => {
    const found = read.get(id);
    return found === undefined ? undefined : columnExpression(found.column);
  };
  const placeholder: LogicalPlan = { kind: "values", columns: columns.map(({ column }) => column), rows: [] };
  const joining = conditions.map((condition) => replaceColumns(condition, inside));
  return { outerRows: { placeholder, span, columns }, joining };
}

/** The rows of a subquery beside those of the query around it, where the conditions hold. */
export function joinedWith(
  plan: LogicalPlan,
  { placeholder }: OuterRows,
  conditions: readonly Expression[],
): LogicalPlan {
  return {
    kind: "join",
    type: "inner",
    left: plan,
    right: placeholder,
    keys: [],
    residual: conjunction(conditions),
    notIn: undefined,
    leftAppendOnly: false,
    rightAppendOnly: false,
    lookup: false,
    within: undefined,
  };
}
