import { must } from "@hstream/proto";
import {
  type AggregateImplementation,
  aggregateImplementation,
  type AggregateState,
  type SqlType,
  type SqlValue,
} from "@hstream/sql/runtime";
import { type Column, isNull, neverNull, valueAt } from "../columns.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { valueBytes } from "../state-size.js";
import { grown } from "./grown.js";

/**
 * The states of one aggregate for all groups. `bind` names the columns of the arguments, then rows are
 * added. Must give what the function table's implementation gives; the faster ones work on numbers only
 * and hand a group over to that implementation when something else comes.
 */
export interface Accumulator {
  /** Makes room for groups 0 … count − 1. */
  grow(count: number): void;
  bind(args: readonly Column[]): void;
  add(group: number, row: number, weight: number): void;
  /** Adds each row to its group; `weights` absent: all 1; `mask`: 0 where the row is left out. */
  addAll(groups: Int32Array, weights: Int32Array | undefined, mask: Uint8Array | undefined): void;
  result(group: number): SqlValue;
  /** The group begins anew. */
  reset(group: number): void;
  /** Takes over the state of group `from` as `to` ≤ from, when groups move together. */
  move(from: number, to: number): void;
  /** Group `to` gets the rows of `from`, too, which begins anew. Only where `merges` was asked for. */
  merge(to: number, from: number): void;
  bytes(): number;
  /** Writes the states of groups 0 … count − 1. */
  save(writer: StateWriter, count: number): void;
  /** Reads them; `grow` was called for as many before. */
  load(reader: StateReader): void;
}

export function createAccumulator(
  name: string,
  options: { distinct: boolean; argCount: number; appendOnly: boolean; type: SqlType; merges?: boolean },
  evaluation: Evaluation,
): Accumulator {
  const { distinct, argCount, appendOnly, merges = false } = options;
  const implementation = must(
    aggregateImplementation(name, distinct, options.type),
    () => `aggregate ${name} is in the table`,
  );
  const fixedSize = !distinct && fixedSizeAggregates.has(name);
  const table = new TableAccumulator(implementation, { appendOnly, fixedSize, merges }, evaluation);
  if (distinct) return table;
  if (name === "COUNT") return new CountAccumulator(argCount > 0);
  if (name === "SUM" || name === "AVG") return new IntegerSumAccumulator(name === "AVG", table);
  if ((name === "MIN" || name === "MAX") && appendOnly)
    return new NumberExtremeAccumulator(name === "MAX", table);
  return table;
}

/** Aggregates of which the state does not grow with the rows. */
const fixedSizeAggregates = new Set(["COUNT", "SUM", "AVG", "MEAN"]);

/** Any aggregate, by its implementation in the function table. */
class TableAccumulator implements Accumulator {
  readonly #implementation: AggregateImplementation;
  readonly #appendOnly: boolean;
  readonly #fixedSize: boolean;
  /** What an implementation is given; it keeps the values, not the array. */
  readonly #values: SqlValue[] = [];
  readonly #evaluation: Evaluation;
  readonly #states: (AggregateState | undefined)[] = [];
  /** Where groups may be merged: what was added to each, as the states themselves cannot be. */
  readonly #logs: LoggedRow[][] | undefined;
  #logged = 0;
  #args: readonly Column[] = [];
  #bytes = 0;

  constructor(
    implementation: AggregateImplementation,
    options: { readonly appendOnly: boolean; readonly fixedSize: boolean; readonly merges: boolean },
    evaluation: Evaluation,
  ) {
    this.#logs = options.merges ? [] : undefined;
    this.#implementation = implementation;
    this.#appendOnly = options.appendOnly;
    this.#fixedSize = options.fixedSize;
    this.#evaluation = evaluation;
  }

  grow(): void {}

  bind(args: readonly Column[]): void {
    this.#args = args;
  }

