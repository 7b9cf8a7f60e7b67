import { type Closing, compareTotal, type SqlType, type SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, columnOfValues, weightAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { type Accumulator, createAccumulator } from "./accumulator.js";
import { ClosingGroups } from "./closing-groups.js";
import { selectTrue } from "./filter.js";
import { GroupTable } from "./group-table.js";
import { grown } from "./grown.js";
import type { Operator, Output, Progress } from "./operator.js";
import { OutputRows } from "./output-rows.js";

export interface CompiledAggregateCall {
  readonly function: string;
  readonly args: readonly CompiledExpression[];
  readonly distinct: boolean;
  readonly type: SqlType;
  readonly filter: CompiledExpression | undefined;
}

export interface AggregateOptions {
  /** The input never retracts. */
  readonly appendOnly: boolean;
  /** `at-end`: a finite input, of which only the result is asked. `at-close`: each group once, when it closes. */
  readonly emission: "per-record" | "per-step" | "at-end" | "at-close";
  /**
   * Whether an update's old state must be given too. Without, the input must be append-only and the
   * reader must know rows by their keys: each change is then the new state of its group.
   */
  readonly retract: boolean;
  /** The key that closes a group. */
  readonly closes?: Closing;
}

/** Groups that are gone are swept out once there are more of them than this, and than live ones. */
const deadGroupsKept = 1024;

/**
 * Job: rows in groups by equal keys; of each group the keys and the results of the calls. A group is
 * there while it has more rows than were taken back before they came; without keys there is one group, from the start and for ever.
 * State: the groups' keys, rows, and each call's accumulator; within a step the groups touched and, with
 * `retract`, their results before it.
 * Invariant: between steps, what was emitted, folded, is one row for each group that is there.
 */
export class AggregateOperator implements Operator {
  readonly name: string;
  readonly #keys: readonly CompiledExpression[];
  readonly #calls: readonly CompiledAggregateCall[];
  readonly #accumulators: readonly Accumulator[];
  readonly #options: AggregateOptions;
  readonly #evaluation: Evaluation;
  readonly #groups: GroupTable;
  /** Of each group, how many rows it has. */
  #rows = new Float64Array(16);
  #dead = 0;
  readonly #closing: ClosingGroups;
  /** Groups that have closed and are not let go of yet, from `#closedNext` on. */
  #closed: readonly number[] = [];
  #closedNext = 0;

  #touched: number[] = [];
  /** Of each touched group, the results before this step; undefined when it was not there. */
  #before: (SqlValue[] | undefined)[] = [];
  /** Of each group, the step that last touched it. */
  #touchedIn = new Float64Array(16);
  #step = 1;

  #initialEmitted = false;
  #updates = 0;
  #finishing = 0;

  constructor(
    name: string,
    keys: readonly CompiledExpression[],
    calls: readonly CompiledAggregateCall[],
    options: AggregateOptions,
    evaluation: Evaluation,
  ) {
    this.name = name;
    this.#keys = keys;
    this.#calls = calls;
    this.#options = options;
    this.#evaluation = evaluation;
    this.#groups = new GroupTable(keys.length);
    this.#closing = new ClosingGroups(options.closes?.offsetMs ?? 0);
    this.#accumulators = calls.map((call) =>
      createAccumulator(
        call.function,
        {
          distinct: call.distinct,
          argCount: call.args.length,
          appendOnly: options.appendOnly,
          type: call.type,
        },
        evaluation,
      ),
    );
    for (const accumulator of this.#accumulators) accumulator.grow(this.#groups.count);
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const keys = this.#keys.map((key) => key.evaluate(batch, this.#evaluation));
    const known = this.#groups.count;
    const groups = this.#groups.groupsOf(keys, batch.rowCount);
    const count = this.#groups.count;
    this.#noteClosing(known);
    this.#rows = grown(this.#rows, count);
    this.#touchedIn = grown(this.#touchedIn, count);
    const masks = this.#calls.map((call, i) => {
      const accumulator = this.#accumulators[i] as Accumulator;
      accumulator.grow(count);
      accumulator.bind(call.args.map((arg) => arg.evaluate(batch, this.#evaluation)));
      return call.filter === undefined ? undefined : maskOf(call.filter, batch, this.#evaluation);
    });
    if (this.#options.emission === "per-record") this.#addEmitting(batch, groups, masks, out);
    else this.#addAll(batch, groups, masks);
    return "done";
  }

  advance(watermarkMs: number, out: Output): Progress {
    if (this.#options.closes === undefined) return "done";
    const rows = new OutputRows(this.#keys.length + this.#calls.length, out, this.#evaluation.stepRowsMax);
    let left = this.#evaluation.stepRowsMax;
    while (left > 0) {
      if (this.#closedNext === this.#closed.length) {
        const closed = this.#closing.take(watermarkMs);
        if (closed === undefined) break;
        // What they still have to say.
        if (this.#options.emission === "per-step" && this.#touched.length > 0) {
          this.#emitTouched(rows);
          this.#touched = [];
          this.#before = [];
        }
        this.#closed = closed;
        this.#closedNext = 0;
        continue;
      }
      const group = this.#closed[this.#closedNext++] as number;
      left -= 1;
      if (this.#rows[group] === 0) continue;
      if (this.#options.emission === "at-close" && this.#isThere(group))
        rows.add(this.#groups.keysOf(group), this.#results(group), 1);
      this.#rows[group] = 0;
      this.#bury(group);
    }
    rows.flush();
    const more = this.#closedNext < this.#closed.length || this.#closing.isDue(watermarkMs);
    return more ? "more" : "done";
  }

  endStep(out: Output): Progress {
    const { emission } = this.#options;
    if (emission === "per-record" || emission === "per-step") {
      const rows = new OutputRows(this.#keys.length + this.#calls.length, out, this.#evaluation.stepRowsMax);
      if (emission === "per-step") this.#emitTouched(rows);
      this.#emitInitial(rows);
      rows.flush();
    }
    this.#touched = [];
    this.#before = [];
    this.#step += 1;
    if (this.#dead > deadGroupsKept && this.#dead * 2 > this.#groups.count) this.#sweep();
    return "done";
  }

  finish(out: Output): Progress {
    if (this.#options.emission !== "at-end") return "done";
    const rows = new OutputRows(this.#keys.length + this.#calls.length, out, this.#evaluation.stepRowsMax);
    const end = Math.min(this.#groups.count, this.#finishing + this.#evaluation.stepRowsMax);
    for (; this.#finishing < end; this.#finishing++) {
      if (this.#isThere(this.#finishing))
        rows.add(this.#groups.keysOf(this.#finishing), this.#results(this.#finishing), 1);
    }
    rows.flush();
    return end < this.#groups.count ? "more" : "done";
  }

  stateBytes(): number {
    let bytes = this.#groups.bytes() + 16 * this.#rows.length;
    for (const accumulator of this.#accumulators) bytes += accumulator.bytes();
    return bytes + this.#closing.bytes();
  }

  /** The groups from `from` on are new. */
  #noteClosing(from: number): void {
    const { closes } = this.#options;
    if (closes === undefined) return;
    for (let group = from; group < this.#groups.count; group++) {
      this.#closing.add(this.#groups.key(group, closes.index), group);
    }
  }

  save(writer: StateWriter): void {
    const { count } = this.#groups;
    this.#groups.save(writer);
    writer.floats(this.#rows, count);
    writer.count(this.#dead);
    writer.flag(this.#initialEmitted);
    for (const accumulator of this.#accumulators) accumulator.save(writer, count);
  }

  load(reader: StateReader): void {
    this.#groups.load(reader);
    const { count } = this.#groups;
    this.#rows = grown(reader.floats(), 16);
    this.#touchedIn = grown(this.#touchedIn, count);
    this.#dead = reader.count();
    this.#initialEmitted = reader.flag();
    for (const accumulator of this.#accumulators) {
      accumulator.grow(count);
      accumulator.load(reader);
    }
    this.#noteClosing(0);
  }

  #isThere(group: number): boolean {
    return this.#keys.length === 0 || (this.#rows[group] as number) > 0;
  }

  /** Whether a row of the group has been emitted that stands. */
  #isShown(group: number): boolean {
    return this.#keys.length === 0 ? this.#initialEmitted : (this.#rows[group] as number) > 0;
  }

  #results(group: number): SqlValue[] {
    return this.#accumulators.map((accumulator) => accumulator.result(group));
  }

  /** The results that are retracted: their errors were entered when they were new. */
  #oldResults(group: number): SqlValue[] {
    this.#evaluation.inserting = false;
    const results = this.#results(group);
    this.#evaluation.inserting = true;
    return results;
  }

  #addAll(batch: ChangeBatch, groups: Int32Array, masks: readonly (Uint8Array | undefined)[]): void {
    const { weights } = batch;
    if (this.#options.emission === "per-step") {
      for (let row = 0; row < batch.rowCount; row++) this.#touch(groups[row] as number);
    }
    for (let i = 0; i < this.#accumulators.length; i++) {
      const accumulator = this.#accumulators[i] as Accumulator;
      const mask = masks[i];
      accumulator.addAll(groups, weights, mask);
    }
    const rows = this.#rows;
    for (let row = 0; row < batch.rowCount; row++) {
      const group = groups[row] as number;
      rows[group] = (rows[group] as number) + (weights === undefined ? 1 : (weights[row] as number));
    }
    if (weights !== undefined) for (const group of groups) this.#bury(group);
  }

  #touch(group: number): void {
    if (this.#touchedIn[group] === this.#step) return;
    this.#touchedIn[group] = this.#step;
    this.#touched.push(group);
    if (this.#options.retract) this.#before.push(this.#isShown(group) ? this.#oldResults(group) : undefined);
  }

  /** A group without rows begins anew when rows come again. */
  #bury(group: number): void {
    if (this.#rows[group] !== 0 || this.#keys.length === 0) return;
    for (const accumulator of this.#accumulators) accumulator.reset(group);
    this.#dead += 1;
  }

  /** Emits the group's old and new state around each single change. */
  #addEmitting(
    batch: ChangeBatch,
    groups: Int32Array,
    masks: readonly (Uint8Array | undefined)[],
    out: Output,
  ): void {
    const rows = new OutputRows(this.#keys.length + this.#calls.length, out, this.#evaluation.stepRowsMax);
    const { retract } = this.#options;
    const { records } = batch;
    // DISTINCT: a row that is there does not change.
    const isDistinct = this.#calls.length === 0;
    for (let row = 0; row < batch.rowCount; row++) {
      const group = groups[row] as number;
      const weight = weightAt(batch, row);
      const sign = Math.sign(weight);
      const continues =
        weight === -1 && groups[row + 1] === group && isUpdate(batch, row) && weightAt(batch, row + 1) === 1;
      for (let left = Math.abs(weight); left > 0; left--) {
        const old = retract && this.#isShown(group) ? this.#oldResults(group) : undefined;
        this.#addRow(group, row, sign, masks);
        if (continues) {
          row += 1;
          this.#addRow(group, row, 1, masks);
        }
        while (records !== undefined && records[row + 1] === records[row] && groups[row + 1] === group) {
          row += 1;
          this.#addRow(group, row, 1, masks);
        }
        const update = this.#updates++ | 0;
        const isThere = this.#isThere(group);
        if (!(isDistinct && old !== undefined && isThere)) {
          if (old !== undefined) rows.add(this.#groups.keysOf(group), old, -1, update);
          if (isThere) rows.add(this.#groups.keysOf(group), this.#results(group), 1, update);
        }
        if (sign < 0) this.#bury(group);
      }
    }
    if (this.#keys.length === 0 && batch.rowCount > 0) this.#initialEmitted = true;
    rows.flush();
  }

  #addRow(group: number, row: number, sign: number, masks: readonly (Uint8Array | undefined)[]): void {
    for (let i = 0; i < this.#accumulators.length; i++) {
      if (masks[i]?.[row] !== 0) (this.#accumulators[i] as Accumulator).add(group, row, sign);
    }
    this.#rows[group] = (this.#rows[group] as number) + sign;
  }

  #emitTouched(rows: OutputRows): void {
    for (const [i, group] of this.#touched.entries()) {
      const old = this.#before[i];
      const results = this.#isThere(group) ? this.#results(group) : undefined;
      if (old !== undefined && results !== undefined && sameValues(old, results)) continue;
      const update = this.#updates++ | 0;
      if (old !== undefined) rows.add(this.#groups.keysOf(group), old, -1, update);
      if (results !== undefined) rows.add(this.#groups.keysOf(group), results, 1, update);
      if (this.#keys.length === 0) this.#initialEmitted = true;
    }
  }

  /** The one group of an aggregate without keys, before any row. */
  #emitInitial(rows: OutputRows): void {
    if (this.#keys.length > 0 || this.#initialEmitted) return;
    this.#initialEmitted = true;
    rows.add([], this.#results(0), 1, this.#updates++ | 0);
  }

  /** Numbers the groups that are there anew, without gaps. */
  #sweep(): void {
    const live: number[] = [];
    // One of which rows were taken back before they came waits for them.
    for (let group = 0; group < this.#groups.count; group++) {
      if (this.#keys.length === 0 || this.#rows[group] !== 0) live.push(group);
    }
    const keys = this.#keys.map((_, column): Column => {
      return columnOfValues(live.map((group) => this.#groups.key(group, column)));
    });
    const before = this.#groups.count;
    this.#groups.clear();
    this.#groups.groupsOf(keys, live.length);
    for (const [to, from] of live.entries()) {
      this.#rows[to] = this.#rows[from] as number;
      for (const accumulator of this.#accumulators) accumulator.move(from, to);
    }
    // Their numbers are given out again.
    for (let group = live.length; group < before; group++) {
      for (const accumulator of this.#accumulators) accumulator.reset(group);
    }
    this.#rows.fill(0, live.length);
    this.#dead = 0;
    this.#closing.clear();
    this.#noteClosing(0);
  }
}

/** Whether the change and the next one are the old and the new state of one row. */
function isUpdate({ updates, rowCount }: ChangeBatch, row: number): boolean {
  return updates !== undefined && row + 1 < rowCount && updates[row] === updates[row + 1];
}

/** 1 for the rows for which the filter is TRUE. */
export function maskOf(filter: CompiledExpression, batch: ChangeBatch, evaluation: Evaluation): Uint8Array {
  const selected = new Int32Array(batch.rowCount);
  const count = selectTrue(filter, batch, evaluation, selected);
  const mask = new Uint8Array(batch.rowCount);
  for (let i = 0; i < count; i++) mask[selected[i] as number] = 1;
  return mask;
}

function sameValues(a: readonly SqlValue[], b: readonly SqlValue[]): boolean {
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as SqlValue;
    const y = b[i] as SqlValue;
    if (x !== y && (typeof x !== typeof y || compareTotal(x, y) !== 0)) return false;
  }
  return true;
}
