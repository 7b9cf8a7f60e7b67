import type { PhysicalNode, PhysicalPlan, SqlValue } from "@hstream/sql";
import { must } from "@hstream/proto";
import { inputsOf } from "@hstream/sql/runtime";

/**
 * The group key that a plan looks up in a view: it reads the view once, and keeps only rows of which all key
 * columns equal literals. `key`: the view's columns that identify a row. Undefined when the plan may need
 * other rows.
 */
export function lookedUpKey(
  plan: PhysicalPlan,
  source: number,
  key: readonly number[] | undefined,
): readonly SqlValue[] | undefined {
  if (key === undefined || key.length === 0) return undefined;
  const filters: (PhysicalNode | undefined)[] = [];
  const visit = (node: PhysicalNode, parent: PhysicalNode | undefined): void => {
    if (node.kind === "source" && node.source === source) filters.push(parent);
    for (const input of inputsOf(node)) visit(input, node);
  };
  for (const part of [...(plan.shared ?? []), plan.root]) visit(part, undefined);
  const [filter, ...others] = filters;
  if (filter?.kind !== "filter" || others.length > 0) return undefined;
  const rows = must(plan.sources[source], "a plan has its sources");
  if (rows.kind !== "rows") return undefined;
  const wanted = literalsOf(filter.predicate);
  const values: SqlValue[] = [];
  for (const column of key) {
    const value = wanted.get(rows.columns.indexOf(column));
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

type Expression = Extract<PhysicalNode, { kind: "filter" }>["predicate"];

/** The literals that columns must equal for the predicate to be TRUE, by the columns' places. */
function literalsOf(predicate: Expression): Map<number, SqlValue> {
  const found = new Map<number, SqlValue>();
  const parts = predicate.kind === "and" ? predicate.args : [predicate];
  for (const part of parts) {
    if (part.kind === "and") for (const [column, value] of literalsOf(part)) found.set(column, value);
    if (part.kind !== "call" || part.function !== "=") continue;
    const [left, right] = part.args;
    const column = left?.kind === "column" ? left : right;
    const literal = left?.kind === "literal" ? left : right;
    if (column?.kind !== "column" || literal?.kind !== "literal" || !isPlain(literal.value)) continue;
    found.set(column.index, literal.value);
  }
  return found;
}

/** Values for which `=` and being the same key are the same, whatever the column's values are. */
function isPlain(value: SqlValue): boolean {
  return typeof value === "string" || typeof value === "boolean" || Number.isSafeInteger(value);
}
