import type { SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, columnOfValues } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { LateRecords } from "../decode/diverted.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { type Accumulator, createAccumulator } from "./accumulator.js";
import { type CompiledAggregateCall, maskOf } from "./aggregate.js";
import { millisecondsOf } from "./assign-windows.js";
import { GroupTable } from "./group-table.js";
import { grown, grownInt32 } from "./grown.js";
import type { Operator, Output, Progress } from "./operator.js";
import { OutputRows } from "./output-rows.js";
import { TimeHeap } from "./time-heap.js";

export interface SessionInput {
  readonly keys: readonly CompiledExpression[];
  readonly time: CompiledExpression;
  readonly watermark: CompiledExpression | undefined;
}

export interface SessionOptions {
  readonly gapMs: number;
  readonly emission: "per-record" | "per-step" | "at-end" | "at-close";
}

/** Keys without sessions are swept out once there are more of them than this, and than others. */
const deadKeysKept = 1024;

/**
 * Job: rows of equal keys in sessions: a row belongs to those that it is at most gapMs away from, which become one
 * by it. A session is closed for a row whose watermark lies behind its last row by more than gapMs. A row that no
 * open session takes, and whose own session would be closed, is diverted.
 * State: the open sessions, in slots, chained by key: first and last time, and each call's accumulator. A slot is
 * used again once the heap has let go of it. Within a step the sessions touched, with what was shown of them.
 * Invariant: two open sessions of a key are more than gapMs apart; what was emitted, folded, is one row for each
 * session. The oldest of those that become one goes on, the others are taken back.
 */
export class SessionOperator implements Operator {
  readonly name: string;
  readonly #input: SessionInput;
  readonly #calls: readonly CompiledAggregateCall[];
  readonly #accumulators: readonly Accumulator[];
  readonly #options: SessionOptions;
  readonly #evaluation: Evaluation;
  readonly #late: LateRecords;
  readonly #keys: GroupTable;
  /** By key: its newest session, -1 for none. */
  #heads = new Int32Array(0);
  #liveKeys = 0;

  #slots = 0;
  #first = new Float64Array(16);
  #last = new Float64Array(16);
  /** In which order sessions began; -1: the slot is free, or waits for the heap. */
  #begun = new Float64Array(16);
  #keyOf = new Int32Array(16);
  #next = new Int32Array(16);
  #sessionsBegun = 0;
  #free: number[] = [];
  /** Slots by a time before which they cannot close. */
  readonly #heap = new TimeHeap();

  /** Slots touched in this step, and what was shown of them before; undefined: nothing. */
  #touched = new Map<number, readonly SqlValue[] | undefined>();
  #updates = 0;
  /** Sessions that have closed and are not given yet, from `#dueNext` on. */
  #due: readonly number[] = [];
  #dueNext = 0;

  constructor(
    name: string,
    input: SessionInput,
    calls: readonly CompiledAggregateCall[],
    options: SessionOptions,
    evaluation: Evaluation,
    late: LateRecords,
  ) {
    this.name = name;
    this.#input = input;
    this.#calls = calls;
    this.#options = options;
    this.#evaluation = evaluation;
    this.#late = late;
    this.#keys = new GroupTable(input.keys.length);
    this.#accumulators = calls.map(({ function: call, distinct, args, type }) =>
      createAccumulator(
        call,
        { distinct, argCount: args.length, appendOnly: true, type, merges: true },
        evaluation,
      ),
    );
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const { rowCount } = batch;
    const evaluation = this.#evaluation;
    const times = millisecondsOf(this.#input.time.evaluate(batch, evaluation), rowCount);
    const before =
      this.#input.watermark === undefined
        ? undefined
        : millisecondsOf(this.#input.watermark.evaluate(batch, evaluation), rowCount);
    const keys = this.#keys.groupsOf(
      this.#input.keys.map((key) => key.evaluate(batch, evaluation)),
      rowCount,
    );
    this.#heads = grownInt32(this.#heads, this.#keys.count, -1);
    const masks = this.#calls.map((call, i) => {
      (this.#accumulators[i] as Accumulator).bind(call.args.map((arg) => arg.evaluate(batch, evaluation)));
      return call.filter === undefined ? undefined : maskOf(call.filter, batch, evaluation);
    });
    const rows =
      this.#options.emission === "per-record"
        ? new OutputRows(this.#width, out, evaluation.stepRowsMax)
        : undefined;
    const slots = new Int32Array(rowCount);
    /** Rows up to here are in the accumulators. */
    let added = 0;
    let isLate = false;
    const addUpTo = (end: number): void => {
      for (; added < end; added++) {
        const slot = slots[added] as number;
        if (slot >= 0) this.#add(slot, added, masks);
      }
    };
    for (let row = 0; row < rowCount; row++) {
      const time = times[row] as number;
      const watermark = before === undefined ? Number.NEGATIVE_INFINITY : (before[row] as number);
      const slot = this.#slotFor(keys[row] as number, time, watermark, () => addUpTo(row), rows);
      slots[row] = slot;
      if (slot < 0) {
        isLate = true;
        this.#late.add(Number.isNaN(time) ? "no-time" : "late", batch.origins?.[row]);
      } else if (rows !== undefined) {
        addUpTo(row + 1);
        this.#emit(slot, rows);
      }
    }
    if (added === 0 && !isLate) {
      for (const [i, accumulator] of this.#accumulators.entries()) {
        accumulator.addAll(slots, undefined, masks[i]);
      }
    } else addUpTo(rowCount);
    rows?.flush();
    return "done";
  }

