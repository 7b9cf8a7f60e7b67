import { unreachable } from "@hstream/proto";
import {
  columnExpression,
  columnsOf,
  expressionsOf,
  type LogicalPlan,
  type ProjectItem,
  withInputs,
} from "../plan/logical.js";
import { columnsIn } from "../plan/rewrite.js";
import { onlyGrows } from "./choose-append-only.js";

/** Drops columns, projections and aggregates that nothing above reads; a scan decodes what is left. */
export function pruneColumns(plan: LogicalPlan): LogicalPlan {
  return prune(plan, new Set(columnsOf(plan).map((column) => column.id)));
}

function prune(plan: LogicalPlan, wanted: ReadonlySet<number>): LogicalPlan {
  switch (plan.kind) {
    case "scan":
      return keep(
        plan,
        plan.columns,
        plan.columns.filter((column) => wanted.has(column.id)),
        (columns) => ({ ...plan, columns }),
      );
    case "values": {
      // Columns and the values of each row go together.
      const kept = plan.columns.map((column) => wanted.has(column.id));
      if (kept.every(Boolean)) return plan;
      return {
        ...plan,
        columns: plan.columns.filter((_, i) => kept[i]),
        rows: plan.rows.map((row) => row.filter((_, i) => kept[i])),
      };
    }
    case "project": {
      const items = plan.items.filter((item) => wanted.has(item.column.id));
      return below(
        keep(plan, plan.items, items, (some) => ({ ...plan, items: some })),
        new Set(),
      );
    }
    case "aggregate": {
      // Keys stay: they make the groups.
      const calls = plan.calls.filter(({ column }) => wanted.has(column.id));
      return below(
        keep(plan, plan.calls, calls, (some) => ({ ...plan, calls: some })),
        new Set(),
      );
    }
    case "session": {
      const calls = plan.calls.filter(({ column }) => wanted.has(column.id));
      return below(
        keep(plan, plan.calls, calls, (some) => ({ ...plan, calls: some })),
        new Set(),
      );
    }
    case "assign-windows": {
      const pruned = below(plan, wanted);
      // A row and the deletion that takes it back come at different watermarks: above, that is no part of the row.
      return plan.watermark === undefined || onlyGrows(plan.input, false) ? pruned : only(pruned, wanted);
    }
    case "filter":
    case "sort":
    case "limit":
      return below(plan, wanted);
    case "join":
      return below(plan, wanted);
    case "window": {
      const calls = plan.calls.filter(({ column }) => wanted.has(column.id));
      // Without calls it hands its rows through.
      if (calls.length === 0) return prune(plan.input, wanted);
      return below(
        keep(plan, plan.calls, calls, (some) => ({ ...plan, calls: some })),
        wanted,
      );
    }
    case "top-n": {
      const unread = plan.number !== undefined && !wanted.has(plan.number.id);
      return below(unread ? { ...plan, number: undefined } : plan, wanted);
    }
    case "union-all": {
      const kept = plan.columns.map((column) => wanted.has(column.id));
      const inputs = plan.inputs.map((input) => {
        const columns = columnsOf(input);
        return exactly(input, new Set(columns.filter((_, i) => kept[i]).map((column) => column.id)));
      });
      if (kept.every(Boolean) && inputs.every((input, i) => input === plan.inputs[i])) return plan;
      return { ...plan, inputs, columns: plan.columns.filter((_, i) => kept[i]) };
    }
    case "set-operation":
      // Whole rows are compared.
      return withInputs(plan, (input) => exactly(input, new Set(columnsOf(input).map(({ id }) => id))));
    default:
      return unreachable(plan);
  }
}

function keep<T, P extends LogicalPlan>(
  plan: P,
  all: readonly T[],
  some: readonly T[],
  rebuild: (some: readonly T[]) => P,
): P {
  return some.length === all.length ? plan : rebuild(some);
}

/** Prunes the inputs to what the node itself reads and to what it hands through. */
function below(plan: LogicalPlan, through: ReadonlySet<number>): LogicalPlan {
  const wanted = new Set(through);
  for (const expression of expressionsOf(plan)) columnsIn(expression, wanted);
  return withInputs(plan, (input) => prune(input, wanted));
}

/** Pruned to just these columns: where positions count, what a join or an aggregate must keep is projected off. */
function exactly(plan: LogicalPlan, wanted: ReadonlySet<number>): LogicalPlan {
  return only(prune(plan, wanted), wanted);
}

function only(plan: LogicalPlan, wanted: ReadonlySet<number>): LogicalPlan {
  const columns = columnsOf(plan);
  if (columns.every(({ id }) => wanted.has(id))) return plan;
  const items = columns
    .filter(({ id }) => wanted.has(id))
    .map((column): ProjectItem => ({ column, expression: columnExpression(column) }));
  return { kind: "project", input: plan, items };
}
