import { type PhysicalPlan, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import { batchOfRows, type ChangeBatch, rowAt, weightAt } from "./columns.js";
import type { Emitted, Sink } from "./emit.js";
import { groupKeysInOutput } from "./plan-facts.js";
import type { StateReader } from "./state/state-reader.js";
import type { StateWriter } from "./state/state-writer.js";
import { valueBytes } from "./state-size.js";

/** What has become of a row since the last time. */
interface Pending {
  values: readonly SqlValue[];
  /** With a key 1 or 0; else how many more there are. */
  count: number;
  /** With a key: whether the reader knows a row of it. */
  readonly known: boolean;
}

/**
 * EMIT EVERY: at each multiple of the interval, the rows that have changed since the last one, in the state that
 * they had then, in the order of their keys.
 *
 * Job: folds changes by group key, where the output has it, else by the whole row.
 * State: what has changed, and the next time.
 * Invariant: what is given at a time is what was fed before it.
 */
export class IntervalEmitter implements Sink {
  readonly #emitter: Sink;
  readonly #intervalMs: number;
  readonly #key: readonly number[] | undefined;
  readonly #width: number;
  #nextMs: number;
  #pending = new Map<string, Pending>();
  #bytes = 0;

  /** `emitter`: gives what is due. */
  constructor(plan: PhysicalPlan, intervalMs: number, openedMs: number, emitter: Sink) {
    this.#emitter = emitter;
    this.#intervalMs = intervalMs;
    this.#key = groupKeysInOutput(plan);
    this.#width = plan.output.length;
    this.#nextMs = this.#after(openedMs);
  }

  get full(): boolean {
    return this.#emitter.full;
  }

  start(changes: readonly ChangeBatch[]): Emitted {
    this.#fold(changes);
    return { output: [], rowsOut: 0 };
  }

  take(changes: readonly ChangeBatch[], nowMs: number): Emitted {
    const isDue = nowMs >= this.#nextMs;
    const emitted = isDue ? this.#emit(nowMs) : { output: [], rowsOut: 0 };
    if (isDue && Number.isFinite(nowMs)) this.#nextMs = this.#after(nowMs);
    this.#fold(changes);
    return emitted;
  }

  stateBytes(): number {
    return this.#bytes;
  }

  save(writer: StateWriter): void {
    this.#emitter.save(writer);
    writer.number(this.#nextMs);
    writer.count(this.#pending.size);
    for (const [key, { values, count, known }] of this.#pending) {
      writer.text(key);
      writer.number(count);
      writer.flag(known);
      writer.values(values);
    }
  }

  load(reader: StateReader): void {
    this.#emitter.load(reader);
    this.#nextMs = reader.number();
    for (let left = reader.count(); left > 0; left--) {
      const key = reader.text();
      const count = reader.number();
      const known = reader.flag();
      this.#keep(key, { count, known, values: reader.values() });
    }
  }

  #after(ms: number): number {
    return (Math.floor(ms / this.#intervalMs) + 1) * this.#intervalMs;
  }

  #fold(changes: readonly ChangeBatch[]): void {
    for (const batch of changes) {
      for (let row = 0; row < batch.rowCount; row++) this.#change(rowAt(batch, row), weightAt(batch, row));
    }
  }

  #change(values: readonly SqlValue[], weight: number): void {
    const key = rowKeyText(this.#key?.map((index) => values[index] as SqlValue) ?? values);
    const pending = this.#pending.get(key);
    if (pending === undefined) {
      const count = this.#key === undefined ? weight : weight > 0 ? 1 : 0;
      this.#keep(key, { values, count, known: weight < 0 });
    } else if (this.#key === undefined) pending.count += weight;
    else {
      pending.values = values;
      pending.count = weight > 0 ? 1 : 0;
    }
  }

  #keep(key: string, pending: Pending): void {
    this.#pending.set(key, pending);
    this.#bytes += 64 + key.length;
    for (const value of pending.values) this.#bytes += valueBytes(value);
  }

  #emit(nowMs: number): Emitted {
    const rows: (readonly SqlValue[])[] = [];
    const weights: number[] = [];
    const inOrder = [...this.#pending].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [, { values, count, known }] of inOrder) {
      const weight = this.#key === undefined ? count : count > 0 ? 1 : known ? -1 : 0;
      if (weight === 0) continue;
      rows.push(values);
      weights.push(weight);
    }
    this.#pending = new Map();
    this.#bytes = 0;
    if (rows.length === 0) return { output: [], rowsOut: 0 };
    return this.#emitter.take([batchOfRows(rows, this.#width, Int32Array.from(weights))], nowMs);
  }
}
