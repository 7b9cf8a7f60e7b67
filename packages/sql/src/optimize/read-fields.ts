import type { Expression } from "../plan/expression.js";
import {
  columnExpression,
  columnsOf,
  expressionsOf,
  inputsOf,
  type LogicalPlan,
  type ScanOutput,
  withExpressions,
  withInputs,
} from "../plan/logical.js";
import { mapOperands, operandsOf } from "../plan/rewrite.js";
import { DYNAMIC } from "../types/types.js";

/**
 * A field that is taken out of a whole record is read by the scan itself, so that the rest of the record need not
 * be decoded: SELECT a FROM (SELECT * FROM s) reads a.
 */
export function readFields(plan: LogicalPlan): LogicalPlan {
  const wanted = new Map<number, Map<string, ScanOutput>>();
  const ids = new Ids(plan);
  collect(plan, wanted, ids);
  return wanted.size === 0 ? plan : rewrite(plan, wanted);
}

type Wanted = Map<number, Map<string, ScanOutput>>;

class Ids {
  #last = 0;

  constructor(plan: LogicalPlan) {
    const visit = (node: LogicalPlan): void => {
      for (const { id } of columnsOf(node)) this.#last = Math.max(this.#last, id);
      for (const input of inputsOf(node)) visit(input);
    };
    visit(plan);
  }

  next(): number {
    this.#last += 1;
    return this.#last;
  }
}

/** Gives the records whose scans are right below, with their scans; notes the fields that are taken of them. */
function collect(
  plan: LogicalPlan,
  wanted: Wanted,
  ids: Ids,
): ReadonlyMap<number, Extract<LogicalPlan, { kind: "scan" }>> {
  if (plan.kind === "scan") {
    const record = plan.columns.find((column) => column.from.kind === "record");
    return record === undefined ? new Map() : new Map([[record.id, plan]]);
  }
  const records = new Map(inputsOf(plan).flatMap((input) => [...collect(input, wanted, ids)]));
  const visit = (expression: Expression): void => {
    const field = fieldOf(expression);
    const scan = field === undefined ? undefined : records.get(field.record);
    if (field !== undefined && scan !== undefined) {
      const fields = wanted.get(field.record) ?? new Map<string, ScanOutput>();
      const column = fields.get(field.name) ?? columnFor(scan, field.name, ids);
      if (column !== undefined) wanted.set(field.record, fields.set(field.name, column));
      return;
    }
    for (const operand of operandsOf(expression)) visit(operand);
  };
  for (const expression of expressionsOf(plan)) visit(expression);
  return handsThrough(plan) ? records : new Map();
}

/** The scan's column of that field; undefined where it reads the field as another type. */
function columnFor(
  scan: Extract<LogicalPlan, { kind: "scan" }>,
  name: string,
  ids: Ids,
): ScanOutput | undefined {
  const known = scan.columns.find(({ from }) => from.kind === "field" && from.name === name);
  if (known !== undefined) return known.type.kind === "dynamic" ? known : undefined;
  return { id: ids.next(), name, type: DYNAMIC, from: { kind: "field", name, type: DYNAMIC } };
}

function handsThrough({ kind }: LogicalPlan): boolean {
  return (
    kind === "filter" || kind === "sort" || kind === "limit" || kind === "join" || kind === "assign-windows"
  );
}

/** record -> 'name' */
function fieldOf(expression: Expression): { readonly record: number; readonly name: string } | undefined {
  if (expression.kind !== "call" || expression.function !== "->") return undefined;
  const [record, name] = expression.args;
  if (record?.kind !== "column" || name?.kind !== "literal" || typeof name.value !== "string")
    return undefined;
  return { record: record.index, name: name.value };
}

function rewrite(plan: LogicalPlan, wanted: Wanted): LogicalPlan {
  const go = (node: LogicalPlan): LogicalPlan => {
    if (node.kind === "scan") {
      const record = node.columns.find((column) => column.from.kind === "record");
      const fields = record === undefined ? undefined : wanted.get(record.id);
      const added = [...(fields?.values() ?? [])].filter(
        ({ id }) => !node.columns.some((one) => one.id === id),
      );
      return added.length === 0 ? node : { ...node, columns: [...node.columns, ...added] };
    }
    // Where positions count, an input gives what it gave.
    const positional = node.kind === "union-all" || node.kind === "set-operation";
    const below = withInputs(node, (input) => (positional ? sameColumns(input, go(input)) : go(input)));
    const replaced = expressionsOf(below).some((expression) => replace(expression, wanted) !== expression);
    return replaced ? withExpressions(below, (expression) => replace(expression, wanted)) : below;
  };
  return sameColumns(plan, go(plan));
}

function sameColumns(before: LogicalPlan, after: LogicalPlan): LogicalPlan {
  const columns = columnsOf(before);
  if (columnsOf(after).length === columns.length) return after;
  const items = columns.map((column) => ({ column, expression: columnExpression(column) }));
  return { kind: "project", input: after, items };
}

function replace(expression: Expression, wanted: Wanted): Expression {
  const field = fieldOf(expression);
  const column = field === undefined ? undefined : wanted.get(field.record)?.get(field.name);
  if (column !== undefined) return columnExpression(column);
  return mapOperands(expression, (operand) => replace(operand, wanted));
}
