import { must } from "@hstream/proto";
import type { Closing, JoinType } from "@hstream/sql/runtime";
import {
  type ChangeBatch,
  type Column,
  columnOfValues,
  isNull,
  neverNull,
  originsOf,
  selectColumnOrNull,
  selectInt32,
  weightAt,
} from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import type { LateRecords } from "../decode/diverted.js";
import { millisecondsOf } from "./assign-windows.js";
import { ClosingGroups } from "./closing-groups.js";
import { selectTrue } from "./filter.js";
import { GroupTable } from "./group-table.js";
import { JoinSide } from "./join-side.js";
import type { Operator, Output, Progress } from "./operator.js";
import { TimeHeap } from "./time-heap.js";

export interface CompiledJoinKey {
  readonly left: CompiledExpression;
  readonly right: CompiledExpression;
  readonly nullsEqual: boolean;
}

export interface JoinOptions {
  readonly type: JoinType;
  /** Number of columns of each side. */
  readonly leftWidth: number;
  readonly rightWidth: number;
  readonly leftAppendOnly: boolean;
  readonly rightAppendOnly: boolean;
  /** Changes of the right side are remembered and give nothing. */
  readonly lookup: boolean;
  /** Finite inputs: rows without a partner are given at the end, so that none is taken back. */
  readonly atEnd: boolean;
  /** The key that closes its rows. */
  readonly closes?: Closing;
  /** Rows without a partner are given when they close. */
  readonly final?: boolean;
}

/** WITHIN: the operator lets go of rows when no partner can come any more. */
export interface JoinBounds {
  readonly ms: number;
  /** Of left and right rows. */
  readonly times: readonly [CompiledExpression, CompiledExpression];
  /** Just before the row; undefined where none is late. */
  readonly watermarks: readonly (CompiledExpression | undefined)[];
  /** Of a side that takes rows back, the column that its watermark is: a deletion comes at another than its row. */
  readonly judged: readonly (number | undefined)[];
  readonly late: LateRecords;
}

/** A batch that is being joined, and how far. */
interface Work {
  /** Without what is no part of the rows. */
  readonly batch: ChangeBatch;
  readonly port: 0 | 1;
  /** Number of each row's join key; -1: no partner is possible. */
  readonly keys: Int32Array;
  readonly identities: Int32Array | undefined;
  /** Of a join WITHIN; NaN where the row is too late. */
  readonly times: Float64Array | undefined;
  row: number;
  /** The candidate of the row that is next; -2: the row is new. */
  candidate: number;
  /** Weight of the partners that the row has been found to have. */
  partners: number;
}

const newRow = -2;
/** Join keys that no row has any more are swept out once there are more of them than this, and than others. */
const deadKeysKept = 1024;

/**
 * Job: pairs of rows of two inputs with equal keys for which the residual is TRUE, and rows without
 * partner, as the type of the join has it. A change on one side meets the rows that the other side has at
 * that moment (the symmetric hash join), so that between any two changes of the input the output is the
 * join of the inputs so far.
 * State: each side's rows in chains by key; of rows whose partners count (those of a preserved side, the
 * left ones of semi and anti), the partners' weight.
 * Invariant: a padded row (a row of anti) stands exactly while the weight of its partners is 0.
 *
 * WITHIN a time, a row is let go of when the watermark has passed its time and the bound, and is padded then, once,
 * if it has no partner. Where a window's bound is a key, the rows go when the window closes.
 */
export class JoinOperator implements Operator {
  readonly name: string;
  readonly #options: JoinOptions;
  readonly #joinKeys: readonly CompiledJoinKey[];
  readonly #residual: CompiledExpression | undefined;
  readonly #evaluation: Evaluation;
  readonly #sides: readonly [JoinSide, JoinSide];
  readonly #keys: GroupTable;
  /** Whether rows of that side without a partner are given: padded, or those of anti. */
  readonly #pads: readonly [boolean, boolean];
  readonly #leftOnly: boolean;
  readonly #counted: readonly [boolean, boolean];
  #work: Work | undefined;
  readonly #bounds: JoinBounds | undefined;
  /** Of each side, rows by their times. */
  readonly #heaps = [new TimeHeap(), new TimeHeap()] as const;
  readonly #closing: ClosingGroups;
  /** Next stored row to be looked at by `finish`, of both sides in turn. */
  #finishing = 0;

