import type { SqlValue } from "../types/sql-value.js";
import { textResultCharsMax } from "../limits.js";
import { arrayOf, BOOLEAN, BYTEA, INTEGER, STRING } from "../types/types.js";
import { toFloat } from "../values/numbers.js";
import { toText } from "../values/text.js";
import { numberArg, textArg } from "./arguments.js";
import { define } from "./define.js";
import type { EvaluationContext, ScalarFunction } from "./function.js";

const whole = (args: readonly SqlValue[], position: number): number =>
  Math.trunc(toFloat(numberArg(args, position)));

function bounded(name: string, chars: number, make: () => string, context: EvaluationContext): SqlValue {
  return chars <= textResultCharsMax
    ? make()
    : context.error(`${name}: the text would have more than ${textResultCharsMax} characters`);
}

/** `fill`, over and over, of so many characters. */
function padding(fill: string, count: number): string {
  const chars = [...fill];
  return Array.from({ length: count }, (_, i) => chars[i % chars.length] ?? "").join("");
}

function padded(args: readonly SqlValue[], side: "left" | "right", context: EvaluationContext): SqlValue {
  const chars = [...textArg(args, 0)];
  const count = Math.max(0, whole(args, 1));
  const fill = args.length > 2 ? textArg(args, 2) : " ";
  if (count <= chars.length || fill === "") return chars.slice(0, count).join("");
  return bounded(
    "PAD",
    count,
    () => {
      const pad = padding(fill, count - chars.length);
      return side === "left" ? pad + chars.join("") : chars.join("") + pad;
    },
    context,
  );
}

const capitalised = (text: string): string =>
  text.toLowerCase().replace(/[\p{L}\p{N}]+/gu, (word) => {
    const [first = "", ...rest] = word;
    return first.toUpperCase() + rest.join("");
  });

function codePointOf(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const code = whole(args, 0);
  const valid = code >= 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? String.fromCodePoint(code) : context.error("CHR: there is no such character");
}

function position(text: string, part: string): number {
  const at = text.indexOf(part);
  return at < 0 ? 0 : [...text.slice(0, at)].length + 1;
}

function hexBytes(text: string, context: EvaluationContext): SqlValue {
  if (text.length % 2 !== 0 || /[^0-9a-fA-F]/.test(text))
    return context.error("UNHEX: the text is no hexadecimal");
  return Uint8Array.from(Buffer.from(text, "hex"));
}

const bytesArg = (args: readonly SqlValue[]): Uint8Array => {
  const [value] = args;
  return value instanceof Uint8Array ? value : Buffer.from(textArg(args, 0), "utf8");
};

