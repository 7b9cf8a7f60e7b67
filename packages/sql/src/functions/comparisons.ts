import type { SqlValue } from "../types/sql-value.js";
import { BOOLEAN } from "../types/types.js";
import { compareSql, equalSql } from "../values/compare.js";
import { valueKind } from "../values/value-kind.js";
import { textArg } from "./arguments.js";
import type { EvaluationContext, ScalarFunction, Signature } from "./function.js";
import { likeMatches } from "./like.js";

function comparison(
  name: "<" | "<=" | ">" | ">=",
  holds: (order: number) => boolean,
  help: string,
  examples: ScalarFunction["examples"],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    operator: true,
    nulls: "strict",
    help,
    examples,
    signatures: [
      {
        parameters: ["any", "any"],
        result: BOOLEAN,
        evaluate: ([a = null, b = null], context) => {
          const order = compareSql(a, b);
          if (order === null) return null;
          if (order !== undefined) return holds(order);
          return context.error(
            `cannot compare ${valueKind(a).toUpperCase()} with ${valueKind(b).toUpperCase()}`,
          );
        },
      },
    ],
  };
}

/** An operator over anything, evaluated without regard to families. */
function anyOperator(
  name: string,
  arity: number,
  nulls: "strict" | "called",
  help: string,
  examples: ScalarFunction["examples"],
  evaluate: Signature["evaluate"],
): ScalarFunction {
  const parameters = Array.from({ length: arity }, () => "any" as const);
  return {
    kind: "scalar",
    name,
    operator: true,
    nulls,
    help,
    examples,
    signatures: [{ parameters, result: BOOLEAN, evaluate }],
  };
}

/** x IN (…): TRUE when one equals, NULL when none does but one is NULL. */
function isIn(args: readonly SqlValue[]): boolean | null {
  const value = args[0] ?? null;
  let unknown = false;
  for (const candidate of args.slice(1)) {
    const equal = equalSql(value, candidate);
    if (equal === true) return true;
    unknown ||= equal === null;
  }
  return unknown ? null : false;
}

/** x BETWEEN low AND high, in three-valued logic. */
function between(args: readonly SqlValue[], context: EvaluationContext): boolean | null {
  const [value = null, low = null, high = null] = args;
  const above = compareSql(value, low);
  const below = compareSql(value, high);
  if (above === undefined || below === undefined) {
    return context.error(
      `BETWEEN cannot compare ${args.map((arg) => valueKind(arg).toUpperCase()).join(", ")}`,
    );
  }
  if ((above !== null && above < 0) || (below !== null && below > 0)) return false;
  return above === null || below === null ? null : true;
}

function not(value: boolean | null): boolean | null {
  return value === null ? null : !value;
}

function distinct([a = null, b = null]: readonly SqlValue[]): boolean {
  return a === null || b === null ? a !== b : equalSql(a, b) === false;
}

function like(
  name: string,
  caseInsensitive: boolean,
  help: string,
  examples: ScalarFunction["examples"],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    operator: true,
    nulls: "strict",
    help,
    examples,
    signatures: [
      {
        parameters: ["string", "string", "string"],
        optional: 1,
        result: BOOLEAN,
        evaluate: (args, context) => {
          const escape = args.length > 2 ? textArg(args, 2) : "\\";
          if ([...escape].length > 1) return context.error("ESCAPE must be one character");
          return likeMatches(textArg(args, 0), textArg(args, 1), escape, caseInsensitive);
        },
      },
    ],
  };
}

/** IS … and IS NOT …, neither of which is ever NULL. */
function is(word: string, what: SqlValue, help: string, negatedHelp: string): readonly ScalarFunction[] {
  const [yes, no] = [`NULL IS ${word}`, `NULL IS NOT ${word}`];
  const isNull = what === null;
  return [
    anyOperator(
      `IS ${word}`,
      1,
      "called",
      help,
      [
        { sql: yes, result: isNull ? "TRUE" : "FALSE" },
        { sql: `(1 = 1) IS ${word}`, result: what === true ? "TRUE" : "FALSE" },
      ],
      ([a = null]) => a === what,
    ),
    anyOperator(
      `IS NOT ${word}`,
      1,
      "called",
      negatedHelp,
      [
        { sql: no, result: isNull ? "FALSE" : "TRUE" },
        { sql: `(1 = 1) IS NOT ${word}`, result: what === true ? "FALSE" : "TRUE" },
      ],
      ([a = null]) => a !== what,
    ),
  ];
}

