import type { SqlDate, SqlInterval, SqlTime, SqlTimestamp } from "../types/sql-value.js";

/** Dates, times and lengths of time. Everything is UTC and Gregorian; years 0–9999 in text. */

export const dayMs = 86_400_000;
export const monthMs = 30 * dayMs;
/** What a JavaScript Date can hold. */
export const timestampMsMax = 8.64e15;

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0");

export function timestamp(ms: number): SqlTimestamp | null {
  return Math.abs(ms) <= timestampMsMax ? { kind: "timestamp", ms: Math.trunc(ms) + 0 } : null;
}

function daysFromCivil(year: number, month: number, day: number): number | null {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) {
    return null;
  }
  return Math.round(date.getTime() / dayMs);
}

/** 2021-01-02 or 2021-1-2. */
export function parseDate(text: string): SqlDate | null {
  const match = /^\s*(\d{4})-(\d{1,2})-(\d{1,2})\s*$/.exec(text);
  if (match === null) return null;
  const days = daysFromCivil(Number(match[1]), Number(match[2]), Number(match[3]));
  return days === null ? null : { kind: "date", days };
}

/** 12:30, 12:30:45, 12:30:45.678. */
export function parseTime(text: string): SqlTime | null {
  const match = /^\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,9}))?)?\s*$/.exec(text);
  if (match === null) return null;
  const [hours, minutes, seconds] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  if (hours > 23 || minutes > 59 || seconds > 59) return null;
  const fraction = Number((match[4] ?? "").padEnd(3, "0").slice(0, 3));
  return { kind: "time", ms: ((hours * 60 + minutes) * 60 + seconds) * 1000 + fraction };
}

/** ISO 8601, with "T" or a blank, and a zone (none: UTC). A date alone is its midnight. */
export function parseTimestamp(text: string): SqlTimestamp | null {
  const match =
    /^\s*(\d{4}-\d{1,2}-\d{1,2})(?:\s*[T ]\s*([\d:.]+))?\s*(Z|[+-]\d{1,2}(?::?\d{1,2})?)?\s*$/i.exec(text);
  if (match === null) return null;
  const date = parseDate(match[1] ?? "");
  const time = match[2] === undefined ? { ms: 0 } : parseTime(match[2]);
  if (date === null || time === null) return null;
  const zone = /^([+-])(\d{1,2}):?(\d{1,2})?$/.exec(match[3] ?? "");
  const sign = zone?.[1] === "-" ? -1 : 1;
  const offset = zone === null ? 0 : sign * (Number(zone[2]) * 60 + Number(zone[3] ?? 0)) * 60_000;
  return timestamp(date.days * dayMs + time.ms - offset);
}

export function dateText(date: SqlDate): string {
  const at = new Date(date.days * dayMs);
  if (Number.isNaN(at.getTime())) return `day ${date.days}`;
  return `${pad(at.getUTCFullYear(), 4)}-${pad(at.getUTCMonth() + 1, 2)}-${pad(at.getUTCDate(), 2)}`;
}

export function timeText(time: SqlTime): string {
  const seconds = Math.floor(time.ms / 1000);
  const fraction = time.ms % 1000;
  const text = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return fraction === 0 ? text : `${text}.${pad(fraction, 3)}`;
}

/** 2023-06-30T10:30:45Z, milliseconds only where there are some. */
export function timestampText(value: SqlTimestamp): string {
  const days = Math.floor(value.ms / dayMs);
  const date = dateText({ kind: "date", days });
  return `${date}T${timeText({ kind: "time", ms: value.ms - days * dayMs })}Z`;
}

/** The units of INTERVAL, singular. */
export const intervalUnits: ReadonlyMap<string, { readonly months: number; readonly ms: number }> = new Map([
  ["MILLISECOND", { months: 0, ms: 1 }],
  ["SECOND", { months: 0, ms: 1000 }],
  ["MINUTE", { months: 0, ms: 60_000 }],
  ["HOUR", { months: 0, ms: 3_600_000 }],
  ["DAY", { months: 0, ms: dayMs }],
  ["WEEK", { months: 0, ms: 7 * dayMs }],
  ["MONTH", { months: 1, ms: 0 }],
  ["YEAR", { months: 12, ms: 0 }],
]);

/** The unit of that name, singular or plural, any case. */
export function intervalUnit(name: string): { readonly months: number; readonly ms: number } | undefined {
  const upper = name.toUpperCase();
  return intervalUnits.get(upper) ?? intervalUnits.get(upper.replace(/S$/, ""));
}

