import { unreachable } from "@hstream/proto";
import type { SqlValue } from "../types/sql-value.js";
import { dateText, intervalText, timestampText, timeText } from "./calendar.js";
import { toJson } from "./json.js";
import { decimalText } from "./numbers.js";
import { isArray, isObject } from "./value-kind.js";

/** What TO_STR and a cast to STRING give: text as it is, the rest much like SQL literals. */
export function toText(value: SqlValue): string {
  if (value === null) return "NULL";
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return value ? "TRUE" : "FALSE";
    case "number":
    case "bigint":
      return String(value);
    default:
      break;
  }
  if (isArray(value)) return `[${value.map(toText).join(",")}]`;
  if (isObject(value)) return toPlainJson(value);
  if (value instanceof Uint8Array) return `\\x${Buffer.from(value).toString("hex")}`;
  if (!("kind" in value)) return "";
  switch (value.kind) {
    case "date":
      return dateText(value);
    case "time":
      return timeText(value);
    case "timestamp":
      return timestampText(value);
    case "interval":
      return intervalText(value);
    case "decimal":
      return decimalText(value);
    default:
      return unreachable(value);
  }
}

/** JSON for people and tools: dates and the like are texts, wrappers do not occur. */
export function toPlainJson(value: SqlValue): string {
  return toJson(value, "plain", toText);
}

/** JSON with `$` wrappers (stored.ts): reads back as the same value. */
export function toStoredJson(value: SqlValue): string {
  return toJson(value, "stored", toText);
}
