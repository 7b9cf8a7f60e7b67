import { must } from "@hstream/proto";
import type { SqlValue } from "../types/sql-value.js";
import { dayMs } from "../values/calendar.js";
import { isNumber, type SqlNumber } from "../values/numbers.js";

/** Narrows what the signature has already promised. */
export function numberArg(args: readonly SqlValue[], position: number): SqlNumber {
  const value = args[position] ?? null;
  return must(isNumber(value) ? value : undefined, "a number parameter is given a number");
}

export function textArg(args: readonly SqlValue[], position: number): string {
  const value = args[position];
  return must(typeof value === "string" ? value : undefined, "a string parameter is given a string");
}

export function msOf(value: SqlValue | undefined): number {
  if (typeof value === "object" && value !== null && "kind" in value) {
    if (value.kind === "timestamp" || value.kind === "time" || value.kind === "interval") return value.ms;
    if (value.kind === "date") return value.days * dayMs;
  }
  return must<number>(undefined, "a time parameter is given a time");
}
