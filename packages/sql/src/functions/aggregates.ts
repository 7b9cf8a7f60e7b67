import type { SqlValue } from "../types/sql-value.js";
import { FLOAT, INTEGER } from "../types/types.js";
import { compareTotal } from "../values/compare.js";
import { rowKeyText } from "../values/row-key.js";
import { implement, savedArray, savedNumber } from "./aggregate-state.js";
import {
  type AggregateFunction,
  type AggregateImplementation,
  firstResult,
  numericResult,
} from "./function.js";
import { average, floatSum, sum } from "./sum.js";

const count = implement({
  create: () => ({ rows: 0 }),
  add(state, args, weight) {
    if (args.length === 0 || (args[0] ?? null) !== null) state.rows += weight;
  },
  result: (state) => state.rows,
  stateBytes: () => 24,
  save: (state) => state.rows,
  load: (saved) => ({ rows: savedNumber(saved) }),
});

export interface Counted {
  readonly value: SqlValue;
  count: number;
}

/** A value that stands in the heap, or is owed: it was taken back before it came. */
interface Candidate extends Counted {
  isInHeap: boolean;
}

/**
 * The best value of a multiset. Append-only input needs the best alone; with retractions, a heap in which
 * values that are gone stay until they come to the top.
 */
class ExtremeState {
  readonly sign: 1 | -1;
  best: SqlValue = null;
  readonly counts: Map<string, Candidate> | undefined;
  readonly heap: Candidate[] = [];
  bytes = 64;

  constructor(sign: 1 | -1, appendOnly: boolean) {
    this.sign = sign;
    this.counts = appendOnly ? undefined : new Map();
  }

  #better(a: SqlValue, b: SqlValue): boolean {
    return this.sign * compareTotal(a, b) < 0;
  }

  add(value: SqlValue, weight: number): void {
    if (this.counts === undefined) {
      if (this.best === null || this.#better(value, this.best)) this.best = value;
      return;
    }
    const key = rowKeyText([value]);
    let entry = this.counts.get(key);
    if (entry === undefined) {
      entry = { value, count: 0, isInHeap: false };
      this.counts.set(key, entry);
      this.bytes += 2 * key.length + 96;
    }
    entry.count += weight;
    if (entry.isInHeap) return;
    if (entry.count > 0) this.#push(entry);
    else if (entry.count === 0) this.#forget(entry);
  }

  #forget({ value }: Candidate): void {
    const key = rowKeyText([value]);
    this.counts?.delete(key);
    this.bytes -= 2 * key.length + 96;
  }

  /** The heap as it stands, and what is owed; a list of pairs. */
  save(): SqlValue {
    if (this.counts === undefined) return [this.best];
    const owed = [...this.counts.values()].filter(({ isInHeap }) => !isInHeap);
    return [...this.heap, ...owed].map(({ value, count }) => [value, count]);
  }

  load(saved: SqlValue): this {
    if (this.counts === undefined) {
      this.best = savedArray(saved)[0] ?? null;
      return this;
    }
    for (const pair of savedArray(saved)) {
      const [value = null, count] = savedArray(pair);
      this.add(value, savedNumber(count));
    }
    return this;
  }

  top(): SqlValue {
    if (this.counts === undefined) return this.best;
    for (;;) {
      const top = this.heap[0];
      if (top === undefined) return null;
      if (top.count > 0) return top.value;
      this.#pop();
      top.isInHeap = false;
      if (top.count === 0) this.#forget(top);
    }
  }

  #push(entry: Candidate): void {
    entry.isInHeap = true;
    let at = this.heap.push(entry) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = this.heap[up];
      if (parent === undefined || !this.#better(entry.value, parent.value)) break;
      this.heap[at] = parent;
      at = up;
    }
    this.heap[at] = entry;
  }

  #pop(): void {
    const moved = this.heap.pop();
    if (moved === undefined || this.heap.length === 0) return;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      const left = this.heap[down];
      if (left === undefined) break;
      const right = this.heap[down + 1];
      if (right !== undefined && this.#better(right.value, left.value)) down += 1;
      const child = this.heap[down];
      if (child === undefined || !this.#better(child.value, moved.value)) break;
      this.heap[at] = child;
      at = down;
    }
    this.heap[at] = moved;
  }
}

