import { unreachable } from "@hstream/proto";
import type { SqlObject, SqlValue } from "../types/sql-value.js";
import type { SqlTypeKind } from "../types/sql-type.js";

/** The type that a value has by itself; never "dynamic". A whole number is an INTEGER. */
export function valueKind(value: SqlValue): Exclude<SqlTypeKind, "dynamic"> {
  switch (typeof value) {
    case "number":
      return Number.isSafeInteger(value) ? "integer" : "float";
    case "string":
      return "string";
    case "boolean":
      return "boolean";
    case "bigint":
      return "integer";
    case "object":
      if (value === null) return "null";
      if (isArray(value)) return "array";
      if (value instanceof Map) return "jsonb";
      if (value instanceof Uint8Array) return "bytea";
      return "kind" in value ? value.kind : "jsonb";
    default:
      return unreachable(value);
  }
}

export function isArray(value: SqlValue): value is readonly SqlValue[] {
  return Array.isArray(value);
}

export function isObject(value: SqlValue): value is SqlObject {
  return value instanceof Map;
}
