import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { arrayOf, DYNAMIC, INTEGER, STRING } from "../types/types.js";
import { toFloat } from "../values/numbers.js";
import { toText } from "../values/text.js";
import { isArray } from "../values/value-kind.js";
import type { EvaluationContext, Example, Family, ScalarFunction } from "./function.js";
import { numberArg, textArg } from "./arguments.js";

function text(
  name: string,
  parameters: readonly Family[],
  result: SqlType,
  evaluate: (args: readonly SqlValue[], context: EvaluationContext) => SqlValue,
  help: string,
  examples: readonly Example[],
  aliases: readonly string[] = [],
): ScalarFunction {
  return {
    kind: "scalar",
    name,
    aliases,
    nulls: "strict",
    help,
    examples,
    signatures: [{ parameters, result, evaluate }],
  };
}

const countArg = (args: readonly SqlValue[]): number => Math.max(0, Math.trunc(toFloat(numberArg(args, 0))));
const charsArg = (args: readonly SqlValue[]): string[] => [...textArg(args, 1)];

export const textFunctions: readonly ScalarFunction[] = [
  text(
    "TO_LOWER",
    ["string"],
    STRING,
    (args) => textArg(args, 0).toLowerCase(),
    "Lower case.",
    [{ sql: "TO_LOWER('ÄB')", result: "äb" }],
    ["LOWER"],
  ),
  text(
    "TO_UPPER",
    ["string"],
    STRING,
    (args) => textArg(args, 0).toUpperCase(),
    "Upper case.",
    [{ sql: "TO_UPPER('aß')", result: "ASS" }],
    ["UPPER"],
  ),
  text("TRIM", ["string"], STRING, (args) => textArg(args, 0).trim(), "Without white space at both ends.", [
    { sql: "TRIM('  a ')", result: "a" },
  ]),
  text(
    "LEFT_TRIM",
    ["string"],
    STRING,
    (args) => textArg(args, 0).trimStart(),
    "Without white space at the start.",
    [{ sql: "LEFT_TRIM('  a') || '.'", result: "a." }],
    ["LTRIM"],
  ),
  text(
    "RIGHT_TRIM",
    ["string"],
    STRING,
    (args) => textArg(args, 0).trimEnd(),
    "Without white space at the end.",
    [{ sql: "RIGHT_TRIM('a  ') || '.'", result: "a." }],
    ["RTRIM"],
  ),
  text(
    "REVERSE",
    ["string"],
    STRING,
    (args) => [...textArg(args, 0)].reverse().join(""),
    "The characters backwards.",
    [{ sql: "REVERSE('abc')", result: "cba" }],
  ),
  text(
    "STRLEN",
    ["string"],
    INTEGER,
    (args) => [...textArg(args, 0)].length,
    "Number of characters.",
    [{ sql: "STRLEN('a😀')", result: "2" }],
    ["LENGTH"],
  ),
  text(
    "TAKE",
    ["integer", "string"],
    STRING,
    (args) => charsArg(args).slice(0, countArg(args)).join(""),
    "The first n characters.",
    [{ sql: "TAKE(2, 'abc')", result: "ab" }],
  ),
  text(
    "TAKEEND",
    ["integer", "string"],
    STRING,
    (args) =>
      charsArg(args)
        .slice(Math.max(0, charsArg(args).length - countArg(args)))
        .join(""),
    "The last n characters.",
    [{ sql: "TAKEEND(2, 'abc')", result: "bc" }],
  ),
  text(
    "DROP",
    ["integer", "string"],
    STRING,
    (args) => charsArg(args).slice(countArg(args)).join(""),
    "Without the first n characters.",
    [{ sql: "DROP(2, 'abc')", result: "c" }],
  ),
  text(
    "DROPEND",
    ["integer", "string"],
    STRING,
    (args) =>
      charsArg(args)
        .slice(0, Math.max(0, charsArg(args).length - countArg(args)))
        .join(""),
    "Without the last n characters.",
    [{ sql: "DROPEND(2, 'abc')", result: "a" }],
  ),
  text(
    "SPLIT",
    ["string", "string"],
    arrayOf(STRING),
    (args, context) => {
      const delimiter = textArg(args, 0);
      return delimiter === ""
        ? context.error("SPLIT: the delimiter is empty")
        : textArg(args, 1).split(delimiter);
    },
    "SPLIT(delimiter, text): the pieces between the delimiters.",
    [
      { sql: "SPLIT(',', 'a,b')", result: "[a,b]" },
      { sql: "SPLIT('', 'a')", result: "error" },
    ],
  ),
  text(
    "CHUNKSOF",
    ["integer", "string"],
    arrayOf(STRING),
    (args) => {
      const size = countArg(args);
      const chars = charsArg(args);
      if (size === 0) return [];
      return Array.from({ length: Math.ceil(chars.length / size) }, (_, i) =>
        chars.slice(i * size, (i + 1) * size).join(""),
      );
    },
    "Pieces of n characters; none when n is not above 0.",
    [{ sql: "CHUNKSOF(2, 'abcde')", result: "[ab,cd,e]" }],
  ),
  {
    kind: "scalar",
    name: "SUBSTRING",
    aliases: ["SUBSTR"],
    nulls: "strict",
    help: "SUBSTRING(text, start[, length]): characters from the start-th, counted from 1.",
    examples: [{ sql: "SUBSTRING('stream', 2, 3)", result: "tre" }],
    signatures: [
      {
        parameters: ["string", "integer", "integer"],
        optional: 1,
        result: STRING,
        evaluate: (args) => {
          const start = toFloat(numberArg(args, 1)) - 1;
          const end = args.length > 2 ? start + toFloat(numberArg(args, 2)) : Number.POSITIVE_INFINITY;
          return [...textArg(args, 0)].slice(Math.max(0, start), Math.max(0, end)).join("");
        },
      },
    ],
  },
  {
    kind: "scalar",
    name: "||",
    operator: true,
    nulls: "strict",
    help: "Concatenation of texts, or of arrays; numbers and the like are written as text.",
    examples: [
      { sql: "'a' || 'b'", result: "ab" },
      { sql: "'n' || 1", result: "n1" },
      { sql: "[1] || [2]", result: "[1,2]" },
    ],
    signatures: [
      {
        parameters: ["array", "array"],
        result: (args) => (args[0]?.kind === "array" ? args[0] : DYNAMIC),
        evaluate: ([a = null, b = null]) => [...(isArray(a) ? a : []), ...(isArray(b) ? b : [])],
      },
      {
        parameters: ["string", "any"],
        result: STRING,
        evaluate: ([a = null, b = null]) => toText(a) + toText(b),
      },
      {
        parameters: ["any", "string"],
        result: STRING,
        evaluate: ([a = null, b = null]) => toText(a) + toText(b),
      },
    ],
  },
];
