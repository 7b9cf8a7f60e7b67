import { unreachable } from "@hstream/proto";
import type { LogicalPlan } from "../plan/logical.js";
import { mapPlan } from "./map-plan.js";

/**
 * Marks aggregates whose input only ever grows. `finite`: the query runs once over what is stored, so even a
 * view or a stream with deletions gives insertions only.
 */
export function chooseAppendOnly(plan: LogicalPlan, finite: boolean): LogicalPlan {
  return mapPlan(plan, (node) =>
    node.kind === "aggregate" && !node.appendOnly && onlyGrows(node.input, finite)
      ? { ...node, appendOnly: true }
      : node,
  );
}

export function onlyGrows(plan: LogicalPlan, finite: boolean): boolean {
  switch (plan.kind) {
    case "scan":
      return finite || plan.relation.appendOnly;
    case "values":
      return true;
    case "filter":
    case "project":
      return onlyGrows(plan.input, finite);
    case "aggregate":
      // A new row of a group takes the old one back.
      return false;
    case "sort":
    case "limit":
      // They answer once, at the end of a finite input.
      return true;
    default:
      return unreachable(plan);
  }
}
