import type { SqlValue } from "../types/sql-value.js";
import type { SqlType } from "../types/sql-type.js";
import { DYNAMIC, STRING } from "../types/types.js";
import { isInteger, toFloat } from "../values/numbers.js";
import { toText } from "../values/text.js";
import { isArray, isObject } from "../values/value-kind.js";
import { firstResult, type Example, type ScalarFunction, type Signature } from "./function.js";
import { numberArg } from "./arguments.js";

/** One step into an object or array; NULL where there is nothing (missing is NULL everywhere). */
function step(value: SqlValue, key: SqlValue): SqlValue {
  if (isObject(value) && typeof key === "string") return value.get(key) ?? null;
  if (isArray(value) && isInteger(key)) return value[toFloat(key)] ?? null;
  return null;
}

function path(value: SqlValue, steps: SqlValue): SqlValue {
  let at = value;
  for (const key of isArray(steps) ? steps : []) at = step(at, key);
  return at;
}

const asText = (value: SqlValue): SqlValue => (value === null ? null : toText(value));

function operator(
  name: string,
  signatures: readonly Signature[],
  help: string,
  examples: readonly Example[],
): ScalarFunction {
  return { kind: "scalar", name, operator: true, nulls: "strict", help, examples, signatures };
}

/** Position from the start, counted from 0; below 0 or from the length on there is nothing. */
const element = (args: readonly SqlType[]): SqlType =>
  args[0]?.kind === "array" ? args[0].element : DYNAMIC;

export const jsonFunctions: readonly ScalarFunction[] = [
  operator(
    "->",
    [
      {
        parameters: ["object", "string"],
        result: DYNAMIC,
        evaluate: ([value = null, key = null]) => step(value, key),
      },
      {
        parameters: ["array", "integer"],
        result: element,
        evaluate: ([value = null, key = null]) => step(value, key),
      },
    ],
    "Field of an object or element of an array; NULL where there is none.",
    [
      { sql: "'{\"a\":{\"b\":1}}'::JSONB -> 'a'", result: '{"b":1}' },
      { sql: "'{}'::JSONB -> 'a'", result: "NULL" },
    ],
  ),
  operator(
    "->>",
    [
      {
        parameters: ["object", "string"],
        result: STRING,
        evaluate: ([value = null, key = null]) => asText(step(value, key)),
      },
      {
        parameters: ["array", "integer"],
        result: STRING,
        evaluate: ([value = null, key = null]) => asText(step(value, key)),
      },
    ],
    "Like -> but as text.",
    [{ sql: "'{\"a\":1}'::JSONB ->> 'a' = '1'", result: "TRUE" }],
  ),
  operator(
    "#>",
    [
      {
        parameters: ["object", "array"],
        result: DYNAMIC,
        evaluate: ([value = null, keys = null]) => path(value, keys),
      },
      {
        parameters: ["array", "array"],
        result: DYNAMIC,
        evaluate: ([value = null, keys = null]) => path(value, keys),
      },
    ],
    "What stands at a path of names and positions.",
    [{ sql: "'{\"a\":[{\"b\":7}]}'::JSONB #> {'a', 0, 'b'}", result: "7" }],
  ),
  operator(
    "#>>",
    [
      {
        parameters: ["object", "array"],
        result: STRING,
        evaluate: ([value = null, keys = null]) => asText(path(value, keys)),
      },
      {
        parameters: ["array", "array"],
        result: STRING,
        evaluate: ([value = null, keys = null]) => asText(path(value, keys)),
      },
    ],
    "Like #> but as text.",
    [{ sql: "'{\"a\":[1]}'::JSONB #>> ['a', 0]", result: "1" }],
  ),
  operator(
    "[]",
    [
      {
        parameters: ["array", "integer"],
        result: element,
        evaluate: (args, context) => {
          const array = args[0] ?? null;
          const at = toFloat(numberArg(args, 1));
          const length = isArray(array) ? array.length : 0;
          if (at < 0 || at >= length)
            return context.error(`array position ${at} is outside 0 to ${length - 1}`);
          return step(array, at);
        },
      },
      {
        parameters: ["object", "string"],
        result: DYNAMIC,
        evaluate: ([value = null, key = null]) => step(value, key),
      },
    ],
    "Element of an array, counted from 0.",
    [
      { sql: "[5, 6][1]", result: "6" },
      { sql: "[5][1]", result: "error" },
    ],
  ),
  {
    kind: "scalar",
    name: "[:]",
    operator: true,
    nulls: "called",
    help: "Elements from one position to another, both included; without a bound from the start or to the end.",
    examples: [
      { sql: "[1, 2, 3][0:1]", result: "[1,2]" },
      { sql: "[1, 2, 3][1:]", result: "[2,3]" },
      { sql: "[1, 2, 3][:0]", result: "[1]" },
    ],
    signatures: [
      {
        parameters: ["array", "integer", "integer"],
        result: firstResult,
        evaluate: ([array = null, from = null, to = null], context) => {
          if (!isArray(array)) return null;
          const start = from === null ? 0 : toFloat(numberArg([from], 0));
          const end = to === null ? array.length - 1 : toFloat(numberArg([to], 0));
          if (start < 0 || end >= array.length)
            return context.error(`slice outside 0 to ${array.length - 1}`);
          return array.slice(start, Math.max(start, end + 1));
        },
      },
    ],
  },
];
