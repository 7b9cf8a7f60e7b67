import { type AdminArguments, valuesOf } from "./admin-arguments.js";
import { type AdminAnswer, failure, table } from "./admin-answer.js";
import { type CounterKind, counterKinds, type Statistics, type Values } from "./statistics.js";

/** The first column of a table: what the numbers belong to. */
const objectColumns = {
  stream: "stream_name",
  subscription: "subscription_id",
  handle: "handle_name",
  connector: "task_name",
  query: "query_name",
  view: "view_name",
  cache_store: "cache_store_name",
} as const;

const unitMs = { ms: 1, s: 1_000, min: 60_000, h: 3_600_000 } as const;
const usualIntervals = ["1min", "5min", "10min"];
const usualPercentiles = ["50", "75", "95", "99"];

/** `server stats CATEGORY NAME [-i INTERVAL]… [-p N]…` */
export async function statsAnswer(
  given: AdminArguments,
  statistics: Statistics,
  signal: AbortSignal,
): Promise<AdminAnswer> {
  const [category = "", name = ""] = given.values;
  const unknown = failure(`There is no statistic ${category} ${name}.`);
  if (category === "server_histogram") return histogramAnswer(given, name, statistics) ?? unknown;
  if (category.endsWith("_counter")) {
    const kind = counterKinds.find((each) => `${each}_counter` === category);
    const values = kind === undefined ? undefined : await statistics.counters(kind, name, signal);
    return kind === undefined || values === undefined ? unknown : columns(kind, [name], [values]);
  }
  if (category !== "stream" && category !== "subscription" && category !== "handle") return unknown;
  const asked = valuesOf(given, ["-i", "--intervals"]).flatMap((text) => text.split(","));
  const intervals = asked.length === 0 ? usualIntervals : asked;
  const series: Values[] = [];
  for (const interval of intervals) {
    const windowMs = intervalMs(interval);
    if (windowMs === undefined) return failure(`${interval} is not an interval: use 500ms, 10s, 1min or 1h.`);
    const rates = statistics.rates(category, name, windowMs);
    if (rates === undefined) return unknown;
    series.push(rates);
  }
  return columns(
    category,
    intervals.map((interval) => `${name}_${interval}`),
    series,
  );
}

/** A row for each object, with its whole numbers as text. */
function columns(
  kind: CounterKind | "handle",
  headers: readonly string[],
  series: readonly Values[],
): AdminAnswer {
  const objects = [...(series[0]?.keys() ?? [])];
  const rows = objects.map((object) => [
    object,
    ...series.map((values) => String(Math.floor(values.get(object) ?? 0))),
  ]);
  return table([objectColumns[kind], ...headers], rows);
}

function histogramAnswer(
  given: AdminArguments,
  name: string,
  statistics: Statistics,
): AdminAnswer | undefined {
  const histogram = statistics.histogram(name);
  if (histogram === undefined) return undefined;
  const asked = valuesOf(given, ["-p", "--percentiles"]).flatMap((text) => text.split(","));
  const percentiles = (asked.length === 0 ? usualPercentiles : asked).map((text) => text.replace(/^p/, ""));
  const bad = percentiles.find((text) => !(Number(text) > 0 && Number(text) <= 100));
  if (bad !== undefined) return failure(`${bad} is not a percentile: above 0 and at most 100.`);
  // Whole microseconds, as the official tools show them.
  const cells = percentiles.map((text) => String(Math.round(histogram.quantile(Number(text) / 100) * 1_000)));
  return table(
    percentiles.map((text) => `p${text}`),
    [cells],
  );
}

function intervalMs(text: string): number | undefined {
  const [, digits, unit] = /^([1-9]\d{0,6})(ms|s|min|h)$/.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * unitMs[unit as keyof typeof unitMs];
}
