import type { Meter } from "../../metrics/meter.js";
import type { Meters } from "../../metrics/meters.js";
import { float, type SystemColumn } from "./system-table.js";

/** A row of a table of rates: an object, its meter if it has had traffic, and the moment of asking. */
export interface Rated<Lane extends string> {
  readonly meter: Meter<Lane> | undefined;
  readonly nowMs: number;
}

const minuteMs = 60_000;

export function rated<Lane extends string>(meters: Meters<Lane>, id: string, nowMs: number): Rated<Lane> {
  return { meter: meters.find(id), nowMs };
}

/** Columns `<prefix>_1min`, `<prefix>_5min`, …: what a lane counts per second. `what`: "Bytes appended". */
export function rateColumns<Lane extends string, Row extends Rated<Lane>>(
  prefix: string,
  what: string,
  lane: Lane,
  minutes: readonly number[],
): SystemColumn<Row>[] {
  return minutes.map((count) => {
    const window = count === 1 ? "minute" : `${count} minutes`;
    const help = `${what} per second over the last ${window}.`;
    const rate = ({ meter, nowMs }: Row) => meter?.rate(lane, count * minuteMs, nowMs) ?? 0;
    return float(`${prefix}_${count}min`, help, rate);
  });
}
