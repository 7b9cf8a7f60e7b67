import { unreachable } from "@hstream/proto";
import type { SqlType } from "./sql-type.js";

export const NULL_TYPE: SqlType = { kind: "null" };
export const BOOLEAN: SqlType = { kind: "boolean" };
export const INTEGER: SqlType = { kind: "integer" };
export const FLOAT: SqlType = { kind: "float" };
export const DECIMAL: SqlType = { kind: "decimal" };
export const STRING: SqlType = { kind: "string" };
export const BYTEA: SqlType = { kind: "bytea" };
export const DATE: SqlType = { kind: "date" };
export const TIME: SqlType = { kind: "time" };
export const TIMESTAMP: SqlType = { kind: "timestamp" };
export const INTERVAL: SqlType = { kind: "interval" };
export const JSONB: SqlType = { kind: "jsonb" };
export const DYNAMIC: SqlType = { kind: "dynamic" };

export function arrayOf(element: SqlType): SqlType {
  return { kind: "array", element };
}

/** Type names of SQL text, with the synonyms that people bring from other databases. */
const namedTypes: ReadonlyMap<string, SqlType> = new Map<string, SqlType>([
  ["BOOLEAN", BOOLEAN],
  ["BOOL", BOOLEAN],
  ["INTEGER", INTEGER],
  ["INT", INTEGER],
  ["BIGINT", INTEGER],
  ["SMALLINT", INTEGER],
  ["FLOAT", FLOAT],
  ["DOUBLE", FLOAT],
  ["REAL", FLOAT],
  ["DECIMAL", DECIMAL],
  ["NUMERIC", DECIMAL],
  ["STRING", STRING],
  ["TEXT", STRING],
  ["VARCHAR", STRING],
  ["BYTEA", BYTEA],
  ["BYTES", BYTEA],
  ["DATE", DATE],
  ["TIME", TIME],
  ["TIMESTAMP", TIMESTAMP],
  ["TIMESTAMPTZ", TIMESTAMP],
  ["INTERVAL", INTERVAL],
  ["JSONB", JSONB],
  ["JSON", JSONB],
]);

/** The type of that name in any case, without array brackets. */
export function typeNamed(name: string): SqlType | undefined {
  return namedTypes.get(name.toUpperCase());
}

export function typeNames(): readonly string[] {
  return [...namedTypes.keys()];
}

/** As it is written in SQL: INTEGER, STRING[]. */
export function typeName(type: SqlType): string {
  switch (type.kind) {
    case "null":
      return "NULL";
    case "array":
      return `${typeName(type.element)}[]`;
    case "dynamic":
      return "ANY";
    case "boolean":
    case "integer":
    case "float":
    case "decimal":
    case "string":
    case "bytea":
    case "date":
    case "time":
    case "timestamp":
    case "interval":
    case "jsonb":
      return type.kind.toUpperCase();
    default:
      return unreachable(type);
  }
}

export function sameType(a: SqlType, b: SqlType): boolean {
  if (a.kind === "array" && b.kind === "array") return sameType(a.element, b.element);
  return a.kind === b.kind;
}

export function isNumeric(type: SqlType): boolean {
  return type.kind === "integer" || type.kind === "float" || type.kind === "decimal";
}

/**
 * The type that holds values of all of `types` (CASE, COALESCE, array elements), or undefined when they
 * do not go together. NULL goes with everything; INTEGER and FLOAT make FLOAT; with DECIMAL, DECIMAL
 * wins over INTEGER and FLOAT over DECIMAL; what is dynamic stays so.
 */
export function commonType(types: readonly SqlType[]): SqlType | undefined {
  let common: SqlType = NULL_TYPE;
  for (const type of types) {
    if (type.kind === "null" || sameType(common, type)) continue;
    if (common.kind === "null") common = type;
    else if (common.kind === "dynamic" || type.kind === "dynamic") common = DYNAMIC;
    else if (isNumeric(common) && isNumeric(type)) {
      common = common.kind === "float" || type.kind === "float" ? FLOAT : DECIMAL;
    } else if (common.kind === "array" && type.kind === "array") {
      const element = commonType([common.element, type.element]);
      common = arrayOf(element ?? DYNAMIC);
    } else return undefined;
  }
  return common;
}
