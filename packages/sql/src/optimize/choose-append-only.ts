import { unreachable } from "@hstream/proto";
import type { LogicalPlan } from "../plan/logical.js";
import { mapPlan } from "./map-plan.js";

/**
 * Marks operators whose inputs only ever grow. `finite`: the query runs once over what is stored, so even a
 * view or a stream with deletions gives insertions only.
 */
export function chooseAppendOnly(plan: LogicalPlan, finite: boolean): LogicalPlan {
  return mapPlan(plan, (node) => {
    switch (node.kind) {
      case "aggregate":
      case "top-n":
      case "window":
        return !node.appendOnly && onlyGrows(node.input, finite) ? { ...node, appendOnly: true } : node;
      case "join": {
        const [left, right] = [onlyGrows(node.left, finite), onlyGrows(node.right, finite)];
        const same = left === node.leftAppendOnly && right === node.rightAppendOnly;
        return same ? node : { ...node, leftAppendOnly: left, rightAppendOnly: right };
      }
      case "scan":
      case "values":
      case "filter":
      case "project":
      case "assign-windows":
      case "session":
      case "sort":
      case "limit":
      case "union-all":
      case "set-operation":
        return node;
      default:
        return unreachable(node);
    }
  });
}

/** Whether a node never takes a row back. */
export function onlyGrows(plan: LogicalPlan, finite: boolean): boolean {
  switch (plan.kind) {
    case "scan":
      return finite || plan.relation.appendOnly;
    case "values":
      return true;
    case "filter":
    case "project":
    case "assign-windows":
      return onlyGrows(plan.input, finite);
    case "session":
      // An extension takes the shorter session back.
      return plan.final === true;
    case "aggregate":
      if (plan.final === true) return true;
      // A new row of a group takes the old one back; a DISTINCT row only goes with its last record.
      return plan.calls.length === 0 && onlyGrows(plan.input, finite);
    case "sort":
    case "limit":
      // They answer once, at the end of a finite input.
      return true;
    case "join":
      return joinOnlyGrows(plan, finite);
    case "union-all":
      return plan.inputs.every((input) => onlyGrows(input, finite));
    case "set-operation":
      return plan.operator === "intersect" && onlyGrows(plan.left, finite) && onlyGrows(plan.right, finite);
    case "top-n":
    case "window":
      // A new row pushes others out or changes what they see.
      return plan.final === true;
    default:
      return unreachable(plan);
  }
}

function joinOnlyGrows(join: Extract<LogicalPlan, { kind: "join" }>, finite: boolean): boolean {
  if (join.lookup) return onlyGrows(join.left, finite);
  // Others take back what they gave when a partner comes.
  const steady =
    join.type === "inner" ||
    join.type === "cross" ||
    join.type === "semi" ||
    join.within !== undefined ||
    join.final === true;
  return steady && onlyGrows(join.left, finite) && onlyGrows(join.right, finite);
}
