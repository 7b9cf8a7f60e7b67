import type { Expression } from "../plan/expression.js";
import type { LogicalPlan } from "../plan/logical.js";
import { columnsIn, conjunction, isVolatile, replaceColumns } from "../plan/rewrite.js";
import { mapPlan } from "./map-plan.js";

/**
 * Moves filters towards the sources: two in a row become one, through projections (their expressions put in
 * for their columns), through sorts without a limit, and below an aggregate what reads only its keys.
 */
export function pushPredicates(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => (node.kind === "filter" ? pushFilter(node) : node));
}

type Filter = Extract<LogicalPlan, { kind: "filter" }>;

function pushFilter(filter: Filter): LogicalPlan {
  const { input, predicate } = filter;
  switch (input.kind) {
    case "filter":
      // The lower one is evaluated first, as it was.
      return pushFilter({
        kind: "filter",
        input: input.input,
        predicate: conjunction([input.predicate, predicate]),
      });
    case "project": {
      const byId = new Map(input.items.map(({ column, expression }) => [column.id, expression]));
      if ([...columnsIn(predicate)].some((id) => isVolatile(byId.get(id) ?? predicate))) return filter;
      const below = replaceColumns(predicate, (id) => byId.get(id));
      return { ...input, input: pushFilter({ kind: "filter", input: input.input, predicate: below }) };
    }
    case "sort":
      if (input.limit !== undefined || input.offset > 0) return filter;
      return { ...input, input: pushFilter({ kind: "filter", input: input.input, predicate }) };
    case "aggregate":
      return pushBelowAggregate(filter, input);
    case "scan":
    case "values":
    case "limit":
    case "join":
    case "union-all":
    case "set-operation":
    case "top-n":
    case "window":
      return filter;
  }
}

/** A group is kept or dropped as a whole by what reads only its keys. Without keys the one group always is. */
function pushBelowAggregate(
  filter: Filter,
  aggregate: Extract<LogicalPlan, { kind: "aggregate" }>,
): LogicalPlan {
  const keys = new Map(aggregate.keys.map(({ column, expression }) => [column.id, expression]));
  const onKeys = (expression: Expression): boolean => {
    const columns = [...columnsIn(expression)];
    return columns.length > 0 && columns.every((id) => keys.has(id)) && !isVolatile(expression);
  };
  const conjuncts = filter.predicate.kind === "and" ? filter.predicate.args : [filter.predicate];
  const below = conjuncts.filter(onKeys);
  if (below.length === 0) return filter;
  const above = conjuncts.filter((conjunct) => !onKeys(conjunct));
  const predicate = conjunction(below.map((conjunct) => replaceColumns(conjunct, (id) => keys.get(id))));
  const input = pushFilter({ kind: "filter", input: aggregate.input, predicate });
  const pushed: LogicalPlan = { ...aggregate, input };
  return above.length === 0 ? pushed : { kind: "filter", input: pushed, predicate: conjunction(above) };
}
