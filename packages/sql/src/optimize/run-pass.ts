import { assert } from "@hstream/proto";
import { columnsOf, expressionsOf, inputsOf, type LogicalPlan } from "../plan/logical.js";
import { columnsIn } from "../plan/rewrite.js";
import { sameType } from "../types/types.js";

/** The plan after a pass that changed something. */
export interface PassRecord {
  readonly pass: string;
  readonly plan: LogicalPlan;
}

/** Runs one pass, checks its law, and records what it did. */
export function runPass(
  name: string,
  pass: (plan: LogicalPlan) => LogicalPlan,
  plan: LogicalPlan,
  records: PassRecord[],
): LogicalPlan {
  const after = pass(plan);
  if (after === plan) return plan;
  checkSameOutput(name, plan, after);
  checkResolved(name, after);
  records.push({ pass: name, plan: after });
  return after;
}

function checkSameOutput(name: string, before: LogicalPlan, after: LogicalPlan): void {
  const [old, now] = [columnsOf(before), columnsOf(after)];
  const same = old.every((column, i) => {
    const other = now[i];
    return other?.id === column.id && other.name === column.name && sameType(other.type, column.type);
  });
  assert(same && old.length === now.length, () => `pass ${name} keeps the output columns`);
}

/** Every column that a node reads is given by its inputs, and no column by two. */
export function checkResolved(name: string, plan: LogicalPlan): void {
  if (plan.kind === "scan") return;
  const ids = inputsOf(plan).flatMap((input) => columnsOf(input).map((column) => column.id));
  const given = new Set(ids);
  if (plan.kind === "join") assert(given.size === ids.length, () => `pass ${name} gives each column once`);
  const read = new Set<number>();
  for (const expression of expressionsOf(plan)) columnsIn(expression, read);
  for (const id of read) assert(given.has(id), () => `pass ${name} leaves column ${id} resolved`);
  for (const input of inputsOf(plan)) checkResolved(name, input);
}
