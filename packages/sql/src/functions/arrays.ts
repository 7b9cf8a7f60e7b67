import type { SqlValue } from "../types/sql-value.js";
import { BOOLEAN, DYNAMIC, INTEGER, STRING, arrayOf } from "../types/types.js";
import type { SqlType } from "../types/sql-type.js";
import { compareTotal } from "../values/compare.js";
import { rowKeyText } from "../values/row-key.js";
import { toText } from "../values/text.js";
import { isArray, isObject } from "../values/value-kind.js";
import {
  type EvaluationContext,
  type Example,
  type Family,
  firstResult,
  type ScalarFunction,
} from "./function.js";
import { textArg } from "./arguments.js";
import { must } from "@hstream/proto";

function arrayArg(args: readonly SqlValue[], position: number): readonly SqlValue[] {
  const value = args[position] ?? null;
  return must(isArray(value) ? value : undefined, "an array parameter is given an array");
}

function array(
  name: string,
  parameters: readonly Family[],
  result: SqlType | ((args: readonly SqlType[]) => SqlType),
  evaluate: (args: readonly SqlValue[], context: EvaluationContext) => SqlValue,
  help: string,
  examples: readonly Example[],
  options: { readonly aliases?: readonly string[]; readonly optional?: number } = {},
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    aliases: options.aliases ?? [],
    nulls: "called",
    help,
    examples,
    signatures: [
      {
        parameters,
        optional: options.optional ?? 0,
        result,
        // The array decides: where it is NULL the result is; a NULL beside it is an element to look for.
        evaluate: (args, context) =>
          parameters.some((family, i) => family !== "any" && i < args.length && args[i] === null)
            ? null
            : evaluate(args, context),
      },
    ],
  };
}

/** First occurrences, in order; a NULL is kept once. */
function unique(values: readonly SqlValue[]): SqlValue[] {
  const byKey = new Map<string, SqlValue>();
  for (const value of values) {
    const key = rowKeyText([value]);
    if (!byKey.has(key)) byKey.set(key, value);
  }
  return [...byKey.values()];
}

function keys(values: readonly SqlValue[]): ReadonlySet<string> {
  return new Set(values.map((value) => rowKeyText([value])));
}

const elementType = (args: readonly SqlType[]): SqlType =>
  args[0]?.kind === "array" ? args[0].element : DYNAMIC;
const bothTypes = (args: readonly SqlType[]): SqlType =>
  args[0]?.kind === "array" ? arrayOf(DYNAMIC) : DYNAMIC;

export const arrayFunctions: readonly ScalarFunction[] = [
  {
    kind: "scalar",
    name: "ARRAY",
    operator: true,
    nulls: "called",
    help: "An array: [1, 2], {1, 2} or ARRAY[1, 2]; elements may be of several types.",
    examples: [
      { sql: "[1, 'a', NULL]", result: "[1,a,NULL]" },
      { sql: "{1, 2}", result: "[1,2]" },
      { sql: "ARRAY[]", result: "[]" },
    ],
    signatures: [
      {
        parameters: [],
        rest: "any",
        result: (args) =>
          arrayOf(
            args.length > 0 && args.every((type) => type.kind === args[0]?.kind)
              ? (args[0] ?? DYNAMIC)
              : DYNAMIC,
          ),
        evaluate: (args) => [...args],
      },
    ],
  },
  array(
    "ARRAY_CONTAIN",
    ["array", "any"],
    BOOLEAN,
    (args) => keys(arrayArg(args, 0)).has(rowKeyText([args[1] ?? null])),
    "Whether the value is an element; NULL is looked up too.",
    [{ sql: "ARRAY_CONTAIN([1, 2], 2)", result: "TRUE" }],
    { aliases: ["ARRAY_CONTAINS"] },
  ),
  array(
    "ARRAY_DISTINCT",
    ["array"],
    firstResult,
    (args) => unique(arrayArg(args, 0)),
    "First occurrences in their order.",
    [{ sql: "ARRAY_DISTINCT([2, 1, 2])", result: "[2,1]" }],
  ),
  array(
    "ARRAY_EXCEPT",
    ["array", "array"],
    firstResult,
    (args) => {
      const other = keys(arrayArg(args, 1));
      return unique(arrayArg(args, 0)).filter((value) => !other.has(rowKeyText([value])));
    },
    "Distinct elements of the first that are not in the second.",
    [{ sql: "ARRAY_EXCEPT([1, 2, 3], [2])", result: "[1,3]" }],
  ),
  array(
    "ARRAY_INTERSECT",
    ["array", "array"],
    firstResult,
    (args) => {
      const other = keys(arrayArg(args, 1));
      return unique(arrayArg(args, 0)).filter((value) => other.has(rowKeyText([value])));
    },
    "Distinct elements of the first that are in the second.",
    [{ sql: "ARRAY_INTERSECT([1, 2, 2], [2])", result: "[2]" }],
  ),
  array(
    "ARRAY_UNION",
    ["array", "array"],
    bothTypes,
    (args) => unique([...arrayArg(args, 0), ...arrayArg(args, 1)]),
    "Distinct elements of both.",
    [{ sql: "ARRAY_UNION([1], [2, 1])", result: "[1,2]" }],
  ),
  array(
    "ARRAY_REMOVE",
    ["array", "any"],
    firstResult,
    (args) => arrayArg(args, 0).filter((value) => compareTotal(value, args[1] ?? null) !== 0),
    "Without the elements that equal the value.",
    [{ sql: "ARRAY_REMOVE([1, NULL, 1], NULL)", result: "[1,1]" }],
  ),
  array("ARRAY_LENGTH", ["array"], INTEGER, (args) => arrayArg(args, 0).length, "Number of elements.", [
    { sql: "ARRAY_LENGTH([])", result: "0" },
  ]),
  array(
    "ARRAY_JOIN",
    ["array", "string"],
    STRING,
    (args, context) => {
      const elements = arrayArg(args, 0);
      if (elements.some((value) => isArray(value) || isObject(value))) {
        return context.error("ARRAY_JOIN: an element is an array or an object");
      }
      return elements.map(toText).join(args.length > 1 ? textArg(args, 1) : ",");
    },
    "The elements as one text, a comma or the given delimiter between them.",
    [{ sql: "ARRAY_JOIN([1, 2], '--')", result: "1--2" }],
    { optional: 1 },
  ),
  array(
    "ARRAY_MAX",
    ["array"],
    elementType,
    (args, context) =>
      arrayArg(args, 0).length === 0
        ? context.error("ARRAY_MAX: the array is empty")
        : ([...arrayArg(args, 0)].sort(compareTotal).at(-1) ?? null),
    "The greatest element; NULL is greater than anything.",
    [{ sql: "ARRAY_MAX([-1, 2, 0])", result: "2" }],
  ),
  array(
    "ARRAY_MIN",
    ["array"],
    elementType,
    (args, context) =>
      arrayArg(args, 0).length === 0
        ? context.error("ARRAY_MIN: the array is empty")
        : ([...arrayArg(args, 0)].sort(compareTotal)[0] ?? null),
    "The least element.",
    [
      { sql: "ARRAY_MIN([2, -1])", result: "-1" },
      { sql: "ARRAY_MIN([])", result: "error" },
    ],
  ),
  array(
    "ARRAY_SORT",
    ["array"],
    firstResult,
    (args) => [...arrayArg(args, 0)].sort(compareTotal),
    "The elements in ascending order, NULL last.",
    [{ sql: "ARRAY_SORT([2, NULL, 1])", result: "[1,2,NULL]" }],
  ),
];
