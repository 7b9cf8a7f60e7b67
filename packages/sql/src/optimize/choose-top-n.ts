import type { Expression } from "../plan/expression.js";
import type { LogicalPlan } from "../plan/logical.js";
import { conjunction, conjunctsOf } from "../plan/rewrite.js";
import { mapPlan } from "./map-plan.js";

type Window = Extract<LogicalPlan, { kind: "window" }>;

/** A filter that keeps the first ROW_NUMBERs of a window, with nothing else in it, is a top-n. */
export function chooseTopN(plan: LogicalPlan): LogicalPlan {
  return mapPlan(plan, (node) => {
    if (node.kind !== "filter" || node.input.kind !== "window") return node;
    return chosen(node.predicate, node.input) ?? node;
  });
}

function chosen(predicate: Expression, window: Window): LogicalPlan | undefined {
  const [only, ...others] = window.calls;
  if (only === undefined || others.length > 0 || only.call.function !== "ROW_NUMBER") return undefined;
  const conjuncts = conjunctsOf(predicate);
  const bounds = conjuncts.map((conjunct) => upTo(conjunct, only.column.id));
  const limit = Math.min(...bounds.filter((bound) => bound !== undefined));
  if (!Number.isFinite(limit)) return undefined;
  const rest = conjuncts.filter((_, i) => bounds[i] === undefined);
  const { input, partition, keys } = window;
  const top: LogicalPlan = {
    kind: "top-n",
    input,
    partition,
    keys,
    limit,
    offset: 0,
    number: only.column,
    appendOnly: false,
  };
  return rest.length === 0 ? top : { kind: "filter", input: top, predicate: conjunction(rest) };
}

/** The last row number that a condition lets through; undefined when it is no upper bound. */
function upTo(condition: Expression, id: number): number | undefined {
  if (condition.kind !== "call") return undefined;
  const [a, b] = condition.args;
  if (a === undefined || b === undefined) return undefined;
  const numberFirst = a.kind === "column" && a.index === id;
  const [column, literal] = numberFirst ? [a, b] : [b, a];
  if (column.kind !== "column" || column.index !== id || literal.kind !== "literal") return undefined;
  const { value } = literal;
  if (typeof value !== "number" || !Number.isSafeInteger(value)) return undefined;
  const operator = numberFirst ? condition.function : mirrored.get(condition.function);
  if (operator === "<=") return Math.max(0, value);
  if (operator === "<") return Math.max(0, value - 1);
  return operator === "=" && value === 1 ? 1 : undefined;
}

const mirrored: ReadonlyMap<string, string> = new Map([
  [">=", "<="],
  [">", "<"],
  ["=", "="],
]);
