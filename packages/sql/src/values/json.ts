import { jsonDepthMax } from "../limits.js";
import type { SqlValue } from "../types/sql-value.js";
import { float, integer } from "./numbers.js";
import { isArray, isObject } from "./value-kind.js";
import { unwrap, wrap } from "./stored.js";

export type JsonResult =
  | { readonly kind: "value"; readonly value: SqlValue }
  /** `offset`: UTF-16 units into the text. */
  | { readonly kind: "invalid"; readonly message: string; readonly offset: number };

/**
 * Reads JSON (RFC 8259) straight into SQL values: integers up to 64 bits keep every digit, objects become
 * Maps, `$` wrappers become what they stand for. Of equal names the last wins.
 */
export function parseJson(text: string): JsonResult {
  const reader = new JsonReader(text);
  const value = reader.read();
  return reader.failure ?? { kind: "value", value };
}

class JsonReader {
  readonly #text: string;
  #at = 0;
  failure: JsonResult | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  read(): SqlValue {
    const value = this.#value(0);
    this.#blanks();
    if (this.#at < this.#text.length) this.#fail("unexpected text after the JSON value");
    return value;
  }

  #fail(message: string): null {
    this.failure ??= { kind: "invalid", message, offset: this.#at };
    return null;
  }

  #blanks(): void {
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at += 1;
  }

  #value(depth: number): SqlValue {
    if (this.failure !== undefined) return null;
    if (depth > jsonDepthMax) return this.#fail(`JSON is nested more than ${jsonDepthMax} deep`);
    this.#blanks();
    const char = this.#text[this.#at];
    if (char === "{") return this.#object(depth);
    if (char === "[") return this.#array(depth);
    if (char === '"') return this.#string();
    const word = this.#match(/true|false|null/y);
    if (word !== undefined) return word === "null" ? null : word === "true";
    const number = this.#match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
    if (number === undefined) return this.#fail("JSON value expected");
    const value = Number(number);
    if (/^-?\d+$/.test(number) && !Number.isSafeInteger(value)) {
      return number.length <= 20 ? (integer(BigInt(number)) ?? value) : value;
    }
    return float(value) ?? this.#fail("number out of range");
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #string(): string {
    // The character class has no overlap, so this cannot backtrack.
    const token = this.#match(/"[^"\\\n\r]*(?:\\.[^"\\\n\r]*)*"/y);
    if (token !== undefined) {
      if (!token.includes("\\") && !/[\0-\x1f]/.test(token)) return token.slice(1, -1);
      try {
        return String(JSON.parse(token));
      } catch {
        this.#at -= token.length;
      }
    }
    this.#fail("invalid JSON string");
    return "";
  }

  #array(depth: number): SqlValue {
    this.#at += 1;
    const elements: SqlValue[] = [];
    this.#blanks();
    if (this.#match(/\]/y) !== undefined) return elements;
    while (this.failure === undefined) {
      elements.push(this.#value(depth + 1));
      this.#blanks();
      if (this.#match(/,/y) !== undefined) continue;
      if (this.#match(/\]/y) !== undefined) break;
      this.#fail("',' or ']' expected");
    }
    return elements;
  }

  #object(depth: number): SqlValue {
    this.#at += 1;
    const fields = new Map<string, SqlValue>();
    this.#blanks();
    if (this.#match(/\}/y) !== undefined) return fields;
    while (this.failure === undefined) {
      this.#blanks();
      const name = this.#string();
      this.#blanks();
      if (this.#match(/:/y) === undefined) this.#fail("':' expected");
      fields.set(name, this.#value(depth + 1));
      this.#blanks();
      if (this.#match(/,/y) !== undefined) continue;
      if (this.#match(/\}/y) !== undefined) break;
      this.#fail("',' or '}' expected");
    }
    return unwrap(fields);
  }
}

/** From the answer of JSON.parse (or anything of that shape), with `$` wrappers recognised. */
export function fromJson(json: unknown, depth = 0): SqlValue {
  if (json === null || json === undefined || depth > jsonDepthMax) return null;
  if (typeof json === "number") return float(json);
  if (typeof json === "string" || typeof json === "boolean" || typeof json === "bigint") return json;
  if (Array.isArray(json)) return json.map((element) => fromJson(element, depth + 1));
  if (typeof json !== "object") return null;
  const fields = new Map<string, SqlValue>();
  for (const [name, value] of Object.entries(json)) fields.set(name, fromJson(value, depth + 1));
  return unwrap(fields);
}

/**
 * JSON text of a value. "stored": with `$` wrappers, reads back as the same value. "plain": for people
 * and tools, what JSON lacks is written as its text.
 */
export function toJson(
  value: SqlValue,
  form: "stored" | "plain",
  plainText: (value: SqlValue) => string,
): string {
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    // A whole FLOAT beyond 2^53 keeps an exponent, or it would read as an INTEGER.
    const exponent = form === "stored" && Number.isInteger(value) && !Number.isSafeInteger(value);
    return exponent ? value.toExponential() : String(value);
  }
  if (isArray(value)) return `[${value.map((element) => toJson(element, form, plainText)).join(",")}]`;
  const shown = form === "stored" ? wrap(value) : value;
  if (isObject(shown)) {
    const fields = [...shown].map(
      ([name, field]) => `${JSON.stringify(name)}:${toJson(field, form, plainText)}`,
    );
    return `{${fields.join(",")}}`;
  }
  if (typeof value === "bigint") return String(value);
  return JSON.stringify(plainText(value));
}
