import { asBuffer, assert, type Inflate, isUnreadable, unreachable } from "@hstream/proto";
import { cast, type PlanSource, type SqlType, type SqlValue } from "@hstream/sql/runtime";
import { type ChangeBatch, type Column, columnOfValues, sliceRows, valueAt } from "../columns.js";
import type { Diversions } from "../decode/diverted.js";
import { RecordDecoder } from "../decode/record-decoder.js";
import { decodeRows } from "../decode/row-batches.js";
import type { ErrorLog } from "../error-log.js";
import type { StateReader } from "../state/state-reader.js";
import type { StateWriter } from "../state/state-writer.js";
import type { RecordBatchInput } from "../step-input.js";
import { RowMirror } from "./row-mirror.js";

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

  /** `mirrors`: whether a view is read that goes on giving changes, and may give all its rows again. */
  constructor(plan: PlanSource, inflate: Inflate, diverted: Diversions, errors: ErrorLog, mirrors = false) {
    this.#plan = plan;
    const isView = plan.kind === "rows" && plan.relation === "view";
    this.#mirror = mirrors && isView ? new RowMirror(plan.columns.length) : undefined;
    this.#inflate = inflate;
    this.#diverted = diverted;
    this.#errors = errors;
    this.#decoder = new RecordDecoder(plan.kind === "stream" ? plan.columns : [], diverted);
  }

  /** The width of what `next` gives. */
  get plan(): PlanSource {
    return this.#plan;
  }

  feedRecords(batches: readonly RecordBatchInput[]): void {
    assert(this.#plan.kind === "stream", "records are fed to a stream");
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

  save(writer: StateWriter): void {
    this.#mirror?.save(writer);
  }

  load(reader: StateReader): void {
    this.#mirror?.load(reader);
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
    return batch.rowCount === 0 ? batch : this.#castDeclared(batch);
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
      return scan?.kind === "field" ? this.#castColumn(column, batch.rowCount, scan.type) : column;
    });
    return { ...batch, columns };
  }

  #castColumn(column: Column, rowCount: number, type: SqlType): Column {
    if (hasType(column, type)) return column;
    const values: SqlValue[] = [];
    const context = {
      error: (message: string): null => {
        this.#errors.add(message);
        return null;
      },
    };
    for (let row = 0; row < rowCount; row++) values.push(cast(valueAt(column, row), type, context));
    return columnOfValues(values);
  }
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
    case "integer":
      return column.kind === "float64" && column.values.every(Number.isSafeInteger);
    default:
      return false;
  }
}
