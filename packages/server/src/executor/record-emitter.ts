import { encodeHRecord, encodeRecordBatch, HStreamRecordHeader_Flag, type RecordParts } from "@hstream/proto";
import {
  type PhysicalPlan,
  type SqlObject,
  type SqlValue,
  toStored,
  toStoredJson,
} from "@hstream/sql/runtime";
import { type ChangeBatch, valueAt } from "./columns.js";
import type { Emitted, Sink } from "./emit.js";
import { shownRows } from "./emitted-changes.js";
import { encodeKeyedBatch } from "./encode/keyed-batch.js";
import { ErrorLog } from "./error-log.js";
import type { StateReader } from "./state/state-reader.js";
import type { StateWriter } from "./state/state-writer.js";

export interface RecordSinkOptions {
  /** Output columns of which the values are a record's partition key; none: the empty key. */
  readonly key: readonly number[];
  /** Names of the fields, instead of the columns' own. */
  readonly names?: readonly string[];
  /** Whether a batch has records of one key only, as a stream with several shards needs it. */
  readonly byKey: boolean;
}

export interface RecordLimits {
  /** Bytes of an encoded batch that a stream takes. */
  readonly recordBytesMax: number;
  readonly batchRecordsMax: number;
  readonly stepErrorsKeptMax: number;
}

/** Room for what a batch, a record and its key add to the payloads. */
const framingBytes = 128;

/** The attributes of a record that says that a row is gone. */
export const deletionAttributes = { operation: "hstream.op", key: "hstream.key" } as const;

/**
 * Changes as records of a stream, one for each: the columns are the fields of an HRecord, the fields of a
 * whole record stand beside them. A row that is gone is a record of that row with the attributes
 * `hstream.op` = delete and `hstream.key`. What stands before any input gives no record.
 *
 * State: none.
 */
export class RecordEmitter implements Sink {
  readonly #plan: PhysicalPlan;
  readonly #options: RecordSinkOptions;
  readonly #limits: RecordLimits;
  readonly #errors: ErrorLog;
  /** Of each output column that is no whole record, its field. */
  readonly #names: readonly (string | undefined)[];
  readonly #taken: ReadonlySet<string | undefined>;
  #left: number;

  constructor(plan: PhysicalPlan, options: RecordSinkOptions, limits: RecordLimits) {
    this.#plan = plan;
    this.#options = options;
    this.#limits = limits;
    this.#errors = new ErrorLog(limits.stepErrorsKeptMax);
    this.#names = plan.output.map(({ name, spread }, i) =>
      spread ? undefined : (options.names?.[i] ?? name),
    );
    this.#taken = new Set(this.#names);
    this.#left = plan.emitLimit ?? Number.POSITIVE_INFINITY;
  }

  get full(): boolean {
    return this.#left === 0;
  }

  start(changes: readonly ChangeBatch[]): Emitted {
    return this.#plan.emit.kind === "changes" ? { output: [], rowsOut: 0 } : this.take(changes);
  }

  take(changes: readonly ChangeBatch[]): Emitted {
    let rowsOut = 0;
    const pending = new Map<string, RecordParts[]>();
    for (const batch of changes) {
      const { count, rows, operations } = shownRows(this.#plan.emit, batch);
      const shown = Math.min(count, this.#left);
      this.#left -= shown;
      for (let i = 0; i < shown; i++) {
        const record = this.#record(batch, rows?.[i] ?? i, operations?.[i] === 1);
        if (record === undefined) continue;
        rowsOut += 1;
        const key = this.#options.byKey ? record.key : "";
        const others = pending.get(key);
        if (others === undefined) pending.set(key, [record]);
        else others.push(record);
      }
    }
    const output: Uint8Array[] = [];
    for (const [key, records] of pending) this.#encode(key, records, output);
    return { output, rowsOut, errors: this.#errors.take() };
  }

  stateBytes(): number {
    return 0;
  }

  save(writer: StateWriter): void {
    writer.section("records");
    writer.number(this.#left);
  }

  load(reader: StateReader): void {
    reader.section("records");
    this.#left = reader.number();
  }

  /** Undefined, with an error, for what cannot be stored: a row nested too deeply, or larger than a record may be. */
  #record(batch: ChangeBatch, row: number, gone: boolean): RecordParts | undefined {
    const fields = new Map<string, SqlValue>();
    for (const [i, column] of batch.columns.entries()) {
      const value = valueAt(column, row);
      const name = this.#names[i];
      if (name !== undefined) fields.set(name, value);
      else if (value instanceof Map)
        this.#spread(this.#plan.output[i]?.name ?? "", value as SqlObject, fields);
    }
    const payload = encodeHRecord(toStored(fields) as Parameters<typeof encodeHRecord>[0]);
    if (!(payload instanceof Uint8Array)) {
      this.#errors.add(`A row cannot be stored: ${payload.reason}`);
      return undefined;
    }
    if (payload.length + framingBytes > this.#limits.recordBytesMax) {
      this.#errors.add(`A row of ${payload.length} bytes is too large for a record (recordBytesMax)`);
      return undefined;
    }
    const key = this.#keyOf(batch, row);
    const { JSON } = HStreamRecordHeader_Flag;
    if (!gone) return { flag: JSON, key, payload };
    const attributes = new Map([
      [deletionAttributes.operation, "delete"],
      [deletionAttributes.key, key],
    ]);
    return { flag: JSON, key, attributes, payload };
  }

  #spread(column: string, record: SqlObject, fields: Map<string, SqlValue>): void {
    for (const [name, value] of record) {
      const taken = this.#taken.has(name) || fields.has(name);
      fields.set(taken ? `${column}.${name}` : name, value);
    }
  }

  #keyOf(batch: ChangeBatch, row: number): string {
    const values = this.#options.key.map((i) =>
      valueAt(batch.columns[i] as ChangeBatch["columns"][number], row),
    );
    return partitionKey(values);
  }

  #encode(key: string, records: readonly RecordParts[], output: Uint8Array[]): void {
    const { recordBytesMax, batchRecordsMax } = this.#limits;
    let from = 0;
    let bytes = 0;
    const close = (to: number): void => {
      if (to === from) return;
      const payload = encodeRecordBatch(records.slice(from, to));
      output.push(encodeKeyedBatch({ recordCount: to - from, key, payload }));
      from = to;
      bytes = 0;
    };
    for (const [i, record] of records.entries()) {
      const size = record.payload.length + 2 * Buffer.byteLength(record.key) + framingBytes;
      if (bytes + size > recordBytesMax || i - from === batchRecordsMax) close(i);
      bytes += size;
    }
    close(records.length);
  }
}

/** A text is its own key, other values their JSON; several make an array, none or a NULL the empty key. */
export function partitionKey(values: readonly SqlValue[]): string {
  const [first, ...others] = values;
  if (first === undefined) return "";
  if (others.length > 0) return toStoredJson([...values]);
  if (first === null) return "";
  return typeof first === "string" ? first : toStoredJson(first);
}
