import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { BOOLEAN, commonType, DYNAMIC, STRING, TIMESTAMP } from "../types/types.js";
import { timestamp } from "../values/calendar.js";
import { compareSql, equalSql } from "../values/compare.js";
import { toText } from "../values/text.js";
import { valueKind } from "../values/value-kind.js";
import { type Example, firstResult, type ScalarFunction } from "./function.js";

const common = (args: readonly SqlType[]): SqlType => commonType(args) ?? DYNAMIC;

function typeTest(
  name: string,
  kinds: readonly string[],
  help: string,
  examples: readonly Example[],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    nulls: "called",
    help,
    examples,
    signatures: [
      {
        parameters: ["any"],
        result: BOOLEAN,
        evaluate: ([value = null]) => kinds.includes(valueKind(value)),
      },
    ],
  };
}

function best(sign: 1 | -1): (args: readonly SqlValue[]) => SqlValue {
  return (args) => {
    let winner: SqlValue = null;
    for (const value of args) {
      if (value === null) continue;
      const order = winner === null ? -1 : compareSql(value, winner);
      if (winner === null || (typeof order === "number" && sign * order < 0)) winner = value;
    }
    return winner;
  };
}

/** NULL handling, tests of types, conversion, the clock. */
export const generalFunctions: readonly ScalarFunction[] = [
  {
    kind: "scalar",
    name: "IFNULL",
    nulls: "called",
    unify: true,
    help: "x, or y where x is NULL.",
    examples: [
      { sql: "IFNULL(NULL, 2)", result: "2" },
      { sql: "IFNULL(1, 2)", result: "1" },
    ],
    signatures: [{ parameters: ["any", "any"], result: common, evaluate: ([x = null, y = null]) => x ?? y }],
  },
  {
    kind: "scalar",
    name: "COALESCE",
    nulls: "called",
    unify: true,
    help: "The first argument that is not NULL.",
    examples: [{ sql: "COALESCE(NULL, NULL, 'a')", result: "a" }],
    signatures: [
      {
        parameters: ["any"],
        rest: "any",
        result: common,
        evaluate: (args) => args.find((arg) => arg !== null) ?? null,
      },
    ],
  },
  {
    kind: "scalar",
    name: "NULLIF",
    nulls: "called",
    help: "NULL where x = y, else x.",
    examples: [
      { sql: "NULLIF(1, 1)", result: "NULL" },
      { sql: "NULLIF(1, 2)", result: "1" },
    ],
    signatures: [
      {
        parameters: ["any", "any"],
        result: firstResult,
        evaluate: ([x = null, y = null]) => (equalSql(x, y) === true ? null : x),
      },
    ],
  },
  {
    kind: "scalar",
    name: "GREATEST",
    nulls: "called",
    unify: true,
    help: "The greatest argument that is not NULL.",
    examples: [{ sql: "GREATEST(1, 3, NULL, 2)", result: "3" }],
    signatures: [{ parameters: ["any"], rest: "any", result: common, evaluate: best(-1) }],
  },
  {
    kind: "scalar",
    name: "LEAST",
    nulls: "called",
    unify: true,
    help: "The least argument that is not NULL.",
    examples: [{ sql: "LEAST(3, 1, NULL)", result: "1" }],
    signatures: [{ parameters: ["any"], rest: "any", result: common, evaluate: best(1) }],
  },
  {
    kind: "scalar",
    name: "TO_STR",
    nulls: "called",
    help: "The text of any value: NULL, TRUE, 1.5, 2023-06-30, [1,2]; a text is itself.",
    examples: [
      { sql: "TO_STR(NULL)", result: "NULL" },
      { sql: "TO_STR([1, 'a', TRUE])", result: "[1,a,TRUE]" },
    ],
    signatures: [{ parameters: ["any"], result: STRING, evaluate: ([value = null]) => toText(value) }],
  },
  {
    kind: "scalar",
    name: "NOW",
    nulls: "called",
    volatile: true,
    help: "The clock of the running step.",
    examples: [{ sql: "NOW() > TIMESTAMP '1960-01-01'", result: "TRUE" }],
    signatures: [
      {
        parameters: [],
        result: TIMESTAMP,
        evaluate: (_args, context) => timestamp(context.nowMs) ?? context.error("clock out of range"),
      },
    ],
  },
  typeTest("IS_INT", ["integer"], "Whether the value is a whole number.", [
    { sql: "IS_INT(1)", result: "TRUE" },
    { sql: "IS_INT(NULL)", result: "FALSE" },
  ]),
  typeTest("IS_FLOAT", ["float"], "Whether the value is a number with a fraction.", [
    { sql: "IS_FLOAT(1.5)", result: "TRUE" },
  ]),
  typeTest("IS_NUM", ["integer", "float", "decimal"], "Whether the value is a number.", [
    { sql: "IS_NUM('1')", result: "FALSE" },
  ]),
  typeTest("IS_BOOL", ["boolean"], "Whether the value is TRUE or FALSE.", [
    { sql: "IS_BOOL(FALSE)", result: "TRUE" },
  ]),
  typeTest("IS_STR", ["string"], "Whether the value is text.", [{ sql: "IS_STR('a')", result: "TRUE" }]),
  typeTest("IS_ARRAY", ["array"], "Whether the value is an array.", [
    { sql: "IS_ARRAY([1])", result: "TRUE" },
  ]),
  typeTest("IS_MAP", ["jsonb"], "Whether the value is an object.", [
    { sql: "IS_MAP('{\"a\":1}'::JSONB)", result: "TRUE" },
  ]),
  typeTest("IS_DATE", ["date"], "Whether the value is a DATE.", [
    { sql: "IS_DATE(DATE '2024-01-01')", result: "TRUE" },
  ]),
  typeTest("IS_TIME", ["time"], "Whether the value is a TIME.", [
    { sql: "IS_TIME(TIME '12:00:00')", result: "TRUE" },
  ]),
];
