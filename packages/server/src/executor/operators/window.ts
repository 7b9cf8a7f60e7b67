import { type Closing, compareTotal, type SqlValue, type WindowCall } from "@hstream/sql/runtime";
import { type ChangeBatch, rowAt, valueAt, weightAt } from "../columns.js";
import type { CompiledExpression } from "../compile/compiled-expression.js";
import type { Evaluation } from "../compile/evaluation.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { rowBytes } from "../state-size.js";
import { selectTrue } from "./filter.js";
import type { Operator, Output, Progress } from "./operator.js";
import { type OrderedPartition, OrderedPartitions } from "./ordered-partitions.js";
import { compareOrderedRows, compareSortKeys, type OrderedRows } from "./ordered-rows.js";
import { OutputRows } from "./output-rows.js";
import type { CompiledSortKey } from "./sort.js";
import { valuesAt } from "./top-n.js";
import { callResults, type PlacedCall } from "./window-calls.js";
import type { WindowPartition, WindowRow } from "./window-partition.js";

export interface CompiledWindowCall {
  readonly call: WindowCall;
  readonly args: readonly CompiledExpression[];
  readonly filter: CompiledExpression | undefined;
}

export interface WindowOptions {
  /** Number of columns of the input. */
  readonly width: number;
  readonly emission: "per-record" | "per-step" | "at-end" | "at-close";
  /** The partition's expression that closes it. */
  readonly closes?: Closing;
}

interface Shown {
  readonly row: WindowRow;
  readonly results: readonly SqlValue[];
}

type Partition = OrderedPartition<WindowRow, Shown>;

/** A batch that is being taken in, and how far. */
interface Work {
  readonly partitions: Int32Array;
  readonly rowAt: (row: number) => WindowRow;
  row: number;
}

/**
 * Job: each row with the results of functions over the rows of its partition. A partition that changed is
 * computed anew, and what is different is given.
 * State: each partition's rows in order, and what is shown of them.
 * Invariant: between steps (with per-record emission: between records) what is shown is what the functions
 * give for the partition's rows.
 */
export class WindowOperator implements Operator {
  readonly name: string;
  readonly #partitionBy: readonly CompiledExpression[];
  readonly #keys: readonly CompiledSortKey[];
  readonly #calls: readonly CompiledWindowCall[];
  readonly #placed: readonly PlacedCall[];
  readonly #options: WindowOptions;
  readonly #evaluation: Evaluation;
  readonly #partitions: OrderedPartitions<WindowRow, Shown>;
  #shownCount = 0;
  #work: Work | undefined;
  /** Touched partitions that `endStep` has done, and those of all that `finish` has. */
  #ended = 0;
  #finishing = 0;

  constructor(
    name: string,
    partitionBy: readonly CompiledExpression[],
    keys: readonly CompiledSortKey[],
    calls: readonly CompiledWindowCall[],
    options: WindowOptions,
    evaluation: Evaluation,
  ) {
    this.name = name;
    this.#partitionBy = partitionBy;
    this.#keys = keys;
    this.#calls = calls;
    this.#placed = calls.map(({ call }, index) => ({ call, index }));
    this.#options = options;
    this.#evaluation = evaluation;
    this.#partitions = new OrderedPartitions(partitionBy.length, keys, bytesOf, options.closes);
  }

  process(batch: ChangeBatch, _port: number, out: Output): Progress {
    this.#work ??= this.#begin(batch);
    const work = this.#work;
    const output = this.#outputRows(out);
    const perRecord = this.#options.emission === "per-record";
    let computed = 0;
    for (; work.row < batch.rowCount; work.row++) {
      if (computed > this.#evaluation.stepRowsMax) {
        output.flush();
        return "more";
      }
      const number = work.partitions[work.row] as number;
      const partition = this.#partitions.at(number);
      this.#partitions.add(partition, work.rowAt(work.row));
      if (perRecord) computed += this.#show(partition, output);
      this.#partitions.touch(number, partition);
    }
    this.#work = undefined;
    output.flush();
    return "done";
  }

