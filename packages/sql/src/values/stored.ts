import { assert } from "@hstream/proto";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
import {
  dateText,
  intervalText,
  parseDate,
  parseInterval,
  parseTime,
  parseTimestamp,
  timestampText,
  timeText,
} from "./calendar.js";
import { decimalText, float, integer, parseDecimal } from "./numbers.js";
import { isArray, isObject } from "./value-kind.js";

/**
 * How a value stands in a stored record (a protobuf Struct or JSON). What JSON has stands plainly; the
 * rest is an object with one `$` field:
 *
 *   INTEGER beyond 2^53   {"$numberLong": "9007199254740993"}
 *   DECIMAL               {"$numberDecimal": "1.5"}
 *   BYTEA                 {"$binary": {"base64": "…", "subType": "00"}}
 *   DATE                  {"$date": "2023-06-30"}
 *   TIME                  {"$time": "12:30:45"}
 *   TIMESTAMP             {"$timestamp": "2023-06-30T10:30:45Z"}
 *   INTERVAL              {"$interval": "PT5S"}
 *   an object whose only field has such a name: one more $ before it, {"$$date": …}
 *
 * {"$numberDouble": "1.5"} is read too. Anything else with a `$` is an ordinary object. Values can be read
 * from the leaves up: what stands in a wrapper is never a wrapper itself.
 */
export type StoredValue =
  | null
  | boolean
  | number
  | string
  | readonly StoredValue[]
  | ReadonlyMap<string, StoredValue>;

const isText = (value: SqlValue | undefined): value is string => typeof value === "string";

const wrappers: ReadonlyMap<string, (content: SqlValue | undefined) => SqlValue | undefined> = new Map([
  [
    "$numberLong",
    (content): SqlValue | undefined =>
      isText(content) && /^-?\d{1,20}$/.test(content) ? (integer(BigInt(content)) ?? undefined) : undefined,
  ],
  [
    "$numberDouble",
    (content): SqlValue | undefined =>
      isText(content) && content.trim() !== "" ? (float(Number(content)) ?? undefined) : undefined,
  ],
  ["$numberDecimal", textWrapper(parseDecimal)],
  ["$date", textWrapper(parseDate)],
  ["$time", textWrapper(parseTime)],
  ["$timestamp", textWrapper(parseTimestamp)],
  ["$interval", textWrapper(parseInterval)],
  ["$binary", binary],
]);

function textWrapper(
  parse: (text: string) => SqlValue,
): (content: SqlValue | undefined) => SqlValue | undefined {
  return (content) => (isText(content) ? (parse(content) ?? undefined) : undefined);
}

function binary(content: SqlValue | undefined): SqlValue | undefined {
  if (content === undefined || !isObject(content)) return undefined;
  const base64 = content.get("base64");
  return isText(base64) ? new Uint8Array(Buffer.from(base64, "base64")) : undefined;
}

/** Whether a lone field of that name would be read as a wrapper, or as an escaped one. */
function needsEscape(name: string): boolean {
  return wrappers.has(name.replace(/^\$+/, "$"));
}

/** The value that an object stands for: itself, unless it is a well-formed wrapper. */
export function unwrap(fields: SqlObject): SqlValue {
  if (fields.size !== 1) return fields;
  for (const [name, content] of fields) {
    if (!name.startsWith("$")) break;
    if (name.startsWith("$$") && needsEscape(name)) return new Map([[name.slice(1), content]]);
    return wrappers.get(name)?.(content) ?? fields;
  }
  return fields;
}

/** The wrapper of a value that JSON lacks, the escape of an object that looks like one, else the value. */
export function wrap(value: SqlValue): SqlValue {
  if (typeof value === "bigint") return new Map([["$numberLong", String(value)]]);
  if (typeof value !== "object" || value === null || isArray(value)) return value;
  if (isObject(value)) {
    const [name] = value.size === 1 ? value.keys() : [];
    return name !== undefined && needsEscape(name) ? new Map([[`$${name}`, value.get(name) ?? null]]) : value;
  }
  if (value instanceof Uint8Array) {
    const base64 = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64");
    const content = new Map<string, SqlValue>([
      ["base64", base64],
      ["subType", "00"],
    ]);
    return new Map<string, SqlValue>([["$binary", content]]);
  }
  if (!("kind" in value)) return value;
  switch (value.kind) {
    case "date":
      return new Map([["$date", dateText(value)]]);
    case "time":
      return new Map([["$time", timeText(value)]]);
    case "timestamp":
      return new Map([["$timestamp", timestampText(value)]]);
    case "interval":
      return new Map([["$interval", intervalText(value)]]);
    case "decimal":
      return new Map([["$numberDecimal", decimalText(value)]]);
  }
}

/** The stored form of a value, fields in their order. */
export function toStored(value: SqlValue): StoredValue {
  const wrapped = wrap(value);
  if (isArray(wrapped)) return wrapped.map(toStored);
  if (isObject(wrapped)) return new Map([...wrapped].map(([name, field]) => [name, toStored(field)]));
  assert(wrapped === null || (typeof wrapped !== "object" && typeof wrapped !== "bigint"), "wrap gives JSON");
  return wrapped;
}

/** The value of a stored form. */
export function fromStored(stored: StoredValue): SqlValue {
  if (stored === null || typeof stored !== "object")
    return typeof stored === "number" ? float(stored) : stored;
  if (Array.isArray(stored)) return stored.map(fromStored);
  if (!(stored instanceof Map)) return null;
  const fields = new Map<string, SqlValue>();
  for (const [name, field] of stored) fields.set(name, fromStored(field));
  return unwrap(fields);
}
