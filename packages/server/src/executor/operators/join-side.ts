import type { SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, columnOfValues, valueAt } from "../columns.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { valueBytes } from "../state-size.js";
import { grown, grownInt32 } from "./grown.js";
import { GroupTable } from "./group-table.js";

/** Rows that are gone are swept out once there are more of them than this, and than others. */
const deadRowsKept = 1024;
/** In place of a key: the row is in no chain. */
const noKey = -1;

/**
 * The rows of one side of a join, numbered, in chains of equal join keys.
 *
 * Job: keep rows with their weights, find those of a key, oldest first, and give their columns.
 * State: of each row its values, weight, key, the next of its key, and, if asked, the weight of its
 * partners. An append-only side takes every row as a new one; else equal rows are one.
 * Invariant: a row that is not swept out is in the chain of its key; its weight is 0 when it is gone.
 */
export class JoinSide {
  readonly #width: number;
  readonly #counted: boolean;
  /** Exact identity of rows, where some may be taken back. */
  readonly #identities: GroupTable | undefined;
  /** Of an append-only side, the values by column. */
  #values: SqlValue[][];
  #valueBytes = 0;
  #count = 0;
  #dead = 0;
  #weights = new Float64Array(16);
  /** Weight of the partners of each row. */
  #partners = new Float64Array(0);
  #keys = new Int32Array(16);
  #next = new Int32Array(16);
  /** By key: first and last row of the chain, -1 for none. */
  #heads = new Int32Array(0);
  #tails = new Int32Array(0);

  /** `counted`: whether the weight of each row's partners is kept. */
  constructor(width: number, options: { readonly appendOnly: boolean; readonly counted: boolean }) {
    this.#width = width;
    this.#counted = options.counted;
    this.#identities = options.appendOnly ? undefined : new GroupTable(width);
    this.#values = options.appendOnly ? Array.from({ length: width }, () => []) : [];
  }

  /** Numbers given out so far: rows are 0 … count − 1. */
  get count(): number {
    return this.#count;
  }

  /** The first row of a key, or -1. */
  first(key: number): number {
    return key < this.#heads.length ? (this.#heads[key] as number) : -1;
  }

  /** The next row of the same key, or -1. */
  next(row: number): number {
    return this.#next[row] as number;
  }

  weight(row: number): number {
    return this.#weights[row] as number;
  }

  partners(row: number): number {
    return this.#partners[row] as number;
  }

  setPartners(row: number, weight: number): void {
    this.#partners[row] = weight;
  }

  /** The numbers of the rows of a batch. Call before `add`; -1: new ones of an append-only side. */
  identify(batch: ChangeBatch): Int32Array | undefined {
    return this.#identities?.groupsOf(batch.columns, batch.rowCount);
  }