  advance(watermarkMs: number, out: Output): Progress {
    const output = this.#outputRows(out);
    const progress = this.#partitions.close(watermarkMs, this.#evaluation.stepRowsMax, (partition) => {
      this.#show(partition, output);
      this.#shownCount -= partition.shown.length;
    });
    output.flush();
    return progress;
  }

  endStep(out: Output): Progress {
    if (this.#options.emission === "per-step") {
      const output = this.#outputRows(out);
      const { touched } = this.#partitions;
      for (let computed = 0; this.#ended < touched.length; this.#ended++) {
        if (computed > this.#evaluation.stepRowsMax) break;
        computed += this.#show(this.#partitions.at(touched[this.#ended] as number), output);
      }
      output.flush();
      if (this.#ended < touched.length) return "more";
    }
    this.#partitions.endStep();
    this.#ended = 0;
    return "done";
  }

  finish(out: Output): Progress {
    if (this.#options.emission !== "at-end") return "done";
    const output = this.#outputRows(out);
    const { count } = this.#partitions;
    for (
      let computed = 0;
      computed < this.#evaluation.stepRowsMax && this.#finishing < count;
      this.#finishing++
    ) {
      const partition = this.#partitions.find(this.#finishing);
      if (partition !== undefined) computed += this.#show(partition, output);
    }
    output.flush();
    return this.#finishing < count ? "more" : "done";
  }

  stateBytes(): number {
    return this.#partitions.bytes() + this.#shownCount * shownBytes;
  }

  save(writer: StateWriter): void {
    this.#partitions.save(writer, ({ args, filters }) => {
      for (const list of args) writer.values(list);
      writer.values(filters);
    });
  }

  load(reader: StateReader): void {
    // What is shown was computed before, and its errors entered.
    this.#evaluation.inserting = false;
    this.#partitions.load(
      reader,
      (row) => ({
        ...row,
        args: this.#calls.map(() => reader.values()),
        filters: reader.values().map((filter) => filter === true),
      }),
      (rows) => {
        // Of what is given when it closes, nothing is shown yet.
        if (this.#options.emission === "at-close") return [];
        const shown = this.#compute(rows);
        this.#shownCount += shown.length;
        return shown;
      },
    );
    this.#evaluation.inserting = true;
  }

  #outputRows(out: Output): OutputRows {
    return new OutputRows(this.#options.width + this.#calls.length, out, this.#evaluation.stepRowsMax);
  }

  #begin(batch: ChangeBatch): Work {
    const columns = this.#partitionBy.map((key) => key.evaluate(batch, this.#evaluation));
    const partitions = this.#partitions.numbersOf(columns, batch.rowCount);
    return { partitions, rowAt: this.#rowsOf(batch), row: 0 };
  }

  /** The rows of a batch, made when they are asked for. */
  #rowsOf(batch: ChangeBatch): (row: number) => WindowRow {
    const keyColumns = this.#keys.map((key) => key.expression.evaluate(batch, this.#evaluation));
    const argColumns = this.#calls.map(({ args }) =>
      args.map((arg) => arg.evaluate(batch, this.#evaluation)),
    );
    const masks = this.#calls.map(({ filter }) => {
      if (filter === undefined) return undefined;
      const selected = new Int32Array(batch.rowCount);
      const count = selectTrue(filter, batch, this.#evaluation, selected);
      return new Set(selected.subarray(0, count));
    });
    return (row) => ({
      values: rowAt(batch, row),
      keys: valuesAt(keyColumns, row),
      weight: weightAt(batch, row),
      text: undefined,
      args: argColumns.map((columns) => columns.map((column) => valueAt(column, row))),
      filters: masks.map((mask) => mask === undefined || mask.has(row)),
    });
  }

  /** Gives the difference between what is shown of a partition and what is to be; how many rows it took. */
  #show(partition: Partition, output: OutputRows): number {
    const old = partition.shown;
    const now = this.#compute(partition.rows);
    partition.shown = now;
    this.#shownCount += now.length - old.length;
    let i = 0;
    let j = 0;
    while (i < old.length || j < now.length) {
      const [gone, come] = [old[i], now[j]];
      const order =
        gone === undefined
          ? 1
          : come === undefined
            ? -1
            : gone.row === come.row
              ? 0
              : compareOrderedRows(gone.row, come.row, this.#keys);
      if (order <= 0) i += 1;
      if (order >= 0) j += 1;
      if (order === 0 && gone !== undefined && come !== undefined && sameValues(gone.results, come.results)) {
        continue;
      }
      if (order <= 0 && gone !== undefined) output.add(gone.row.values, gone.results, -1);
      if (order >= 0 && come !== undefined) output.add(come.row.values, come.results, 1);
    }
    return old.length + now.length;
  }

  #compute(ordered: OrderedRows<WindowRow>): Shown[] {
    const rows = ordered.slice(0, Number.POSITIVE_INFINITY);
    const peers = new Int32Array(rows.length);
    const groups: number[] = [];
    for (let i = 0; i < rows.length; i++) {
      const isPeer =
        i > 0 &&
        compareSortKeys((rows[i - 1] as WindowRow).keys, (rows[i] as WindowRow).keys, this.#keys) === 0;
      peers[i] = isPeer ? (peers[i - 1] as number) : i;
      if (!isPeer) groups.push(i);
    }
    const partition: WindowPartition = { rows, peers, groups, keys: this.#keys };
    const results = this.#placed.map((placed) => callResults(placed, partition, this.#evaluation));
    return rows.map((row, i) => ({ row, results: results.map((values) => values[i] as SqlValue) }));
  }
}

const shownBytes = 64;

function bytesOf(row: WindowRow): number {
  let bytes = rowBytes(row.values) + rowBytes(row.keys) + 96;
  for (const args of row.args) bytes += rowBytes(args);
  return bytes;
}

function sameValues(a: readonly SqlValue[], b: readonly SqlValue[]): boolean {
  for (let i = 0; i < a.length; i++) {
    const x = a[i] as SqlValue;
    const y = b[i] as SqlValue;
    if (x !== y && compareTotal(x, y) !== 0) return false;
  }
  return true;
}
