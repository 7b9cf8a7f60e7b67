/**
 * SQL values as they are at run time. All of them can be cloned between threads.
 *
 * A `number` stands for an INTEGER when it is whole and |x| ≤ 2^53, and for a FLOAT otherwise, unless
 * the static type says FLOAT; a `bigint` is an INTEGER beyond 2^53 (never within, so that equal values
 * have one form). NaN and infinities do not occur: what would yield them is an error and NULL.
 */
export type SqlValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | SqlDate
  | SqlTime
  | SqlTimestamp
  | SqlInterval
  | SqlDecimal
  | SqlArray
  | SqlObject;

/** Days since 1970-01-01. */
export interface SqlDate {
  readonly kind: "date";
  readonly days: number;
}

/** Milliseconds since midnight. */
export interface SqlTime {
  readonly kind: "time";
  readonly ms: number;
}

/** Milliseconds since 1970-01-01T00:00Z. */
export interface SqlTimestamp {
  readonly kind: "timestamp";
  readonly ms: number;
}

/** A month counts as 30 days where a length is needed. */
export interface SqlInterval {
  readonly kind: "interval";
  readonly months: number;
  readonly ms: number;
}

/** unscaled / 10^scale. */
export interface SqlDecimal {
  readonly kind: "decimal";
  readonly unscaled: bigint;
  readonly scale: number;
}

export type SqlArray = readonly SqlValue[];

/** Fields in the order of the record. A Map, so that no key can be mistaken for a method. */
export type SqlObject = ReadonlyMap<string, SqlValue>;
