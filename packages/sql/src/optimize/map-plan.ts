import { type LogicalPlan, withInputs } from "../plan/logical.js";

/** Rebuilds a plan from its leaves up; what does not change stays the same object. */
export function mapPlan(plan: LogicalPlan, map: (node: LogicalPlan) => LogicalPlan): LogicalPlan {
  return map(withInputs(plan, (input) => mapPlan(input, map)));
}
