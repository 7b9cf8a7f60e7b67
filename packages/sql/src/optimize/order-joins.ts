import type { Expression } from "../plan/expression.js";
import { columnExpression, columnsOf, type LogicalJoin, type LogicalPlan } from "../plan/logical.js";
import { columnsIn, conjunction, conjunctsOf } from "../plan/rewrite.js";
import { keyOf } from "./extract-equalities.js";
import { withInputs } from "../plan/logical.js";

/**
 * Puts inner joins in an order without needless pairs: it starts as written and takes next the first relation
 * that an equality ties to those before it. So FROM a, b, c WHERE a.x = c.x AND b.y = c.y never makes all pairs
 * of a and b.
 */
export function orderJoins(plan: LogicalPlan): LogicalPlan {
  if (!isInner(plan)) return withInputs(plan, orderJoins);
  const inputs: LogicalPlan[] = [];
  const conditions: Expression[] = [];
  flatten(plan, inputs, conditions);
  const ordered = inputs.map(orderJoins);
  const order = chooseOrder(ordered, conditions);
  const asWritten = order.every((input, i) => input === i);
  if (asWritten) {
    return withInputs(plan, orderJoins);
  }
  const joined = join(
    order.map((i) => ordered[i]).filter((input) => input !== undefined),
    conditions,
  );
  // The columns in the order in which they were.
  const items = columnsOf(plan).map((column) => ({ column, expression: columnExpression(column) }));
  return { kind: "project", input: joined, items };
}

function isInner(plan: LogicalPlan): plan is LogicalJoin {
  return (
    plan.kind === "join" &&
    (plan.type === "inner" || plan.type === "cross") &&
    !plan.lookup &&
    plan.within === undefined &&
    plan.keys.length === 0
  );
}

function flatten(plan: LogicalPlan, inputs: LogicalPlan[], conditions: Expression[]): void {
  if (!isInner(plan)) {
    inputs.push(plan);
    return;
  }
  flatten(plan.left, inputs, conditions);
  flatten(plan.right, inputs, conditions);
  if (plan.residual !== undefined) conditions.push(...conjunctsOf(plan.residual));
}

function chooseOrder(inputs: readonly LogicalPlan[], conditions: readonly Expression[]): readonly number[] {
  const order = [0];
  const rest = inputs.map((_, i) => i).slice(1);
  while (rest.length > 0) {
    const before = order.map((i) => inputs[i]).filter((input) => input !== undefined);
    const left = join(before, []);
    const tied = rest.findIndex((i) => {
      const right = inputs[i];
      return (
        right !== undefined && conditions.some((condition) => keyOf(condition, { left, right }) !== undefined)
      );
    });
    order.push(...rest.splice(Math.max(0, tied), 1));
  }
  return order;
}

/** Left-deep, each condition where its columns are first together. */
function join(inputs: readonly LogicalPlan[], conditions: readonly Expression[]): LogicalPlan {
  const pending = [...conditions];
  const [first, ...others] = inputs;
  if (first === undefined) return { kind: "values", columns: [], rows: [[]] };
  return others.reduce((left, right): LogicalPlan => {
    const given = new Set([...columnsOf(left), ...columnsOf(right)].map((column) => column.id));
    const here = pending.filter((condition) => [...columnsIn(condition)].every((id) => given.has(id)));
    for (const condition of here) pending.splice(pending.indexOf(condition), 1);
    return {
      kind: "join",
      type: here.length === 0 ? "cross" : "inner",
      left,
      right,
      keys: [],
      residual: here.length === 0 ? undefined : conjunction(here),
      notIn: undefined,
      leftAppendOnly: false,
      rightAppendOnly: false,
      lookup: false,
      within: undefined,
    };
  }, first);
}
