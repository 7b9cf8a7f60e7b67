import { RE2JS } from "re2js";
import { regularExpressionCharsMax, regularExpressionsKeptMax, textResultCharsMax } from "../limits.js";
import type { SqlValue } from "../types/sql-value.js";
import { arrayOf, BOOLEAN, INTEGER, STRING } from "../types/types.js";
import { toFloat } from "../values/numbers.js";
import { numberArg, textArg } from "./arguments.js";
import { define } from "./define.js";
import type { EvaluationContext, ScalarFunction } from "./function.js";

/** Compiled ones, the least recently used first. Which are kept changes no answer. */
const kept = new Map<string, RE2JS>();

const flagOf: ReadonlyMap<string, number> = new Map([
  ["i", RE2JS.CASE_INSENSITIVE],
  ["m", RE2JS.MULTILINE],
  ["s", RE2JS.DOTALL],
]);

/** RE2's syntax, which is matched in time linear in the text; undefined after an error. */
function compiled(pattern: string, flags: string, context: EvaluationContext): RE2JS | undefined {
  const key = `${flags} ${pattern}`;
  const known = kept.get(key);
  if (known !== undefined) {
    kept.delete(key);
    kept.set(key, known);
    return known;
  }
  if (pattern.length > regularExpressionCharsMax) {
    context.error(`A regular expression has at most ${regularExpressionCharsMax} characters`);
    return undefined;
  }
  let bits = 0;
  for (const flag of flags) {
    if (flag === "g") continue;
    const bit = flagOf.get(flag);
    if (bit === undefined) {
      context.error(`There is no flag ${flag} of regular expressions: i, m, s and g are`);
      return undefined;
    }
    bits |= bit;
  }
  try {
    const expression = RE2JS.compile(pattern, bits);
    kept.set(key, expression);
    const [oldest] = kept.keys();
    if (kept.size > regularExpressionsKeptMax && oldest !== undefined) kept.delete(oldest);
    return expression;
  } catch {
    context.error(`This is no regular expression: ${pattern.slice(0, 100)}`);
    return undefined;
  }
}

const flagsArg = (args: readonly SqlValue[], position: number): string =>
  args.length > position ? textArg(args, position) : "";

function groupArg(args: readonly SqlValue[], position: number): number {
  return args.length > position ? Math.trunc(toFloat(numberArg(args, position))) : 0;
}

function extractAll(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const expression = compiled(textArg(args, 1), "", context);
  if (expression === undefined) return null;
  const group = groupArg(args, 2);
  const matcher = expression.matcher(textArg(args, 0));
  if (group < 0 || group > matcher.groupCount()) return context.error(`The expression has no group ${group}`);
  const found: SqlValue[] = [];
  while (matcher.find()) found.push(matcher.group(group) ?? null);
  return found;
}

function extract(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const expression = compiled(textArg(args, 1), "", context);
  if (expression === undefined) return null;
  const group = groupArg(args, 2);
  const matcher = expression.matcher(textArg(args, 0));
  if (group < 0 || group > matcher.groupCount()) return context.error(`The expression has no group ${group}`);
  return matcher.find() ? (matcher.group(group) ?? null) : null;
}

/**
 * Where the group of the first match lies in the text, in UTF-16 units; null where there is none. The pattern and
 * its group are known to be right.
 */
export function groupSpan(pattern: string, group: number, text: string): readonly [number, number] | null {
  const matcher = compiled(pattern, "", { error: () => null, nowMs: 0 })?.matcher(text);
  if (matcher?.find() !== true || matcher.start(group) < 0) return null;
  return [matcher.start(group), matcher.end(group)];
}

