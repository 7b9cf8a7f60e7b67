import type { ExpressionNode, NameNode } from "../ast/ast.js";
import type { Span } from "../diagnostic.js";
import { type Token, tokenSpan } from "../tokens/lexer.js";
import { QuotedName } from "../tokens/token-types.js";
import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { DATE, DECIMAL, FLOAT, INTEGER, INTERVAL, STRING, TIME, TIMESTAMP } from "../types/types.js";
import {
  intervalOf,
  intervalUnit,
  parseDate,
  parseInterval,
  parseTime,
  parseTimestamp,
} from "../values/calendar.js";
import { float, integer, parseDecimal } from "../values/numbers.js";
import { Refusal } from "./refusal.js";

export function literal(value: SqlValue, type: SqlType, text: string, span: Span): ExpressionNode {
  return { kind: "literal", value, type, text, span };
}

export function nameOf(token: Token): NameNode {
  const span = tokenSpan(token);
  if (token.tokenType !== QuotedName) return { text: token.image, span, quotes: "none" };
  const inner = token.image.slice(1, -1);
  return token.image.startsWith("`")
    ? { text: inner, span, quotes: "back" }
    : { text: inner.replaceAll('""', '"'), span, quotes: "double" };
}

/** The text that a word in double quotes is where no column can stand, as the first dialects wrote texts. */
export function textOfName({ text }: NameNode): string {
  const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t" };
  return text.replaceAll(/\\(["\\nt])/g, (_, letter: string) => escapes[letter] ?? letter);
}

export function textOf(token: Token): string {
  return token.image.slice(1, -1).replaceAll("''", "'");
}

export function textLiteral(token: Token): ExpressionNode {
  return literal(textOf(token), STRING, token.image, tokenSpan(token));
}

/** An INTEGER of 64 bits, a FLOAT, or beyond 64 bits a DECIMAL. */
export function numberLiteral(token: Token, sign: "" | "-", span: Span): ExpressionNode {
  const text = `${sign}${token.image}`;
  if (/^-?\d+$/.test(text) && text.length < 40) {
    const value = integer(BigInt(text));
    if (value !== null) return literal(value, INTEGER, text, span);
  }
  if (/^-?\d+$/.test(text)) {
    const value = parseDecimal(text);
    if (value !== null) return literal(value, DECIMAL, text, span);
  }
  const value = float(Number(text));
  if (value === null) throw new Refusal("This number is out of range", span, "a FLOAT goes up to 1.8e308");
  return literal(value, FLOAT, text, span);
}

/** DATE '…', TIME '…', TIMESTAMP '…'; `text` without quotes. */
export function momentLiteral(keyword: string, text: string, span: Span): ExpressionNode {
  const upper = keyword.toUpperCase();
  const shown = `${upper} '${text}'`;
  if (upper === "DATE") {
    const value = parseDate(text);
    if (value !== null) return literal(value, DATE, shown, span);
    throw new Refusal(`'${text}' is no DATE`, span, "write it as DATE '2024-01-31'");
  }
  if (upper === "TIME") {
    const value = parseTime(text);
    if (value !== null) return literal(value, TIME, shown, span);
    throw new Refusal(`'${text}' is no TIME`, span, "write it as TIME '12:30:45'");
  }
  const value = parseTimestamp(text);
  if (value !== null) return literal(value, TIMESTAMP, shown, span);
  throw new Refusal(`'${text}' is no TIMESTAMP`, span, "write it as TIMESTAMP '2024-01-31T12:30:45Z'");
}

/** INTERVAL 5 SECOND, INTERVAL '5' SECOND, INTERVAL '5 SECOND', INTERVAL 0:0:5; `unit` where it stood outside. */
export function intervalLiteral(text: string, unit: Token | undefined, span: Span): ExpressionNode {
  const name = unit?.image ?? "";
  if (unit !== undefined && intervalUnit(name) === undefined) {
    throw new Refusal(
      `'${name}' is no unit of time`,
      tokenSpan(unit),
      "units are MILLISECOND, SECOND, MINUTE, HOUR, DAY, WEEK, MONTH, YEAR",
    );
  }
  const count = Number(text);
  const value =
    unit === undefined
      ? parseInterval(text)
      : text.trim() !== "" && Number.isFinite(count)
        ? intervalOf(count, name)
        : null;
  const shown = unit === undefined ? `INTERVAL '${text}'` : `INTERVAL ${text} ${name.toUpperCase()}`;
  if (value !== null) return literal(value, INTERVAL, shown, span);
  throw new Refusal(`'${text}' is no INTERVAL`, span, "write it as INTERVAL 5 SECOND");
}
