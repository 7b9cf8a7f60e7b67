import { assert, must, unreachable } from "@hstream/proto";
import type { EvaluationContext } from "../functions/function.js";
import { evaluateFunction } from "../functions/function.js";
import { scalarFunction } from "../functions/table.js";
import type { Expression } from "../plan/expression.js";
import type { SqlValue } from "../types/sql-value.js";
import { cast } from "../values/cast.js";

/** The value of an expression over a row, whose values stand at the columns' indexes. */
export function evaluate(
  expression: Expression,
  row: readonly SqlValue[],
  context: EvaluationContext,
): SqlValue {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "column": {
      const value = row[expression.index];
      assert(value !== undefined, () => `the row has column ${expression.index} (${expression.name})`);
      return value;
    }
    case "call": {
      const entry = must(
        scalarFunction(expression.function),
        `function ${expression.function} is in the table`,
      );
      return evaluateFunction(
        entry,
        expression.args.map((arg) => evaluate(arg, row, context)),
        context,
        expression.type,
      );
    }
    case "and":
      return logical(expression.args, false, row, context);
    case "or":
      return logical(expression.args, true, row, context);
    case "case": {
      for (const branch of expression.branches) {
        if (evaluate(branch.when, row, context) === true) return evaluate(branch.then, row, context);
      }
      return evaluate(expression.otherwise, row, context);
    }
    case "cast":
      return cast(evaluate(expression.operand, row, context), expression.type, context);
    default:
      return unreachable(expression);
  }
}

/** AND stops at FALSE, OR at TRUE; an operand that is no BOOLEAN is an error and counts as NULL. */
function logical(
  args: readonly Expression[],
  decisive: boolean,
  row: readonly SqlValue[],
  context: EvaluationContext,
): boolean | null {
  let unknown = false;
  for (const arg of args) {
    const value = evaluate(arg, row, context);
    if (value === decisive) return decisive;
    if (typeof value === "boolean") continue;
    if (value !== null) context.error(`${decisive ? "OR" : "AND"} needs BOOLEAN operands`);
    unknown = true;
  }
  return unknown ? null : !decisive;
}