export function interval(months: number, ms: number): SqlInterval | null {
  if (!Number.isSafeInteger(months) || !Number.isFinite(ms)) return null;
  const whole = Math.round(ms);
  return Number.isSafeInteger(whole) ? { kind: "interval", months: months + 0, ms: whole + 0 } : null;
}

/** n of a unit; fractions of months and years count as 30 days a month. */
export function intervalOf(count: number, unit: string): SqlInterval | null {
  const size = intervalUnit(unit);
  if (size === undefined) return null;
  const months = Math.trunc(count * size.months);
  return interval(months, count * size.ms + (count * size.months - months) * monthMs);
}

/** PT5S, P1DT2H, "5 SECOND", "1 day 2 hours", 0:0:5, 2021-1-1 0:0:5 (years-months-days h:m:s). */
export function parseInterval(text: string): SqlInterval | null {
  const trimmed = text.trim();
  return parseIsoInterval(trimmed) ?? parseClockInterval(trimmed) ?? parseWordInterval(trimmed);
}

function parseIsoInterval(text: string): SqlInterval | null {
  const match =
    /^([+-]?)P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)W)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+(?:\.\d+)?)S)?)?$/i.exec(
      text,
    );
  if (match === null || !/\d/.test(text)) return null;
  const part = (index: number): number => Number(match[index] ?? 0);
  const sign = match[1] === "-" ? -1 : 1;
  const days = part(4) * 7 + part(5);
  const ms = ((days * 24 + part(6)) * 60 + part(7)) * 60_000 + part(8) * 1000;
  return interval(sign * (part(2) * 12 + part(3)), sign * ms);
}

function parseClockInterval(text: string): SqlInterval | null {
  const match = /^(?:(\d+)-(\d+)-(\d+)\s+)?(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(text);
  if (match === null) return null;
  const part = (index: number): number => Number(match[index] ?? 0);
  const ms = part(3) * dayMs + (part(4) * 60 + part(5)) * 60_000 + part(6) * 1000;
  return interval(part(1) * 12 + part(2), ms);
}

function parseWordInterval(text: string): SqlInterval | null {
  if (!/^(?:[+-]?\d+(?:\.\d+)?\s*[A-Za-z]+\s*)+$/.test(text)) return null;
  let months = 0;
  let ms = 0;
  for (const [, count, unit] of text.matchAll(/([+-]?\d+(?:\.\d+)?)\s*([A-Za-z]+)/g)) {
    const one = intervalOf(Number(count), unit ?? "");
    if (one === null) return null;
    months += one.months;
    ms += one.ms;
  }
  return interval(months, ms);
}

/** ISO 8601: P1Y2M3DT4H5M6.789S; no length is PT0S. */
export function intervalText(value: SqlInterval): string {
  const years = Math.trunc(value.months / 12);
  const months = value.months % 12;
  const days = Math.trunc(value.ms / dayMs);
  let rest = value.ms % dayMs;
  const hours = Math.trunc(rest / 3_600_000);
  rest %= 3_600_000;
  const minutes = Math.trunc(rest / 60_000);
  const seconds = (rest % 60_000) / 1000;
  const part = (count: number, unit: string): string => (count === 0 ? "" : `${count}${unit}`);
  const date = part(years, "Y") + part(months, "M") + part(days, "D");
  const time = part(hours, "H") + part(minutes, "M") + part(seconds, "S");
  if (date === "" && time === "") return "PT0S";
  return `P${date}${time === "" ? "" : `T${time}`}`;
}

/** Milliseconds, a month counting as 30 days. */
export function intervalMs(value: SqlInterval): number {
  return value.months * monthMs + value.ms;
}

/** Calendar months first (the day cut to the month's last), then the milliseconds. */
export function addInterval(ms: number, value: SqlInterval, sign: 1 | -1): SqlTimestamp | null {
  let at = ms;
  if (value.months !== 0) {
    const date = new Date(ms);
    const month = date.getUTCMonth() + sign * value.months;
    const lastDay = new Date(Date.UTC(2000, 0, 1));
    lastDay.setUTCFullYear(date.getUTCFullYear(), month + 1, 0);
    const day = Math.min(date.getUTCDate(), lastDay.getUTCDate());
    date.setUTCFullYear(date.getUTCFullYear(), month, day);
    at = date.getTime();
  }
  const result = at + sign * value.ms;
  return Number.isFinite(result) ? timestamp(result) : null;
}