  constructor(
    name: string,
    keys: readonly CompiledJoinKey[],
    residual: CompiledExpression | undefined,
    options: JoinOptions,
    evaluation: Evaluation,
    bounds?: JoinBounds,
  ) {
    this.name = name;
    this.#bounds = options.atEnd ? undefined : bounds;
    this.#closing = new ClosingGroups(options.closes?.offsetMs ?? 0);
    this.#joinKeys = keys;
    this.#residual = residual;
    this.#options = options;
    this.#evaluation = evaluation;
    const { type, leftWidth, rightWidth, leftAppendOnly, rightAppendOnly, lookup } = options;
    this.#leftOnly = type === "semi" || type === "anti";
    this.#pads = [type === "left" || type === "full" || type === "anti", type === "right" || type === "full"];
    this.#counted = [(this.#pads[0] || this.#leftOnly) && !lookup, this.#pads[1]];
    this.#sides = [
      new JoinSide(leftWidth, { appendOnly: leftAppendOnly, counted: this.#counted[0] }),
      new JoinSide(rightWidth, { appendOnly: rightAppendOnly, counted: this.#counted[1] }),
    ];
    this.#keys = new GroupTable(keys.length);
  }

  process(given: ChangeBatch, port: number, out: Output): Progress {
    const work = this.#work ?? this.#begin(given, port === 0 ? 0 : 1);
    this.#work = work;
    const { batch } = work;
    const max = Math.max(1, this.#evaluation.stepRowsMax >> 1);
    const candidates = this.#candidates(batch, work, max);
    const passed = this.#passed(batch, work, candidates);
    const result = new Entries(2 * candidates.count + candidates.ends.length);
    this.#pair(batch, work, candidates, passed, result);
    if (result.count > 0) out(this.#build(batch, work.port, result));
    if (work.row < batch.rowCount) return "more";
    this.#work = undefined;
    return "done";
  }

  advance(watermarkMs: number, out: Output): Progress {
    const bounds = this.#bounds;
    let left = this.#evaluation.stepRowsMax;
    if (bounds !== undefined) {
      for (const port of [0, 1] as const) {
        const heap = this.#heaps[port];
        const side = this.#sides[port];
        // A row that went and came again has more than one place in the heap.
        const padded = new Set<number>();
        while (heap.first + bounds.ms < watermarkMs && left > 0) {
          const row = heap.take();
          if (this.#pads[port] && side.weight(row) > 0 && side.partners(row) <= 0) {
            padded.add(row);
            left -= 1;
          } else side.remove(row);
        }
        this.#pad(port, [...padded], out);
        for (const row of padded) side.remove(row);
      }
      return left > 0 ? "done" : "more";
    }
    for (let keys = this.#closing.take(watermarkMs); keys !== undefined; ) {
      for (const key of keys) left -= this.#close(key, out);
      if (left <= 0) return "more";
      keys = this.#closing.take(watermarkMs);
    }
    return "done";
  }

  /** No row of the key can change; how many rows were given. */
  #close(key: number, out: Output): number {
    let given = 0;
    for (const port of [0, 1] as const) {
      const side = this.#sides[port];
      if (this.#pads[port] && this.#defers(port)) {
        const padded: number[] = [];
        for (let row = side.first(key); row >= 0; row = side.next(row)) {
          if (side.weight(row) > 0 && side.partners(row) <= 0) padded.push(row);
        }
        this.#pad(port, padded, out);
        given += padded.length;
      }
    }
    for (const side of this.#sides) side.removeKey(key);
    return given;
  }

  #pad(port: 0 | 1, rows: readonly number[], out: Output): void {
    if (rows.length === 0) return;
    const result = new Entries(rows.length);
    for (const row of rows) result.add(-1, row, this.#sides[port].weight(row));
    // As in finish.
    out(this.#build(undefined, port === 0 ? 1 : 0, result));
  }

  endStep(): Progress {
    const [left, right] = this.#sides;
    if (this.#keys.count > deadKeysKept && this.#keys.count > 2 * (left.count + right.count))
      this.#sweepKeys();
    for (const side of this.#sides) if (side.sweepIsDue) this.#sweepKeys();
    return "done";
  }

  finish(out: Output): Progress {
    if (!this.#options.atEnd) return "done";
    const [left, right] = this.#sides;
    const rowsMax = this.#evaluation.stepRowsMax;
    for (const [port, side] of this.#sides.entries()) {
      if (this.#pads[port] !== true || !this.#defers(port)) continue;
      const base = port === 0 ? 0 : left.count;
      if (this.#finishing >= base + side.count) continue;
      const result = new Entries(rowsMax);
      const end = Math.min(side.count, this.#finishing - base + rowsMax);
      for (let row = Math.max(0, this.#finishing - base); row < end; row++) {
        if (side.weight(row) > 0 && side.partners(row) <= 0) result.add(-1, row, side.weight(row));
      }
      this.#finishing = base + end;
      // The stored rows are those of `port`, so the batch would be of the other side.
      if (result.count > 0) out(this.#build(undefined, port === 0 ? 1 : 0, result));
      return "more";
    }
    this.#finishing = left.count + right.count;
    return "done";
  }

  stateBytes(): number {
    const times = this.#heaps[0].bytes() + this.#heaps[1].bytes() + this.#closing.bytes();
    return this.#sides[0].bytes() + this.#sides[1].bytes() + this.#keys.bytes() + times;
  }

  save(writer: StateWriter): void {
    this.#keys.save(writer);
    for (const side of this.#sides) side.save(writer);
  }

  load(reader: StateReader): void {
    this.#keys.load(reader);
    for (const side of this.#sides) side.load(reader);
    this.#renumbered();
  }

  /** Whether rows without partner wait for the end. */
  #defers(port: number): boolean {
    const { atEnd, final } = this.#options;
    const waits = atEnd || final === true || this.#bounds !== undefined;
    return waits && this.#counted[port] === true;
  }

  #begin(batch: ChangeBatch, port: 0 | 1): Work {
    const columns = this.#joinKeys.map((key) =>
      (port === 0 ? key.left : key.right).evaluate(batch, this.#evaluation),
    );
    const known = this.#keys.count;
    const keys = this.#keys.groupsOf(columns, batch.rowCount);
    this.#noteClosing(known);
    const times = this.#timesOf(batch, port);
    if (times !== undefined) {
      for (let row = 0; row < batch.rowCount; row++) if (Number.isNaN(times[row])) keys[row] = -1;
    }
    for (const [i, column] of columns.entries()) {
      if (this.#joinKeys[i]?.nullsEqual === true || neverNull(column)) continue;
      for (let row = 0; row < batch.rowCount; row++) if (isNull(column, row)) keys[row] = -1;
    }
    const rows = this.#withoutWatermark(batch, port);
    const identities = this.#stores(port) ? this.#sides[port].identify(rows) : undefined;
    return { batch: rows, port, keys, identities, times, row: 0, candidate: newRow, partners: 0 };
  }

  #withoutWatermark(batch: ChangeBatch, port: 0 | 1): ChangeBatch {
    const judged = this.#bounds?.judged[port];
    if (judged === undefined) return batch;
    const none: Column = { kind: "any", values: new Array<null>(batch.rowCount).fill(null) };
    return { ...batch, columns: batch.columns.map((column, i) => (i === judged ? none : column)) };
  }

  /** Of a join WITHIN; rows that are too late have none, and are diverted. */
  #timesOf(batch: ChangeBatch, port: 0 | 1): Float64Array | undefined {
    const bounds = this.#bounds;
    if (bounds === undefined) return undefined;
    const { rowCount } = batch;
    const times = Float64Array.from(
      millisecondsOf(bounds.times[port].evaluate(batch, this.#evaluation), rowCount),
    );
    const watermark = bounds.watermarks[port];
    const before =
      watermark === undefined
        ? undefined
        : millisecondsOf(watermark.evaluate(batch, this.#evaluation), rowCount);
    for (let row = 0; row < rowCount; row++) {
      if (Number.isNaN(times[row])) bounds.late.add("no-time", batch.origins?.[row]);
      else if (before !== undefined && (times[row] as number) < (before[row] as number)) {
        bounds.late.add("late", batch.origins?.[row]);
        times[row] = Number.NaN;
      }
    }
    return times;
  }

  #noteClosing(from: number): void {
    const { closes } = this.#options;
    if (closes === undefined) return;
    for (let key = from; key < this.#keys.count; key++)
      this.#closing.add(this.#keys.key(key, closes.index), key);
  }

  /** The rows of both sides have other numbers, and the keys. */
  #renumbered(): void {
    this.#closing.clear();
    this.#noteClosing(0);
    const bounds = this.#bounds;
    if (bounds === undefined) return;
    for (const port of [0, 1] as const) {
      const side = this.#sides[port];
      const rows = { rowCount: side.count, columns: side.columns(), weights: undefined, updates: undefined };
      const times = millisecondsOf(bounds.times[port].evaluate(rows, this.#evaluation), side.count);
      const heap = this.#heaps[port];
      heap.clear();
      for (let row = 0; row < side.count; row++) {
        if (side.weight(row) !== 0) heap.add(times[row] as number, row);
      }
    }
  }

  #stores(port: 0 | 1): boolean {
    return port === 1 || !this.#options.lookup;
  }

  /** Pairs with equal keys, from where `work` stands, at most `max`; moves `work` on. */
  #candidates(batch: ChangeBatch, work: Work, max: number): Candidates {
    const other = this.#sides[work.port === 0 ? 1 : 0];
    const probes = !(this.#options.lookup && work.port === 1);
    const { keys } = work;
    const from = work.row;
    const candidates: Candidates = {
      from,
      count: 0,
      rows: new Int32Array(max),
      stored: new Int32Array(max),
      ends: [],
    };
    const { rows, stored, ends } = candidates;
    let count = 0;
    let row = from;
    for (; row < batch.rowCount && ends.length < max; row++) {
      const key = keys[row] as number;
      let at = work.candidate;
      if (at === newRow) at = key < 0 || !probes ? -1 : other.first(key);
      while (at >= 0 && count < max) {
        if (other.weight(at) !== 0) {
          rows[count] = row;
          stored[count] = at;
          count += 1;
        }
        at = other.next(at);
      }
      if (at >= 0) {
        work.candidate = at;
        break;
      }
      work.candidate = newRow;
      ends.push(count);
    }
    work.row = row;
    candidates.count = count;
    return candidates;
  }

  /** Of each candidate, 1 when the residual is TRUE; undefined: all are. */
  #passed(batch: ChangeBatch, work: Work, candidates: Candidates): Uint8Array | undefined {
    if (this.#residual === undefined || candidates.count === 0) return undefined;
    const { rows, stored, count } = candidates;
    const other = this.#sides[work.port === 0 ? 1 : 0];
    const weights = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      weights[i] = weightAt(batch, rows[i] as number) * other.weight(stored[i] as number);
    }
    const pairs = {
      rowCount: count,
      columns: this.#columns(batch, work.port, rows, stored, count),
      weights,
      updates: undefined,
    };
    const selected = new Int32Array(count);
    const selectedCount = selectTrue(this.#residual, pairs, this.#evaluation, selected);
    const passed = new Uint8Array(count);
    for (let i = 0; i < selectedCount; i++) passed[selected[i] as number] = 1;
    return passed;
  }

  /** Goes through the rows in order: gives the pairs and what comes and goes with them, keeps the rows. */
  #pair(
    batch: ChangeBatch,
    work: Work,
    { from, rows, stored, count, ends }: Candidates,
    passed: Uint8Array | undefined,
    result: Entries,
  ): void {
    const port = work.port;
    const other = this.#sides[port === 0 ? 1 : 0];
    const otherCounted = this.#counted[port === 0 ? 1 : 0];
    let at = 0;
    for (let i = 0; i < ends.length; i++) {
      const row = from + i;
      const end = ends[i] as number;
      const weight = weightAt(batch, row);
      for (; at < end; at++) {
        if (passed !== undefined && passed[at] === 0) continue;
        const partner = stored[at] as number;
        const partnerWeight = other.weight(partner);
        work.partners += partnerWeight;
        if (otherCounted) this.#countPartner(port, row, partner, weight, result);
        else if (!this.#leftOnly) result.add(row, partner, weight * partnerWeight);
      }
      this.#endRow(batch, work, row, weight, result);
      work.partners = 0;
    }
    for (; at < count; at++) {
      if (passed !== undefined && passed[at] === 0) continue;
      const row = rows[at] as number;
      const partner = stored[at] as number;
      const partnerWeight = other.weight(partner);
      work.partners += partnerWeight;
      if (otherCounted) this.#countPartner(port, row, partner, weightAt(batch, row), result);
      else if (!this.#leftOnly) result.add(row, partner, weightAt(batch, row) * partnerWeight);
    }
  }

  /** A stored row gets or loses partners. */
  #countPartner(port: 0 | 1, row: number, partner: number, weight: number, result: Entries): void {
    const otherPort = port === 0 ? 1 : 0;
    const other = this.#sides[otherPort];
    const partnerWeight = other.weight(partner);
    const before = other.partners(partner);
    const after = before + weight;
    other.setPartners(partner, after);
    const found = before <= 0 && after > 0;
    const lost = before > 0 && after <= 0;
    const pads = this.#pads[otherPort] && !this.#defers(otherPort);
    if (this.#leftOnly) {
      const sign = this.#options.type === "semi" ? 1 : -1;
      if (sign === 1 || pads) {
        if (found) result.add(-1, partner, sign * partnerWeight);
        if (lost) result.add(-1, partner, -sign * partnerWeight);
      }
      return;
    }
    if (found && pads) result.add(-1, partner, -partnerWeight);
    result.add(row, partner, weight * partnerWeight);
    if (lost && pads) result.add(-1, partner, partnerWeight);
  }

  /** All partners of a row of the batch are known. */
  #endRow(batch: ChangeBatch, work: Work, row: number, weight: number, result: Entries): void {
    const { port, times } = work;
    if (times !== undefined && Number.isNaN(times[row])) return;
    const key = work.keys[row] as number;
    const gives = !(this.#options.lookup && port === 1);
    if (port === 0 && this.#options.type === "semi") {
      if (work.partners > 0) result.add(row, -1, weight);
    } else if (gives && this.#pads[port] && work.partners <= 0 && (key < 0 || !this.#defers(port))) {
      result.add(row, -1, weight);
    }
    // A row that cannot have partners is not looked for.
    if (key < 0 || !this.#stores(port)) return;
    const side = this.#sides[port];
    const number = side.add(batch, row, work.identities?.[row], key, weight);
    if (this.#counted[port]) side.setPartners(number, work.partners);
    if (times !== undefined) this.#heaps[port].add(times[row] as number, number);
  }

  #build(
    batch: ChangeBatch | undefined,
    port: 0 | 1,
    { count, rows, stored, weights, plain }: Entries,
  ): ChangeBatch {
    return {
      rowCount: count,
      columns: this.#columns(batch, port, rows, stored, count, this.#leftOnly),
      weights: plain ? undefined : weights.subarray(0, count),
      updates: undefined,
      // Of a look-up each row is still that of a record, for which a window may be closed.
      ...originsOf(this.#options.lookup && port === 0 ? selectInt32(batch?.origins, rows, count) : undefined),
    };
  }

  /** Left columns, then right ones, of pairs of a row of the batch and a stored row; -1: NULLs. */
  #columns(
    batch: ChangeBatch | undefined,
    port: 0 | 1,
    rows: Int32Array,
    stored: Int32Array,
    count: number,
    leftOnly = false,
  ): Column[] {
    const own = (width: number): Column[] =>
      Array.from(
        { length: width },
        (_, i): Column =>
          batch === undefined
            ? columnOfValues(new Array<null>(count).fill(null))
            : selectColumnOrNull(must(batch.columns[i], "a batch has its columns"), rows, count),
      );
    const others = (side: JoinSide, width: number): Column[] =>
      Array.from({ length: width }, (_, i) => side.column(i, stored, count));
    const { leftWidth, rightWidth } = this.#options;
    // An entry of semi and anti is a row of the batch (of the left) or a stored one (when it is the right's).
    if (leftOnly) return port === 0 ? own(leftWidth) : others(this.#sides[0], leftWidth);
    return port === 0
      ? [...own(leftWidth), ...others(this.#sides[1], rightWidth)]
      : [...others(this.#sides[0], leftWidth), ...own(rightWidth)];
  }

  /** Numbers the keys and rows that are there anew. */
  #sweepKeys(): void {
    const used = new Uint8Array(this.#keys.count);
    for (const side of this.#sides) side.markKeys(used);
    const live: number[] = [];
    for (let key = 0; key < used.length; key++) if (used[key] === 1) live.push(key);
    const columns = this.#joinKeys.map((_, column): Column => {
      return columnOfValues(live.map((key) => this.#keys.key(key, column)));
    });
    this.#keys.clear();
    this.#keys.groupsOf(columns, live.length);
    const numbers = new Int32Array(used.length);
    if (this.#joinKeys.length > 0) for (const [number, key] of live.entries()) numbers[key] = number;
    for (const side of this.#sides) side.sweep((key) => numbers[key] as number);
    this.#renumbered();
  }
}

interface Candidates {
  /** First row that is among them. */
  readonly from: number;
  count: number;
  readonly rows: Int32Array;
  readonly stored: Int32Array;
  /** Of each row from `from` on that has all its candidates here, where they end. */
  readonly ends: number[];
}

/** Output rows: a row of the batch (or -1), a stored row (or -1), the weight. */
class Entries {
  readonly rows: Int32Array;
  readonly stored: Int32Array;
  readonly weights: Int32Array;
  count = 0;
  /** All weights are 1. */
  plain = true;

  constructor(capacity: number) {
    this.rows = new Int32Array(capacity);
    this.stored = new Int32Array(capacity);
    this.weights = new Int32Array(capacity);
  }

  add(row: number, stored: number, weight: number): void {
    const at = this.count++;
    this.rows[at] = row;
    this.stored[at] = stored;
    this.weights[at] = weight;
    if (weight !== 1) this.plain = false;
  }
}
