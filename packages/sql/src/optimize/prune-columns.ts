import { unreachable } from "@hstream/proto";
import { columnsOf, expressionsOf, type LogicalPlan } from "../plan/logical.js";
import { columnsIn } from "../plan/rewrite.js";

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
    case "filter":
    case "sort":
    case "limit":
      return below(plan, wanted);
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

/** Prunes the input to what the node itself reads and to what it hands through. */
function below(plan: LogicalPlan, through: ReadonlySet<number>): LogicalPlan {
  if (plan.kind === "scan" || plan.kind === "values") return plan;
  const wanted = new Set(through);
  for (const expression of expressionsOf(plan)) columnsIn(expression, wanted);
  const input = prune(plan.input, wanted);
  return input === plan.input ? plan : { ...plan, input };
}
