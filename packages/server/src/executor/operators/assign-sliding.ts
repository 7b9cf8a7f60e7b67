import type { SqlValue } from "@hstream/sql/runtime";
import { batchOfRows, type ChangeBatch, columnOfValues, rowAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { LateRecords } from "../decode/diverted.js";
import { valueBytes } from "../state-size.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { millisecondsOf } from "./assign-windows.js";
import { GroupTable } from "./group-table.js";
import type { Operator, Output, Progress } from "./operator.js";

export interface SlidingOptions {
  readonly sizeMs: number;
  /** Number of columns. */
  readonly width: number;
}

interface KeptRow {
  readonly ms: number;
  readonly values: readonly SqlValue[];
}

/**
 * Job: for each time of a row of a partition the window (time - size, time]. A row comes with all rows of its own
 * window, if its time is new, and joins the windows that are there and hold its time. What of them the watermark
 * before the row has closed (end < watermark) does not get it; a row whose own window is closed is diverted.
 * State: by partition the rows that windows to come may hold, by time, equal ones in the order of their arrival.
 * Invariant: the windows are the different times of the rows; the output only grows.
 */
export class AssignSlidingOperator implements Operator {
  readonly name: string;
  readonly #options: SlidingOptions;
  readonly #partition: readonly CompiledExpression[];
  readonly #time: CompiledExpression;
  readonly #watermark: CompiledExpression | undefined;
  readonly #evaluation: Evaluation;
  readonly #late: LateRecords;
  #partitions: GroupTable;
  /** By partition. */
  #rows: KeptRow[][] = [];
  #bytes = 0;
  /** The next row of the batch at hand, and of what it gives the next. */
  #row = 0;
  #rest: readonly OutputRow[] = [];

  constructor(
    name: string,
    options: SlidingOptions,
    partition: readonly CompiledExpression[],
    time: CompiledExpression,
    watermark: CompiledExpression | undefined,
    evaluation: Evaluation,
    late: LateRecords,
  ) {
    this.name = name;
    this.#options = options;
    this.#partition = partition;
    this.#time = time;
    this.#watermark = watermark;
    this.#evaluation = evaluation;
    this.#late = late;
    this.#partitions = new GroupTable(partition.length);
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    const { rowCount } = batch;
    const evaluation = this.#evaluation;
    const times = millisecondsOf(this.#time.evaluate(batch, evaluation), rowCount);
    const before =
      this.#watermark === undefined
        ? undefined
        : millisecondsOf(this.#watermark.evaluate(batch, evaluation), rowCount);
    const partitions = this.#partitions.groupsOf(
      this.#partition.map((key) => key.evaluate(batch, evaluation)),
      rowCount,
    );
    const made: OutputRow[] = [...this.#rest];
    for (; this.#row < rowCount && made.length < evaluation.stepRowsMax; this.#row++) {
      const row = this.#row;
      const ms = times[row] as number;
      const closed = before === undefined ? Number.NEGATIVE_INFINITY : (before[row] as number);
      if (!(ms >= closed)) this.#late.add(Number.isNaN(ms) ? "no-time" : "late", batch.origins?.[row]);
      else this.#add(partitions[row] as number, { ms, values: rowAt(batch, row) }, row, made);
    }
    let cut = Math.min(made.length, evaluation.stepRowsMax);
    // The rows of one window that one record brings stay together.
    while (cut > 0 && cut < made.length && isSameWindow(made[cut - 1] as OutputRow, made[cut] as OutputRow))
      cut += 1;
    this.#rest = made.slice(cut);
    this.#give(made.slice(0, cut), out);
    if (this.#row < rowCount || this.#rest.length > 0) return "more";
    this.#row = 0;
    return "done";
  }

  advance(watermarkMs: number): Progress {
    const keep = watermarkMs - this.#options.sizeMs;
    let dead = 0;
    for (let partition = 0; partition < this.#rows.length; partition++) {
      // One of which all records came too late has no rows.
      const rows = (this.#rows[partition] ??= []);
      const from = firstAfter(rows, keep);
      if (from > 0) for (const row of rows.splice(0, from)) this.#bytes -= bytesOf(row);
      if (rows.length === 0) dead += 1;
    }
    if (dead > 1024 && dead * 2 > this.#rows.length) this.#sweep();
    return "done";
  }

  endStep(): Progress {
    return "done";
  }

  finish(): Progress {
    return "done";
  }

  stateBytes(): number {
    return this.#partitions.bytes() + this.#bytes + 16 * this.#rows.length;
  }

  save(writer: StateWriter): void {
    this.#partitions.save(writer);
    for (let partition = 0; partition < this.#partitions.count; partition++) {
      const rows = this.#rows[partition] ?? [];
      writer.floats(
        Float64Array.from(rows, ({ ms }) => ms),
        rows.length,
      );
      for (const { values } of rows) writer.values(values);
    }
  }

  load(reader: StateReader): void {
    this.#partitions.load(reader);
    for (let partition = 0; partition < this.#partitions.count; partition++) {
      const times = reader.floats();
      const rows = Array.from(times, (ms): KeptRow => ({ ms, values: reader.values() }));
      for (const row of rows) this.#bytes += bytesOf(row);
      this.#rows[partition] = rows;
    }
  }

  #add(partition: number, row: KeptRow, record: number, made: OutputRow[]): void {
    const { sizeMs } = this.#options;
    const rows = (this.#rows[partition] ??= []);
    const at = firstAfter(rows, row.ms);
    const isNew = rows[at - 1]?.ms !== row.ms;
    rows.splice(at, 0, row);
    this.#bytes += bytesOf(row);
    // All rows of the window that this one makes, or itself in the one that is there.
    const from = isNew ? firstAfter(rows, row.ms - sizeMs) : at;
    for (let i = from; i <= at; i++) made.push({ values: (rows[i] as KeptRow).values, end: row.ms, record });
    let last = row.ms;
    for (let i = at + 1; i < rows.length; i++) {
      const end = (rows[i] as KeptRow).ms;
      if (end >= row.ms + sizeMs) break;
      if (end === last) continue;
      last = end;
      made.push({ values: row.values, end, record });
    }
  }

  #give(rows: readonly OutputRow[], out: Output): void {
    if (rows.length === 0) return;
    const batch = batchOfRows(
      rows.map(({ values }) => values),
      this.#options.width,
    );
    const bound = (shift: number): SqlValue[] =>
      rows.map(({ end }): SqlValue => ({ kind: "timestamp", ms: end - shift }));
    const bounds = [columnOfValues(bound(this.#options.sizeMs)), columnOfValues(bound(0))];
    const records = Int32Array.from(rows, ({ record }) => record);
    out({ ...batch, columns: [...batch.columns, ...bounds], records });
  }

  /** Numbers the partitions that have rows anew. */
  #sweep(): void {
    const live = this.#rows.flatMap((rows, partition) => (rows.length > 0 ? [partition] : []));
    const columns = this.#partition.map((_, column) =>
      columnOfValues(live.map((partition) => this.#partitions.key(partition, column))),
    );
    this.#rows = live.map((partition) => this.#rows[partition] ?? []);
    this.#partitions.clear();
    this.#partitions.groupsOf(columns, live.length);
  }
}

interface OutputRow {
  readonly values: readonly SqlValue[];
  readonly end: number;
  readonly record: number;
}

function isSameWindow(a: OutputRow, b: OutputRow): boolean {
  return a.record === b.record && a.end === b.end;
}

function bytesOf({ values }: KeptRow): number {
  let bytes = 64;
  for (const value of values) bytes += valueBytes(value);
  return bytes;
}

/** The first row with a time above `ms`; rows are in the order of their times. */
function firstAfter(rows: readonly KeptRow[], ms: number): number {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((rows[middle] as KeptRow).ms <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}
