import type { SqlValue } from "../types/sql-value.js";
import { compareTotal } from "../values/compare.js";
import { rowKeyText } from "../values/row-key.js";
import { savedArray, savedNumber } from "./aggregate-state.js";
import type { Counted } from "./aggregates.js";

/** Each different value with its number of copies: below 0 where it was taken back before it came. */
export class Multiset {
  readonly counts = new Map<string, Counted>();
  rows = 0;
  /** Different values of which there are copies. */
  different = 0;
  bytes = 64;
  /** The last further argument that came: k of TOPK, q of QUANTILE. */
  parameter: SqlValue = null;
  #sorted: readonly Counted[] | undefined;

  add(value: SqlValue, weight: number): void {
    this.#sorted = undefined;
    this.rows += weight;
    const key = rowKeyText([value]);
    const known = this.counts.get(key);
    const before = known?.count ?? 0;
    this.different += Number(before + weight > 0) - Number(before > 0);
    if (known === undefined) {
      this.counts.set(key, { value, count: weight });
      this.bytes += 2 * key.length + 96;
      return;
    }
    known.count += weight;
    if (known.count !== 0) return;
    this.counts.delete(key);
    this.bytes -= 2 * key.length + 96;
  }

  sorted(): readonly Counted[] {
    // What was taken back before it came is not there.
    this.#sorted ??= [...this.counts.values()]
      .filter(({ count }) => count > 0)
      .sort((a, b) => compareTotal(a.value, b.value));
    return this.#sorted;
  }

  /** The value at that position in order. */
  at(position: number): SqlValue {
    let left = position;
    for (const { value, count } of this.sorted()) {
      if (left < count) return value;
      left -= count;
    }
    return null;
  }

  save(): SqlValue {
    return [this.parameter, [...this.counts.values()].map(({ value, count }) => [value, count])];
  }

  static load(saved: SqlValue): Multiset {
    const state = new Multiset();
    const [parameter = null, pairs] = savedArray(saved);
    state.parameter = parameter;
    for (const pair of savedArray(pairs)) {
      const [value = null, count] = savedArray(pair);
      state.add(value, savedNumber(count));
    }
    return state;
  }
}
