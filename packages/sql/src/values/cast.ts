import { unreachable } from "@hstream/proto";
import type { SqlType } from "../types/sql-type.js";
import type { SqlValue } from "../types/sql-value.js";
import { typeName } from "../types/types.js";
import {
  dayMs,
  interval,
  parseDate,
  parseInterval,
  parseTime,
  parseTimestamp,
  timestamp,
} from "./calendar.js";
import { parseJson } from "./json.js";
import { decimal, float, integer, isDecimal, isNumber, parseDecimal, toDecimal, toFloat } from "./numbers.js";
import { toText } from "./text.js";
import { isArray, isObject, valueKind } from "./value-kind.js";

/** Where expression errors go; see EvaluationContext. */
export interface ErrorSink {
  error(message: string): null;
}

/** CAST(value AS type). NULL stays NULL; what cannot be cast is an error and NULL. */
export function cast(value: SqlValue, type: SqlType, context: ErrorSink): SqlValue {
  if (value === null) return null;
  const result = tryCast(value, type, context);
  if (result !== undefined) return result;
  const text = toText(value);
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return context.error(`cannot cast ${valueKind(value).toUpperCase()} ${shown} to ${typeName(type)}`);
}

/** Undefined: cannot be cast. */
function tryCast(value: Exclude<SqlValue, null>, type: SqlType, context: ErrorSink): SqlValue | undefined {
  switch (type.kind) {
    case "dynamic":
      return value;
    case "null":
      return undefined;
    case "boolean":
      return toBoolean(value);
    case "integer":
      return toInteger(value);
    case "float":
      return numberOf(value, (number) => float(toFloat(number)));
    case "decimal":
      if (typeof value === "string") return parseDecimal(value) ?? undefined;
      return numberOf(value, toDecimal);
    case "string":
      return toText(value);
    case "bytea":
      return value instanceof Uint8Array ? value : undefined;
    case "jsonb":
      return toObject(value);
    case "array":
      return isArray(value) ? value.map((element) => cast(element, type.element, context)) : undefined;
    case "date":
    case "time":
    case "timestamp":
    case "interval":
      return toMoment(value, type.kind);
    default:
      return unreachable(type);
  }
}

function numberOf<T extends SqlValue>(
  value: Exclude<SqlValue, null>,
  convert: (number: number | bigint | Extract<SqlValue, { kind: "decimal" }>) => T | null,
): T | undefined {
  if (isNumber(value)) return convert(value) ?? undefined;
  if (typeof value === "boolean") return convert(value ? 1 : 0) ?? undefined;
  if (typeof value !== "string" || !/^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i.test(value))
    return undefined;
  return convert(Number(value)) ?? undefined;
}

function toBoolean(value: Exclude<SqlValue, null>): boolean | undefined {
  if (typeof value === "boolean") return value;
  if (isNumber(value)) return toFloat(value) !== 0;
  if (typeof value !== "string") return undefined;
  const word = value.trim().toUpperCase();
  if (word === "TRUE" || word === "T") return true;
  if (word === "FALSE" || word === "F") return false;
  return word !== "" && Number.isFinite(Number(word)) ? Number(word) !== 0 : undefined;
}

/** Fractions take the floor. */
function toInteger(value: Exclude<SqlValue, null>): number | bigint | undefined {
  if (typeof value === "bigint") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number") return integer(BigInt(Math.floor(value))) ?? undefined;
  if (typeof value === "string") {
    return /^\s*[+-]?\d{1,19}\s*$/.test(value)
      ? (integer(BigInt(value.trim().replace("+", ""))) ?? undefined)
      : undefined;
  }
  if (!isDecimal(value)) return undefined;
  const unit = 10n ** BigInt(value.scale);
  const quotient = value.unscaled / unit;
  const floor = value.unscaled < 0n && quotient * unit !== value.unscaled ? quotient - 1n : quotient;
  return integer(floor) ?? undefined;
}

function toObject(value: Exclude<SqlValue, null>): SqlValue | undefined {
  if (isObject(value)) return value;
  if (typeof value !== "string") return undefined;
  const parsed = parseJson(value);
  return parsed.kind === "value" ? parsed.value : undefined;
}

function toMoment(
  value: Exclude<SqlValue, null>,
  kind: "date" | "time" | "timestamp" | "interval",
): SqlValue | undefined {
  if (typeof value === "string") {
    const parse = { date: parseDate, time: parseTime, timestamp: parseTimestamp, interval: parseInterval }[
      kind
    ];
    const parsed = parse(value);
    if (parsed !== null || kind !== "date") return parsed ?? undefined;
    const moment = parseTimestamp(value);
    return moment === null ? undefined : toMoment(moment, "date");
  }
  if (kind === "interval" && isNumber(value)) return interval(0, toFloat(value) * 1000) ?? undefined;
  if (typeof value !== "object" || !("kind" in value)) return undefined;
  if (value.kind === kind) return value;
  if (value.kind === "timestamp") {
    const days = Math.floor(value.ms / dayMs);
    if (kind === "date") return { kind: "date", days };
    if (kind === "time") return { kind: "time", ms: value.ms - days * dayMs };
  }
  if (kind !== "timestamp") return undefined;
  if (value.kind === "date") return timestamp(value.days * dayMs) ?? undefined;
  if (value.kind === "time") return timestamp(value.ms) ?? undefined;
  return undefined;
}

/** A DECIMAL with at most `scale` digits after the point, rounded half away from zero. */
export function roundDecimal(unscaled: bigint, from: number, scale: number): SqlValue {
  if (from <= scale) return decimal(unscaled, from);
  const unit = 10n ** BigInt(from - scale);
  const half = unscaled < 0n ? -(unit / 2n) : unit / 2n;
  return decimal((unscaled + half) / unit, scale);
}
