import { assert } from "@hstream/proto";
import type { SqlValue } from "@hstream/sql/runtime";
import { type Column, valueAt } from "../columns.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { valueBytes } from "../state-size.js";
import { PairIndex, ValueIndex } from "./key-index.js";

/**
 * Groups by the values of key columns, numbered 0, 1, 2 … in the order of their first row. No key
 * columns: one group, 0, from the start.
 */
export class GroupTable {
  readonly #width: number;
  #values: ValueIndex[] = [];
  #pairs: PairIndex[] = [];
  /** Of each key column, the groups' values. */
  #keys: SqlValue[][] = [];
  #count = 0;
  #keyBytes = 0;

  constructor(width: number) {
    this.#width = width;
    this.clear();
  }

  get count(): number {
    return this.#count;
  }

  /** The group of each row; makes those that are new. */
  groupsOf(columns: readonly Column[], rowCount: number): Int32Array {
    const groups = new Int32Array(rowCount);
    const [first, ...others] = columns;
    if (first === undefined) return groups;
    this.#values[0]?.idsOf(first, rowCount, groups);
    const ids = new Int32Array(others.length > 0 ? rowCount : 0);
    for (const [i, column] of others.entries()) {
      (this.#values[i + 1] as ValueIndex).idsOf(column, rowCount, ids);
      const pairs = this.#pairs[i] as PairIndex;
      for (let row = 0; row < rowCount; row++)
        groups[row] = pairs.idOf(groups[row] as number, ids[row] as number);
    }
    this.#keepKeys(columns, groups);
    return groups;
  }

  /** The group that has these keys, if there is one; makes none. */
  find(keys: readonly SqlValue[]): number | undefined {
    let found = this.#width === 0 ? 0 : this.#values[0]?.find(keys[0] as SqlValue);
    for (let i = 1; i < this.#width && found !== undefined; i++) {
      const other = (this.#values[i] as ValueIndex).find(keys[i] as SqlValue);
      found = other === undefined ? undefined : (this.#pairs[i - 1] as PairIndex).find(found, other);
    }
    return found;
  }

  /** The group's value of a key column. */
  key(group: number, column: number): SqlValue {
    return (this.#keys[column] as SqlValue[])[group] as SqlValue;
  }

  /** The groups' values of a key column, by group. */
  values(column: number): readonly SqlValue[] {
    return this.#keys[column] as SqlValue[];
  }

  keysOf(group: number): SqlValue[] {
    return this.#keys.map((values) => values[group] as SqlValue);
  }

  /** Forgets all groups. */
  clear(): void {
    this.#values = Array.from({ length: this.#width }, () => new ValueIndex());
    this.#pairs = Array.from({ length: Math.max(0, this.#width - 1) }, () => new PairIndex());
    this.#keys = Array.from({ length: this.#width }, () => []);
    this.#count = this.#width === 0 ? 1 : 0;
    this.#keyBytes = 0;
  }

  /** Writes the groups, so that `load` gives them the same numbers. */
  save(writer: StateWriter): void {
    writer.count(this.#count);
    for (const values of this.#keys) writer.values(values);
  }

  load(reader: StateReader): void {
    const count = reader.count();
    this.clear();
    const columns = this.#keys.map(() => reader.column());
    this.groupsOf(columns, count);
    assert(this.#count === count, "a table of groups loads as it was saved");
  }

  /** Estimated. */
  bytes(): number {
    let bytes = this.#keyBytes;
    for (const index of this.#values) bytes += index.bytes();
    for (const index of this.#pairs) bytes += index.bytes();
    return bytes;
  }

  /** New groups come in the order of their numbers, because the last index numbers them so. */
  #keepKeys(columns: readonly Column[], groups: Int32Array): void {
    for (let row = 0; row < groups.length; row++) {
      if (groups[row] !== this.#count) continue;
      this.#count += 1;
      for (const [i, column] of columns.entries()) {
        const value = valueAt(column, row);
        (this.#keys[i] as SqlValue[]).push(value);
        this.#keyBytes += valueBytes(value);
      }
    }
  }
}
