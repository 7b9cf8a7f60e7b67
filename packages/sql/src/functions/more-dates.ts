import type { SqlInterval, SqlValue } from "../types/sql-value.js";
import { DATE, INTEGER, INTERVAL, STRING, TIMESTAMP } from "../types/types.js";
import { addInterval, dayMs, interval, timestamp } from "../values/calendar.js";
import { toFloat } from "../values/numbers.js";
import { must } from "@hstream/proto";
import { msOf, numberArg, textArg } from "./arguments.js";
import { define } from "./define.js";
import type { EvaluationContext, ScalarFunction, Signature } from "./function.js";
import { formatTime, parseTimeAs } from "./time-format.js";

const date = (ms: number): SqlValue => ({ kind: "date", days: Math.floor(ms / dayMs) });
const moment = (ms: number, context: EvaluationContext): SqlValue =>
  timestamp(ms) ?? context.error("TIMESTAMP out of range");

function utc(year: number, month: number, day = 1): number {
  const at = new Date(Date.UTC(2000, 0, 1));
  at.setUTCFullYear(year, month, day);
  return at.getTime();
}

/** Thursday decides to which year a week belongs (ISO 8601). */
function isoWeek(ms: number): { readonly year: number; readonly week: number } {
  const day = Math.floor(ms / dayMs);
  const thursday = day - ((((day + 3) % 7) + 7) % 7) + 3;
  const year = new Date(thursday * dayMs).getUTCFullYear();
  return { year, week: Math.floor((thursday * dayMs - utc(year, 0)) / (7 * dayMs)) + 1 };
}

const parts: ReadonlyMap<string, (ms: number) => number> = new Map([
  ["YEAR", (ms) => new Date(ms).getUTCFullYear()],
  ["QUARTER", (ms) => Math.floor(new Date(ms).getUTCMonth() / 3) + 1],
  ["MONTH", (ms) => new Date(ms).getUTCMonth() + 1],
  ["WEEK", (ms) => isoWeek(ms).week],
  ["ISOYEAR", (ms) => isoWeek(ms).year],
  ["DAY", (ms) => new Date(ms).getUTCDate()],
  ["DOW", (ms) => new Date(ms).getUTCDay()],
  ["ISODOW", (ms) => new Date(ms).getUTCDay() || 7],
  ["DOY", (ms) => Math.floor((ms - utc(new Date(ms).getUTCFullYear(), 0)) / dayMs) + 1],
  ["HOUR", (ms) => new Date(ms).getUTCHours()],
  ["MINUTE", (ms) => new Date(ms).getUTCMinutes()],
  ["SECOND", (ms) => new Date(ms).getUTCSeconds()],
  ["MILLISECOND", (ms) => new Date(ms).getUTCSeconds() * 1000 + new Date(ms).getUTCMilliseconds()],
  ["EPOCH", (ms) => Math.floor(ms / 1000)],
]);

/** DAYS, day and Day are DAY. */
function unitOf(text: string): string {
  const upper = text.toUpperCase();
  return parts.has(upper) ? upper : upper.replace(/S$/, "");
}

function partOf(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const [, value = null] = args;
  const unit = unitOf(textArg(args, 0));
  if (isInterval(value)) return intervalPart(unit, value) ?? context.error(`An INTERVAL has no ${unit}`);
  return parts.get(unit)?.(msOf(value)) ?? context.error(`There is no part ${unit} of a time`);
}

function isInterval(value: SqlValue): value is SqlInterval {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === "interval";
}

function intervalPart(unit: string, { months, ms }: SqlInterval): number | undefined {
  switch (unit) {
    case "YEAR":
      return Math.trunc(months / 12);
    case "MONTH":
      return months % 12;
    case "DAY":
      return Math.trunc(ms / dayMs);
    case "HOUR":
      return Math.trunc((ms % dayMs) / 3_600_000);
    case "MINUTE":
      return Math.trunc((ms % 3_600_000) / 60_000);
    case "SECOND":
      return Math.trunc((ms % 60_000) / 1000);
    case "EPOCH":
      return Math.trunc((months * 30 * dayMs + ms) / 1000);
    default:
      return undefined;
  }
}

const lengths: ReadonlyMap<string, number> = new Map([
  ["MILLISECOND", 1],
  ["SECOND", 1000],
  ["MINUTE", 60_000],
  ["HOUR", 3_600_000],
  ["DAY", dayMs],
  ["WEEK", 7 * dayMs],
]);