  add(group: number, row: number, weight: number): void {
    for (let i = 0; i < this.#args.length; i++) this.#values[i] = valueAt(this.#args[i] as Column, row);
    this.addValues(group, this.#values, weight);
  }

  addAll(groups: Int32Array, weights: Int32Array | undefined, mask: Uint8Array | undefined): void {
    for (let row = 0; row < groups.length; row++) {
      if (mask !== undefined && mask[row] === 0) continue;
      this.add(groups[row] as number, row, weights === undefined ? 1 : (weights[row] as number));
    }
  }

  addValues(group: number, values: readonly SqlValue[], weight: number): void {
    if (this.#logs !== undefined) {
      const row = { at: this.#logged++, values: [...values], weight };
      (this.#logs[group] ??= []).push(row);
      this.#bytes += loggedBytes(row);
    }
    this.#apply(group, values, weight);
  }

  #apply(group: number, values: readonly SqlValue[], weight: number, reports = weight > 0): void {
    let state = this.#states[group];
    if (state === undefined) {
      state = this.#implementation.create(this.#appendOnly);
      this.#states[group] = state;
      this.#bytes += this.#implementation.stateBytes(state);
    }
    const before = this.#fixedSize ? 0 : this.#implementation.stateBytes(state);
    this.#evaluation.inserting = reports;
    this.#implementation.add(state, values, weight, this.#evaluation);
    this.#evaluation.inserting = true;
    if (!this.#fixedSize) this.#bytes += this.#implementation.stateBytes(state) - before;
  }

  result(group: number): SqlValue {
    const state = this.#states[group] ?? this.#implementation.create(this.#appendOnly);
    return this.#implementation.result(state, this.#evaluation);
  }

  reset(group: number): void {
    const state = this.#states[group];
    if (state !== undefined) this.#bytes -= this.#implementation.stateBytes(state);
    this.#states[group] = undefined;
    if (this.#logs === undefined) return;
    for (const row of this.#logs[group] ?? []) this.#bytes -= loggedBytes(row);
    this.#logs[group] = [];
  }

  move(from: number, to: number): void {
    this.#states[to] = this.#states[from];
    if (from !== to) this.#states[from] = undefined;
    if (this.#logs === undefined) return;
    this.#logs[to] = this.#logs[from] ?? [];
    if (from !== to) this.#logs[from] = [];
  }

  /** As if all rows had come to one group, in the order in which they came. */
  merge(to: number, from: number): void {
    const logs = must(this.#logs, "groups that merge keep their rows");
    const rows = [...(logs[to] ?? []), ...(logs[from] ?? [])].sort((a, b) => a.at - b.at);
    this.reset(to);
    this.reset(from);
    this.#evaluation.inserting = false;
    for (const row of rows) {
      this.#bytes += loggedBytes(row);
      this.#apply(to, row.values, row.weight, false);
    }
    this.#evaluation.inserting = true;
    logs[to] = rows;
  }

  bytes(): number {
    return this.#bytes + this.#states.length * 8;
  }

  save(writer: StateWriter): void {
    const groups: number[] = [];
    const saved: SqlValue[] = [];
    for (const [group, state] of this.#states.entries()) {
      if (state === undefined) continue;
      groups.push(group);
      saved.push(this.#implementation.save(state));
    }
    writer.ints(Int32Array.from(groups), groups.length);
    writer.values(saved);
    if (this.#logs === undefined) return;
    for (const group of groups) {
      const rows = this.#logs[group] ?? [];
      writer.floats(Float64Array.from(rows.flatMap(({ at, weight }) => [at, weight])), 2 * rows.length);
      for (const { values } of rows) writer.values(values);
    }
    writer.number(this.#logged);
  }

  load(reader: StateReader): void {
    const groups = reader.ints();
    const saved = reader.values();
    for (const [i, group] of groups.entries()) {
      const state = this.#implementation.load(saved[i] as SqlValue, this.#appendOnly);
      this.#states[group] = state;
      this.#bytes += this.#implementation.stateBytes(state);
    }
    if (this.#logs === undefined) return;
    for (const group of groups) {
      const numbers = reader.floats();
      const rows: LoggedRow[] = [];
      for (let i = 0; i < numbers.length; i += 2) {
        const row = { at: numbers[i] as number, weight: numbers[i + 1] as number, values: reader.values() };
        this.#bytes += loggedBytes(row);
        rows.push(row);
      }
      this.#logs[group] = rows;
    }
    this.#logged = reader.number();
  }
}

/** A row of an aggregate of which groups may be merged. */
interface LoggedRow {
  /** Rising in the order in which rows come. */
  readonly at: number;
  readonly values: readonly SqlValue[];
  readonly weight: number;
}

function loggedBytes({ values }: LoggedRow): number {
  let bytes = 48;
  for (const value of values) bytes += valueBytes(value);
  return bytes;
}

class CountAccumulator implements Accumulator {
  readonly #hasArgument: boolean;
  #counts = new Float64Array(16);
  #argument: Column | undefined;

  constructor(hasArgument: boolean) {
    this.#hasArgument = hasArgument;
  }

  grow(count: number): void {
    this.#counts = grown(this.#counts, count);
  }

  bind(args: readonly Column[]): void {
    this.#argument = args[0];
  }

  add(group: number, row: number, weight: number): void {
    if (this.#hasArgument && this.#argument !== undefined && isNull(this.#argument, row)) return;
    this.#counts[group] = (this.#counts[group] as number) + weight;
  }

  addAll(groups: Int32Array, weights: Int32Array | undefined, mask: Uint8Array | undefined): void {
    const counts = this.#counts;
    const argument = this.#hasArgument ? this.#argument : undefined;
    if (mask === undefined && (argument === undefined || neverNull(argument))) {
      for (let row = 0; row < groups.length; row++) {
        const group = groups[row] as number;
        counts[group] = (counts[group] as number) + (weights === undefined ? 1 : (weights[row] as number));
      }
      return;
    }
    for (let row = 0; row < groups.length; row++) {
      if (mask !== undefined && mask[row] === 0) continue;
      this.add(groups[row] as number, row, weights === undefined ? 1 : (weights[row] as number));
    }
  }

  result(group: number): SqlValue {
    return this.#counts[group] as number;
  }

  reset(group: number): void {
    this.#counts[group] = 0;
  }

  move(from: number, to: number): void {
    this.#counts[to] = this.#counts[from] as number;
  }

  merge(to: number, from: number): void {
    this.#counts[to] = (this.#counts[to] as number) + (this.#counts[from] as number);
    this.#counts[from] = 0;
  }

  bytes(): number {
    return this.#counts.length * 8;
  }

  save(writer: StateWriter, count: number): void {
    writer.floats(this.#counts, count);
  }

  load(reader: StateReader): void {
    this.#counts.set(reader.floats());
  }
}

/** SUM and AVG of safe integers whose sum stays safe. */
class IntegerSumAccumulator implements Accumulator {
  readonly #average: boolean;
  readonly #table: TableAccumulator;
  #sums = new Float64Array(16);
  /** Rows that were not NULL; -1: the group went over to the table. */
  #rows = new Float64Array(16);
  #argument: Column | undefined;

  constructor(average: boolean, table: TableAccumulator) {
    this.#average = average;
    this.#table = table;
  }

  grow(count: number): void {
    this.#sums = grown(this.#sums, count);
    this.#rows = grown(this.#rows, count);
  }

  bind(args: readonly Column[]): void {
    this.#argument = args[0];
    this.#table.bind(args);
  }

  add(group: number, row: number, weight: number): void {
    const column = this.#argument;
    if (column === undefined || isNull(column, row)) return;
    const rows = this.#rows[group] as number;
    if (rows >= 0 && column.kind === "float64") {
      const value = column.values[row] as number;
      const sum = (this.#sums[group] as number) + value * weight;
      if (Number.isSafeInteger(value) && Number.isSafeInteger(sum) && rows + weight >= 0) {
        this.#sums[group] = sum;
        this.#rows[group] = rows + weight;
        return;
      }
    }
    if (rows >= 0) this.#handOver(group, rows);
    this.#table.add(group, row, weight);
  }

  addAll(groups: Int32Array, weights: Int32Array | undefined, mask: Uint8Array | undefined): void {
    const column = this.#argument;
    const isPlain = column?.kind === "float64" && column.nulls === undefined;
    if (isPlain && weights === undefined && mask === undefined)
      return this.#addNumbers(groups, column.values);
    for (let row = 0; row < groups.length; row++) {
      if (mask !== undefined && mask[row] === 0) continue;
      this.add(groups[row] as number, row, weights === undefined ? 1 : (weights[row] as number));
    }
  }

  /** One value for each row. */
  #addNumbers(groups: Int32Array, values: Float64Array): void {
    const sums = this.#sums;
    const rows = this.#rows;
    for (let row = 0; row < groups.length; row++) {
      const group = groups[row] as number;
      const value = values[row] as number;
      const sum = (sums[group] as number) + value;
      const before = rows[group] as number;
      if (before >= 0 && Number.isSafeInteger(value) && Number.isSafeInteger(sum)) {
        sums[group] = sum;
        rows[group] = before + 1;
      } else this.add(group, row, 1);
    }
  }

  result(group: number): SqlValue {
    const rows = this.#rows[group] as number;
    if (rows < 0) return this.#table.result(group);
    if (rows === 0) return null;
    return this.#average ? (this.#sums[group] as number) / rows : (this.#sums[group] as number);
  }

  reset(group: number): void {
    this.#sums[group] = 0;
    this.#rows[group] = 0;
    this.#table.reset(group);
  }

  move(from: number, to: number): void {
    this.#sums[to] = this.#sums[from] as number;
    this.#rows[to] = this.#rows[from] as number;
    this.#table.move(from, to);
  }

  merge(to: number, from: number): void {
    const [own, others] = [this.#rows[to] as number, this.#rows[from] as number];
    const sum = (this.#sums[to] as number) + (this.#sums[from] as number);
    if (own >= 0 && others >= 0 && Number.isSafeInteger(sum)) {
      this.#sums[to] = sum;
      this.#rows[to] = own + others;
      this.reset(from);
      return;
    }
    if (own >= 0) this.#handOver(to, own);
    if (others >= 0) this.#handOver(from, others);
    this.#table.merge(to, from);
    this.#sums[from] = 0;
    this.#rows[from] = 0;
  }

  bytes(): number {
    return this.#sums.length * 16 + this.#table.bytes();
  }

  save(writer: StateWriter, count: number): void {
    writer.floats(this.#sums, count);
    writer.floats(this.#rows, count);
    this.#table.save(writer);
  }

  load(reader: StateReader): void {
    this.#sums.set(reader.floats());
    this.#rows.set(reader.floats());
    this.#table.load(reader);
  }

  /** The same sum of as many rows: one that has it all, and zeros. */
  #handOver(group: number, rows: number): void {
    this.#rows[group] = -1;
    if (rows > 0) this.#table.addValues(group, [this.#sums[group] as number], 1);
    if (rows > 1) this.#table.addValues(group, [0], rows - 1);
  }
}

/** MIN and MAX of numbers that are never taken back. */
class NumberExtremeAccumulator implements Accumulator {
  readonly #sign: 1 | -1;
  readonly #table: TableAccumulator;
  #best = new Float64Array(16);
  /** 0: nothing yet; 1: `#best`; 2: the group went over to the table. */
  #state = new Uint8Array(16);
  #argument: Column | undefined;

  constructor(max: boolean, table: TableAccumulator) {
    this.#sign = max ? -1 : 1;
    this.#table = table;
  }

  grow(count: number): void {
    this.#best = grown(this.#best, count);
    if (count > this.#state.length) {
      const state = new Uint8Array(this.#best.length);
      state.set(this.#state);
      this.#state = state;
    }
  }

  bind(args: readonly Column[]): void {
    this.#argument = args[0];
    this.#table.bind(args);
  }

  add(group: number, row: number, weight: number): void {
    const column = this.#argument;
    if (column === undefined || isNull(column, row)) return;
    const state = this.#state[group] as number;
    if (state < 2 && column.kind === "float64") {
      const value = column.values[row] as number;
      if (state === 0 || (value - (this.#best[group] as number)) * this.#sign < 0) this.#best[group] = value;
      this.#state[group] = 1;
      return;
    }
    if (state === 1) this.#table.addValues(group, [this.#best[group] as number], 1);
    this.#state[group] = 2;
    this.#table.add(group, row, weight);
  }

  addAll(groups: Int32Array, weights: Int32Array | undefined, mask: Uint8Array | undefined): void {
    for (let row = 0; row < groups.length; row++) {
      if (mask !== undefined && mask[row] === 0) continue;
      this.add(groups[row] as number, row, weights === undefined ? 1 : (weights[row] as number));
    }
  }

  result(group: number): SqlValue {
    const state = this.#state[group] as number;
    return state === 1 ? (this.#best[group] as number) : this.#table.result(group);
  }

  reset(group: number): void {
    this.#state[group] = 0;
    this.#table.reset(group);
  }

  move(from: number, to: number): void {
    this.#best[to] = this.#best[from] as number;
    this.#state[to] = this.#state[from] as number;
    this.#table.move(from, to);
  }

  merge(to: number, from: number): void {
    const [own, others] = [this.#state[to] as number, this.#state[from] as number];
    if (own < 2 && others < 2) {
      const better = ((this.#best[from] as number) - (this.#best[to] as number)) * this.#sign < 0;
      if (others === 1 && (own === 0 || better)) this.#best[to] = this.#best[from] as number;
      this.#state[to] = Math.max(own, others);
    } else {
      for (const group of [to, from]) {
        if (this.#state[group] === 1) this.#table.addValues(group, [this.#best[group] as number], 1);
      }
      this.#state[to] = 2;
      this.#table.merge(to, from);
    }
    this.#state[from] = 0;
  }

  bytes(): number {
    return this.#best.length * 9 + this.#table.bytes();
  }

  save(writer: StateWriter, count: number): void {
    writer.floats(this.#best, count);
    writer.bytes(this.#state.subarray(0, count));
    this.#table.save(writer);
  }

  load(reader: StateReader): void {
    this.#best.set(reader.floats());
    this.#state.set(reader.bytes());
    this.#table.load(reader);
  }
}
