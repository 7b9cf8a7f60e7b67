import { scalarFunction } from "../functions/table.js";
import type { Expression } from "../plan/expression.js";
import { expressionsOf, type LogicalPlan, withExpressions } from "../plan/logical.js";
import { mapOperands, operandsOf } from "../plan/rewrite.js";
import { evaluate } from "../runtime/evaluate.js";
import { mapPlan } from "./map-plan.js";

/** Computes what depends on no row, and drops filters that are TRUE. */
export function foldConstants(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => {
    const changed = expressionsOf(node).some((expression) => fold(expression) !== expression);
    const folded = changed ? withExpressions(node, fold) : node;
    const always =
      folded.kind === "filter" && folded.predicate.kind === "literal" && folded.predicate.value === true;
    return always && folded.kind === "filter" ? folded.input : folded;
  });
}

/** The expression with its constant parts computed; what fails is left for each row to fail. */
export function fold(expression: Expression): Expression {
  const node = mapOperands(expression, fold);
  switch (node.kind) {
    case "literal":
    case "column":
      return node;
    case "and":
      return foldLogical(node, false);
    case "or":
      return foldLogical(node, true);
    case "call":
    case "case":
    case "cast":
      break;
  }
  if (node.kind === "case" && node.branches.length > 0) {
    const constant = foldCase(node);
    if (constant !== node) return constant;
  }
  if (node.kind === "call" && scalarFunction(node.function)?.volatile === true)
    return unchanged(expression, node);
  if (!operandsOf(node).every((operand) => operand.kind === "literal")) return unchanged(expression, node);
  let failed = false;
  const value = evaluate(node, [], {
    nowMs: 0,
    error: () => {
      failed = true;
      return null;
    },
  });
  return failed ? unchanged(expression, node) : { kind: "literal", value, type: node.type };
}

/** mapOperands rebuilds CASE and CAST even when nothing below them changed. */
function unchanged(before: Expression, after: Expression): Expression {
  const old = operandsOf(before);
  return operandsOf(after).every((operand, i) => operand === old[i]) ? before : after;
}

function foldLogical(node: Extract<Expression, { kind: "and" | "or" }>, decisive: boolean): Expression {
  const literal = (value: boolean): Expression => ({ kind: "literal", value, type: node.type });
  const rest: Expression[] = [];
  for (const arg of node.args) {
    if (arg.kind === "literal" && arg.value === !decisive) continue;
    rest.push(arg);
    // Nothing behind a decisive operand is ever evaluated; what stands before it may still fail.
    if (arg.kind === "literal" && arg.value === decisive) break;
  }
  const [first] = rest;
  if (first === undefined) return literal(!decisive);
  if (rest.length === 1 && first.type.kind === "boolean") return first;
  if (rest.every((arg) => arg.kind === "literal")) {
    if (rest.some((arg) => arg.value === decisive)) return literal(decisive);
    if (rest.every((arg) => arg.value === null)) return { kind: "literal", value: null, type: node.type };
  }
  return rest.length === node.args.length ? node : { ...node, args: rest };
}

/** Branches that can never be taken go; one that always is becomes ELSE. */
function foldCase(node: Extract<Expression, { kind: "case" }>): Expression {
  const branches: { readonly when: Expression; readonly then: Expression }[] = [];
  let { otherwise } = node;
  for (const branch of node.branches) {
    if (branch.when.kind !== "literal") {
      branches.push(branch);
      continue;
    }
    if (branch.when.value !== true) continue;
    otherwise = branch.then;
    break;
  }
  if (branches.length === node.branches.length) return node;
  return branches.length === 0 && otherwise.type.kind === node.type.kind
    ? otherwise
    : { ...node, branches, otherwise };
}
