import { expressionsOf, type LogicalPlan, withExpressions } from "../plan/logical.js";
import { columnsIn, replaceColumns } from "../plan/rewrite.js";
import { costsNothing } from "./costs.js";
import { mapPlan } from "./map-plan.js";

/**
 * A projection or aggregate right above a projection computes from below it what costs nothing to compute twice:
 * columns, literals and fields of records.
 */
export function mergeProjections(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => {
    if ((node.kind !== "project" && node.kind !== "aggregate") || node.input.kind !== "project") return node;
    const below = new Map(node.input.items.map((item) => [item.column.id, item.expression]));
    const read = new Set(expressionsOf(node).flatMap((expression) => [...columnsIn(expression)]));
    const cheap = [...read].every((id) => {
      const expression = below.get(id);
      return expression !== undefined && costsNothing(expression);
    });
    if (!cheap) return node;
    const { input } = node.input;
    return withExpressions({ ...node, input }, (expression) =>
      replaceColumns(expression, (id) => below.get(id)),
    );
  });
}
