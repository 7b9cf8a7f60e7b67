import type { SqlValue } from "@hstream/sql/runtime";
import { type Column, columnOfValues } from "../columns.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { GroupTable } from "./group-table.js";

/** Partitions that are gone are swept out once there are more of them than this, and than others. */
const deadPartitionsKept = 1024;

/** What an operator keeps for each combination of the values of key columns. */
export class PartitionTable<P> {
  readonly #width: number;
  readonly #groups: GroupTable;
  #partitions: (P | undefined)[] = [];
  #live = 0;

  /** `width`: number of key columns; none: one partition. */
  constructor(width: number) {
    this.#width = width;
    this.#groups = new GroupTable(width);
  }

  /** The numbers of the rows' partitions. They hold until `sweep`. */
  numbersOf(columns: readonly Column[], rowCount: number): Int32Array {
    return this.#groups.groupsOf(columns, rowCount);
  }

  at(number: number): P | undefined {
    return this.#partitions[number];
  }

  set(number: number, partition: P | undefined): void {
    if (this.#partitions[number] !== undefined) this.#live -= 1;
    if (partition !== undefined) this.#live += 1;
    this.#partitions[number] = partition;
  }

  /** Numbers given out so far: 0 … count − 1. */
  get count(): number {
    return this.#groups.count;
  }

  /** The value of a key column. */
  key(number: number, column: number): SqlValue {
    return this.#groups.key(number, column);
  }

  /** Numbers the partitions that are there anew, when many are gone; whether it did. */
  sweepIfDue(): boolean {
    const dead = this.count - this.#live;
    if (dead <= deadPartitionsKept || dead * 2 <= this.count || this.#width === 0) return false;
    const live: number[] = [];
    for (let number = 0; number < this.count; number++) {
      if (this.#partitions[number] !== undefined) live.push(number);
    }
    const columns = Array.from({ length: this.#width }, (_, column) =>
      columnOfValues(live.map((number) => this.#groups.key(number, column))),
    );
    this.#groups.clear();
    this.#groups.groupsOf(columns, live.length);
    this.#partitions = live.map((number) => this.#partitions[number]);
    return true;
  }

  /** Writes the partitions that are there; each is written by `savePartition`. */
  save(writer: StateWriter, savePartition: (partition: P) => void): void {
    this.#groups.save(writer);
    for (let number = 0; number < this.count; number++) {
      const partition = this.#partitions[number];
      writer.flag(partition !== undefined);
      if (partition !== undefined) savePartition(partition);
    }
  }

  load(reader: StateReader, loadPartition: () => P): void {
    this.#groups.load(reader);
    for (let number = 0; number < this.count; number++) if (reader.flag()) this.set(number, loadPartition());
  }

  /** Estimated; without what the partitions themselves take. */
  bytes(): number {
    return this.#groups.bytes() + 8 * this.#partitions.length;
  }
}
