import { asBuffer, assert, type Inflate, isUnreadable, must, unreachable } from "@hstream/proto";
import {
  cast,
  type PlanSource,
  type SqlType,
  type SqlValue,
  TIMESTAMP,
  timestampMsMax,
} from "@hstream/sql/runtime";
import {
  type ChangeBatch,
  type Column,
  columnOfValues,
  isTimestamp,
  originsOf,
  selectRows,
  sliceRows,
  type TimestampColumn,
  valueAt,
  weightAt,
} from "../columns.js";
import type { Diversions } from "../decode/diverted.js";
import { RecordDecoder } from "../decode/record-decoder.js";
import { decodeRows } from "../decode/row-batches.js";
import type { ErrorLog } from "../error-log.js";
import type { RecordBatchInput, StepInput } from "../step-input.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import { RowMirror } from "./row-mirror.js";
import { SourceClock } from "./source-clock.js";

/**
 * Job: turns what was fed to one source of the plan into batches of changes, as many rows at a time as
 * a step may take.
 * State: what was fed and not read yet, at most one feed; of a view what it has given so far.
 * Invariant: every row fed comes out once, in order, or is counted as diverted.
 */
export class Source {
  readonly #plan: PlanSource;
  readonly #inflate: Inflate;
  readonly #diverted: Diversions;
  readonly #errors: ErrorLog;
  readonly #decoder: RecordDecoder;
  /** Stored batches that are not inflated yet, from `#nextBatch` on. */
  #batches: RecordBatchInput[] = [];
  #nextBatch = 0;
  /** Rows that were fed; of all rows of a view, which `replace` what was given before, the first is marked. */
  #rows: { readonly bytes: Uint8Array | undefined; readonly replaces: "begin" | "end" | undefined }[] = [];
  /** Of a view that goes on giving changes. */
  readonly #mirror: RowMirror | undefined;
  #replacing = false;
  /** The rest of a batch of rows that was larger than a step. */
  #rest: ChangeBatch | undefined;
  /** Of a source of which the times matter. */
  readonly #clock: SourceClock | undefined;
  /** The shard of what is read. */
  #shard = 0;
  readonly #numbers: RecordNumbers | undefined;

  /**
   * `mirrors`: whether a view is read that goes on giving changes, and may give all its rows again. `numbers`:
   * where records get numbers of their own.
   */
  constructor(
    plan: PlanSource,
    inflate: Inflate,
    diverted: Diversions,
    errors: ErrorLog,
    {
      mirrors = false,
      numbers,
    }: { readonly mirrors?: boolean; readonly numbers?: RecordNumbers | undefined } = {},
  ) {
    this.#plan = plan;
    this.#numbers = numbers;
    const isView = plan.kind === "rows" && plan.relation === "view";
    this.#mirror = mirrors && isView ? new RowMirror(plan.columns.length) : undefined;
    this.#inflate = inflate;
    this.#diverted = diverted;
    this.#errors = errors;
    this.#decoder =
      plan.kind === "stream"
        ? new RecordDecoder(plan.columns, diverted, plan.deletions === true)
        : new RecordDecoder([], diverted);
    const time = plan.kind === "stream" ? plan.time : undefined;
    this.#clock = time === undefined ? undefined : new SourceClock(time.latenessMs);
  }

  /** The width of what `next` gives. */
  get plan(): PlanSource {
    return this.#plan;
  }

  /** No record of which the time is less will come, but for late ones; undefined where times do not matter. */
  get watermark(): number | undefined {
    return this.#clock?.watermark;
  }

  /** Between two steps nothing waits here; what remains is the time, and what is known of a view. */
  save(writer: StateWriter): void {
    this.#clock?.save(writer);
    this.#mirror?.save(writer);
  }

  load(reader: StateReader): void {
    this.#clock?.load(reader);
    this.#mirror?.load(reader);
  }

  /** Takes what is known of the shards' times. */
  feedTime(input: Extract<StepInput, { kind: "shards" | "watermark" | "idle" }>): void {
    assert(!this.pending, "times are told between records");
    this.#clock?.tell(input);
  }

