import { aggregateElementsMax } from "../limits.js";
import type { SqlValue } from "../types/sql-value.js";
import { compareTotal } from "../values/compare.js";
import { rowKeyText } from "../values/row-key.js";
import { toText } from "../values/text.js";
import { implement, savedArray, savedNumber } from "./aggregate-state.js";
import type { AggregateImplementation, EvaluationContext } from "./function.js";

/** A value with its sort keys, as often as it came; below 0 where it was taken back before it came. */
interface Entry {
  readonly value: SqlValue;
  readonly keys: readonly SqlValue[];
  count: number;
}

function isThere({ count }: Entry): boolean {
  return count > 0;
}

/**
 * The values of a group in order of keys of their own; equal keys in the order of the values, so that the answer
 * does not hang on the order of arrival.
 */
class OrderedState {
  readonly #entries: Entry[] = [];
  #directions = "";
  separator = ",";
  rows = 0;
  bytes = 64;

  /** Arguments as orderedCall has them. */
  add(args: readonly SqlValue[], weight: number, context: EvaluationContext): void {
    const [value = null, separator = null, directions = null, ...keys] = args;
    if (typeof separator === "string") this.separator = separator;
    if (typeof directions === "string") this.#directions = directions;
    if (weight > 0 && this.rows + weight > aggregateElementsMax) {
      context.error(`A group collects at most ${aggregateElementsMax} values`);
      return;
    }
    const entry = { value, keys, count: weight };
    const at = this.#position(entry);
    const there = this.#entries[at];
    const size = 2 * rowKeyText([value, ...keys]).length + 96;
    if (there !== undefined && this.#compare(there, entry) === 0) {
      there.count += weight;
      if (there.count === 0) {
        this.#entries.splice(at, 1);
        this.bytes -= size;
      }
    } else {
      this.#entries.splice(at, 0, entry);
      this.bytes += size;
    }
    this.rows += weight;
  }

  /** All values in order, each as often as it came. */
  values(): SqlValue[] {
    return this.#entries.flatMap(({ value, count }) => new Array<SqlValue>(Math.max(0, count)).fill(value));
  }

  first(): SqlValue {
    return this.#entries.find(isThere)?.value ?? null;
  }

  last(): SqlValue {
    return this.#entries.findLast(isThere)?.value ?? null;
  }

  save(): SqlValue {
    const entries = this.#entries.map(({ value, keys, count }) => [value, [...keys], count]);
    return [this.separator, this.#directions, entries];
  }

  static load(saved: SqlValue): OrderedState {
    const state = new OrderedState();
    const [separator = null, directions = null, entries] = savedArray(saved);
    for (const entry of savedArray(entries)) {
      const [value = null, keys, count] = savedArray(entry);
      const args = [value, separator, directions, ...savedArray(keys)];
      state.add(args, savedNumber(count), { nowMs: 0, error: () => null });
    }
    return state;
  }

  /** Of the first entry that does not come before this one. */
  #position(entry: Entry): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#compare(this.#entries[middle] as Entry, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #compare(a: Entry, b: Entry): number {
    for (let i = 0; i < b.keys.length; i++) {
      const [x, y] = [a.keys[i] ?? null, b.keys[i] ?? null];
      const direction = this.#directions[i] ?? "a";
      if (x === null || y === null) {
        if (x === y) continue;
        const nullsFirst = direction === "A" || direction === "D";
        return (x === null) === nullsFirst ? -1 : 1;
      }
      const order = compareTotal(x, y);
      if (order !== 0) return direction.toLowerCase() === "d" ? -order : order;
    }
    return compareTotal(a.value, b.value);
  }
}

function ordered(result: (state: OrderedState) => SqlValue, skipsNulls = false): AggregateImplementation {
  return implement({
    create: () => new OrderedState(),
    add(state, args, weight, context) {
      if (skipsNulls && (args[0] ?? null) === null) return;
      state.add(args, weight, context);
    },
    result: (state) => (state.rows === 0 ? null : result(state)),
    stateBytes: (state) => state.bytes,
    save: (state) => state.save(),
    load: OrderedState.load,
  });
}

const suffix = " ORDER BY";

/**
 * Aggregates with ORDER BY inside. Their arguments are the value, a separator (NULL: a comma), the directions as
 * one letter for each key (a or d, a capital where NULLs come first), and the keys.
 */
export const orderedAggregates: ReadonlyMap<string, AggregateImplementation> = new Map([
  [`ARRAY_AGG${suffix}`, ordered((state) => state.values())],
  [`STRING_AGG${suffix}`, ordered((state) => state.values().map(toText).join(state.separator), true)],
  [`EARLIEST${suffix}`, ordered((state) => state.first())],
  [`LATEST${suffix}`, ordered((state) => state.last())],
]);

/** The name under which the aggregate takes an order; undefined where the order of values makes no difference. */
export function orderedName(name: string): string | undefined {
  return orderedAggregates.has(name + suffix) ? name + suffix : undefined;
}