/** \1 to \9 stand for groups, \0 for the whole match, \\ for a backslash. */
function replace(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const flags = flagsArg(args, 3);
  const expression = compiled(textArg(args, 1), flags, context);
  if (expression === undefined) return null;
  const [text, by] = [textArg(args, 0), textArg(args, 2)];
  const matcher = expression.matcher(text);
  let result = "";
  let end = 0;
  while (matcher.find()) {
    result += text.slice(end, matcher.start());
    result += by.replace(/\\(\d|\\)/g, (_, code: string) =>
      code === "\\" ? "\\" : Number(code) <= matcher.groupCount() ? (matcher.group(Number(code)) ?? "") : "",
    );
    end = matcher.end();
    if (result.length > textResultCharsMax) return context.error("REGEXP_REPLACE: the text grows too long");
    if (!flags.includes("g")) break;
  }
  return result + text.slice(end);
}

export const regularExpressionFunctions: readonly ScalarFunction[] = [
  define({
    name: "REGEXP_MATCHES",
    aliases: ["REGEXP_LIKE"],
    parameters: ["string", "string", "string"],
    optional: 1,
    result: BOOLEAN,
    evaluate: (args, context) =>
      compiled(textArg(args, 1), flagsArg(args, 2), context)?.matcher(textArg(args, 0)).find() ?? null,
    help: "Whether the expression (RE2) matches anywhere in the text; flags i, m and s.",
    examples: [
      ["REGEXP_MATCHES('hello', 'l+o$')", "TRUE"],
      ["REGEXP_MATCHES('HELLO', '^hell', 'i')", "TRUE"],
      ["REGEXP_MATCHES('a', '(')", "error"],
    ],
  }),
  define({
    name: "REGEXP_EXTRACT",
    aliases: ["REGEXP_SUBSTR"],
    parameters: ["string", "string", "integer"],
    optional: 1,
    result: STRING,
    evaluate: extract,
    help: "What the expression, or a group of it, matches first; NULL where it does not.",
    examples: [
      ["REGEXP_EXTRACT('order 66', '[0-9]+')", "66"],
      ["REGEXP_EXTRACT('a=1, b=2', 'b=(\\d)', 1)", "2"],
    ],
  }),
  define({
    name: "REGEXP_EXTRACT_ALL",
    parameters: ["string", "string", "integer"],
    optional: 1,
    result: arrayOf(STRING),
    evaluate: extractAll,
    help: "All that the expression, or a group of it, matches.",
    examples: [["REGEXP_EXTRACT_ALL('a1b22', '\\d+')", "[1,22]"]],
  }),
  define({
    name: "REGEXP_REPLACE",
    parameters: ["string", "string", "string", "string"],
    optional: 1,
    result: STRING,
    evaluate: replace,
    help: "The text with the first match replaced, with the flag g each; \\1 stands for a group.",
    examples: [
      ["REGEXP_REPLACE('a1b2', '\\d', '#')", "a#b2"],
      ["REGEXP_REPLACE('john smith', '(\\w+) (\\w+)', '\\2 \\1', 'g')", "smith john"],
    ],
  }),
  define({
    name: "REGEXP_COUNT",
    parameters: ["string", "string"],
    result: INTEGER,
    evaluate: (args, context) => {
      const found = extractAll(args.slice(0, 2), context);
      return Array.isArray(found) ? found.length : null;
    },
    help: "How often the expression matches.",
    examples: [["REGEXP_COUNT('banana', 'an')", "2"]],
  }),
  define({
    name: "REGEXP_SPLIT",
    aliases: ["REGEXP_SPLIT_TO_ARRAY"],
    parameters: ["string", "string"],
    result: arrayOf(STRING),
    evaluate: (args, context) => {
      const expression = compiled(textArg(args, 1), "", context);
      if (expression === undefined) return null;
      const text = textArg(args, 0);
      const matcher = expression.matcher(text);
      const parts: string[] = [];
      let end = 0;
      while (matcher.find()) {
        if (matcher.end() === matcher.start()) continue;
        parts.push(text.slice(end, matcher.start()));
        end = matcher.end();
      }
      return [...parts, text.slice(end)];
    },
    help: "The parts of the text between matches.",
    examples: [["REGEXP_SPLIT('a, b,c', ',\\s*')", "[a,b,c]"]],
  }),
];
