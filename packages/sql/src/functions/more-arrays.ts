import { must } from "@hstream/proto";
import { arrayResultElementsMax } from "../limits.js";
import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { arrayOf, commonType, DYNAMIC, FLOAT, INTEGER } from "../types/types.js";
import { equalSql } from "../values/compare.js";
import { arithmetic, float, isNumber, toFloat } from "../values/numbers.js";
import { rowKeyText } from "../values/row-key.js";
import { isArray } from "../values/value-kind.js";
import { numberArg } from "./arguments.js";
import { define } from "./define.js";
import { type EvaluationContext, firstResult, type ScalarFunction } from "./function.js";

function elements(args: readonly SqlValue[], position = 0): readonly SqlValue[] {
  const value = args[position] ?? null;
  return must(isArray(value) ? value : undefined, "an array parameter is given an array");
}

const joined = (args: readonly SqlType[]): SqlType => {
  const types = args.map((type) => (type.kind === "array" ? type.element : type));
  return arrayOf(commonType(types) ?? DYNAMIC);
};

function numbersOf(args: readonly SqlValue[], context: EvaluationContext, name: string): SqlValue {
  let sum: SqlValue = null;
  for (const value of elements(args)) {
    if (value === null) continue;
    if (!isNumber(value)) return context.error(`${name} takes an array of numbers`);
    sum = sum === null ? value : arithmetic("+", isNumber(sum) ? sum : 0, value);
    if (sum === null) return context.error(`${name} is out of range`);
  }
  return sum;
}

function series(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const [from, to] = [toFloat(numberArg(args, 0)), toFloat(numberArg(args, 1))];
  const step = args.length > 2 ? toFloat(numberArg(args, 2)) : 1;
  if (step === 0) return context.error("GENERATE_SERIES: the step is 0");
  const count = Math.max(0, Math.floor((to - from) / step) + 1);
  if (count > arrayResultElementsMax) {
    return context.error(
      `GENERATE_SERIES: the array would have more than ${arrayResultElementsMax} elements`,
    );
  }
  return Array.from({ length: count }, (_, i) => from + i * step);
}

/** Positions count from 0, as in x[0]. */
export const moreArrayFunctions: readonly ScalarFunction[] = [
  define({
    name: "ARRAY_APPEND",
    parameters: ["array", "any"],
    result: joined,
    takesNulls: true,
    evaluate: ([array = null, value = null]) => (isArray(array) ? [...array, value] : null),
    help: "The array with one more element at its end.",
    examples: [["ARRAY_APPEND([1, 2], 3)", "[1,2,3]"]],
  }),
  define({
    name: "ARRAY_PREPEND",
    parameters: ["array", "any"],
    result: joined,
    takesNulls: true,
    evaluate: ([array = null, value = null]) => (isArray(array) ? [value, ...array] : null),
    help: "The array with one more element at its start.",
    examples: [["ARRAY_PREPEND([1, 2], 0)", "[0,1,2]"]],
  }),
  define({
    name: "ARRAY_CONCAT",
    aliases: ["ARRAY_CAT"],
    parameters: ["array", "array"],
    result: joined,
    evaluate: (args) => [...elements(args, 0), ...elements(args, 1)],
    help: "The elements of one array, then those of the other.",
    examples: [["ARRAY_CONCAT([1], [2, 3])", "[1,2,3]"]],
  }),
  define({
    name: "ARRAY_POSITION",
    parameters: ["array", "any"],
    result: INTEGER,
    evaluate: (args) => {
      const at = elements(args).findIndex((element) => equalSql(element, args[1] ?? null) === true);
      return at < 0 ? null : at;
    },
    help: "Where the value first stands, from 0; NULL where it does not.",
    examples: [
      ["ARRAY_POSITION(['a', 'b'], 'b')", "1"],
      ["ARRAY_POSITION([1], 2)", "NULL"],
    ],
  }),
  define({
    name: "ARRAY_REVERSE",
    parameters: ["array"],
    result: firstResult,
    evaluate: (args) => [...elements(args)].reverse(),
    help: "The elements backwards.",
    examples: [["ARRAY_REVERSE([1, 2, 3])", "[3,2,1]"]],
  }),
  define({
    name: "ARRAY_SUM",
    parameters: ["array"],
    result: DYNAMIC,
    evaluate: (args, context) => numbersOf(args, context, "ARRAY_SUM"),
    help: "Sum of the elements without the NULLs; NULL of none.",
    examples: [["ARRAY_SUM([1, 2.5, NULL])", "3.5"]],
  }),
  define({
    name: "ARRAY_AVG",
    parameters: ["array"],
    result: FLOAT,
    evaluate: (args, context) => {
      const sum = numbersOf(args, context, "ARRAY_AVG");
      const count = elements(args).filter((value) => value !== null).length;
      return isNumber(sum) ? float(toFloat(sum) / count) : null;
    },
    help: "Mean of the elements without the NULLs; NULL of none.",
    examples: [["ARRAY_AVG([1, 2, NULL])", "1.5"]],
  }),
  define({
    name: "ARRAY_FLATTEN",
    aliases: ["FLATTEN"],
    parameters: ["array"],
    result: arrayOf(DYNAMIC),
    evaluate: (args) => elements(args).flatMap((element) => (isArray(element) ? [...element] : [element])),
    help: "The elements of the arrays in an array, one after the other.",
    examples: [["ARRAY_FLATTEN([[1, 2], [3]])", "[1,2,3]"]],
  }),
  define({
    name: "ARRAY_OVERLAP",
    aliases: ["ARRAY_HAS_ANY"],
    parameters: ["array", "array"],
    result: { kind: "boolean" },
    evaluate: (args) => {
      const there = new Set(elements(args, 1).map((element) => rowKeyText([element])));
      return elements(args).some((element) => there.has(rowKeyText([element])));
    },
    help: "Whether the arrays have an element in common.",
    examples: [["ARRAY_OVERLAP([1, 2], [2, 3])", "TRUE"]],
  }),
  define({
    name: "GENERATE_SERIES",
    aliases: ["SEQUENCE"],
    parameters: ["integer", "integer", "integer"],
    optional: 1,
    result: arrayOf(INTEGER),
    evaluate: series,
    help: "The numbers from one to another, the last one too, by a step (1).",
    examples: [["GENERATE_SERIES(1, 7, 3)", "[1,4,7]"]],
  }),
];
