import type { Closing, SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, rowAt, valueAt, weightAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { rowBytes } from "../state-size.js";
import type { Operator, Output, Progress } from "./operator.js";
import { type OrderedPartition, OrderedPartitions } from "./ordered-partitions.js";
import { compareOrderedRows, compareSortKeys, type OrderedRow } from "./ordered-rows.js";
import { OutputRows } from "./output-rows.js";
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
  readonly emission: "per-record" | "per-step" | "at-end" | "at-close";
  /** The partition's expression that closes it. */
  readonly closes?: Closing;
}

type Partition = OrderedPartition<OrderedRow, OrderedRow>;

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
  readonly #partitions: OrderedPartitions<OrderedRow, OrderedRow>;
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
    this.#partitions = new OrderedPartitions(partitionBy.length, keys, bytesOf, options.closes);
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const partitionColumns = this.#partitionBy.map((key) => key.evaluate(batch, this.#evaluation));
    const numbers = this.#partitions.numbersOf(partitionColumns, batch.rowCount);
    const keyColumns = this.#keys.map((key) => key.expression.evaluate(batch, this.#evaluation));
    const output = this.#outputRows(out);
    for (let row = 0; row < batch.rowCount; row++) {
      const number = numbers[row] as number;
      const partition = this.#partitions.at(number);
      const weight = weightAt(batch, row);
      const changed =
        this.#options.appendOnly && this.#isBeyond(partition, keyColumns, row)
          ? false
          : this.#add(partition, batch, keyColumns, row, weight);
      if (!changed) continue;
      if (this.#options.emission === "per-record") this.#show(partition, output);
      this.#partitions.touch(number, partition);
    }
    output.flush();
    return "done";
  }

  advance(watermarkMs: number, out: Output): Progress {
    const output = this.#outputRows(out);
    const progress = this.#partitions.close(watermarkMs, this.#evaluation.stepRowsMax, (partition) => {
      this.#show(partition, output);
    });
    output.flush();
    return progress;
  }

  endStep(out: Output): Progress {
    if (this.#options.emission === "per-step") {
      const output = this.#outputRows(out);
      for (const number of this.#partitions.touched) this.#show(this.#partitions.at(number), output);
      output.flush();
    }
    this.#partitions.endStep();
    return "done";
  }

  finish(out: Output): Progress {
    if (this.#options.emission !== "at-end") return "done";
    const output = this.#outputRows(out);
    const { count } = this.#partitions;
    for (let given = 0; given < this.#evaluation.stepRowsMax && this.#finishing < count; this.#finishing++) {
      const partition = this.#partitions.find(this.#finishing);
      if (partition === undefined) continue;
      this.#show(partition, output);
      given += partition.shown.length;
    }
    output.flush();
    return this.#finishing < count ? "more" : "done";
  }

  stateBytes(): number {
    return this.#partitions.bytes();
  }

  save(writer: StateWriter): void {
    this.#partitions.save(writer);
  }

  load(reader: StateReader): void {
    const { offset, limit } = this.#options;
    this.#partitions.load(
      reader,
      (row) => row,
      // Of what is given when it closes, nothing is shown yet.
      (rows) => (this.#options.emission === "at-close" ? [] : rows.slice(offset, limit)),
    );
  }

  #outputRows(out: Output): OutputRows {
    const { width, numbered } = this.#options;
    return new OutputRows(width + (numbered ? 1 : 0), out, this.#evaluation.stepRowsMax);
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
    this.#partitions.add(partition, row);
    // Rows of several copies may make it less than so many different ones.
    if (appendOnly) this.#partitions.cut(partition, limit + offset);
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

function bytesOf(row: OrderedRow): number {
  return rowBytes(row.values) + rowBytes(row.keys) + 64;
}

export function valuesAt(columns: readonly Column[], row: number): SqlValue[] {
  const values: SqlValue[] = new Array<SqlValue>(columns.length);
  for (let i = 0; i < columns.length; i++) values[i] = valueAt(columns[i] as Column, row);
  return values;
}