export function extreme(sign: 1 | -1): AggregateImplementation {
  return implement({
    create: (appendOnly) => new ExtremeState(sign, appendOnly),
    add(state, args, weight) {
      const value = args[0] ?? null;
      if (value !== null) state.add(value, weight);
    },
    result: (state) => state.top(),
    stateBytes: (state) => state.bytes,
    save: (state) => state.save(),
    load: (saved, appendOnly) => new ExtremeState(sign, appendOnly).load(saved),
  });
}

/**
 * The value of the group's first or last record by order of arrival, a NULL too. With retractions every
 * value is kept; the youngest that equals is the one taken back, if there is one.
 */
class ArrivalState {
  readonly latest: boolean;
  readonly appendOnly: boolean;
  any = false;
  value: SqlValue = null;
  readonly arrived: { readonly key: string; readonly value: SqlValue }[] = [];
  bytes = 64;

  constructor(latest: boolean, appendOnly: boolean) {
    this.latest = latest;
    this.appendOnly = appendOnly;
  }

  add(value: SqlValue, weight: number): void {
    if (this.appendOnly) {
      if (this.latest || !this.any) this.value = value;
      this.any = true;
      return;
    }
    const key = rowKeyText([value]);
    const before = this.arrived.length;
    for (let i = 0; i < weight; i++) this.arrived.push({ key, value });
    for (let i = 0; i > weight; i--) {
      const at = this.arrived.findLastIndex((entry) => entry.key === key);
      if (at >= 0) this.arrived.splice(at, 1);
    }
    this.bytes += (this.arrived.length - before) * (2 * key.length + 64);
  }

  save(): SqlValue {
    return this.appendOnly ? [this.any, this.value] : this.arrived.map(({ value }) => value);
  }

  load(saved: SqlValue): this {
    const values = savedArray(saved);
    if (!this.appendOnly) for (const value of values) this.add(value, 1);
    else if (values[0] === true) this.add(values[1] ?? null, 1);
    return this;
  }

  result(): SqlValue {
    if (this.appendOnly) return this.value;
    return this.arrived.at(this.latest ? -1 : 0)?.value ?? null;
  }
}

function arrival(latest: boolean): AggregateImplementation {
  return implement({
    create: (appendOnly) => new ArrivalState(latest, appendOnly),
    add: (state, args, weight) => state.add(args[0] ?? null, weight),
    result: (state) => state.result(),
    stateBytes: (state) => state.bytes,
    save: (state) => state.save(),
    load: (saved, appendOnly) => new ArrivalState(latest, appendOnly).load(saved),
  });
}

/** An aggregate over distinct arguments: the inner one sees each for as long as one copy is there. */
export function distinctAggregate(inner: AggregateImplementation): AggregateImplementation {
  return implement({
    create: (appendOnly) => ({
      inner: inner.create(appendOnly),
      counts: new Map<string, number>(),
      bytes: 64,
    }),
    add(state, args, weight, context) {
      const key = rowKeyText(args);
      const before = state.counts.get(key) ?? 0;
      const after = before + weight;
      if (before === 0) state.bytes += 2 * key.length + 48;
      if (after === 0) {
        state.counts.delete(key);
        state.bytes -= 2 * key.length + 48;
      } else state.counts.set(key, after);
      if (before <= 0 && after > 0) inner.add(state.inner, args, 1, context);
      if (before > 0 && after <= 0) inner.add(state.inner, args, -1, context);
    },
    result: (state, context) => inner.result(state.inner, context),
    stateBytes: (state) => state.bytes + inner.stateBytes(state.inner),
    save: (state) => [
      inner.save(state.inner),
      [...state.counts].map(([key, rows]) => [Uint8Array.from(Buffer.from(key, "latin1")), rows]),
    ],
    load(saved, appendOnly) {
      const [innerSaved = null, pairs = null] = savedArray(saved);
      const counts = new Map<string, number>();
      let bytes = 64;
      for (const pair of savedArray(pairs)) {
        const [key, rows] = savedArray(pair);
        const text = key instanceof Uint8Array ? Buffer.from(key).toString("latin1") : "";
        counts.set(text, savedNumber(rows));
        bytes += 2 * text.length + 48;
      }
      return { inner: inner.load(innerSaved, appendOnly), counts, bytes };
    },
  });
}

