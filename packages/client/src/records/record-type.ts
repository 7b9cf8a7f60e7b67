import { HStreamClientError } from "../errors.js";
import type { JsonObject, RecordInput } from "./record.js";

/** What a type is given to make a value of. */
export interface RecordParts {
  /** The fields of a JSON record; undefined for a raw one. */
  readonly json: JsonObject | undefined;
  /** The bytes of a raw record; of a JSON record those that stand for it. */
  readonly payload: Uint8Array;
  readonly key: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/**
 * How a program's values become records, and records values. What either function throws reaches the
 * program: from `toRecord` where it appends, from `fromRecord` where it asks for a record's `value`.
 */
export interface RecordType<T> {
  readonly toRecord: (value: T) => RecordInput;
  readonly fromRecord: (record: RecordParts) => T;
  /** The partition key of a value, where its options name none. Default: the empty key. */
  readonly keyOf?: (value: T) => string;
}

/** Records as they are: objects for JSON, bytes for raw ones. The type where no other is given. */
export const anyRecord: RecordType<RecordInput> = {
  toRecord: (value) => value,
  fromRecord: ({ json, payload }) => json ?? payload,
};

/**
 * JSON records of one shape. `parse` checks what arrives, and throws if it does not fit (a schema's
 * `parse` will do); without it the shape is believed. `key` is the partition key of a value.
 */
export function jsonRecord<T extends object>(
  options: { readonly parse?: (fields: unknown) => T; readonly key?: (value: T) => string } = {},
): RecordType<T> {
  const { parse, key } = options;
  return {
    // An interface is no index signature, though its values are JSON; what is not is refused when encoded.
    toRecord: (value) => value as unknown as JsonObject,
    fromRecord: ({ json }) => {
      if (json === undefined) throw new TypeError("it is raw, not JSON");
      return parse === undefined ? (json as unknown as T) : parse(json);
    },
    ...(key === undefined ? {} : { keyOf: key }),
  };
}

/** Raw records that hold text in UTF-8. */
export function textRecord(options: { readonly key?: (value: string) => string } = {}): RecordType<string> {
  const { key } = options;
  return {
    toRecord: (value) => encoder.encode(value),
    fromRecord: ({ json, payload }) => {
      if (json !== undefined) throw new TypeError("it is JSON, not raw");
      return decoder.decode(payload);
    },
    ...(key === undefined ? {} : { keyOf: key }),
  };
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The record of a value, and its key. Throws HStreamClientError (reason "usage") if the type refuses it. */
export function recordOf<T>(
  type: RecordType<T>,
  value: T,
): { readonly record: RecordInput; readonly key: string } {
  try {
    return { record: type.toRecord(value), key: type.keyOf?.(value) ?? "" };
  } catch (cause) {
    if (cause instanceof HStreamClientError) throw cause;
    const message = `The value is no record: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new HStreamClientError({ reason: "usage", message, cause });
  }
}
