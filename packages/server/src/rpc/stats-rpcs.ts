import {
  type GetStatsResponse,
  type HStreamApiServer,
  type StatError,
  type StatsIntervalVals,
  type StatType,
  type StatValue,
} from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { Handlers } from "./handlers.js";
import { type CounterKind, counterNames, type Statistics, streamSeriesNames } from "./statistics.js";

type StatsRpcs = Pick<
  HStreamApiServer,
  "getStats" | "perStreamTimeSeriesStats" | "perStreamTimeSeriesStatsAll"
>;

type StatCase = NonNullable<StatType["stat"]>["$case"];

const kinds: { readonly [kind in StatCase]: CounterKind } = {
  streamStat: "stream",
  subStat: "subscription",
  connStat: "connector",
  queryStat: "query",
  viewStat: "view",
  cacheStoreStat: "cache_store",
};

/** Counters since the start, and rates per second, of this node. */
export function statsRpcs(handlers: Handlers, streams: StreamCatalogue, statistics: Statistics): StatsRpcs {
  const ratesOf = (method: string, intervals: readonly number[]) =>
    intervals.map((windowMs) => statistics.rates("stream", method, windowMs) ?? new Map<string, number>());

  return {
    getStats: handlers.unary(async ({ stats }): Promise<GetStatsResponse> => {
      if (stats.length === 0) throw badStats("No statistics are asked for.");
      if (stats.length > limits.statsPerRequestMax) {
        throw badStats(
          `${stats.length} statistics are above statsPerRequestMax, ${limits.statsPerRequestMax}.`,
        );
      }
      const statsValues: StatValue[] = [];
      const errors: StatError[] = [];
      for (const statType of stats) {
        if (statType.stat === undefined) throw badStats("A statistic is asked for that has no kind.");
        const { $case, value } = statType.stat;
        const kind = kinds[$case];
        const name = counterNames[kind][value];
        const values =
          name === undefined ? undefined : await statistics.counters(kind, name, handlers.closing);
        if (values === undefined) {
          errors.push({ statType, message: `invalid stat type: ${$case} has no number ${value}` });
        } else {
          const statValues = new Map(
            [...values].map(([object, count]) => [object, BigInt(Math.round(count))]),
          );
          statsValues.push({ statType, statValues });
        }
      }
      return { statsValues, errors };
    }),

    perStreamTimeSeriesStats: handlers.unary(({ method, streamName, intervals }) => {
      const wanted = checkSeries(method, intervals);
      streams.get(streamName);
      if (wanted.length === 0) return {};
      return { stats: { vals: ratesOf(method, wanted).map((rates) => rates.get(streamName) ?? 0) } };
    }),

    perStreamTimeSeriesStatsAll: handlers.unary(({ method, intervals }) => {
      const wanted = checkSeries(method, intervals);
      const rates = ratesOf(method, wanted);
      const names = wanted.length === 0 ? [] : streams.list().map(({ name }) => name);
      return {
        stats: new Map(names.map((name) => [name, { vals: rates.map((each) => each.get(name) ?? 0) }])),
      };
    }),
  };
}

/** The intervals that are asked for, ms. */
function checkSeries(method: string, intervals: StatsIntervalVals | undefined): readonly number[] {
  if (!streamSeriesNames.includes(method)) {
    throw badStats(
      `${JSON.stringify(method.slice(0, 100))} is not a series: use ${streamSeriesNames.join(", ")}.`,
    );
  }
  const wanted = intervals?.intervals ?? [];
  const bad = wanted.find((interval) => interval <= 0);
  if (bad !== undefined) throw badStats(`${bad} is not an interval: milliseconds above 0.`);
  if (wanted.length <= limits.statsPerRequestMax) return wanted;
  throw badStats(`${wanted.length} intervals are above statsPerRequestMax, ${limits.statsPerRequestMax}.`);
}

function badStats(reason: string): HStreamError {
  return new HStreamError("InvalidStats", { reason });
}