/** The values of a group that must have one at most: the error comes with the answer, when it is known. */
const single = implement({
  create: () => ({ counts: new Map<string, Counted>(), rows: 0, bytes: 64 }),
  add(state, args, weight) {
    const value = args[0] ?? null;
    const key = rowKeyText([value]);
    const known = state.counts.get(key);
    state.rows += weight;
    if (known !== undefined) {
      known.count += weight;
      if (known.count === 0) {
        state.counts.delete(key);
        state.bytes -= 2 * key.length + 96;
      }
      return;
    }
    state.counts.set(key, { value, count: weight });
    state.bytes += 2 * key.length + 96;
  },
  result(state, context) {
    if (state.rows > 1) return context.error("A subquery gave more than one row");
    for (const { value, count: copies } of state.counts.values()) if (copies > 0) return value;
    return null;
  },
  stateBytes: (state) => state.bytes,
  save: (state) => [...state.counts.values()].map(({ value, count }) => [value, count]),
  load(saved) {
    const state = { counts: new Map<string, Counted>(), rows: 0, bytes: 64 };
    for (const pair of savedArray(saved)) {
      const [value = null, copies] = savedArray(pair);
      const key = rowKeyText([value]);
      state.counts.set(key, { value, count: savedNumber(copies) });
      state.rows += savedNumber(copies);
      state.bytes += 2 * key.length + 96;
    }
    return state;
  },
});

const exampleRows = "3, 1, NULL, 1, 2.5";

export const aggregates: readonly AggregateFunction[] = [
  {
    kind: "aggregate",
    name: "COUNT",
    parameters: ["any"],
    optional: 1,
    result: INTEGER,
    implementation: count,
    help: "COUNT(*): rows; COUNT(x): rows in which x is not NULL.",
    exampleRows,
    examples: [
      { sql: "COUNT(*)", result: "5" },
      { sql: "COUNT(x)", result: "4" },
      { sql: "COUNT(DISTINCT x)", result: "3" },
    ],
  },
  {
    kind: "aggregate",
    name: "SUM",
    parameters: ["number"],
    result: numericResult,
    implementation: sum,
    floatImplementation: floatSum,
    help: "Sum without the NULLs; NULL of no number.",
    exampleRows,
    examples: [
      { sql: "SUM(x)", result: "7.5" },
      { sql: "SUM(x) FILTER (WHERE x > 100)", result: "NULL" },
    ],
  },
  {
    kind: "aggregate",
    name: "AVG",
    aliases: ["MEAN"],
    parameters: ["number"],
    result: FLOAT,
    implementation: average,
    help: "Mean without the NULLs, a FLOAT; NULL of no number.",
    exampleRows,
    examples: [{ sql: "AVG(x)", result: "1.875" }],
  },
  {
    kind: "aggregate",
    name: "MIN",
    parameters: ["any"],
    result: firstResult,
    implementation: extreme(1),
    help: "Least value of any type, without the NULLs.",
    exampleRows,
    examples: [{ sql: "MIN(x)", result: "1" }],
  },
  {
    kind: "aggregate",
    name: "MAX",
    parameters: ["any"],
    result: firstResult,
    implementation: extreme(-1),
    help: "Greatest value of any type, without the NULLs.",
    exampleRows,
    examples: [{ sql: "MAX(x)", result: "3" }],
  },
  {
    kind: "aggregate",
    name: "SINGLE_VALUE",
    parameters: ["any"],
    result: firstResult,
    implementation: single,
    help: "The value of the group's only record; of several an error.",
    exampleRows,
    examples: [
      { sql: "SINGLE_VALUE(x) FILTER (WHERE x = 3)", result: "3" },
      { sql: "SINGLE_VALUE(x)", result: "error" },
    ],
  },
  {
    kind: "aggregate",
    name: "LATEST",
    aliases: ["LAST"],
    parameters: ["any"],
    result: firstResult,
    implementation: arrival(true),
    help: "Value of the group's latest record, or of the last one by ORDER BY, even if it is NULL.",
    exampleRows,
    examples: [
      { sql: "LATEST(x)", result: "2.5" },
      { sql: "LATEST(x ORDER BY x NULLS FIRST)", result: "3" },
    ],
  },
  {
    kind: "aggregate",
    name: "EARLIEST",
    aliases: ["FIRST"],
    parameters: ["any"],
    result: firstResult,
    implementation: arrival(false),
    help: "Value of the group's first record, or of the first one by ORDER BY, even if it is NULL.",
    exampleRows,
    examples: [
      { sql: "EARLIEST(x)", result: "3" },
      { sql: "EARLIEST(x ORDER BY x)", result: "1" },
    ],
  },
];