  advance(watermarkMs: number, out: Output): Progress {
    const { gapMs, emission } = this.#options;
    const rows = new OutputRows(this.#width, out, this.#evaluation.stepRowsMax);
    if (this.#dueNext === this.#due.length) {
      if (emission === "per-step") this.#emitTouched(rows);
      this.#due = this.#takeDue(watermarkMs - gapMs);
      this.#dueNext = 0;
    }
    const end = Math.min(this.#due.length, this.#dueNext + this.#evaluation.stepRowsMax);
    for (; this.#dueNext < end; this.#dueNext++) {
      const slot = this.#due[this.#dueNext] as number;
      if (emission === "at-close") rows.add(this.#row(slot), [], 1);
      this.#end(slot);
      this.#release(slot);
    }
    rows.flush();
    if (end < this.#due.length) return "more";
    this.#due = [];
    this.#dueNext = 0;
    return "done";
  }

  endStep(out: Output): Progress {
    if (this.#options.emission === "per-step") {
      const rows = new OutputRows(this.#width, out, this.#evaluation.stepRowsMax);
      this.#emitTouched(rows);
      rows.flush();
    }
    if (this.#keys.count > deadKeysKept && this.#keys.count > 2 * this.#liveKeys) this.#sweepKeys();
    return "done";
  }

  finish(out: Output): Progress {
    if (this.#options.emission !== "at-end") return "done";
    const rows = new OutputRows(this.#width, out, this.#evaluation.stepRowsMax);
    if (this.#due.length === 0) this.#due = this.#takeDue(Number.POSITIVE_INFINITY);
    const end = Math.min(this.#due.length, this.#dueNext + this.#evaluation.stepRowsMax);
    for (; this.#dueNext < end; this.#dueNext++)
      rows.add(this.#row(this.#due[this.#dueNext] as number), [], 1);
    rows.flush();
    return end < this.#due.length ? "more" : "done";
  }

  stateBytes(): number {
    let bytes = this.#keys.bytes() + 4 * this.#heads.length + 32 * this.#first.length + this.#heap.bytes();
    for (const accumulator of this.#accumulators) bytes += accumulator.bytes();
    return bytes;
  }

  save(writer: StateWriter): void {
    this.#compact();
    this.#keys.save(writer);
    writer.number(this.#sessionsBegun);
    writer.floats(this.#first, this.#slots);
    writer.floats(this.#last, this.#slots);
    writer.floats(this.#begun, this.#slots);
    writer.ints(this.#keyOf, this.#slots);
    for (const accumulator of this.#accumulators) accumulator.save(writer, this.#slots);
  }

  load(reader: StateReader): void {
    this.#keys.load(reader);
    this.#sessionsBegun = reader.number();
    this.#first = reader.floats();
    this.#last = reader.floats();
    this.#begun = reader.floats();
    this.#keyOf = reader.ints();
    this.#slots = this.#first.length;
    for (const accumulator of this.#accumulators) {
      accumulator.grow(this.#slots);
      accumulator.load(reader);
    }
    this.#chain();
  }

  get #width(): number {
    return this.#input.keys.length + 2 + this.#calls.length;
  }

  /** The session that takes the row, -1 when it is late. `flush`: what was read before must be in its session. */
  #slotFor(
    key: number,
    time: number,
    watermark: number,
    flush: () => void,
    rows: OutputRows | undefined,
  ): number {
    const { gapMs } = this.#options;
    let found = -1;
    for (let slot = this.#heads[key] as number; slot >= 0; slot = this.#next[slot] as number) {
      const last = this.#last[slot] as number;
      if (last + gapMs < watermark || time > last + gapMs || time < (this.#first[slot] as number) - gapMs)
        continue;
      if (found < 0) {
        found = slot;
        this.#touch(slot, rows);
        continue;
      }
      // The row joins two.
      flush();
      const [older, newer] =
        (this.#begun[slot] as number) < (this.#begun[found] as number) ? [slot, found] : [found, slot];
      this.#touch(slot, rows);
      this.#merge(older, newer);
      found = older;
    }
    if (found < 0) {
      if (!(time + gapMs >= watermark)) return -1;
      return this.#begin(key, time, rows);
    }
    if (time < (this.#first[found] as number)) this.#first[found] = time;
    if (time > (this.#last[found] as number)) this.#last[found] = time;
    return found;
  }

  #begin(key: number, time: number, rows: OutputRows | undefined): number {
    const slot = this.#free.pop() ?? this.#slots++;
    this.#room(this.#slots);
    this.#first[slot] = time;
    this.#last[slot] = time;
    this.#begun[slot] = this.#sessionsBegun++;
    this.#keyOf[slot] = key;
    const head = this.#heads[key] as number;
    if (head < 0) this.#liveKeys += 1;
    this.#next[slot] = head;
    this.#heads[key] = slot;
    this.#heap.add(time, slot);
    this.#touchNew(slot, rows);
    return slot;
  }

  #room(count: number): void {
    if (count <= this.#first.length && count <= this.#next.length) {
      for (const accumulator of this.#accumulators) accumulator.grow(count);
      return;
    }
    this.#first = grown(this.#first, count);
    this.#last = grown(this.#last, count);
    this.#begun = grown(this.#begun, count);
    this.#keyOf = grownInt32(this.#keyOf, count);
    this.#next = grownInt32(this.#next, count);
    for (const accumulator of this.#accumulators) accumulator.grow(count);
  }

  #merge(to: number, from: number): void {
    this.#first[to] = Math.min(this.#first[to] as number, this.#first[from] as number);
    this.#last[to] = Math.max(this.#last[to] as number, this.#last[from] as number);
    for (const accumulator of this.#accumulators) accumulator.merge(to, from);
    this.#end(from);
  }

  /** The session is no more; its slot is not free before the heap has let go of it. */
  #end(slot: number): void {
    const key = this.#keyOf[slot] as number;
    const next = this.#next[slot] as number;
    let at = this.#heads[key] as number;
    if (at === slot) this.#heads[key] = next;
    else {
      while (this.#next[at] !== slot) at = this.#next[at] as number;
      this.#next[at] = next;
    }
    if ((this.#heads[key] as number) < 0) this.#liveKeys -= 1;
    this.#begun[slot] = -1;
  }

  #release(slot: number): void {
    for (const accumulator of this.#accumulators) accumulator.reset(slot);
    this.#free.push(slot);
  }

  #add(slot: number, row: number, masks: readonly (Uint8Array | undefined)[]): void {
    for (let i = 0; i < this.#accumulators.length; i++) {
      if (masks[i]?.[row] !== 0) (this.#accumulators[i] as Accumulator).add(slot, row, 1);
    }
  }

  /** Sessions with a last row before `time`, by their end. */
  #takeDue(time: number): readonly number[] {
    const due: number[] = [];
    while (this.#heap.count > 0 && this.#heap.first < time) {
      const slot = this.#heap.take();
      if ((this.#begun[slot] as number) < 0) this.#release(slot);
      else if ((this.#last[slot] as number) < time) due.push(slot);
      else this.#heap.add(this.#last[slot] as number, slot);
    }
    return due.sort(
      (a, b) =>
        (this.#last[a] as number) - (this.#last[b] as number) ||
        (this.#begun[a] as number) - (this.#begun[b] as number),
    );
  }

  // ---- what is shown --------------------------------------------------------------------------------------

  #touch(slot: number, rows: OutputRows | undefined): void {
    if (rows === undefined && this.#options.emission !== "per-step") return;
    if (this.#touched.has(slot)) return;
    this.#touched.set(slot, undefined);
    this.#evaluation.inserting = false;
    this.#touched.set(slot, this.#row(slot));
    this.#evaluation.inserting = true;
  }

  #touchNew(slot: number, rows: OutputRows | undefined): void {
    if (rows !== undefined || this.#options.emission === "per-step") this.#touched.set(slot, undefined);
  }

  /** What one record has done. */
  #emit(slot: number, rows: OutputRows): void {
    const update = this.#updates++ | 0;
    const old = this.#touched.get(slot);
    if (old !== undefined) rows.add(old, [], -1, update);
    rows.add(this.#row(slot), [], 1, update);
    for (const [other, shown] of this.#touched) {
      if (other !== slot && shown !== undefined) rows.add(shown, [], -1, this.#updates++ | 0);
    }
    this.#touched.clear();
  }

  #emitTouched(rows: OutputRows): void {
    for (const [slot, old] of this.#touched) {
      const update = this.#updates++ | 0;
      if (old !== undefined) rows.add(old, [], -1, update);
      if ((this.#begun[slot] as number) >= 0) rows.add(this.#row(slot), [], 1, update);
    }
    this.#touched.clear();
  }

  #row(slot: number): SqlValue[] {
    const { gapMs } = this.#options;
    const row = this.#keys.keysOf(this.#keyOf[slot] as number);
    row.push(
      { kind: "timestamp", ms: this.#first[slot] as number },
      { kind: "timestamp", ms: (this.#last[slot] as number) + gapMs },
    );
    for (const accumulator of this.#accumulators) row.push(accumulator.result(slot));
    return row;
  }

  // ---- numbering anew -------------------------------------------------------------------------------------

  #sweepKeys(): void {
    const live: number[] = [];
    for (let key = 0; key < this.#keys.count; key++) if ((this.#heads[key] as number) >= 0) live.push(key);
    const columns = this.#input.keys.map((_, column): Column => {
      return columnOfValues(live.map((key) => this.#keys.key(key, column)));
    });
    const heads = live.map((key) => this.#heads[key] as number);
    this.#keys.clear();
    this.#keys.groupsOf(columns, live.length);
    this.#heads = grownInt32(Int32Array.from(heads), this.#keys.count, -1);
    for (let key = 0; key < heads.length; key++) {
      for (let slot = heads[key] as number; slot >= 0; slot = this.#next[slot] as number)
        this.#keyOf[slot] = key;
    }
  }

  /** Sessions in the order in which they began, without free slots between. */
  #compact(): void {
    this.#sweepKeys();
    const live: number[] = [];
    for (let slot = 0; slot < this.#slots; slot++) {
      if ((this.#begun[slot] as number) >= 0) live.push(slot);
      else for (const accumulator of this.#accumulators) accumulator.reset(slot);
    }
    for (const [to, from] of live.entries()) {
      this.#first[to] = this.#first[from] as number;
      this.#last[to] = this.#last[from] as number;
      this.#begun[to] = this.#begun[from] as number;
      this.#keyOf[to] = this.#keyOf[from] as number;
      if (to !== from) for (const accumulator of this.#accumulators) accumulator.move(from, to);
    }
    for (let slot = live.length; slot < this.#slots; slot++) {
      for (const accumulator of this.#accumulators) accumulator.reset(slot);
    }
    this.#slots = live.length;
    this.#chain();
  }

  /** Chains and heap of the slots, of which none is free. */
  #chain(): void {
    this.#free = [];
    this.#heap.clear();
    this.#heads = new Int32Array(Math.max(16, this.#keys.count)).fill(-1);
    this.#next = grownInt32(new Int32Array(0), Math.max(16, this.#first.length));
    this.#liveKeys = 0;
    const order = Array.from({ length: this.#slots }, (_, slot) => slot);
    order.sort((a, b) => (this.#begun[a] as number) - (this.#begun[b] as number));
    for (const slot of order) {
      const key = this.#keyOf[slot] as number;
      if ((this.#heads[key] as number) < 0) this.#liveKeys += 1;
      this.#next[slot] = this.#heads[key] as number;
      this.#heads[key] = slot;
      this.#heap.add(this.#last[slot] as number, slot);
    }
  }
}
