import { unreachable } from "@hstream/proto";
import type { BoundStatement } from "../bind/bound-statement.js";
import type { LogicalPlan } from "../plan/logical.js";
import { printAggregate, printBound, printSortKey } from "../print/print-bound.js";
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
  lines.push(`Emits: ${emission(statement)}`);
  return lines.join("\n");
}

function emission({ query }: ExplainedStatement): string {
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
  return plan.kind === "scan" || plan.kind === "values"
    ? [line]
    : [line, ...planLines(plan.input, depth + 1)];
}

function planTree(plan: LogicalPlan): object {
  const node = { node: describeNode(plan) };
  return plan.kind === "scan" || plan.kind === "values" ? node : { ...node, input: planTree(plan.input) };
}

function describeNode(plan: LogicalPlan): string {
  switch (plan.kind) {
    case "scan":
      return `Scan ${plan.relation.kind} ${plan.relation.name} [${plan.columns.map((column) => column.name).join(", ")}]`;
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
      return `Aggregate by [${keys}] computing [${calls}]${plan.appendOnly ? ", append-only" : ""}`;
    }
    case "sort":
      return `Sort ${plan.keys.map(printSortKey).join(", ")}${limitText(plan)}`;
    case "limit":
      return `Limit${limitText(plan)}`;
    default:
      return unreachable(plan);
  }
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