  /** Adds `weight` of a row of the batch; its number. `known`: what `identify` gave for it. */
  add(batch: ChangeBatch, at: number, known: number | undefined, key: number, weight: number): number {
    const row = known ?? this.#count;
    if (row >= this.#count) this.#begin(row, key);
    if (known === undefined) this.#keepValues(batch.columns, at);
    const before = this.#weights[row] as number;
    this.#weights[row] = before + weight;
    if (before !== 0 && before + weight === 0) this.#dead += 1;
    else if (before === 0) this.#dead -= 1;
    return row;
  }

  /** The column of the rows that are named; NULL where the number is -1. */
  column(index: number, rows: Int32Array, count: number): Column {
    const from =
      this.#identities === undefined ? (this.#values[index] as SqlValue[]) : this.#identities.values(index);
    const values: SqlValue[] = new Array<SqlValue>(count);
    for (let i = 0; i < count; i++) {
      const row = rows[i] as number;
      values[i] = row < 0 ? null : (from[row] as SqlValue);
    }
    return columnOfValues(values);
  }

  /** The row is gone. */
  remove(row: number): void {
    if (this.#weights[row] === 0) return;
    this.#weights[row] = 0;
    this.#dead += 1;
  }

  /** All rows are gone that have the key. */
  removeKey(key: number): void {
    for (let row = this.first(key); row >= 0; row = this.next(row)) this.remove(row);
  }

  /** The columns of all rows, by their numbers; those that are gone among them. */
  columns(): readonly Column[] {
    const rows = Int32Array.from({ length: this.#count }, (_, row) => row);
    return Array.from({ length: this.#width }, (_, i) => this.column(i, rows, this.#count));
  }

  get sweepIsDue(): boolean {
    return this.#dead > deadRowsKept && this.#dead * 2 > this.#count;
  }

  /** Numbers the rows that are there anew, without gaps. `keyOf` gives the keys' new numbers. */
  sweep(keyOf: (key: number) => number): void {
    const live: number[] = [];
    for (let row = 0; row < this.#count; row++) if (this.#weights[row] !== 0) live.push(row);
    const rows = Int32Array.from(live);
    const columns = Array.from({ length: this.#width }, (_, i) => this.column(i, rows, live.length));
    const weights = live.map((row) => this.#weights[row] as number);
    const partners = this.#counted ? live.map((row) => this.#partners[row] as number) : [];
    const keys = live.map((row) => keyOf(this.#keys[row] as number));
    this.clear();
    const batch: ChangeBatch = { rowCount: live.length, columns, weights: undefined, updates: undefined };
    const known = this.identify(batch);
    for (let i = 0; i < live.length; i++) {
      const row = this.add(batch, i, known?.[i], keys[i] as number, weights[i] as number);
      if (this.#counted) this.#partners[row] = partners[i] as number;
    }
  }

  /** Writes all rows, those that are gone too: should one come again, it has its old place in the chain. */
  save(writer: StateWriter): void {
    if (this.#identities === undefined) for (const values of this.#values) writer.values(values);
    else this.#identities.save(writer);
    writer.floats(this.#weights, this.#count);
    writer.floats(this.#partners, this.#counted ? this.#count : 0);
    writer.ints(this.#keys, this.#count);
  }

  load(reader: StateReader): void {
    this.clear();
    if (this.#identities === undefined) {
      this.#values = this.#values.map(() => reader.values());
      for (const values of this.#values) for (const value of values) this.#valueBytes += valueBytes(value);
    } else this.#identities.load(reader);
    const [weights, partners, keys] = [reader.floats(), reader.floats(), reader.ints()];
    for (const [row, key] of keys.entries()) {
      if (key === noKey) continue;
      this.#begin(row, key);
      this.#weights[row] = weights[row] as number;
      if (weights[row] !== 0) this.#dead -= 1;
      if (this.#counted) this.#partners[row] = partners[row] as number;
    }
  }

  /** Marks the keys of the rows that are there. */
  markKeys(used: Uint8Array): void {
    for (let row = 0; row < this.#count; row++)
      if (this.#weights[row] !== 0) used[this.#keys[row] as number] = 1;
  }

  clear(): void {
    this.#identities?.clear();
    this.#values = this.#values.map(() => []);
    this.#valueBytes = 0;
    this.#count = 0;
    this.#dead = 0;
    this.#heads.fill(-1);
    this.#weights.fill(0);
  }

  /** Estimated. */
  bytes(): number {
    const perRow = 8 + 4 + 4 + (this.#counted ? 8 : 0);
    const index = 4 * (this.#heads.length + this.#tails.length);
    return this.#weights.length * perRow + index + this.#valueBytes + (this.#identities?.bytes() ?? 0);
  }

  #begin(row: number, key: number): void {
    const before = this.#count;
    this.#count = row + 1;
    this.#weights = grown(this.#weights, this.#count);
    this.#keys = grownInt32(this.#keys, this.#count);
    this.#next = grownInt32(this.#next, this.#count);
    if (this.#counted) this.#partners = grown(this.#partners, this.#count);
    this.#heads = grownInt32(this.#heads, key + 1, -1);
    this.#tails = grownInt32(this.#tails, key + 1, -1);
    // Numbers of rows that were identified and not added, for they can have no partner.
    this.#keys.fill(noKey, before, row);
    // Counted as gone until its weight comes.
    this.#dead += 1;
    this.#keys[row] = key;
    this.#next[row] = -1;
    if (this.#counted) this.#partners[row] = 0;
    if (this.#heads[key] === -1) this.#heads[key] = row;
    else this.#next[this.#tails[key] as number] = row;
    this.#tails[key] = row;
  }

  #keepValues(columns: readonly Column[], at: number): void {
    for (let i = 0; i < this.#width; i++) {
      const value = valueAt(columns[i] as Column, at);
      (this.#values[i] as SqlValue[]).push(value);
      this.#valueBytes += valueBytes(value);
    }
  }
}