  /** All of one shard, after what was fed before has been read. */
  feedRecords(batches: readonly RecordBatchInput[], shard = batches[0]?.shardId ?? 0): void {
    assert(this.#plan.kind === "stream", "records are fed to a stream");
    assert(shard === this.#shard || !this.pending, "records of one shard are read before those of another");
    this.#shard = shard;
    for (const batch of batches) this.#batches.push(batch);
  }

  /** `replace`: these are all rows of a view; what was fed before is void. */
  feedRows(batches: readonly Uint8Array[], replace = false): void {
    assert(this.#plan.kind === "rows", "rows are fed to a relation of rows");
    if (replace) this.#rows.push({ bytes: undefined, replaces: "begin" });
    for (const bytes of batches) this.#rows.push({ bytes, replaces: undefined });
    if (replace) this.#rows.push({ bytes: undefined, replaces: "end" });
  }

  stateBytes(): number {
    return this.#mirror?.stateBytes() ?? 0;
  }

  get pending(): boolean {
    return (
      this.#decoder.pending ||
      this.#nextBatch < this.#batches.length ||
      this.#rows.length > 0 ||
      this.#rest !== undefined
    );
  }

  /** The next rows, at most `rowsMax`; perhaps none, when all records were diverted. */
  next(rowsMax: number): ChangeBatch | undefined {
    const plan = this.#plan;
    switch (plan.kind) {
      case "stream":
        return this.#nextRecords(rowsMax);
      case "rows":
        return this.#nextRows(plan, rowsMax);
      default:
        return unreachable(plan);
    }
  }

  #nextRecords(rowsMax: number): ChangeBatch | undefined {
    if (!this.#decoder.pending) this.#openBatches(rowsMax);
    const batch = this.#decoder.next(rowsMax) ?? noRows;
    return batch.rowCount === 0 ? batch : this.#timed(this.#castDeclared(batch));
  }

  /** With the times as TIMESTAMPs, and the watermark before each record. */
  #timed(batch: ChangeBatch): ChangeBatch {
    const plan = this.#plan;
    if (plan.kind !== "stream" || plan.time === undefined || this.#clock === undefined) return batch;
    const times = this.#timesOf(
      must(batch.columns[plan.time.column], "the time is a column"),
      batch.rowCount,
    );
    const known = withTime(batch, times, plan.time.column);
    const without = batch.rowCount - known.rowCount;
    if (without > 0) this.#diverted.add("no-time", without);
    const { values } = known.columns[plan.time.column] as TimestampColumn;
    const before = this.#clock.read(this.#shard, values, known.rowCount);
    const watermark: Column = { kind: "timestamp", values: before, nulls: undefined };
    const columns = known.columns.map((column, i) => {
      return plan.columns[i]?.kind === "watermark" ? watermark : column;
    });
    return { ...known, columns, ...originsOf(this.#numbers?.next(known.rowCount)) };
  }

  /** The times in milliseconds; NaN where there is none. */
  #timesOf(column: Column, rowCount: number): Float64Array {
    if (column.kind === "timestamp" || column.kind === "float64") {
      if (column.nulls === undefined) return column.values;
      return column.values.map((ms, row) => (column.nulls?.[row] === 1 ? Number.NaN : ms));
    }
    const context = { error: () => null, nowMs: 0 };
    return Float64Array.from({ length: rowCount }, (_, row) => {
      const value = valueAt(column, row);
      if (typeof value === "number") return value;
      const time = cast(value, TIMESTAMP, context);
      return isTimestamp(time) ? time.ms : Number.NaN;
    });
  }

  /**
   * Gives the decoder uncompressed batches of one buffer, whose columns go on from batch to batch (those
   * of one feed mostly lie in one), about as many as a step takes; or one compressed batch.
   */
  #openBatches(rowsMax: number): void {
    let bytes: Buffer | undefined;
    for (let rows = 0; rows < rowsMax && this.#nextBatch < this.#batches.length; this.#nextBatch++) {
      const { payload, compression, recordCount, timeMs } = this.#batches[
        this.#nextBatch
      ] as RecordBatchInput;
      if (compression !== 0) {
        if (bytes !== undefined) return;
        this.#nextBatch += 1;
        const inflated = this.#inflate(payload, compression);
        if (isUnreadable(inflated)) this.#diverted.add("unreadable-batch", recordCount);
        else {
          const end = inflated.length;
          this.#decoder.add({ bytes: asBuffer(inflated), start: 0, end, recordCount, timeMs });
        }
        break;
      }
      bytes ??= Buffer.from(payload.buffer);
      if (bytes.buffer !== payload.buffer) return;
      const start = payload.byteOffset;
      this.#decoder.add({ bytes, start, end: start + payload.length, recordCount, timeMs });
      rows += recordCount;
    }
    if (this.#nextBatch < this.#batches.length) return;
    this.#batches = [];
    this.#nextBatch = 0;
  }

  #nextRows(plan: Extract<PlanSource, { kind: "rows" }>, rowsMax: number): ChangeBatch | undefined {
    const batch = this.#rest ?? this.#nextBatchOfRows(plan, rowsMax);
    if (batch === undefined) return undefined;
    this.#rest = batch.rowCount > rowsMax ? sliceRows(batch, rowsMax, batch.rowCount) : undefined;
    return sliceRows(batch, 0, Math.min(rowsMax, batch.rowCount));
  }

  /** While all rows are given, there are none to pass on; at their end, what differs. */
  #nextBatchOfRows(plan: Extract<PlanSource, { kind: "rows" }>, rowsMax: number): ChangeBatch | undefined {
    const [first] = this.#rows;
    if (first === undefined) return undefined;
    const mirror = this.#mirror;
    if (first.replaces === "begin") {
      mirror?.begin();
      this.#replacing = mirror !== undefined;
    }
    if (first.replaces === "end" && mirror !== undefined) {
      const difference = mirror.difference(rowsMax);
      if (difference !== undefined) return difference;
      this.#replacing = false;
    }
    this.#rows.shift();
    if (first.bytes === undefined) return noRows;
    const batch = decodeRows(first.bytes, plan.columns, plan.types);
    if (this.#replacing) mirror?.add(batch);
    else mirror?.apply(batch);
    return this.#replacing ? noRows : batch;
  }

  /** Columns with a declared type: values of another type are cast. */
  #castDeclared(batch: ChangeBatch): ChangeBatch {
    const plan = this.#plan;
    if (plan.kind !== "stream") return batch;
    const columns = batch.columns.map((column, i) => {
      const scan = plan.columns[i];
      if (scan?.kind === "time" && scan.field !== undefined) {
        // What is no time is not cast: the record is diverted.
        return column;
      }
      return scan?.kind === "field" ? this.#castColumn(column, batch, scan.type) : column;
    });
    return { ...batch, columns };
  }

