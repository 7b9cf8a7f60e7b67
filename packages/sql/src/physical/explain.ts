import { unreachable } from "@hstream/proto";
import type { BoundStatement } from "../bind/bound-statement.js";
import { inputsOf, type LogicalJoin, type LogicalPlan } from "../plan/logical.js";
import type { Closing, WindowShape } from "../plan/physical.js";
import { printAggregate, printBound, printSortKey, printWindowCall } from "../print/print-bound.js";
import { optimise } from "../optimize/optimise.js";
import { toPhysical } from "./to-physical.js";

export type ExplainedStatement = Extract<BoundStatement, { kind: "explain" }>["statement"];

/** The plan as bound, as each pass left it, and how it runs. */
export function explain(statement: ExplainedStatement, format: "text" | "json" = "text"): string {
  const query = optimise(statement.query);
  if (format === "json") {
    const plan = toPhysical(query);
    const passes = query.passes.map((record) => ({ pass: record.pass, plan: planTree(record.plan) }));
    const start = query.start;
    return JSON.stringify(
      { original: planTree(query.original), passes, start, physical: plan },
      plainJson,
      2,
    );
  }
  const lines = ["Plan as written:", ...planLines(query.original, 1)];
  const changed = query.passes.map((record) => record.pass);
  lines.push(
    `Plan as run (${changed.length === 0 ? "unchanged" : changed.join(", ")}):`,
    ...planLines(query.plan, 1),
  );
  const shared = toPhysical(query).shared ?? [];
  if (shared.length > 0) {
    const kinds = shared.map(({ kind }) => kind).join(", ");
    lines.push(`Computed once for all places where it stands: ${kinds}`);
  }
  lines.push(`Emits: ${emission(statement)}`);
  return lines.join("\n");
}

function emission({ query }: ExplainedStatement): string {
  if (query.polling !== undefined) {
    const { everyMs, show } = query.polling;
    return `${show === "answers" ? "the whole answer" : "what has changed in the answer"} every ${everyMs} ms`;
  }
  const from =
    query.start === "earliest" ? ", from the first stored record on" : ", of what is appended from now on";
  switch (query.emit.kind) {
    case "pull":
      return "one answer";
    case "changes":
      return `a row per record and touched group${from}`;
    case "coalesced":
      return `changes, merged per step${from}`;
    case "retractions":
      return `every change as - and +${from}`;
    case "final":
      return `the rows of a window when it closes${from}`;
    case "every":
      return `the latest state every ${query.emit.intervalMs} ms${from}`;
    default:
      return unreachable(query.emit);
  }
}

function plainJson(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  return value instanceof Map ? Object.fromEntries(value) : value;
}

/** One line a node, inputs indented below it. */
export function planLines(plan: LogicalPlan, depth = 0): string[] {
  const line = "  ".repeat(depth) + describeNode(plan);
  return [line, ...inputsOf(plan).flatMap((input) => planLines(input, depth + 1))];
}

function planTree(plan: LogicalPlan): object {
  const node = { node: describeNode(plan) };
  const [input, ...others] = inputsOf(plan).map(planTree);
  if (input === undefined) return node;
  return others.length === 0 ? { ...node, input } : { ...node, inputs: [input, ...others] };
}

function scanText({ relation, columns }: Extract<LogicalPlan, { kind: "scan" }>): string {
  const deletions = relation.kind === "stream" && !relation.appendOnly ? ", with deletions" : "";
  return `Scan ${relation.kind} ${relation.name} [${columns.map(({ name }) => name).join(", ")}]${deletions}`;
}

