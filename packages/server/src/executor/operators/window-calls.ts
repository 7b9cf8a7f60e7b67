import { must } from "@hstream/proto";
import {
  type AggregateImplementation,
  aggregateImplementation,
  type SqlValue,
  type WindowCall,
} from "@hstream/sql/runtime";
import type { Evaluation } from "../compile/evaluation.js";
import { type Frames, framesOf } from "./window-frames.js";
import type { WindowPartition, WindowRow } from "./window-partition.js";

/** A call with the place of its arguments' values in a row. */
export interface PlacedCall {
  readonly call: WindowCall;
  readonly index: number;
}

/** The results of a window function for all rows of a partition. */
export function callResults(
  { call, index }: PlacedCall,
  partition: WindowPartition,
  evaluation: Evaluation,
): SqlValue[] {
  const { rows, peers, groups } = partition;
  const count = rows.length;
  const results: SqlValue[] = new Array<SqlValue>(count).fill(null);
  const argument = (row: number, position: number): SqlValue =>
    (rows[row] as WindowRow).args[index]?.[position] ?? null;
  switch (call.function) {
    case "ROW_NUMBER":
      for (let i = 0; i < count; i++) results[i] = i + 1;
      return results;
    case "RANK":
      for (let i = 0; i < count; i++) results[i] = (peers[i] as number) + 1;
      return results;
    case "DENSE_RANK":
      forEachPeer(groups, count, (i, group) => {
        results[i] = group + 1;
      });
      return results;
    case "PERCENT_RANK":
      for (let i = 0; i < count; i++) results[i] = count === 1 ? 0 : (peers[i] as number) / (count - 1);
      return results;
    case "CUME_DIST":
      forEachPeer(groups, count, (i, group) => {
        results[i] = (groups[group + 1] ?? count) / count;
      });
      return results;
    case "NTILE":
      for (let i = 0; i < count; i++) results[i] = tile(i, count, argument(i, 0), evaluation);
      return results;
    case "LAG":
    case "LEAD":
      for (let i = 0; i < count; i++) {
        const offset = call.args.length > 1 ? argument(i, 1) : 1;
        if (offset === null || !Number.isSafeInteger(offset)) continue;
        const distance = Number(offset) * (call.function === "LAG" ? -1 : 1);
        const at = call.ignoreNulls
          ? skippingNulls(i, distance, count, (row) => argument(row, 0) === null)
          : i + distance;
        if (at >= 0 && at < count) results[i] = argument(at, 0);
        else if (call.args.length > 2) results[i] = argument(i, 2);
      }
      return results;
    case "FIRST_VALUE":
    case "LAST_VALUE":
    case "NTH_VALUE": {
      const frames = framesOf(call.frame, partition, evaluation);
      for (let i = 0; i < count; i++) {
        const at = inFrame(call, i, frames, argument);
        if (at >= 0) results[i] = argument(at, 0);
      }
      return results;
    }
    default:
      return aggregateResults(call, index, partition, evaluation);
  }
}

function forEachPeer(
  groups: readonly number[],
  count: number,
  visit: (row: number, group: number) => void,
): void {
  for (let group = 0; group < groups.length; group++) {
    const end = groups[group + 1] ?? count;
    for (let i = groups[group] as number; i < end; i++) visit(i, group);
  }
}

/** The first `count % tiles` tiles have one row more. */
function tile(row: number, count: number, tiles: SqlValue, evaluation: Evaluation): SqlValue {
  if (typeof tiles !== "number" || !Number.isSafeInteger(tiles)) return null;
  if (tiles < 1) return evaluation.error("NTILE needs a number of 1 or more");
  const size = Math.floor(count / tiles);
  const larger = count % tiles;
  if (row < larger * (size + 1)) return Math.floor(row / (size + 1)) + 1;
  return larger + Math.floor((row - larger * (size + 1)) / size) + 1;
}

/** The row `distance` rows away, rows that are NULL not counted; outside of the partition when there is none. */
function skippingNulls(
  from: number,
  distance: number,
  count: number,
  isNull: (row: number) => boolean,
): number {
  if (distance === 0) return from;
  const step = Math.sign(distance);
  let left = Math.abs(distance);
  for (let at = from + step; at >= 0 && at < count; at += step) {
    if (!isNull(at)) left -= 1;
    if (left === 0) return at;
  }
  return -1;
}

/** The row of the frame that FIRST_VALUE, LAST_VALUE, NTH_VALUE mean; -1: none. */
function inFrame(
  call: WindowCall,
  row: number,
  frames: Frames,
  argument: (row: number, position: number) => SqlValue,
): number {
  const start = frames.starts[row] as number;
  const end = frames.ends[row] as number;
  const nth = call.function === "NTH_VALUE" ? argument(row, 1) : 1;
  if (typeof nth !== "number" || nth < 1) return -1;
  const backwards = call.function === "LAST_VALUE";
  if (!call.ignoreNulls) {
    const at = backwards ? end - 1 : start + nth - 1;
    return at >= start && at < end ? at : -1;
  }
  let left = nth;
  for (let i = 0; i < end - start; i++) {
    const at = backwards ? end - 1 - i : start + i;
    if (argument(at, 0) !== null) left -= 1;
    if (left === 0) return at;
  }
  return -1;
}

/** Aggregates for which a row may be taken out at the front without regard to the order of the others. */
const orderless = new Set(["COUNT", "SUM", "AVG", "MEAN", "MIN", "MAX"]);

function aggregateResults(
  call: WindowCall,
  index: number,
  partition: WindowPartition,
  evaluation: Evaluation,
): SqlValue[] {
  const implementation: AggregateImplementation = must(
    aggregateImplementation(call.function, call.distinct, call.type),
    () => `aggregate ${call.function} is in the table`,
  );
  const { rows } = partition;
  const frames = framesOf(call.frame, partition, evaluation);
  const slides = frames.starts.some((start) => start > 0);
  const results: SqlValue[] = [];
  let state = implementation.create(!slides);
  let from = 0;
  let to = 0;
  const change = (row: number, weight: 1 | -1): void => {
    const { args, filters } = rows[row] as WindowRow;
    if (filters[index] !== false) implementation.add(state, args[index] ?? [], weight, evaluation);
  };
  for (let i = 0; i < rows.length; i++) {
    const start = frames.starts[i] as number;
    const end = Math.max(start, frames.ends[i] as number);
    const startsAnew =
      start < from || end < to || start >= to || (start > from && !orderless.has(call.function));
    if (startsAnew && (from !== start || to !== end)) {
      state = implementation.create(!slides);
      from = start;
      to = start;
    }
    for (; to < end; to++) change(to, 1);
    for (; from < start; from++) change(from, -1);
    results.push(implementation.result(state, evaluation));
  }
  return results;
}
