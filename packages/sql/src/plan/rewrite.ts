import { unreachable } from "@hstream/proto";
import { scalarFunction } from "../functions/table.js";
import { toStoredJson } from "../values/text.js";
import { BOOLEAN, typeName } from "../types/types.js";
import type { Expression } from "./expression.js";

/** The operands of an expression, in order of evaluation. */
export function operandsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "literal":
    case "column":
      return [];
    case "call":
    case "and":
    case "or":
      return expression.args;
    case "case":
      return [...expression.branches.flatMap(({ when, then }) => [when, then]), expression.otherwise];
    case "cast":
      return [expression.operand];
    default:
      return unreachable(expression);
  }
}

/** The same expression with its operands mapped; itself when none changed. */
export function mapOperands(expression: Expression, map: (operand: Expression) => Expression): Expression {
  switch (expression.kind) {
    case "literal":
    case "column":
      return expression;
    case "call":
    case "and":
    case "or": {
      const args = expression.args.map(map);
      return args.every((arg, i) => arg === expression.args[i]) ? expression : { ...expression, args };
    }
    case "case": {
      const branches = expression.branches.map((branch) => {
        const [when, then] = [map(branch.when), map(branch.then)];
        return when === branch.when && then === branch.then ? branch : { when, then };
      });
      const otherwise = map(expression.otherwise);
      const same =
        otherwise === expression.otherwise && branches.every((one, i) => one === expression.branches[i]);
      return same ? expression : { ...expression, branches, otherwise };
    }
    case "cast": {
      const operand = map(expression.operand);
      return operand === expression.operand ? expression : { ...expression, operand };
    }
    default:
      return unreachable(expression);
  }
}

/** Ids (or positions) of the columns that an expression reads. */
export function columnsIn(expression: Expression, found: Set<number> = new Set()): Set<number> {
  if (expression.kind === "column") found.add(expression.index);
  for (const operand of operandsOf(expression)) columnsIn(operand, found);
  return found;
}

/** Whether each evaluation may give another value. */
export function isVolatile(expression: Expression): boolean {
  if (expression.kind === "call" && scalarFunction(expression.function)?.volatile === true) return true;
  return operandsOf(expression).some(isVolatile);
}

/** Columns replaced by what `replacement` gives for their index. */
export function replaceColumns(
  expression: Expression,
  replacement: (index: number) => Expression | undefined,
): Expression {
  if (expression.kind === "column") return replacement(expression.index) ?? expression;
  return mapOperands(expression, (operand) => replaceColumns(operand, replacement));
}

/** Equal for expressions that are written the same way. */
export function expressionKey(expression: Expression): string {
  const own = (): string => {
    switch (expression.kind) {
      case "literal":
        return `${typeName(expression.type)}${toStoredJson(expression.value)}`;
      case "column":
        return String(expression.index);
      case "call":
        return expression.function;
      case "cast":
        return typeName(expression.type);
      case "and":
      case "or":
        return "";
      case "case":
        return String(expression.branches.length);
      default:
        return unreachable(expression);
    }
  };
  const text = own();
  return `${expression.kind} ${text.length}:${text}(${operandsOf(expression).map(expressionKey).join(",")})`;
}

/** What must all be TRUE. */
export function conjunctsOf(predicate: Expression): readonly Expression[] {
  return predicate.kind === "and" ? predicate.args.flatMap(conjunctsOf) : [predicate];
}

/** TRUE where all are; of at least one. */
export function conjunction(predicates: readonly Expression[]): Expression {
  const args = predicates.flatMap(conjunctsOf);
  const [only] = args;
  return args.length === 1 && only !== undefined ? only : { kind: "and", args, type: BOOLEAN };
}