function describeNode(plan: LogicalPlan): string {
  switch (plan.kind) {
    case "scan":
      return scanText(plan);
    case "values":
      return `Values, ${plan.rows.length} ${plan.rows.length === 1 ? "row" : "rows"}`;
    case "filter":
      return `Filter ${printBound(plan.predicate)}`;
    case "project":
      return `Project ${plan.items
        .map(({ column, expression }) => {
          const text = printBound(expression);
          return text === column.name ? text : `${text} AS ${column.name}`;
        })
        .join(", ")}`;
    case "aggregate": {
      const keys = plan.keys.map((key) => printBound(key.expression)).join(", ");
      const calls = plan.calls.map(({ call }) => printAggregate(call)).join(", ");
      return `Aggregate by [${keys}] computing [${calls}]${closingText(plan)}${plan.appendOnly ? ", append-only" : ""}`;
    }
    case "assign-windows": {
      const { shape } = plan;
      const partition = plan.partition.map(printBound).join(", ");
      const per = partition === "" ? "" : ` per [${partition}]`;
      return `Windows ${shapeText(shape)} on ${printBound(plan.time)}${per}`;
    }
    case "session": {
      const keys = plan.keys.map((key) => printBound(key.expression)).join(", ");
      const calls = plan.calls.map(({ call }) => printAggregate(call)).join(", ");
      const gap = `session ${plan.gapMs} ms on ${printBound(plan.time)}`;
      return `Aggregate by [${keys}] in ${gap} computing [${calls}]${plan.final === true ? ", when closed" : ", freed when closed"}`;
    }
    case "sort":
      return `Sort ${plan.keys.map(printSortKey).join(", ")}${limitText(plan)}`;
    case "limit":
      return `Limit${limitText(plan)}`;
    case "join":
      return describeJoin(plan);
    case "union-all":
      return `Union all, ${plan.inputs.length} inputs`;
    case "set-operation":
      return `${plan.operator === "except" ? "Except" : "Intersect"}${plan.all ? " all" : ""}`;
    case "top-n":
      return `Top${limitText(plan)}${overText(plan)}${closingText(plan)}${plan.appendOnly ? ", append-only" : ""}`;
    case "window":
      return `Window computing [${plan.calls.map(({ call }) => printWindowCall(call)).join(", ")}]${overText(plan)}${closingText(plan)}`;
    default:
      return unreachable(plan);
  }
}

function describeJoin(plan: LogicalJoin): string {
  const name = plan.lookup ? `${plan.type} look-up` : plan.type;
  const keys = plan.keys.map(({ left, right, nullsEqual }) => {
    const operator = nullsEqual ? "IS NOT DISTINCT FROM" : "=";
    return `${printBound(left)} ${operator} ${printBound(right)}`;
  });
  const parts = [
    ...(keys.length === 0 ? [] : [`on ${keys.join(", ")}`]),
    ...(plan.residual === undefined ? [] : [`where ${printBound(plan.residual)}`]),
    ...(plan.notIn === undefined
      ? []
      : [`${printBound(plan.notIn.left)} not in ${printBound(plan.notIn.right)}`]),
  ];
  const text = `Join ${name}${parts.length === 0 ? "" : ` ${parts.join(" ")}`}`;
  const grows = plan.leftAppendOnly && plan.rightAppendOnly ? ", append-only" : "";
  const freed = plan.closes === undefined ? "" : ", freed with its windows";
  return `${text}${freed}${plan.within === undefined ? "" : `, within ${plan.within.ms} ms`}${grows}`;
}

function shapeText(shape: WindowShape): string {
  if (shape.kind === "slide") return `slide ${shape.sizeMs} ms`;
  const { sizeMs, hopMs } = shape;
  return sizeMs === hopMs ? `tumble ${sizeMs} ms` : `hop ${sizeMs} ms every ${hopMs} ms`;
}

function closingText(plan: { readonly closes?: Closing; readonly final?: boolean }): string {
  if (plan.closes === undefined) return "";
  return plan.final === true ? ", when its window closes" : ", freed with its window";
}

function overText(plan: Extract<LogicalPlan, { kind: "top-n" | "window" }>): string {
  const partition = plan.partition.map(printBound).join(", ");
  const order = plan.keys.map(printSortKey).join(", ");
  return `${partition === "" ? "" : ` per [${partition}]`}${order === "" ? "" : ` by ${order}`}`;
}

function limitText({
  limit,
  offset,
}: {
  readonly limit: number | undefined;
  readonly offset: number;
}): string {
  const count = limit === undefined ? "" : ` first ${limit}`;
  return offset === 0 ? count : `${count} after ${offset}`;
}
