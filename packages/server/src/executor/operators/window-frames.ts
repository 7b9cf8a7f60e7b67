import { must, unreachable } from "@hstream/proto";
import {
  evaluateFunction,
  type FrameBound,
  scalarFunction,
  type SqlValue,
  type WindowFrame,
} from "@hstream/sql/runtime";
import type { Evaluation } from "../compile/evaluation.js";
import { compareSortKeys } from "./ordered-rows.js";
import type { CompiledSortKey } from "./sort.js";
import type { WindowPartition, WindowRow } from "./window-partition.js";

/** Of each row, the rows of its frame: from `starts` up to, not including, `ends`. Empty when start >= end. */
export interface Frames {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export function framesOf(frame: WindowFrame, partition: WindowPartition, evaluation: Evaluation): Frames {
  const count = partition.rows.length;
  const starts = boundsOf(frame.unit, frame.start, "start", partition, evaluation);
  const ends = boundsOf(frame.unit, frame.end, "end", partition, evaluation);
  for (let i = 0; i < count; i++) {
    starts[i] = Math.min(count, Math.max(0, starts[i] as number));
    ends[i] = Math.min(count, Math.max(0, ends[i] as number));
  }
  return { starts, ends };
}

/** Positions, an end one behind its last row. */
function boundsOf(
  unit: WindowFrame["unit"],
  bound: FrameBound,
  side: "start" | "end",
  partition: WindowPartition,
  evaluation: Evaluation,
): Int32Array {
  const { rows, peers, groups } = partition;
  const count = rows.length;
  const bounds = new Int32Array(count);
  switch (bound.kind) {
    case "unbounded-preceding":
      return bounds;
    case "unbounded-following":
      return bounds.fill(count);
    case "current-row":
    case "preceding":
    case "following":
      break;
    default:
      return unreachable(bound);
  }
  const sign = bound.kind === "preceding" ? -1 : 1;
  const offset = "offset" in bound ? bound.offset : 0;
  if (unit === "rows") {
    const distance = clamped(offset, count) * sign + (side === "end" ? 1 : 0);
    for (let i = 0; i < count; i++) bounds[i] = i + distance;
    return bounds;
  }
  if (unit === "groups" || bound.kind === "current-row") {
    const distance = clamped(offset, count) * sign + (side === "end" ? 1 : 0);
    let group = 0;
    for (let i = 0; i < count; i++) {
      if (i > 0 && peers[i] === i) group += 1;
      const at = group + distance;
      bounds[i] = at < 0 ? 0 : (groups[at] ?? count);
    }
    return bounds;
  }
  for (let i = 0; i < count; i++) {
    // Peers have the same frame.
    const peer = peers[i] as number;
    bounds[i] =
      peer < i ? (bounds[peer] as number) : byValue(i, bound.kind, offset, side, partition, evaluation);
  }
  return bounds;
}

function clamped(offset: SqlValue, count: number): number {
  return Math.min(count, Math.max(0, Math.floor(Number(offset))));
}

/** Where the rows begin, or end, whose sort key is within the offset of the row's own. */
function byValue(
  row: number,
  direction: "preceding" | "following",
  offset: SqlValue,
  side: "start" | "end",
  { rows, keys }: WindowPartition,
  evaluation: Evaluation,
): number {
  const [key] = keys as readonly [CompiledSortKey];
  const value = (rows[row] as WindowRow).keys[0] as SqlValue;
  const backwards = (direction === "preceding") !== key.descending;
  const operator = must(scalarFunction(backwards ? "-" : "+"), "arithmetic is in the table");
  // A NULL is near to NULLs only.
  const edge = value === null ? null : evaluateFunction(operator, [value, offset], evaluation);
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareSortKeys((rows[middle] as WindowRow).keys, [edge], [key]);
    if (side === "start" ? order < 0 : order <= 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
