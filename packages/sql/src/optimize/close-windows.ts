import { unreachable } from "@hstream/proto";
import type { Expression } from "../plan/expression.js";
import { columnsOf, type LogicalJoin, type LogicalPlan } from "../plan/logical.js";
import type { Closing } from "../plan/physical.js";
import { mapPlan } from "./map-plan.js";

/**
 * Of columns of a node (by id): once the watermark is at least value + offset, rows of that value neither come nor
 * go. The bounds of windows are such, and what groups, joins and ranks by them.
 */
export type ClosingColumns = ReadonlyMap<number, number>;

/**
 * Notes where state can be let go of with its window. `final`: what closes is given once, when it does, so that
 * what stands above sees rows that only come.
 */
export function closeWindows(plan: LogicalPlan, final: boolean): LogicalPlan {
  return mapPlan(plan, (node) => {
    switch (node.kind) {
      case "aggregate":
        return closed(
          node,
          node.keys.map(({ expression }) => expression),
          final,
        );
      case "top-n":
      case "window":
        return closed(node, node.partition, final);
      case "session":
        return final && node.final !== true ? { ...node, final } : node;
      case "join": {
        if (node.closes !== undefined || node.lookup) return node;
        const closes = joinClosing(node);
        if (closes === undefined) return node;
        return final ? { ...node, closes, final } : { ...node, closes };
      }
      default:
        return node;
    }
  });
}

function closed<N extends Extract<LogicalPlan, { kind: "aggregate" | "top-n" | "window" }>>(
  node: N,
  keys: readonly Expression[],
  final: boolean,
): N {
  if (node.closes !== undefined) return node;
  const closes = closingOf(keys, closingColumns(node.input));
  if (closes === undefined) return node;
  return final ? { ...node, closes, final } : { ...node, closes };
}

/** The expression that closes first. */
function closingOf(keys: readonly Expression[], columns: ClosingColumns): Closing | undefined {
  let best: Closing | undefined;
  for (const [index, key] of keys.entries()) {
    const offsetMs = key.kind === "column" ? columns.get(key.index) : undefined;
    if (offsetMs !== undefined && (best === undefined || offsetMs < best.offsetMs))
      best = { index, offsetMs };
  }
  return best;
}

/** Both sides close by the same key: by the later of the two. */
function joinClosing(join: LogicalJoin): Closing | undefined {
  const [left, right] = [closingColumns(join.left), closingColumns(join.right)];
  for (const [index, key] of join.keys.entries()) {
    const l = key.left.kind === "column" ? left.get(key.left.index) : undefined;
    const r = key.right.kind === "column" ? right.get(key.right.index) : undefined;
    if (l !== undefined && r !== undefined) return { index, offsetMs: Math.max(l, r) };
  }
  return undefined;
}

export function closingColumns(plan: LogicalPlan): ClosingColumns {
  switch (plan.kind) {
    case "scan":
    case "values":
      return new Map();
    case "filter":
    case "sort":
    case "limit":
      return closingColumns(plan.input);
    case "project": {
      const columns = closingColumns(plan.input);
      return pick(
        plan.items.map(({ column, expression }) => [column.id, expression] as const),
        columns,
      );
    }
    case "aggregate": {
      const columns = closingColumns(plan.input);
      return pick(
        plan.keys.map(({ column, expression }) => [column.id, expression] as const),
        columns,
      );
    }
    case "assign-windows": {
      const { shape, start, end } = plan;
      // A sliding window takes the rows of its last moment, too.
      const after = shape.kind === "slide" ? 1 : 0;
      return new Map([
        ...closingColumns(plan.input),
        [start.id, shape.sizeMs + after] as const,
        [end.id, after] as const,
      ]);
    }
    case "session":
      // A row at the very end still extends it.
      return new Map([[plan.end.id, 1]]);
    case "join":
      return ofJoin(plan);
    case "union-all":
      return common(plan.columns, plan.inputs);
    case "set-operation":
      return common(plan.columns, [plan.left, plan.right]);
    case "top-n":
    case "window": {
      const columns = closingColumns(plan.input);
      return pick(
        plan.partition.flatMap((key) => (key.kind === "column" ? [[key.index, key] as const] : [])),
        columns,
      );
    }
    default:
      return unreachable(plan);
  }
}

function pick(items: readonly (readonly [number, Expression])[], columns: ClosingColumns): ClosingColumns {
  const found = new Map<number, number>();
  for (const [id, expression] of items) {
    const offset = expression.kind === "column" ? columns.get(expression.index) : undefined;
    if (offset !== undefined) found.set(id, offset);
  }
  return found;
}

function ofJoin(join: LogicalJoin): ClosingColumns {
  if (join.lookup) return closingColumns(join.left);
  if (join.within !== undefined) return new Map();
  const [left, right] = [closingColumns(join.left), closingColumns(join.right)];
  const found = new Map<number, number>();
  for (const key of join.keys) {
    if (key.left.kind !== "column" || key.right.kind !== "column") continue;
    const [l, r] = [left.get(key.left.index), right.get(key.right.index)];
    if (l === undefined || r === undefined) continue;
    found.set(key.left.index, Math.max(l, r));
    if (join.type !== "semi" && join.type !== "anti") found.set(key.right.index, Math.max(l, r));
  }
  return found;
}

/** Columns by position that close in all inputs. */
function common(columns: readonly { readonly id: number }[], inputs: readonly LogicalPlan[]): ClosingColumns {
  const each = inputs.map((input) => ({ columns: columnsOf(input), closing: closingColumns(input) }));
  const found = new Map<number, number>();
  for (const [i, { id }] of columns.entries()) {
    const offsets = each.map((input) => input.closing.get(input.columns[i]?.id ?? -1));
    const all = offsets.filter((offset) => offset !== undefined);
    if (all.length === inputs.length && all.length > 0) found.set(id, Math.max(...all));
  }
  return found;
}
