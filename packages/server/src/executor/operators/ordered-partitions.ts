import type { Closing } from "@hstream/sql/runtime";
import type { Column } from "../columns.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { ClosingGroups } from "./closing-groups.js";
import { type OrderedRow, OrderedRows } from "./ordered-rows.js";
import type { Progress } from "./operator.js";
import { PartitionTable } from "./partition-table.js";
import type { CompiledSortKey } from "./sort.js";

export interface OrderedPartition<R extends OrderedRow, S> {
  readonly rows: OrderedRows<R>;
  /** What the output has of the partition, in order. */
  shown: readonly S[];
  touchedIn: number;
}

/** Roughly, of a partition beside its rows. */
const partitionBytes = 200;

/**
 * Rows of an operator by partition, each partition's in order, with what is shown of them; and which
 * partitions the present step has touched.
 */
export class OrderedPartitions<R extends OrderedRow, S> {
  readonly #order: readonly CompiledSortKey[];
  readonly #rowBytes: (row: R) => number;
  readonly #table: PartitionTable<OrderedPartition<R, S>>;
  readonly #closes: Closing | undefined;
  readonly #closing: ClosingGroups;
  #touched: number[] = [];
  #step = 1;
  #bytes = 0;

  /** `width`: number of partition columns. `rowBytes`: about what a row takes. `closes`: the column that does. */
  constructor(
    width: number,
    order: readonly CompiledSortKey[],
    rowBytes: (row: R) => number,
    closes: Closing | undefined,
  ) {
    this.#closes = closes;
    this.#closing = new ClosingGroups(closes?.offsetMs ?? 0);
    this.#order = order;
    this.#rowBytes = rowBytes;
    this.#table = new PartitionTable(width);
  }

  /** The numbers of the rows' partitions. They hold until `endStep`. */
  numbersOf(columns: readonly Column[], rowCount: number): Int32Array {
    const known = this.#table.count;
    const numbers = this.#table.numbersOf(columns, rowCount);
    this.#noteClosing(known);
    return numbers;
  }

  /**
   * Lets go of the partitions that the watermark has closed, in the order of their ends, each after `show` has
   * given what it still has to say; until about `rowsMax` rows are done with.
   */
  close(watermarkMs: number, rowsMax: number, show: (partition: OrderedPartition<R, S>) => void): Progress {
    for (let left = rowsMax; left > 0; ) {
      const closed = this.#closing.take(watermarkMs);
      if (closed === undefined) break;
      for (const number of closed) {
        const partition = this.#table.at(number);
        if (partition === undefined) continue;
        show(partition);
        left -= partition.shown.length + 1;
        this.#drop(number, partition);
      }
    }
    return this.#closing.isDue(watermarkMs) ? "more" : "done";
  }

  #drop(number: number, { rows }: OrderedPartition<R, S>): void {
    for (const row of rows) this.#bytes -= this.#rowBytes(row);
    this.#table.set(number, undefined);
  }

  #noteClosing(from: number): void {
    if (this.#closes === undefined) return;
    for (let number = from; number < this.#table.count; number++) {
      this.#closing.add(this.#table.key(number, this.#closes.index), number);
    }
  }

  /** Numbers given out so far: 0 … count − 1. */
  get count(): number {
    return this.#table.count;
  }

  /** Those that the present step has touched, in the order in which it did. */
  get touched(): readonly number[] {
    return this.#touched;
  }

  find(number: number): OrderedPartition<R, S> | undefined {
    return this.#table.at(number);
  }

  /** Likewise; made when there is none. */
  at(number: number): OrderedPartition<R, S> {
    const known = this.#table.at(number);
    if (known !== undefined) return known;
    const partition: OrderedPartition<R, S> = {
      rows: new OrderedRows(this.#order),
      shown: [],
      touchedIn: 0,
    };
    this.#table.set(number, partition);
    return partition;
  }

  touch(number: number, partition: OrderedPartition<R, S>): void {
    if (partition.touchedIn === this.#step) return;
    partition.touchedIn = this.#step;
    this.#touched.push(number);
  }

  /** Adds the row's weight; the row that now stands there, or undefined when that makes 0. */
  add({ rows }: OrderedPartition<R, S>, row: R): R | undefined {
    const before = rows.count;
    const stands = rows.add(row);
    this.#bytes += (rows.count - before) * this.#rowBytes(row);
    return stands;
  }

  /** Forgets the last rows of a partition, beyond so many. */
  cut({ rows }: OrderedPartition<R, S>, count: number): void {
    for (let last = rows.last(); last !== undefined && rows.count > count; last = rows.last()) {
      this.#bytes -= this.#rowBytes(last);
      rows.removeLast();
    }
  }

  /** Partitions without rows go. */
  endStep(): void {
    for (const number of this.#touched) {
      if (this.#table.at(number)?.rows.count === 0) this.#table.set(number, undefined);
    }
    this.#touched = [];
    this.#step += 1;
    if (!this.#table.sweepIfDue()) return;
    this.#closing.clear();
    this.#noteClosing(0);
  }

  /** Estimated. */
  bytes(): number {
    return this.#table.bytes() + this.#table.count * partitionBytes + this.#bytes + this.#closing.bytes();
  }

  /** Writes all rows; `saveRest` what a row has beside values, keys and weight. */
  save(writer: StateWriter, saveRest: (row: R) => void = () => {}): void {
    this.#table.save(writer, ({ rows }) => {
      writer.count(rows.count);
      for (const row of rows) {
        writer.values(row.values);
        writer.values(row.keys);
        writer.number(row.weight);
        saveRest(row);
      }
    });
  }

  /** `complete` makes a row of what every row has; `show` says what is shown of a partition's rows. */
  load(
    reader: StateReader,
    complete: (row: OrderedRow) => R,
    show: (rows: OrderedRows<R>) => readonly S[],
  ): void {
    this.#table.load(reader, () => {
      const list = Array.from({ length: reader.count() }, () => {
        const [values, keys, weight] = [reader.values(), reader.values(), reader.number()];
        const row = complete({ values, keys, weight, text: undefined });
        this.#bytes += this.#rowBytes(row);
        return row;
      });
      const rows = new OrderedRows<R>(this.#order);
      rows.fill(list);
      return { rows, shown: show(rows), touchedIn: 0 };
    });
    this.#noteClosing(0);
  }
}
