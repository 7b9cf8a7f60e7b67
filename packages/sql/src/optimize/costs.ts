import { scalarFunction } from "../functions/table.js";
import type { Expression } from "../plan/expression.js";

/** Columns, literals, and fields of records: they may as well be computed twice. */
export function costsNothing(expression: Expression): boolean {
  if (expression.kind === "column" || expression.kind === "literal") return true;
  return expression.kind === "call" && expression.function === "->" && expression.args.every(costsNothing);
}

/** CASE and named functions, unlike operators. */
export function costsMuch(expression: Expression): boolean {
  switch (expression.kind) {
    case "column":
    case "literal":
      return false;
    case "cast":
      return costsMuch(expression.operand);
    case "case":
      return true;
    case "and":
    case "or":
      return expression.args.some(costsMuch);
    case "call":
      return scalarFunction(expression.function)?.operator !== true || expression.args.some(costsMuch);
  }
}