/** The start of the unit that a moment is in; weeks start on Monday. */
function truncated(unit: string, ms: number): number | undefined {
  const at = new Date(ms);
  if (unit === "YEAR") return utc(at.getUTCFullYear(), 0);
  if (unit === "QUARTER") return utc(at.getUTCFullYear(), Math.floor(at.getUTCMonth() / 3) * 3);
  if (unit === "MONTH") return utc(at.getUTCFullYear(), at.getUTCMonth());
  const length = lengths.get(unit);
  if (length === undefined) return undefined;
  // 1970-01-01 was a Thursday.
  const origin = unit === "WEEK" ? -3 * dayMs : 0;
  return Math.floor((ms - origin) / length) * length + origin;
}

/** Boundaries of the unit between two moments. */
function difference(unit: string, from: number, to: number): number | undefined {
  const months = (ms: number): number => new Date(ms).getUTCFullYear() * 12 + new Date(ms).getUTCMonth();
  if (unit === "YEAR") return new Date(to).getUTCFullYear() - new Date(from).getUTCFullYear();
  if (unit === "QUARTER") return Math.floor(months(to) / 3) - Math.floor(months(from) / 3);
  if (unit === "MONTH") return months(to) - months(from);
  const [a, b] = [truncated(unit, from), truncated(unit, to)];
  const length = lengths.get(unit);
  return a === undefined || b === undefined || length === undefined
    ? undefined
    : Math.round((b - a) / length);
}

function onDateOrTimestamp(evaluate: Signature["evaluate"], result: Signature["result"]): Signature[] {
  return [
    { parameters: ["timestamp"], result, evaluate },
    { parameters: ["date"], result, evaluate },
  ];
}

function part(
  name: string,
  unit: string,
  help: string,
  expected: string,
  aliases: readonly string[] = [],
): ScalarFunction {
  const evaluate: Signature["evaluate"] = ([value = null]) =>
    must(parts.get(unit), "a known part")(msOf(value));
  return {
    kind: "scalar",
    name,
    aliases,
    nulls: "strict",
    help,
    examples: [{ sql: `${name}(TIMESTAMP '2024-05-17T13:45:30Z')`, result: expected }],
    signatures: onDateOrTimestamp(evaluate, INTEGER),
  };
}

function bucket(args: readonly SqlValue[], context: EvaluationContext): SqlValue {
  const [length = null, at = null] = args;
  if (!isInterval(length)) return null;
  if (length.months !== 0) {
    if (length.ms !== 0 || length.months < 0)
      return context.error("TIME_BUCKET takes months or a length, not both");
    const when = new Date(msOf(at));
    const month = when.getUTCFullYear() * 12 + when.getUTCMonth();
    const start = Math.floor(month / length.months) * length.months;
    return moment(utc(Math.floor(start / 12), ((start % 12) + 12) % 12), context);
  }
  if (length.ms <= 0) return context.error("TIME_BUCKET takes a length above 0");
  return moment(Math.floor(msOf(at) / length.ms) * length.ms, context);
}

const seconds = (args: readonly SqlValue[], scale: number, context: EvaluationContext): SqlValue =>
  moment(Math.floor(toFloat(numberArg(args, 0)) * scale), context);

const lastDay: Signature["evaluate"] = ([value = null]) => {
  const at = new Date(msOf(value));
  return date(utc(at.getUTCFullYear(), at.getUTCMonth() + 1, 0));
};

function made(args: readonly SqlValue[], context: EvaluationContext): number | null {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = args.map((_, i) =>
    toFloat(numberArg(args, i)),
  );
  const start = utc(year, month - 1, day);
  const at = new Date(start);
  const real = at.getUTCMonth() === month - 1 && at.getUTCDate() === day && at.getUTCFullYear() === year;
  const clock = hour >= 0 && hour < 24 && minute >= 0 && minute < 60 && second >= 0 && second < 60;
  return real && clock
    ? start + (hour * 60 + minute) * 60_000 + Math.floor(second * 1000)
    : context.error("There is no such moment");
}

