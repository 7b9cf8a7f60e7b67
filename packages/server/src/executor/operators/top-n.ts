import type { SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, rowAt, valueAt, weightAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { rowBytes } from "../state-size.js";
import type { Operator, Output, Progress } from "./operator.js";
import { compareOrderedRows, compareSortKeys, type OrderedRow, OrderedRows } from "./ordered-rows.js";
import { OutputRows } from "./output-rows.js";
import { PartitionTable } from "./partition-table.js";
import type { CompiledSortKey } from "./sort.js";

export interface TopNOptions {
  readonly limit: number;
  readonly offset: number;
  /** Whether the row's position, from 1, is given as a last column. */
  readonly numbered: boolean;
  /** The input never retracts. */
  readonly appendOnly: boolean;
  /** Number of columns of the input. */
  readonly width: number;
  readonly emission: "per-record" | "per-step" | "at-end";
}

interface Partition {
  readonly rows: OrderedRows<OrderedRow>;
  /** What the output has of the partition, in order. */
  shown: readonly OrderedRow[];
  touchedIn: number;
}

/**
 * Job: of each partition the rows from position `offset` on, `limit` of them.
 * State: each partition's rows in order (of an append-only input the first offset + limit), and those that
 * are shown.
 * Invariant: between steps (with per-record emission: between records) the output is what is `shown`, and
 * that is the slice of the partition's rows.
 */
export class TopNOperator implements Operator {
  readonly name: string;
  readonly #partitionBy: readonly CompiledExpression[];
  readonly #keys: readonly CompiledSortKey[];
  readonly #options: TopNOptions;
  readonly #evaluation: Evaluation;
  readonly #partitions: PartitionTable<Partition>;
  #touched: number[] = [];
  #step = 1;
  #bytes = 0;
  #finishing = 0;

  constructor(
    name: string,
    partitionBy: readonly CompiledExpression[],
    keys: readonly CompiledSortKey[],
    options: TopNOptions,
    evaluation: Evaluation,
  ) {
    this.name = name;
    this.#partitionBy = partitionBy;
    this.#keys = keys;
    this.#options = options;
    this.#evaluation = evaluation;
    this.#partitions = new PartitionTable(partitionBy.length);
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const partitionColumns = this.#partitionBy.map((key) => key.evaluate(batch, this.#evaluation));
    const numbers = this.#partitions.numbersOf(partitionColumns, batch.rowCount);
    const keyColumns = this.#keys.map((key) => key.expression.evaluate(batch, this.#evaluation));
    const output = this.#outputRows(out);
    for (let row = 0; row < batch.rowCount; row++) {
      const number = numbers[row] as number;
      const partition = this.#partitionAt(number);
      const weight = weightAt(batch, row);
      const changed =
        this.#options.appendOnly && this.#isBeyond(partition, keyColumns, row)
          ? false
          : this.#add(partition, batch, keyColumns, row, weight);
      if (!changed) continue;
      if (this.#options.emission === "per-record") this.#show(partition, output);
      this.#touch(number, partition);
    }
    output.flush();
    return "done";
  }

  endStep(out: Output): Progress {
    if (this.#options.emission === "per-step") {
      const output = this.#outputRows(out);
      for (const number of this.#touched) this.#show(this.#partitionAt(number), output);
      output.flush();
    }
    for (const number of this.#touched) {
      if (this.#partitions.at(number)?.rows.count === 0) this.#partitions.set(number, undefined);
    }
    this.#touched = [];
    this.#step += 1;
    this.#partitions.sweepIfDue();
    return "done";
  }

  finish(out: Output): Progress {
    if (this.#options.emission !== "at-end") return "done";
    const output = this.#outputRows(out);
    const { count } = this.#partitions;
    for (let given = 0; given < this.#evaluation.stepRowsMax && this.#finishing < count; this.#finishing++) {
      const partition = this.#partitions.at(this.#finishing);
      if (partition === undefined) continue;
      this.#show(partition, output);
      given += partition.shown.length;
    }
    output.flush();
    return this.#finishing < count ? "more" : "done";
  }

  stateBytes(): number {
    return this.#partitions.bytes() + this.#bytes;
  }

  save(writer: StateWriter): void {
    this.#partitions.save(writer, ({ rows }) => {
      writer.count(rows.count);
      for (const { values, keys, weight } of rows) {
        writer.values(values);
        writer.values(keys);
        writer.number(weight);
      }
    });
  }

  load(reader: StateReader): void {
    const { offset, limit } = this.#options;
    this.#partitions.load(reader, () => {
      const rows = Array.from({ length: reader.count() }, (): OrderedRow => {
        const row = {
          values: reader.values(),
          keys: reader.values(),
          weight: reader.number(),
          text: undefined,
        };
        this.#bytes += bytesOf(row);
        return row;
      });
      const ordered = new OrderedRows(this.#keys);
      ordered.fill(rows);
      this.#bytes += partitionBytes;
      return { rows: ordered, shown: ordered.slice(offset, limit), touchedIn: 0 };
    });
  }

  #outputRows(out: Output): OutputRows {
    const { width, numbered } = this.#options;
    return new OutputRows(width + (numbered ? 1 : 0), out, this.#evaluation.stepRowsMax);
  }

  #partitionAt(number: number): Partition {
    const known = this.#partitions.at(number);
    if (known !== undefined) return known;
    const partition: Partition = { rows: new OrderedRows(this.#keys), shown: [], touchedIn: 0 };
    this.#partitions.set(number, partition);
    this.#bytes += partitionBytes;
    return partition;
  }

  #touch(number: number, partition: Partition): void {
    if (partition.touchedIn === this.#step) return;
    partition.touchedIn = this.#step;
    this.#touched.push(number);
  }

  /** Whether a new row's sort keys alone put it behind all rows that may ever be shown. */
  #isBeyond(partition: Partition, keyColumns: readonly Column[], row: number): boolean {
    const { limit, offset } = this.#options;
    if (limit === 0) return true;
    if (partition.rows.count < limit + offset) return false;
    const last = partition.rows.last() as OrderedRow;
    const keys = this.#keys;
    // One key is the common case; no array is made for it.
    if (keys.length === 1) {
      const value = valueAt(keyColumns[0] as Column, row);
      const least = last.keys[0] as SqlValue;
      if (typeof value === "number" && typeof least === "number") {
        return (keys[0] as CompiledSortKey).descending ? value < least : value > least;
      }
    }
    return compareSortKeys(valuesAt(keyColumns, row), last.keys, keys) > 0;
  }

  /** Whether the rows that are shown may have changed. */
  #add(
    partition: Partition,
    batch: ChangeBatch,
    keyColumns: readonly Column[],
    at: number,
    weight: number,
  ): boolean {
    const { limit, offset, appendOnly } = this.#options;
    const row: OrderedRow = {
      values: rowAt(batch, at),
      keys: valuesAt(keyColumns, at),
      weight,
      text: undefined,
    };
    const last = partition.shown.at(-1);
    const isBehind =
      partition.shown.length === limit && last !== undefined && compareOrderedRows(last, row, this.#keys) < 0;
    const before = partition.rows.count;
    const stands = partition.rows.add(row);
    if (partition.rows.count > before) this.#bytes += bytesOf(row);
    if (stands === undefined) this.#bytes -= bytesOf(row);
    if (appendOnly) {
      // Rows of several copies may make it less than so many different ones.
      while (partition.rows.count > limit + offset) {
        this.#bytes -= bytesOf(partition.rows.last() as OrderedRow);
        partition.rows.removeLast();
      }
    }
    return !isBehind;
  }

  #same(a: OrderedRow, b: OrderedRow): boolean {
    return compareOrderedRows(a, b, this.#keys) === 0;
  }

  /** Gives the difference between what is shown of a partition and what is to be. */
  #show(partition: Partition, output: OutputRows): void {
    const { limit, offset, numbered } = this.#options;
    const old = partition.shown;
    const now = partition.rows.slice(offset, limit);
    partition.shown = now;
    if (numbered) {
      for (let i = 0; i < Math.max(old.length, now.length); i++) {
        const [gone, come] = [old[i], now[i]];
        if (gone === come || (gone !== undefined && come !== undefined && this.#same(gone, come))) continue;
        if (gone !== undefined) output.add(gone.values, [offset + i + 1], -1);
        if (come !== undefined) output.add(come.values, [offset + i + 1], 1);
      }
      return;
    }
    let i = 0;
    let j = 0;
    while (i < old.length || j < now.length) {
      const [gone, come] = [old[i], now[j]];
      if (gone === come) {
        i += 1;
        j += 1;
        continue;
      }
      const order =
        gone === undefined ? 1 : come === undefined ? -1 : compareOrderedRows(gone, come, this.#keys);
      if (order <= 0) i += 1;
      if (order >= 0) j += 1;
      if (order < 0 && gone !== undefined) output.add(gone.values, [], -1);
      if (order > 0 && come !== undefined) output.add(come.values, [], 1);
    }
  }
}

const partitionBytes = 200;

function bytesOf(row: OrderedRow): number {
  return rowBytes(row.values) + rowBytes(row.keys) + 64;
}

export function valuesAt(columns: readonly Column[], row: number): SqlValue[] {
  const values: SqlValue[] = new Array<SqlValue>(columns.length);
  for (let i = 0; i < columns.length; i++) values[i] = valueAt(columns[i] as Column, row);
  return values;
}