  #castColumn(column: Column, batch: ChangeBatch, type: SqlType): Column {
    if (hasType(column, type)) return column;
    // A number where a TIMESTAMP is declared is milliseconds since 1970.
    if (type.kind === "timestamp" && column.kind === "float64" && areTimes(column.values)) {
      return { kind: "timestamp", values: column.values, nulls: column.nulls };
    }
    const values: SqlValue[] = [];
    let row = 0;
    const context = {
      error: (message: string): null => {
        // Of a row that is taken back it was told when it came.
        if (weightAt(batch, row) > 0) this.#errors.add(message);
        return null;
      },
    };
    for (; row < batch.rowCount; row++) values.push(cast(valueAt(column, row), type, context));
    return columnOfValues(values);
  }
}

function allSafeIntegers(values: Float64Array): boolean {
  for (let row = 0; row < values.length; row++) if (!Number.isSafeInteger(values[row])) return false;
  return true;
}

/** Gives records numbers, of which none is given twice within a step. */
export class RecordNumbers {
  #next = 0;

  next(count: number): Int32Array {
    const first = this.#next;
    this.#next = (first + count) | 0;
    const numbers = new Int32Array(count);
    for (let i = 0; i < count; i++) numbers[i] = first + i;
    return numbers;
  }
}

function areTimes(values: Float64Array): boolean {
  for (let row = 0; row < values.length; row++) {
    const ms = values[row] as number;
    if (!Number.isInteger(ms) || Math.abs(ms) > timestampMsMax) return false;
  }
  return true;
}

/** The rows that have a time, with it as a column. */
function withTime(batch: ChangeBatch, times: Float64Array, column: number): ChangeBatch {
  const { rowCount } = batch;
  const selected = new Int32Array(rowCount);
  let count = 0;
  for (let row = 0; row < rowCount; row++) {
    selected[count] = row;
    if (Math.abs(times[row] as number) <= timestampMsMax) count += 1;
  }
  const values = times.map(Math.trunc);
  const whole: ChangeBatch = {
    ...batch,
    columns: batch.columns.map((one, i) =>
      i === column ? { kind: "timestamp", values, nulls: undefined } : one,
    ),
  };
  return count === rowCount ? whole : selectRows(whole, selected, count);
}

const noRows: ChangeBatch = { rowCount: 0, columns: [], weights: undefined, updates: undefined };

/** Whether the form of the column alone shows that all values have the type. */
function hasType(column: Column, type: SqlType): boolean {
  switch (type.kind) {
    case "dynamic":
      return true;
    case "float":
      return column.kind === "float64";
    case "string":
      return column.kind === "text";
    case "boolean":
      return column.kind === "boolean";
    case "timestamp":
      return column.kind === "timestamp";
    case "integer":
      return column.kind === "float64" && allSafeIntegers(column.values);
    default:
      return false;
  }
}
