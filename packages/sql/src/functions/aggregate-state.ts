import { must } from "@hstream/proto";
import type { SqlValue } from "../types/sql-value.js";
import { isArray } from "../values/value-kind.js";
import type { AggregateImplementation, AggregateState, EvaluationContext } from "./function.js";

/** The interface erases the states' types so that one table can hold all; this is where it happens. */
export function implement<S extends AggregateState>(implementation: {
  create(appendOnly: boolean): S;
  add(state: S, args: readonly SqlValue[], weight: number, context: EvaluationContext): void;
  result(state: S, context: EvaluationContext): SqlValue;
  stateBytes(state: S): number;
  save(state: S): SqlValue;
  load(saved: SqlValue, appendOnly: boolean): S;
}): AggregateImplementation {
  return implementation;
}

/** What save made of a state, taken apart again. */
export function savedArray(saved: SqlValue | undefined): readonly SqlValue[] {
  return must(saved !== undefined && isArray(saved) ? saved : undefined, "a saved state is a list");
}

/** Infinities and -0, which no SQL value is, are kept as texts. */
export function savedFloat(value: number): SqlValue {
  return Number.isFinite(value) && !Object.is(value, -0)
    ? value
    : Object.is(value, -0)
      ? "-0"
      : String(value);
}

export function savedNumber(saved: SqlValue | undefined): number {
  // Whole doubles from 2^53 on come back as bigints of the same value.
  if (typeof saved === "string" || typeof saved === "bigint") return Number(saved);
  return must(typeof saved === "number" ? saved : undefined, "a saved count is a number");
}
