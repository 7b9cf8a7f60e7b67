import { jsonDepthMax } from "../limits.js";
import type { SqlValue } from "../types/sql-value.js";
import { arrayOf, BOOLEAN, DYNAMIC, INTEGER, JSONB, STRING } from "../types/types.js";
import { parseJson } from "../values/json.js";
import { toPlainJson, toText } from "../values/text.js";
import { isArray, isObject, valueKind } from "../values/value-kind.js";
import { textArg } from "./arguments.js";
import { define } from "./define.js";
import type { EvaluationContext, ScalarFunction } from "./function.js";

type Step = string | number | "*";

/** $.a.b[0]['c d'][*].e: keys, positions from 0 (below 0 from the end) and * for all. Undefined: no path. */
function parsePath(
  text: string,
): readonly { readonly kind: "key" | "position" | "all"; readonly step: Step }[] | undefined {
  const steps: { readonly kind: "key" | "position" | "all"; readonly step: Step }[] = [];
  const pattern =
    /\.([\p{L}_][\p{L}\p{N}_-]*)|\.("[^"]*")|\.\*|\[(-?\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]|\[\*\]/uy;
  if (!text.startsWith("$")) return undefined;
  pattern.lastIndex = 1;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null || steps.length >= jsonDepthMax) return undefined;
    const [, name, quoted, position, single, double] = match;
    const key = name ?? quoted?.slice(1, -1) ?? single ?? double;
    if (key !== undefined) steps.push({ kind: "key", step: key });
    else if (position !== undefined) steps.push({ kind: "position", step: Number(position) });
    else steps.push({ kind: "all", step: "*" });
  }
  return steps;
}

/** All values that a path leads to. */
function follow(value: SqlValue, path: string, context: EvaluationContext): readonly SqlValue[] | undefined {
  const steps = parsePath(path);
  if (steps === undefined) {
    context.error(`This is no JSON path: ${path.slice(0, 100)}`);
    return undefined;
  }
  let found: readonly SqlValue[] = [value];
  for (const { kind, step } of steps) {
    found = found.flatMap((at): readonly SqlValue[] => {
      if (kind === "all") return isArray(at) ? at : isObject(at) ? [...at.values()] : [];
      if (typeof step === "string") {
        const next = isObject(at) ? at.get(step) : undefined;
        return next === undefined ? [] : [next];
      }
      const next = isArray(at) ? at.at(step) : undefined;
      return next === undefined ? [] : [next];
    });
  }
  return found;
}

/** A text is read as JSON; other values are themselves. */
function document(value: SqlValue, context: EvaluationContext): SqlValue | undefined {
  if (typeof value !== "string") return value;
  const parsed = parseJson(value);
  if (parsed.kind !== "invalid") return parsed.value;
  context.error("The text is no JSON");
  return undefined;
}

function at(args: readonly SqlValue[], context: EvaluationContext): readonly SqlValue[] | undefined {
  const value = document(args[0] ?? null, context);
  return value === undefined ? undefined : follow(value, textArg(args, 1), context);
}

