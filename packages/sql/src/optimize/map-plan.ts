import { type LogicalPlan, withInput } from "../plan/logical.js";

/** Rebuilds a plan from its leaves up; what does not change stays the same object. */
export function mapPlan(plan: LogicalPlan, map: (node: LogicalPlan) => LogicalPlan): LogicalPlan {
  let changed = false;
  const node = withInput(plan, (input) => {
    const mapped = mapPlan(input, map);
    changed = mapped !== input;
    return mapped;
  });
  return map(changed ? node : plan);
}
