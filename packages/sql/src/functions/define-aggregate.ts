import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { isNumber, toFloat } from "../values/numbers.js";
import { valueKind } from "../values/value-kind.js";
import type {
  AggregateFunction,
  AggregateImplementation,
  EvaluationContext,
  Example,
  Family,
} from "./function.js";

const exampleRows = "3, 1, NULL, 1, 2.5";

export function aggregate(
  name: string,
  parameters: readonly Family[],
  result: SqlType | ((args: readonly SqlType[]) => SqlType),
  implementation: AggregateImplementation,
  help: string,
  sql: string,
  expected: string,
  more: {
    readonly aliases?: readonly string[];
    readonly optional?: number;
    readonly also?: readonly Example[];
  } = {},
): AggregateFunction {
  const { aliases = [], optional = 0, also = [] } = more;
  const examples = [{ sql, result: expected }, ...also];
  return {
    kind: "aggregate",
    name,
    aliases,
    parameters,
    optional,
    result,
    implementation,
    help,
    exampleRows,
    examples,
  };
}

/** A number, or an error for the row that brings something else. */
export function numberOf(
  name: string,
  value: SqlValue,
  weight: number,
  context: EvaluationContext,
): number | undefined {
  if (value === null) return undefined;
  if (isNumber(value)) return toFloat(value);
  if (weight > 0) context.error(`${name} cannot work on ${valueKind(value).toUpperCase()}`);
  return undefined;
}

/** A part of the rows, 0 to 1. */
export function fraction(value: SqlValue): number | undefined {
  const q = isNumber(value) ? toFloat(value) : Number.NaN;
  return q >= 0 && q <= 1 ? q : undefined;
}
