import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import type { EvaluationContext, Family, ScalarFunction } from "./function.js";

/** What most functions are: one signature, NULL for a NULL argument. */
export interface Definition {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly parameters: readonly Family[];
  /** How many of the last parameters may be left out. */
  readonly optional?: number;
  readonly rest?: Family;
  readonly result: SqlType | ((args: readonly SqlType[]) => SqlType);
  readonly evaluate: (args: readonly SqlValue[], context: EvaluationContext) => SqlValue;
  readonly help: string;
  /** SQL, and what TO_STR prints of it. */
  readonly examples: readonly (readonly [string, string])[];
  /** NULL arguments come in too. */
  readonly takesNulls?: true;
  readonly volatile?: true;
}

export function define(definition: Definition): ScalarFunction {
  const { name, aliases = [], parameters, optional = 0, rest, result, evaluate, help } = definition;
  const signature = { parameters, optional, result, evaluate };
  return {
    kind: "scalar",
    name,
    aliases,
    help,
    examples: definition.examples.map(([sql, expected]) => ({ sql, result: expected })),
    nulls: definition.takesNulls === true ? "called" : "strict",
    signatures: [rest === undefined ? signature : { ...signature, rest }],
    ...(definition.volatile === true ? { volatile: true } : {}),
  };
}
