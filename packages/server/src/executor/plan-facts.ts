import { must, unreachable } from "@hstream/proto";
import { type Expression, inputsOf, type PhysicalNode, type PhysicalPlan } from "@hstream/sql/runtime";

/** What can be seen from a plan without running it. */

/** Whether a node never gives a −1. */
export function isAppendOnly(node: PhysicalNode, plan: PhysicalPlan): boolean {
  switch (node.kind) {
    case "source": {
      const source = must(plan.sources[node.source], "a plan has its sources");
      return source.kind === "stream" ? source.deletions !== true : source.appendOnly;
    }
    case "values":
      return true;
    case "filter":
    case "project":
    case "assign-windows":
      return isAppendOnly(node.input, plan);
    case "session":
      return plan.emit.kind === "pull" || node.final === true;
    case "aggregate":
      if (node.final === true) return true;
      return plan.emit.kind === "pull" || (node.calls.length === 0 && isAppendOnly(node.input, plan));
    case "shared":
      return isAppendOnly(must(plan.shared?.[node.shared], "a plan has its shared parts"), plan);
    case "union-all":
      return node.inputs.every((input) => isAppendOnly(input, plan));
    case "join": {
      const left = isAppendOnly(node.left, plan);
      if (node.lookup) return left;
      // Rows without a partner wait for the end of a finite input; of an endless one they are taken back.
      const keeps =
        node.type === "inner" ||
        node.type === "cross" ||
        node.type === "semi" ||
        node.within !== undefined ||
        node.final === true;
      return left && isAppendOnly(node.right, plan) && (keeps || plan.emit.kind === "pull");
    }
    case "set-operation":
      if (plan.emit.kind === "pull") return true;
      return node.operator === "intersect" && isAppendOnly(node.left, plan) && isAppendOnly(node.right, plan);
    case "top-n":
    case "window":
      return plan.emit.kind === "pull" || node.final === true;
    // They give their rows at the end of a finite input.
    case "sort":
    case "limit":
      return true;
    default:
      return unreachable(node);
  }
}

/**
 * Whether a record may be judged late more than once: by two operators, or as several rows that a look-up or two
 * branches made of it.
 */
export function judgesTwice(plan: PhysicalPlan): boolean {
  let judges = 0;
  let multiplies = false;
  const visit = (node: PhysicalNode): void => {
    const within = node.kind === "join" ? node.within : undefined;
    if (within?.leftWatermark !== undefined) judges += 1;
    if (within?.rightWatermark !== undefined) judges += 1;
    if ((node.kind === "assign-windows" || node.kind === "session") && node.watermark !== undefined)
      judges += 1;
    multiplies ||= node.kind === "union-all" || (node.kind === "join" && node.lookup);
    for (const input of inputsOf(node)) visit(input);
  };
  for (const node of [...(plan.shared ?? []), plan.root]) visit(node);
  return judges > 1 || (judges > 0 && multiplies);
}

/** The expression over columns that stand `by` places further on. */
export function shiftColumns(expression: Expression, by: number): Expression {
  const shift = (operand: Expression): Expression => shiftColumns(operand, by);
  switch (expression.kind) {
    case "literal":
      return expression;
    case "column":
      return { ...expression, index: expression.index + by };
    case "call":
    case "and":
    case "or":
      return { ...expression, args: expression.args.map(shift) };
    case "case": {
      const branches = expression.branches.map(({ when, then }) => ({
        when: shift(when),
        then: shift(then),
      }));
      return { ...expression, branches, otherwise: shift(expression.otherwise) };
    }
    case "cast":
      return { ...expression, operand: shift(expression.operand) };
    default:
      return unreachable(expression);
  }
}

/** Whether between the aggregate and the output are projections only: each update comes out as one. */
export function updatesByKey(plan: PhysicalPlan, aggregate: PhysicalNode): boolean {
  let node = plan.root;
  while (node.kind === "project") node = node.input;
  return node === aggregate;
}

/** The aggregate on top of the plan, below filters and projections, and where its output columns stand in the plan's. */
function topAggregate(plan: PhysicalPlan):
  | {
      readonly node: Extract<PhysicalNode, { kind: "aggregate" }>;
      readonly origin: readonly (number | undefined)[];
    }
  | undefined {
  let node = plan.root;
  /** Of each output column, the column of `node` that it is, if it is one. */
  let origin: (number | undefined)[] = plan.output.map((_, i) => i);
  for (;;) {
    if (node.kind === "project") {
      const { items } = node;
      origin = origin.map((index) => {
        const item = index === undefined ? undefined : items[index];
        return item?.kind === "column" ? item.index : undefined;
      });
      node = node.input;
    } else if (node.kind === "filter") node = node.input;
    else return node.kind === "aggregate" ? { node, origin } : undefined;
  }
}

/**
 * The output columns that are the keys of the aggregate on top of the plan (below filters and
 * projections): they identify a row of the output. Undefined when there is no such aggregate or a key
 * is not in the output.
 */
export function groupKeysInOutput(plan: PhysicalPlan): readonly number[] | undefined {
  const top = topAggregate(plan);
  const keys = top?.node.keys.map((_, key) => top.origin.indexOf(key));
  return keys?.includes(-1) === true ? undefined : keys;
}

/** The output columns that are keys of that aggregate, but for the bounds of windows: what its groups are of. */
export function groupColumnsInOutput(plan: PhysicalPlan): readonly number[] {
  const top = topAggregate(plan);
  const keys = top?.node.keys.flatMap((key, i) => {
    const isBound = key.kind === "column" && (key.name === "window_start" || key.name === "window_end");
    return isBound ? [] : top.origin.indexOf(i);
  });
  return keys?.filter((index) => index >= 0) ?? [];
}