/** Comparisons, tests for NULL and TRUE, NOT, IN, LIKE. */
export const comparisonOperators: readonly ScalarFunction[] = [
  anyOperator(
    "=",
    2,
    "strict",
    "Equality; values of different types are unequal, numbers of all forms are one type.",
    [
      { sql: "1 = 1.0", result: "TRUE" },
      { sql: "NULL = NULL", result: "NULL" },
    ],
    ([a = null, b = null]) => equalSql(a, b),
  ),
  anyOperator(
    "<>",
    2,
    "strict",
    "Inequality; != is the same.",
    [
      { sql: "'a' <> 'b'", result: "TRUE" },
      { sql: "1 != 1", result: "FALSE" },
    ],
    ([a = null, b = null]) => not(equalSql(a, b)),
  ),
  comparison("<", (order) => order < 0, "Less: numbers, text by code point, FALSE < TRUE, moments, arrays.", [
    { sql: "1 < 1.5", result: "TRUE" },
    { sql: "'a' < 'B'", result: "FALSE" },
  ]),
  comparison("<=", (order) => order <= 0, "Less or equal.", [{ sql: "2 <= 2", result: "TRUE" }]),
  comparison(">", (order) => order > 0, "Greater.", [{ sql: "'b' > 'a'", result: "TRUE" }]),
  comparison(">=", (order) => order >= 0, "Greater or equal.", [{ sql: "1 >= NULL", result: "NULL" }]),
  {
    kind: "scalar",
    name: "NOT",
    operator: true,
    nulls: "strict",
    help: "The opposite; of NULL, NULL.",
    examples: [
      { sql: "NOT TRUE", result: "FALSE" },
      { sql: "NOT NULL", result: "NULL" },
    ],
    signatures: [{ parameters: ["boolean"], result: BOOLEAN, evaluate: ([value]) => value === false }],
  },
  ...is("NULL", null, "Whether there is no value.", "Whether there is a value."),
  ...is("TRUE", true, "TRUE for TRUE, else FALSE.", "FALSE for TRUE, else TRUE."),
  ...is("FALSE", false, "TRUE for FALSE, else FALSE.", "FALSE for FALSE, else TRUE."),
  anyOperator(
    "IS DISTINCT FROM",
    2,
    "called",
    "Inequality in which NULL equals NULL.",
    [{ sql: "1 IS DISTINCT FROM NULL", result: "TRUE" }],
    distinct,
  ),
  anyOperator(
    "IS NOT DISTINCT FROM",
    2,
    "called",
    "Equality in which NULL equals NULL.",
    [{ sql: "NULL IS NOT DISTINCT FROM NULL", result: "TRUE" }],
    (args) => !distinct(args),
  ),
  anyOperator(
    "BETWEEN",
    3,
    "called",
    "Whether low <= x and x <= high. SYMMETRIC takes the bounds in either order.",
    [
      { sql: "2 BETWEEN 1 AND 3", result: "TRUE" },
      { sql: "2 BETWEEN SYMMETRIC 3 AND 1", result: "TRUE" },
      { sql: "5 NOT BETWEEN 1 AND NULL", result: "NULL" },
    ],
    between,
  ),
  {
    kind: "scalar",
    name: "IN",
    operator: true,
    nulls: "called",
    help: "Whether one of the list equals x; NULL when none does but one is NULL.",
    examples: [
      { sql: "2 IN (1, 2)", result: "TRUE" },
      { sql: "3 IN (1, NULL)", result: "NULL" },
      { sql: "3 NOT IN (1, 2)", result: "TRUE" },
    ],
    signatures: [{ parameters: ["any"], rest: "any", result: BOOLEAN, evaluate: isIn }],
  },
  like(
    "LIKE",
    false,
    "Whether the text has the pattern: % any characters, _ one, \\ before either is the character itself.",
    [
      { sql: "'stream' LIKE 'str%m'", result: "TRUE" },
      { sql: "'100%' LIKE '100!%' ESCAPE '!'", result: "TRUE" },
      { sql: "'abc' NOT LIKE '_b'", result: "TRUE" },
    ],
  ),
  like("ILIKE", true, "LIKE without regard to case.", [{ sql: "'Stream' ILIKE 's%'", result: "TRUE" }]),
];
