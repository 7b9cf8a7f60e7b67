import type { SqlValue } from "@hstream/sql/runtime";

/** Rough bytes of a JavaScript object beside its contents, of a Map's entry, of a boxed number. */
const objectBytes = 48;
const numberBytes = 16;

/** About how many bytes a value takes in memory. */
export function valueBytes(value: SqlValue): number {
  if (typeof value === "string") return 24 + value.length;
  if (typeof value === "number") return numberBytes;
  if (typeof value === "bigint") return 32;
  if (typeof value === "boolean") return 8;
  if (value === null) return 8;
  if (value instanceof Uint8Array) return objectBytes + value.length;
  let bytes = objectBytes;
  if (Array.isArray(value)) for (const element of value as readonly SqlValue[]) bytes += valueBytes(element);
  else if (value instanceof Map) {
    for (const [name, field] of value as ReadonlyMap<string, SqlValue>)
      bytes += objectBytes + name.length + valueBytes(field);
  }
  return bytes;
}

/** About how many bytes a row of values takes in memory. */
export function rowBytes(values: readonly SqlValue[]): number {
  let bytes = objectBytes;
  for (const value of values) bytes += valueBytes(value);
  return bytes;
}
