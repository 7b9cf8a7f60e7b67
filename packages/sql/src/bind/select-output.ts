import type { ExpressionNode } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import type { Expression, SortKey } from "../plan/expression.js";
import { columnExpression, type LogicalColumn, type LogicalPlan, type ProjectItem } from "../plan/logical.js";
import { columnsIn, expressionKey, mapOperands } from "../plan/rewrite.js";
import { unboundExpression } from "./findings.js";
import { distinct, limited, type OrderAndLimit } from "./order.js";
import type { OutputItem, QueryContext } from "./query-context.js";
import type { ColumnIds } from "./scope.js";

/** An item of the select list, bound; a * is several. */
export interface Item {
  readonly name: string;
  readonly span: Span;
  readonly expression: Expression;
  readonly spread: boolean;
  /** The relation of a plain column, which goes before its name where two are called the same. */
  readonly relation: string | undefined;
  /** Undefined for a column that * stands for. */
  readonly node: ExpressionNode | undefined;
}

/** An item under the name that it goes out by. */
export type NamedItem = OutputItem & { readonly expression: Expression };

/**
 * The items under the names that they go out by. Where two are called the same, the columns of relations are
 * written relation.column; records of several relations name their fields so.
 */
export function namedItems(
  items: readonly Item[],
  severalRelations: boolean,
  ids: ColumnIds,
): readonly NamedItem[] {
  const spreads = items.filter((item) => item.spread).length;
  const plain = items.filter((item) => !item.spread).map((item) => item.name);
  const qualify = severalRelations && (spreads > 1 || new Set(plain).size < plain.length);
  const names = new Map<string, number>();
  return items.map(({ name, expression, spread, relation, span }) => {
    const whole =
      qualify && !spread && relation !== undefined && relation !== "" ? `${relation}.${name}` : name;
    const count = (names.get(whole) ?? 0) + 1;
    names.set(whole, count);
    const unique = count === 1 || spread ? whole : `${whole}_${count}`;
    const prefix = spread && qualify ? relation : undefined;
    const column = { id: ids.next(), name: unique, type: expression.type };
    const item = { column, spread, prefix, expression };
    return unique === whole ? item : { ...item, repeats: { name: whole, span } };
  });
}

/** What a SELECT gives, and in which order. */
export interface Output {
  readonly named: readonly NamedItem[];
  /** Beside its columns, for the query around it. */
  readonly hidden: readonly ProjectItem[];
  readonly keys: readonly SortKey[];
  readonly order: OrderAndLimit;
}

/** All rows, ordered by anything. */
export function projected(
  plan: LogicalPlan,
  { named, hidden, keys, order }: Output,
  context: QueryContext,
): LogicalPlan {
  const partition = hidden.map(({ expression }) => expression);
  const first = limited(plan, keys, order, partition, context);
  const items = named.map(({ column, expression }): ProjectItem => ({ column, expression }));
  return { kind: "project", input: first, items: [...items, ...hidden] };
}

/** Distinct rows, ordered by what comes out, as other columns have no one value for a distinct row. */
export function distinctRows(
  plan: LogicalPlan,
  { named, hidden, keys, order }: Output,
  span: Span,
  context: QueryContext,
): LogicalPlan {
  const { ids, findings } = context;
  const own = [...named, ...hidden].map(({ column }) => column);
  const inner = own.map((column): LogicalColumn => ({ ...column, id: ids.next() }));
  const expressions = [...named, ...hidden].map(({ expression }) => expression);
  const input: LogicalPlan = {
    kind: "project",
    input: plan,
    items: inner.map((column, i) => ({ column, expression: expressions[i] ?? unboundExpression })),
  };
  const outOf = new Map(named.map(({ expression, column }) => [expressionKey(expression), column]));
  const outKeys = keys.map((key, i): SortKey => {
    const replaced = replaceWhole(key.expression, outOf);
    if ([...columnsIn(replaced)].some((id) => !own.some((column) => column.id === id))) {
      findings.error(
        order.orderBy[i]?.expression.span ?? span,
        "SELECT DISTINCT is ordered only by what it selects",
        "add it to the select list",
      );
    }
    return { ...key, expression: replaced };
  });
  const partition = hidden.map(({ column }) => columnExpression(column));
  return limited(distinct(input, inner, own), outKeys, order, partition, context);
}

/** Parts of the expression that are items, as the items' columns. */
function replaceWhole(expression: Expression, outOf: ReadonlyMap<string, LogicalColumn>): Expression {
  const column = outOf.get(expressionKey(expression));
  if (column !== undefined) return columnExpression(column);
  return mapOperands(expression, (operand) => replaceWhole(operand, outOf));
}