export const moreJsonFunctions: readonly ScalarFunction[] = [
  define({
    name: "JSON_EXTRACT",
    aliases: ["JSON_QUERY"],
    parameters: ["any", "string"],
    result: DYNAMIC,
    evaluate: (args, context) => {
      const found = at(args, context);
      if (found === undefined) return null;
      return /\[\*\]|\.\*/.test(textArg(args, 1)) ? found : (found[0] ?? null);
    },
    help: "JSON_EXTRACT(x, '$.a[0].b'): the value there, NULL where there is none; with * an array of all.",
    examples: [
      ['JSON_EXTRACT(\'{"a":[{"b":1},{"b":2}]}\', \'$.a[1].b\')', "2"],
      ['JSON_EXTRACT(\'{"a":[{"b":1},{"b":2}]}\', \'$.a[*].b\')', "[1,2]"],
      ["JSON_EXTRACT('{}', 'a')", "error"],
    ],
  }),
  define({
    name: "JSON_VALUE",
    aliases: ["JSON_EXTRACT_STRING"],
    parameters: ["any", "string"],
    result: STRING,
    evaluate: (args, context) => {
      const [first = null] = at(args, context) ?? [];
      return first === null ? null : toText(first);
    },
    help: "JSON_VALUE(x, path): the text of the value there.",
    examples: [["JSON_VALUE('{\"a\":{\"b\":1.5}}', '$.a.b')", "1.5"]],
  }),
  define({
    name: "JSON_EXISTS",
    parameters: ["any", "string"],
    result: BOOLEAN,
    evaluate: (args, context) => {
      const found = at(args, context);
      return found === undefined ? null : found.length > 0;
    },
    help: "Whether the path leads to anything, a null too.",
    examples: [["JSON_EXISTS('{\"a\":null}', '$.a')", "TRUE"]],
  }),
  define({
    name: "JSON_KEYS",
    parameters: ["object"],
    result: arrayOf(STRING),
    evaluate: ([value = null]) => (isObject(value) ? [...value.keys()] : null),
    help: "The keys of an object.",
    examples: [['JSON_KEYS(\'{"a":1,"b":2}\'::JSONB)', "[a,b]"]],
  }),
  define({
    name: "JSON_ARRAY_LENGTH",
    parameters: ["any"],
    result: INTEGER,
    evaluate: ([value = null], context) => {
      const json = document(value, context);
      return json !== undefined && isArray(json) ? json.length : null;
    },
    help: "The number of elements of a JSON array; NULL of anything else.",
    examples: [["JSON_ARRAY_LENGTH('[1,2,3]')", "3"]],
  }),
  define({
    name: "JSON_TYPE",
    parameters: ["any"],
    result: STRING,
    takesNulls: true,
    evaluate: ([value = null]) => {
      const kind = valueKind(value);
      if (kind === "jsonb") return "object";
      return kind === "integer" || kind === "float" || kind === "decimal" ? "number" : kind;
    },
    help: "object, array, string, number, boolean or null; other types by their names.",
    examples: [["JSON_TYPE('{\"a\":[]}'::JSONB -> 'a')", "array"]],
  }),
  define({
    name: "TO_JSON",
    parameters: ["any"],
    result: STRING,
    takesNulls: true,
    evaluate: ([value = null]) => toPlainJson(value),
    help: "The JSON text of any value.",
    examples: [["TO_JSON([1, 'a', NULL])", '[1,"a",null]']],
  }),
  define({
    name: "PARSE_JSON",
    parameters: ["string"],
    result: DYNAMIC,
    evaluate: (args, context) => document(textArg(args, 0), context) ?? null,
    help: "The value of a JSON text.",
    examples: [
      ["PARSE_JSON('[1, {\"a\": 2}]')", '[1,{"a":2}]'],
      ["PARSE_JSON('{')", "error"],
    ],
  }),
  define({
    name: "JSON_VALID",
    aliases: ["IS_JSON"],
    parameters: ["string"],
    result: BOOLEAN,
    evaluate: (args) => parseJson(textArg(args, 0)).kind !== "invalid",
    help: "Whether the text is JSON.",
    examples: [["JSON_VALID('{\"a\":}')", "FALSE"]],
  }),
  define({
    name: "JSON_OBJECT",
    parameters: [],
    rest: "any",
    result: JSONB,
    takesNulls: true,
    evaluate: (args, context) => {
      if (args.length % 2 !== 0) return context.error("JSON_OBJECT takes keys and values in turn");
      const fields = new Map<string, SqlValue>();
      for (let i = 0; i < args.length; i += 2) {
        const key = args[i];
        if (typeof key !== "string") return context.error("JSON_OBJECT: a key is a text");
        fields.set(key, args[i + 1] ?? null);
      }
      return fields;
    },
    help: "JSON_OBJECT(key, value, …): an object of these fields.",
    examples: [["JSON_OBJECT('a', 1, 'b', [2])", '{"a":1,"b":[2]}']],
  }),
  define({
    name: "JSON_MERGE",
    parameters: ["object", "object"],
    result: JSONB,
    evaluate: ([a = null, b = null]) => (isObject(a) && isObject(b) ? new Map([...a, ...b]) : null),
    help: "The fields of both objects; the second one's where both have one.",
    examples: [["JSON_MERGE('{\"a\":1}'::JSONB, '{\"b\":2}'::JSONB)", '{"a":1,"b":2}']],
  }),
];