/** Parts, lengths and texts of moments, all in UTC. */
export const moreDateFunctions: readonly ScalarFunction[] = [
  {
    kind: "scalar",
    name: "DATE_PART",
    aliases: ["DATEPART"],
    nulls: "strict",
    help: "DATE_PART(part, x) or EXTRACT(part FROM x): YEAR, QUARTER, MONTH, WEEK, DAY, DOW, HOUR, EPOCH …",
    examples: [
      { sql: "DATE_PART('week', DATE '2024-12-30')", result: "1" },
      { sql: "EXTRACT(HOUR FROM TIMESTAMP '2024-05-17T13:45:30Z')", result: "13" },
      { sql: "EXTRACT(DAY FROM INTERVAL '2 days 3 hours')", result: "2" },
    ],
    signatures: (["timestamp", "date", "time", "interval"] as const).map((family) => ({
      parameters: ["string", family],
      result: INTEGER,
      evaluate: partOf,
    })),
  },
  {
    kind: "scalar",
    name: "DATE_TRUNC",
    nulls: "strict",
    help: "DATE_TRUNC(unit, x): the start of the YEAR, QUARTER, MONTH, WEEK (Monday), DAY, HOUR, MINUTE or SECOND.",
    examples: [
      { sql: "DATE_TRUNC('month', TIMESTAMP '2024-05-17T13:45:30Z')", result: "2024-05-01T00:00:00Z" },
      { sql: "DATE_TRUNC('week', DATE '2024-05-17')", result: "2024-05-13" },
    ],
    signatures: [
      {
        parameters: ["string", "timestamp"],
        result: TIMESTAMP,
        evaluate: (args, context) => {
          const unit = unitOf(textArg(args, 0));
          const at = truncated(unit, msOf(args[1]));
          return at === undefined ? context.error(`There is no unit ${unit}`) : moment(at, context);
        },
      },
      {
        parameters: ["string", "date"],
        result: DATE,
        evaluate: (args, context) => {
          const unit = unitOf(textArg(args, 0));
          const at = truncated(unit, msOf(args[1]));
          return at === undefined ? context.error(`There is no unit ${unit}`) : date(at);
        },
      },
    ],
  },
  {
    kind: "scalar",
    name: "DATE_DIFF",
    aliases: ["DATEDIFF"],
    nulls: "strict",
    help: "DATE_DIFF(unit, from, to): how many boundaries of the unit lie between two moments.",
    examples: [
      { sql: "DATE_DIFF('day', DATE '2024-01-31', DATE '2024-03-01')", result: "30" },
      { sql: "DATE_DIFF('year', DATE '2023-12-31', DATE '2024-01-01')", result: "1" },
    ],
    signatures: (["timestamp", "date"] as const).map((family) => ({
      parameters: ["string", family, family],
      result: INTEGER,
      evaluate: (args: readonly SqlValue[], context: EvaluationContext): SqlValue => {
        const unit = unitOf(textArg(args, 0));
        return difference(unit, msOf(args[1]), msOf(args[2])) ?? context.error(`There is no unit ${unit}`);
      },
    })),
  },
  {
    kind: "scalar",
    name: "DATE_ADD",
    nulls: "strict",
    help: "DATE_ADD(x, interval): x + interval; months keep the day, or take the last of the month.",
    examples: [
      {
        sql: "DATE_ADD(TIMESTAMP '2024-01-31T00:00:00Z', INTERVAL 1 MONTH)",
        result: "2024-02-29T00:00:00Z",
      },
    ],
    signatures: (["timestamp", "date"] as const).map((family) => ({
      parameters: [family, "interval"],
      result: TIMESTAMP,
      evaluate: (args: readonly SqlValue[], context: EvaluationContext): SqlValue => {
        const [, by = null] = args;
        if (!isInterval(by)) return null;
        return addInterval(msOf(args[0]), by, 1) ?? context.error("TIMESTAMP out of range");
      },
    })),
  },
  part("YEAR", "YEAR", "The year.", "2024"),
  part("QUARTER", "QUARTER", "The quarter, 1 to 4.", "2"),
  part("MONTH", "MONTH", "The month, 1 to 12.", "5"),
  part("WEEK", "WEEK", "The week of ISO 8601, 1 to 53.", "20", ["WEEKOFYEAR"]),
  part("DAY", "DAY", "The day of the month.", "17", ["DAYOFMONTH"]),
  part("DAYOFWEEK", "DOW", "The day of the week: 0 is Sunday.", "5"),
  part("DAYOFYEAR", "DOY", "The day of the year, from 1.", "138"),
  part("HOUR", "HOUR", "The hour, 0 to 23.", "13"),
  part("MINUTE", "MINUTE", "The minute.", "45"),
  part("SECOND", "SECOND", "The second.", "30"),
  part("EPOCH", "EPOCH", "Whole seconds since 1970.", "1715953530", ["TO_UNIXTIME"]),
  {
    kind: "scalar",
    name: "EPOCH_MS",
    nulls: "strict",
    help: "Milliseconds since 1970.",
    examples: [{ sql: "EPOCH_MS(TIMESTAMP '1970-01-01T00:00:01.5Z')", result: "1500" }],
    signatures: onDateOrTimestamp(([value = null]) => msOf(value), INTEGER),
  },
  {
    kind: "scalar",
    name: "LAST_DAY",
    nulls: "strict",
    help: "The last day of the month.",
    examples: [{ sql: "LAST_DAY(DATE '2024-02-10')", result: "2024-02-29" }],
    signatures: onDateOrTimestamp(lastDay, DATE),
  },
  define({
    name: "TO_TIMESTAMP",
    aliases: ["FROM_UNIXTIME"],
    parameters: ["number"],
    result: TIMESTAMP,
    evaluate: (args, context) => seconds(args, 1000, context),
    help: "The moment so many seconds after 1970 began.",
    examples: [["TO_TIMESTAMP(1.5)", "1970-01-01T00:00:01.500Z"]],
  }),
  define({
    name: "TIMESTAMP_MS",
    parameters: ["number"],
    result: TIMESTAMP,
    evaluate: (args, context) => seconds(args, 1, context),
    help: "The moment so many milliseconds after 1970 began.",
    examples: [["TIMESTAMP_MS(1500)", "1970-01-01T00:00:01.500Z"]],
  }),
  define({
    name: "MAKE_DATE",
    parameters: ["integer", "integer", "integer"],
    result: DATE,
    evaluate: (args, context) => {
      const ms = made(args, context);
      return ms === null ? null : date(ms);
    },
    help: "The DATE of year, month and day.",
    examples: [
      ["MAKE_DATE(2024, 2, 29)", "2024-02-29"],
      ["MAKE_DATE(2023, 2, 29)", "error"],
    ],
  }),
  define({
    name: "MAKE_TIMESTAMP",
    parameters: ["integer", "integer", "integer", "integer", "integer", "number"],
    result: TIMESTAMP,
    evaluate: (args, context) => {
      const ms = made(args, context);
      return ms === null ? null : moment(ms, context);
    },
    help: "The moment of year, month, day, hour, minute and second.",
    examples: [["MAKE_TIMESTAMP(2024, 1, 2, 3, 4, 5.5)", "2024-01-02T03:04:05.500Z"]],
  }),
  define({
    name: "MAKE_INTERVAL",
    parameters: ["number", "string"],
    result: INTERVAL,
    evaluate: (args, context) => {
      const unit = unitOf(textArg(args, 1));
      const count = toFloat(numberArg(args, 0));
      const months = unit === "YEAR" ? 12 : unit === "QUARTER" ? 3 : unit === "MONTH" ? 1 : undefined;
      const length = lengths.get(unit);
      const made =
        months !== undefined
          ? interval(Math.trunc(count * months), 0)
          : length !== undefined
            ? interval(0, count * length)
            : null;
      return made ?? context.error(`MAKE_INTERVAL: ${unit} is no unit, or the number is out of range`);
    },
    help: "MAKE_INTERVAL(n, unit): the INTERVAL of n units.",
    examples: [["MAKE_INTERVAL(90, 'minutes') = INTERVAL '1 hour 30 minutes'", "TRUE"]],
  }),
  define({
    name: "TIME_BUCKET",
    aliases: ["DATE_BIN"],
    parameters: ["interval", "timestamp"],
    result: TIMESTAMP,
    evaluate: bucket,
    help: "TIME_BUCKET(length, x): the start of the span of that length, counted from 1970, that x is in.",
    examples: [["TIME_BUCKET(INTERVAL 15 MINUTE, TIMESTAMP '2024-05-17T13:50:30Z')", "2024-05-17T13:45:00Z"]],
  }),
  {
    kind: "scalar",
    name: "STRFTIME",
    aliases: ["DATE_FORMAT"],
    nulls: "strict",
    help: "STRFTIME(x, format): the moment as text, as strftime has it.",
    examples: [{ sql: "STRFTIME(DATE '2024-05-17', '%d.%m.%Y')", result: "17.05.2024" }],
    signatures: (["timestamp", "date"] as const).map((family) => ({
      parameters: [family, "string"],
      result: STRING,
      evaluate: (args: readonly SqlValue[], context: EvaluationContext): SqlValue =>
        formatTime(msOf(args[0]), textArg(args, 1)) ?? context.error("STRFTIME: unknown format"),
    })),
  },
  define({
    name: "STRPTIME",
    aliases: ["PARSE_TIMESTAMP"],
    parameters: ["string", "string"],
    result: TIMESTAMP,
    evaluate: (args, context) => {
      const ms = parseTimeAs(textArg(args, 0), textArg(args, 1));
      return ms === null
        ? context.error("STRPTIME: the text does not have that format")
        : moment(ms, context);
    },
    help: "STRPTIME(text, format): the moment that the text writes.",
    examples: [["STRPTIME('17.05.2024', '%d.%m.%Y')", "2024-05-17T00:00:00Z"]],
  }),
  define({
    name: "CURRENT_DATE",
    aliases: ["TODAY"],
    parameters: [],
    result: DATE,
    volatile: true,
    evaluate: (_args, context) => date(context.nowMs),
    help: "The day of the running step's clock: TODAY().",
    examples: [["TODAY() > DATE '1960-01-01'", "TRUE"]],
  }),
];
