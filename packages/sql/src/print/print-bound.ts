import { unreachable } from "@hstream/proto";
import { aggregateFunction, scalarFunction } from "../functions/table.js";
import type {
  AggregateCall,
  Expression,
  FrameBound,
  SortKey,
  WindowCall,
  WindowFrame,
} from "../plan/expression.js";
import type { SqlValue } from "../types/sql-value.js";
import { typeName } from "../types/types.js";
import { toText } from "../values/text.js";
import { valueKind } from "../values/value-kind.js";

/** A bound expression for EXPLAIN: columns by name, operators between their operands. */
export function printBound(expression: Expression): string {
  switch (expression.kind) {
    case "literal":
      return printValue(expression.value);
    case "column":
      return expression.name;
    case "call":
      return printCall(expression.function, expression.args.map(printBound));
    case "and":
    case "or":
      return `(${expression.args.map(printBound).join(` ${expression.kind.toUpperCase()} `)})`;
    case "case": {
      const branches = expression.branches.map(
        ({ when, then }) => `WHEN ${printBound(when)} THEN ${printBound(then)}`,
      );
      return `CASE ${branches.join(" ")} ELSE ${printBound(expression.otherwise)} END`;
    }
    case "cast":
      return `CAST(${printBound(expression.operand)} AS ${typeName(expression.type)})`;
    default:
      return unreachable(expression);
  }
}

export function printValue(value: SqlValue): string {
  if (typeof value === "string") return `'${value.replaceAll("'", "''")}'`;
  const kind = valueKind(value);
  const named = kind === "date" || kind === "time" || kind === "timestamp" || kind === "interval";
  return named ? `${kind.toUpperCase()} '${toText(value)}'` : toText(value);
}

function printCall(name: string, args: readonly string[]): string {
  if (scalarFunction(name)?.operator !== true) return `${name}(${args.join(", ")})`;
  const [first = "", ...rest] = args;
  if (name === "NEGATE") return `(-${first})`;
  if (name === "NOT") return `(NOT ${first})`;
  if (name === "ARRAY") return `[${args.join(", ")}]`;
  if (name === "[]") return `${first}[${rest.join("")}]`;
  if (name === "[:]") return `${first}[${rest.join(":")}]`;
  if (name === "IN") return `(${first} IN (${rest.join(", ")}))`;
  if (name === "BETWEEN") return `(${first} BETWEEN ${rest.join(" AND ")})`;
  return rest.length === 0 ? `(${first} ${name})` : `(${first} ${name} ${rest.join(" ")})`;
}

export function printAggregate(call: Omit<AggregateCall, "type">): string {
  const args = call.args.length === 0 ? "*" : argumentsOf(call);
  const filter = call.filter === undefined ? "" : ` FILTER (WHERE ${printBound(call.filter)})`;
  return `${call.function.replace(" ORDER BY", "")}(${call.distinct ? "DISTINCT " : ""}${args})${filter}`;
}

/** With the keys of an ordered aggregate behind the values, as they are written. */
function argumentsOf(call: Omit<AggregateCall, "type">): string {
  const texts = call.args.map(printBound);
  if (!call.function.endsWith(" ORDER BY")) return texts.join(", ");
  const [value = "", separator = "NULL", , ...keys] = texts;
  const [, , directions] = call.args;
  const letters = directions?.kind === "literal" ? String(directions.value) : "";
  const order = keys.map((key, i) => {
    const letter = letters[i] ?? "a";
    return `${key}${letter.toLowerCase() === "d" ? " DESC" : ""}${letter < "a" ? " NULLS FIRST" : ""}`;
  });
  return `${value}${separator === "NULL" ? "" : `, ${separator}`} ORDER BY ${order.join(", ")}`;
}

export function printSortKey(key: SortKey): string {
  return `${printBound(key.expression)}${key.descending ? " DESC" : ""}${key.nullsFirst ? " NULLS FIRST" : ""}`;
}

export function printWindowCall(call: WindowCall): string {
  const aggregate = aggregateFunction(call.function) !== undefined;
  const text = call.args.length === 0 && !aggregate ? `${call.function}()` : printAggregate(call);
  return `${text}${call.ignoreNulls ? " IGNORE NULLS" : ""}${aggregate ? ` OVER ${printFrame(call.frame)}` : ""}`;
}

function printFrame({ unit, start, end }: WindowFrame): string {
  return `${unit.toUpperCase()} ${printBoundary(start)} AND ${printBoundary(end)}`;
}

function printBoundary(bound: FrameBound): string {
  const words = bound.kind.replace("-", " ").toUpperCase();
  return "offset" in bound ? `${printValue(bound.offset)} ${words}` : words;
}
