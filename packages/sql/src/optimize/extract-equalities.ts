import type { Expression } from "../plan/expression.js";
import { columnsOf, type LogicalJoin, type LogicalPlan } from "../plan/logical.js";
import type { JoinKey } from "../plan/physical.js";
import { columnsIn, conjunction, conjunctsOf, isVolatile } from "../plan/rewrite.js";
import type { SqlType } from "../types/sql-type.js";
import { isNumeric } from "../types/types.js";
import { mapPlan } from "./map-plan.js";

/** Makes keys of a join's equalities between its sides, so that it looks rows up and does not try all pairs. */
export function extractEqualities(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) =>
    node.kind === "join" && node.residual !== undefined ? extract(node) : node,
  );
}

function extract(join: LogicalJoin): LogicalJoin {
  const conditions = join.residual === undefined ? [] : conjunctsOf(join.residual);
  const keys = conditions.map((condition) => keyOf(condition, join));
  const found = keys.filter((key) => key !== undefined);
  if (found.length === 0) return join;
  const rest = conditions.filter((_, i) => keys[i] === undefined);
  return {
    ...join,
    keys: [...join.keys, ...found],
    residual: rest.length === 0 ? undefined : conjunction(rest),
  };
}

/** The key that a condition is, if it is one. */
export function keyOf(
  condition: Expression,
  { left, right }: { readonly left: LogicalPlan; readonly right: LogicalPlan },
): JoinKey | undefined {
  if (condition.kind !== "call" || isVolatile(condition)) return undefined;
  const nullsEqual = condition.function === "IS NOT DISTINCT FROM";
  const [a, b] = condition.args;
  if ((condition.function !== "=" && !nullsEqual) || a === undefined || b === undefined) return undefined;
  if (!hashAlike(a.type, b.type)) return undefined;
  if (readsOnly(a, left) && readsOnly(b, right)) return { left: a, right: b, nullsEqual };
  return readsOnly(b, left) && readsOnly(a, right) ? { left: b, right: a, nullsEqual } : undefined;
}

function readsOnly(expression: Expression, side: LogicalPlan): boolean {
  const given = new Set(columnsOf(side).map((column) => column.id));
  const read = columnsIn(expression);
  return read.size > 0 && [...read].every((id) => given.has(id));
}

/** Whether equal values have equal row keys: a DATE and a TIMESTAMP have not. */
function hashAlike(a: SqlType, b: SqlType): boolean {
  if (a.kind === "dynamic" || b.kind === "dynamic") return true;
  return a.kind === b.kind || (isNumeric(a) && isNumeric(b));
}
