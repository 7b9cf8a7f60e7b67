import type { SqlType } from "../types/sql-type.js";
import { DYNAMIC } from "../types/types.js";
import { aggregates, distinctAggregate } from "./aggregates.js";
import { arithmeticOperators } from "./arithmetic.js";
import { arrayFunctions } from "./arrays.js";
import { comparisonOperators } from "./comparisons.js";
import { dateFunctions } from "./dates.js";
import { specialForms } from "./forms.js";
import type {
  AggregateFunction,
  AggregateImplementation,
  FunctionEntry,
  ScalarFunction,
  WindowFunction,
} from "./function.js";
import { generalFunctions } from "./general.js";
import { jsonFunctions } from "./json.js";
import { moreAggregates } from "./more-aggregates.js";
import { moreArrayFunctions } from "./more-arrays.js";
import { moreDateFunctions } from "./more-dates.js";
import { moreGeneralFunctions } from "./more-general.js";
import { moreJsonFunctions } from "./more-json.js";
import { moreNumericFunctions } from "./more-numeric.js";
import { moreTextFunctions } from "./more-text.js";
import { numericFunctions } from "./numeric.js";
import { orderedAggregates } from "./ordered-aggregates.js";
import { regularExpressionFunctions } from "./regular-expressions.js";
import { textFunctions } from "./text.js";
import { windowFunctions } from "./windows.js";

/** Every function, operator, aggregate and special form, in the order of the manual. */
export const functionTable: readonly FunctionEntry[] = [
  ...specialForms,
  ...comparisonOperators,
  ...arithmeticOperators,
  ...generalFunctions,
  ...moreGeneralFunctions,
  ...numericFunctions,
  ...moreNumericFunctions,
  ...textFunctions,
  ...moreTextFunctions,
  ...regularExpressionFunctions,
  ...dateFunctions,
  ...moreDateFunctions,
  ...arrayFunctions,
  ...moreArrayFunctions,
  ...jsonFunctions,
  ...moreJsonFunctions,
  ...aggregates,
  ...moreAggregates,
  ...windowFunctions,
];

const byName = new Map<string, FunctionEntry>();
for (const entry of functionTable) {
  for (const name of [entry.name, ...(entry.aliases ?? [])]) byName.set(name, entry);
}

/** The entry of that name or alias, in upper case as the plan has it. */
export function functionEntry(name: string): FunctionEntry | undefined {
  return byName.get(name);
}

export function scalarFunction(name: string): ScalarFunction | undefined {
  const entry = byName.get(name);
  return entry?.kind === "scalar" ? entry : undefined;
}

export function aggregateFunction(name: string): AggregateFunction | undefined {
  const entry = byName.get(name);
  return entry?.kind === "aggregate" ? entry : undefined;
}

export function windowFunction(name: string): WindowFunction | undefined {
  const entry = byName.get(name);
  return entry?.kind === "window" ? entry : undefined;
}

/**
 * How an aggregate of the plan is computed; undefined for a name that is none. `type`: the call's static type,
 * on which the arithmetic of SUM depends.
 */
export function aggregateImplementation(
  name: string,
  distinct: boolean,
  type: SqlType = DYNAMIC,
): AggregateImplementation | undefined {
  const ordered = orderedAggregates.get(name);
  if (ordered !== undefined) return distinct ? distinctAggregate(ordered) : ordered;
  const entry = aggregateFunction(name);
  if (entry === undefined) return undefined;
  const { floatImplementation } = entry;
  const implementation =
    type.kind === "float" && floatImplementation !== undefined ? floatImplementation : entry.implementation;
  return distinct ? distinctAggregate(implementation) : implementation;
}

/** Names that can be called, for "did you mean" and completion. */
export function callableNames(): readonly string[] {
  const called = (entry: FunctionEntry): boolean =>
    entry.kind === "aggregate" ||
    entry.kind === "window" ||
    (entry.kind === "scalar" && entry.operator !== true);
  return [...byName].filter(([, entry]) => called(entry)).map(([name]) => name);
}