/** What people expect of SQL's text beyond the first dialects. Positions count from 1, characters are code points. */
export const moreTextFunctions: readonly ScalarFunction[] = [
  define({
    name: "REPLACE",
    parameters: ["string", "string", "string"],
    result: STRING,
    evaluate: (args, context) => {
      const [text, from, to] = [textArg(args, 0), textArg(args, 1), textArg(args, 2)];
      if (from === "") return text;
      const parts = text.split(from);
      return bounded("REPLACE", text.length + (parts.length - 1) * to.length, () => parts.join(to), context);
    },
    help: "The text with each occurrence of the second text replaced by the third.",
    examples: [["REPLACE('a-b-c', '-', '+')", "a+b+c"]],
  }),
  define({
    name: "REPEAT",
    parameters: ["string", "integer"],
    result: STRING,
    evaluate: (args, context) => {
      const [text, count] = [textArg(args, 0), Math.max(0, whole(args, 1))];
      return bounded("REPEAT", text.length * count, () => text.repeat(count), context);
    },
    help: "The text n times.",
    examples: [["REPEAT('ab', 3)", "ababab"]],
  }),
  define({
    name: "LPAD",
    parameters: ["string", "integer", "string"],
    optional: 1,
    result: STRING,
    evaluate: (args, context) => padded(args, "left", context),
    help: "The text filled on the left (with blanks) or cut to n characters.",
    examples: [["LPAD('7', 3, '0')", "007"]],
  }),
  define({
    name: "RPAD",
    parameters: ["string", "integer", "string"],
    optional: 1,
    result: STRING,
    evaluate: (args, context) => padded(args, "right", context),
    help: "The text filled on the right (with blanks) or cut to n characters.",
    examples: [["RPAD('ab', 4, '.')", "ab.."]],
  }),
  define({
    name: "POSITION_OF",
    aliases: ["STRPOS", "INSTR"],
    parameters: ["string", "string"],
    result: INTEGER,
    evaluate: (args) => position(textArg(args, 0), textArg(args, 1)),
    help: "Where the second text first stands in the first, from 1; 0 where it does not.",
    examples: [["STRPOS('hello', 'l')", "3"]],
  }),
  define({
    name: "STARTS_WITH",
    parameters: ["string", "string"],
    result: BOOLEAN,
    evaluate: (args) => textArg(args, 0).startsWith(textArg(args, 1)),
    help: "Whether the text starts with the other.",
    examples: [["STARTS_WITH('hello', 'he')", "TRUE"]],
  }),
  define({
    name: "ENDS_WITH",
    parameters: ["string", "string"],
    result: BOOLEAN,
    evaluate: (args) => textArg(args, 0).endsWith(textArg(args, 1)),
    help: "Whether the text ends with the other.",
    examples: [["ENDS_WITH('hello', 'lo')", "TRUE"]],
  }),
  define({
    name: "CONTAINS",
    parameters: ["string", "string"],
    result: BOOLEAN,
    evaluate: (args) => textArg(args, 0).includes(textArg(args, 1)),
    help: "Whether the other stands in the text.",
    examples: [["CONTAINS('hello', 'ell')", "TRUE"]],
  }),
  define({
    name: "INITCAP",
    parameters: ["string"],
    result: STRING,
    evaluate: (args) => capitalised(textArg(args, 0)),
    help: "Each word with a capital, the rest in lower case.",
    examples: [["INITCAP('hello wORLD')", "Hello World"]],
  }),
  define({
    name: "CONCAT",
    parameters: ["any"],
    rest: "any",
    result: STRING,
    takesNulls: true,
    evaluate: (args) => args.map((arg) => (arg === null ? "" : toText(arg))).join(""),
    help: "The texts of all arguments, one after the other; NULLs are left out.",
    examples: [["CONCAT('a', NULL, 1)", "a1"]],
  }),
  define({
    name: "CONCAT_WS",
    parameters: ["string", "any"],
    rest: "any",
    result: STRING,
    takesNulls: true,
    evaluate: ([separator = null, ...rest]) =>
      typeof separator === "string"
        ? rest.flatMap((arg) => (arg === null ? [] : [toText(arg)])).join(separator)
        : null,
    help: "The texts of all further arguments with the first between them; NULLs are left out.",
    examples: [["CONCAT_WS('-', 2024, NULL, 'x')", "2024-x"]],
  }),
  define({
    name: "SPLIT_PART",
    parameters: ["string", "string", "integer"],
    result: STRING,
    evaluate: (args) => {
      const [text, separator] = [textArg(args, 0), textArg(args, 1)];
      const parts = separator === "" ? [text] : text.split(separator);
      const at = whole(args, 2);
      return (at > 0 ? parts[at - 1] : at < 0 ? parts.at(at) : "") ?? "";
    },
    help: "The n-th part of the text between separators, from 1, below 0 from the end; '' where there is none.",
    examples: [
      ["SPLIT_PART('a/b/c', '/', 2)", "b"],
      ["SPLIT_PART('a/b/c', '/', -1)", "c"],
    ],
  }),
  define({
    name: "TRANSLATE",
    parameters: ["string", "string", "string"],
    result: STRING,
    evaluate: (args) => {
      const to = [...textArg(args, 2)];
      const map = new Map<string, string>();
      for (const [i, char] of [...textArg(args, 1)].entries()) if (!map.has(char)) map.set(char, to[i] ?? "");
      return [...textArg(args, 0)].map((char) => map.get(char) ?? char).join("");
    },
    help: "Each character of the second text replaced by the one at its place in the third, or dropped.",
    examples: [["TRANSLATE('2:30', ':0', '.')", "2.3"]],
  }),
  define({
    name: "ASCII",
    aliases: ["ORD", "UNICODE"],
    parameters: ["string"],
    result: INTEGER,
    evaluate: (args) => textArg(args, 0).codePointAt(0) ?? 0,
    help: "The code of the first character; 0 of ''.",
    examples: [["ASCII('é')", "233"]],
  }),
  define({
    name: "CHR",
    parameters: ["integer"],
    result: STRING,
    evaluate: codePointOf,
    help: "The character of that code.",
    examples: [
      ["CHR(8364)", "€"],
      ["CHR(-1)", "error"],
    ],
  }),
  define({
    name: "OCTET_LENGTH",
    parameters: ["any"],
    result: INTEGER,
    evaluate: ([value = null], context) =>
      value instanceof Uint8Array
        ? value.length
        : typeof value === "string"
          ? Buffer.byteLength(value, "utf8")
          : context.error("OCTET_LENGTH takes a STRING or BYTEA"),
    help: "Bytes of a BYTEA, or of a text in UTF-8.",
    examples: [["OCTET_LENGTH('é')", "2"]],
  }),
  define({
    name: "HEX",
    aliases: ["TO_HEX"],
    parameters: ["any"],
    result: STRING,
    evaluate: (args, context) => {
      const [value = null] = args;
      if (typeof value === "number" || typeof value === "bigint") {
        if (typeof value === "number" && !Number.isInteger(value))
          return context.error("HEX takes whole numbers");
        return BigInt.asUintN(64, BigInt(value)).toString(16).toUpperCase();
      }
      if (typeof value !== "string" && !(value instanceof Uint8Array))
        return context.error("HEX takes numbers and texts");
      return Buffer.from(bytesArg(args)).toString("hex").toUpperCase();
    },
    help: "Hexadecimal of a whole number, or of the bytes of a text or BYTEA.",
    examples: [
      ["HEX(255)", "FF"],
      ["HEX('AB')", "4142"],
    ],
  }),
  define({
    name: "UNHEX",
    aliases: ["FROM_HEX"],
    parameters: ["string"],
    result: BYTEA,
    evaluate: (args, context) => hexBytes(textArg(args, 0), context),
    help: "The bytes that hexadecimal stands for.",
    examples: [["OCTET_LENGTH(UNHEX('4142'))", "2"]],
  }),
  define({
    name: "TO_BASE64",
    parameters: ["any"],
    result: STRING,
    evaluate: (args, context) =>
      typeof args[0] === "string" || args[0] instanceof Uint8Array
        ? Buffer.from(bytesArg(args)).toString("base64")
        : context.error("TO_BASE64 takes a STRING or BYTEA"),
    help: "Base64 of the bytes of a text or BYTEA.",
    examples: [["TO_BASE64('hi')", "aGk="]],
  }),
  define({
    name: "FROM_BASE64",
    parameters: ["string"],
    result: BYTEA,
    evaluate: (args, context) => {
      const text = textArg(args, 0).replace(/\s+/g, "");
      const valid = /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;
      return valid
        ? Uint8Array.from(Buffer.from(text, "base64"))
        : context.error("FROM_BASE64: the text is no base64");
    },
    help: "The bytes that base64 stands for.",
    examples: [["OCTET_LENGTH(FROM_BASE64('aGk='))", "2"]],
  }),
  define({
    name: "DECODE_UTF8",
    parameters: ["bytea"],
    result: STRING,
    evaluate: (args, context) => {
      try {
        return strictUtf8.decode(bytesArg(args));
      } catch {
        return context.error("DECODE_UTF8: the bytes are no UTF-8");
      }
    },
    help: "The text that bytes stand for in UTF-8.",
    examples: [["DECODE_UTF8(FROM_BASE64('aGk='))", "hi"]],
  }),
  define({
    name: "TO_CHARS",
    parameters: ["string"],
    result: arrayOf(STRING),
    evaluate: (args) => [...textArg(args, 0)],
    help: "The characters of a text.",
    examples: [["TO_CHARS('añ')", "[a,ñ]"]],
  }),
];

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
