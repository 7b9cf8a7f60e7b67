import {
  type GetStatsResponse,
  type HStreamApiServer,
  type StatError,
  type StatType,
  type StatsIntervalVals,
} from "@hstream/proto";
import { HStreamError } from "../errors.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { Handlers } from "./handlers.js";

type StatsRpcs = Pick<
  HStreamApiServer,
  "getStats" | "perStreamTimeSeriesStats" | "perStreamTimeSeriesStatsAll"
>;

const seriesNames = new Set([
  "append_in_bytes",
  "appends",
  "append_in_records",
  "append_in_requests",
  "append_failed_requests",
]);

/** Statistics: what is asked for is checked; nothing is counted yet, and the answers say so. */
export function statsRpcs(handlers: Handlers, streams: StreamCatalogue): StatsRpcs {
  return {
    getStats: handlers.unary(({ stats }): GetStatsResponse => {
      if (stats.length === 0)
        throw new HStreamError("InvalidStats", { reason: "No statistics are asked for." });
      return { statsValues: [], errors: stats.map(errorFor) };
    }),
    perStreamTimeSeriesStats: handlers.unary(({ method, streamName, intervals }) => {
      checkSeries(method, intervals);
      streams.get(streamName);
      throw new HStreamError("Unimplemented", { what: `The series ${method}` });
    }),
    perStreamTimeSeriesStatsAll: handlers.unary(({ method, intervals }) => {
      checkSeries(method, intervals);
      throw new HStreamError("Unimplemented", { what: `The series ${method}` });
    }),
  };
}

function errorFor(statType: StatType): StatError {
  if (statType.stat === undefined) {
    throw new HStreamError("InvalidStats", { reason: "A statistic is asked for that has no kind." });
  }
  const { $case, value } = statType.stat;
  const known = { streamStat: 5, subStat: 8, connStat: 2, queryStat: 2, viewStat: 0, cacheStoreStat: 8 };
  const message =
    value >= 0 && value <= known[$case]
      ? "not counted by this server"
      : `invalid stat type: ${$case} has no number ${value}`;
  return { statType, message };
}

function checkSeries(method: string, intervals: StatsIntervalVals | undefined): void {
  if (!seriesNames.has(method)) {
    const reason = `${JSON.stringify(method.slice(0, 100))} is not a series: use ${[...seriesNames].join(", ")}.`;
    throw new HStreamError("InvalidStats", { reason });
  }
  const bad = intervals?.intervals.find((interval) => interval <= 0);
  if (bad === undefined) return;
  throw new HStreamError("InvalidStats", { reason: `${bad} is not an interval: milliseconds above 0.` });
}
