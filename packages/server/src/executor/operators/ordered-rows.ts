import { assert } from "@hstream/proto";
import { compareTotal, rowKeyText, type SqlValue } from "@hstream/sql/runtime";
import type { CompiledSortKey } from "./sort.js";

/** A row in a place among others. */
export interface OrderedRow {
  readonly values: readonly SqlValue[];
  readonly keys: readonly SqlValue[];
  /** How many copies there are. */
  weight: number;
  /** The exact row key, once it was asked for. */
  text: string | undefined;
}

/** NULL's place is said by the key, not by its direction. */
export function compareSortKeys(
  a: readonly SqlValue[],
  b: readonly SqlValue[],
  order: readonly Pick<CompiledSortKey, "descending" | "nullsFirst">[],
): number {
  for (let i = 0; i < order.length; i++) {
    const { descending, nullsFirst } = order[i] as CompiledSortKey;
    const x = a[i] as SqlValue;
    const y = b[i] as SqlValue;
    if (x === y) continue;
    if (x === null || y === null) return (x === null) === nullsFirst ? -1 : 1;
    const compared = compareTotal(x, y);
    if (compared !== 0) return descending ? -compared : compared;
  }
  return 0;
}

/** By the sort keys, then by the exact row key: 0 for equal rows only. */
export function compareOrderedRows(
  a: OrderedRow,
  b: OrderedRow,
  order: readonly Pick<CompiledSortKey, "descending" | "nullsFirst">[],
): number {
  const compared = compareSortKeys(a.keys, b.keys, order);
  if (compared !== 0) return compared;
  a.text ??= rowKeyText(a.values);
  b.text ??= rowKeyText(b.values);
  return a.text === b.text ? 0 : a.text < b.text ? -1 : 1;
}

const bucketRowsMax = 512;

/**
 * Rows in order, in buckets of bounded length, so that a row comes and goes without moving all others.
 * Invariant: no bucket is empty, each is in order and before the next; no two rows are equal.
 */
export class OrderedRows<T extends OrderedRow> {
  readonly #order: readonly Pick<CompiledSortKey, "descending" | "nullsFirst">[];
  readonly #buckets: T[][] = [];
  #count = 0;

  constructor(order: readonly Pick<CompiledSortKey, "descending" | "nullsFirst">[]) {
    this.#order = order;
  }

  /** Number of different rows. */
  get count(): number {
    return this.#count;
  }

  /**
   * Adds the row's weight to the row that equals it, which goes when that makes 0, or puts it in its place.
   * The row that now stands there, or undefined.
   */
  add(row: T): T | undefined {
    const at = this.#bucketOf(row);
    const bucket = this.#buckets[at];
    if (bucket === undefined) {
      this.#buckets.push([row]);
      this.#count += 1;
      return row;
    }
    const place = this.#placeIn(bucket, row);
    const known = bucket[place];
    if (known !== undefined && compareOrderedRows(known, row, this.#order) === 0) {
      known.weight += row.weight;
      if (known.weight !== 0) return known;
      bucket.splice(place, 1);
      this.#count -= 1;
      if (bucket.length === 0) this.#buckets.splice(at, 1);
      return undefined;
    }
    bucket.splice(place, 0, row);
    this.#count += 1;
    if (bucket.length > bucketRowsMax) this.#buckets.splice(at + 1, 0, bucket.splice(bucketRowsMax >> 1));
    return row;
  }

  /** Takes over rows that are in order and different; there are none yet. */
  fill(rows: readonly T[]): void {
    assert(this.#count === 0, "rows are filled in once");
    for (let at = 0; at < rows.length; at += bucketRowsMax >> 1) {
      this.#buckets.push(rows.slice(at, at + (bucketRowsMax >> 1)));
    }
    this.#count = rows.length;
  }

  last(): T | undefined {
    return this.#buckets.at(-1)?.at(-1);
  }

  removeLast(): void {
    const bucket = this.#buckets.at(-1);
    bucket?.pop();
    this.#count -= 1;
    if (bucket?.length === 0) this.#buckets.pop();
  }

  *[Symbol.iterator](): Generator<T> {
    for (const bucket of this.#buckets) yield* bucket;
  }

  /** The rows from position `offset` on, at most `limit` of them; a row as often as it has copies. */
  slice(offset: number, limit: number): T[] {
    const rows: T[] = [];
    let skip = offset;
    for (const bucket of this.#buckets) {
      for (const row of bucket) {
        for (let copies = row.weight; copies > 0; copies--) {
          if (skip > 0) skip -= 1;
          else if (rows.length < limit) rows.push(row);
          else return rows;
        }
      }
    }
    return rows;
  }

  /** The bucket in which the row is or belongs: the first of which the last row is not before it, or the last. */
  #bucketOf(row: T): number {
    let low = 0;
    let high = this.#buckets.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      const last = (this.#buckets[middle] as T[]).at(-1) as T;
      if (compareOrderedRows(last, row, this.#order) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The first place of which the row is not before `row`. */
  #placeIn(bucket: readonly T[], row: T): number {
    let low = 0;
    let high = bucket.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareOrderedRows(bucket[middle] as T, row, this.#order) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
