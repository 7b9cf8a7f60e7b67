import { assert, RecordBatchReader, WireCursor } from "@hstream/proto";
import type { ScanColumn } from "@hstream/sql/runtime";
import type { ChangeBatch } from "../columns.js";
import type { Diversions } from "./diverted.js";
import { EntryWalk } from "./entry-walk.js";
import { FieldNames } from "./field-names.js";
import { RowSink } from "./row-sink.js";

/** One stored batch, inflated: a BatchHStreamRecords at bytes[start, end). */
export interface EncodedBatch {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly recordCount: number;
  readonly timeMs: number;
}

/** Tags of a Struct's entries, for those that are written in another way than usual. */
const entryTag = 0x0a;
const keyTag = 0x0a;
const valueFieldTag = 0x12;

/** The tags of an entry and of its key around a length below 128, in the first four bytes. */
const shortEntry = entryTag | (keyTag << 16);
const shortEntryMask = 0x00ff_80ff;

const rawFlag = 1;
const expectedRowsMin = 64;
/** Rows of a batch: few enough that what they lie in is still in the cache of the processor when it is used. */
const batchRowsMax = 2048;
const deletion = { attribute: "hstream.op", value: "delete" } as const;

/**
 * Takes the wanted fields of stored records straight into columns, without making an object of a record.
 *
 * Job: walk batch → record → Struct entries by their lengths; look up each key among the wanted names; put numbers into a Float64Array and keep texts as offsets.
 * What the fast path does not expect (entries in another order or with more parts, long lengths, nested
 * values) is read again by the general readers, which are also the definition of what is right.
 * Values of fields that are not wanted are passed over by their length and not checked.
 *
 * State: the position within the queued batches, so that `next` can stop at any row.
 * Invariant: every record of every batch is either a row or counted in `diverted`. A deletion is the row that it
 * takes back, with weight -1, where the stream has deletions; else it is diverted.
 */
export class RecordDecoder {
  readonly #columns: readonly ScanColumn[];
  readonly #diverted: Diversions;
  readonly #deletions: boolean;
  /** Wanted field names. */
  readonly #names: FieldNames;
  /** Column → index in #names; -1 for other kinds of columns. */
  readonly #slots: readonly number[];

  readonly #entry = new EntryWalk();
  readonly #queue: EncodedBatch[] = [];
  #reader: RecordBatchReader | undefined;
  #recordsRead = 0;

  /** `deletions`: whether those of the stream are applied; else they are diverted. */
  constructor(columns: readonly ScanColumn[], diverted: Diversions, deletions = false) {
    this.#columns = columns;
    this.#deletions = deletions;
    this.#diverted = diverted;
    const names: string[] = [];
    this.#slots = columns.map((column) => {
      const field = column.kind === "time" ? column.field : column.kind === "field" ? column : undefined;
      if (field === undefined) return -1;
      if (!names.includes(field.name)) names.push(field.name);
      return names.indexOf(field.name);
    });
    this.#names = new FieldNames(names);
  }

  /** Queues a batch behind those that are not read yet. */
  add(batch: EncodedBatch): void {
    assert(batch.start <= batch.end && batch.end <= batch.bytes.length, "a batch lies within its bytes");
    this.#queue.push(batch);
  }

  /** Whether records may be left. */
  get pending(): boolean {
    return this.#queue.length > 0;
  }

  /**
   * The next records, at most `rowsMax` of them (diverted ones count): of all queued batches that lie
   * in the same bytes. May be a batch without rows, when all were diverted; undefined at the end.
   */
  next(rowsMax: number): ChangeBatch | undefined {
    const first = this.#queue[0];
    if (first === undefined) return undefined;
    const { bytes } = first;
    const capacity = Math.min(rowsMax, batchRowsMax, this.#expectedRows(bytes));
    const rows = new RowSink(bytes, capacity, this.#names.count, this.#columns, this.#slots);
    let budget = capacity;
    for (
      let batch: EncodedBatch | undefined = first;
      batch?.bytes === bytes && budget > 0;
      batch = this.#queue[0]
    ) {
      budget -= this.#readBatch(batch, rows, budget);
    }
    return rows.finish();
  }

  /** By what the batches say, which may be wrong. */
  #expectedRows(bytes: Buffer): number {
    let rows = 0;
    for (const batch of this.#queue) {
      if (batch.bytes !== bytes) break;
      rows += batch.recordCount;
    }
    return Math.max(expectedRowsMin, rows - this.#recordsRead);
  }

  /** Reads up to `budget` records of the batch at the head of the queue; the number read. */
  #readBatch(batch: EncodedBatch, rows: RowSink, budget: number): number {
    const { bytes, start } = batch;
    this.#reader ??= new RecordBatchReader(bytes.subarray(start, batch.end));
    const reader = this.#reader;
    rows.beginBatch(batch.timeMs);
    let read = 0;
    while (read < budget) {
      if (!reader.next()) {
        this.#finishBatch(batch, this.#recordsRead + read);
        return read;
      }
      read += 1;
      if (reader.flag === rawFlag) {
        this.#diverted.add("raw");
        continue;
      }
      const isGone =
        reader.attributeCount > 0 && reader.attributes().get(deletion.attribute) === deletion.value;
      if (isGone && !this.#deletions) this.#diverted.add("deletion");
      else if (this.#readRecord(rows, start + reader.payloadStart, start + reader.payloadEnd))
        rows.commit(isGone);
      else this.#diverted.add("malformed");
    }
    this.#recordsRead += read;
    return read;
  }

  #finishBatch(batch: EncodedBatch, read: number): void {
    const missing = batch.recordCount - read;
    if (this.#reader?.failure !== null) this.#diverted.add("malformed", Math.max(1, missing));
    else if (missing !== 0) this.#diverted.add("count-mismatch", Math.max(1, missing));
    this.#reader = undefined;
    this.#recordsRead = 0;
    this.#queue.shift();
  }

  /** Reads the Struct at [start, end) into the sink's current row; false when it is malformed. */
  #readRecord(rows: RowSink, start: number, end: number): boolean {
    rows.beginRow();
    // A query that reads no field still tells records from garbage.
    if (!this.#readFields(rows, start, end)) return false;
    return rows.records === undefined || rows.records.read(start, end);
  }

  #readFields(rows: RowSink, start: number, end: number): boolean {
    const { words, values } = rows;
    const names = this.#names;
    for (let at = start; at < end; ) {
      // An entry of less than 128 bytes: what stands before its key, then what stands before its value.
      const head = at + 4 <= end ? words.getUint32(at, true) : 0;
      const keyLength = head >>> 24;
      const keyEnd = at + 4 + keyLength;
      const next = at + 2 + ((head >>> 8) & 0xff);
      const isShort = (head & shortEntryMask) === shortEntry && keyEnd + 2 <= next && next <= end;
      const value = isShort ? words.getUint16(keyEnd, true) : 0;
      if ((value & 0xff) !== valueFieldTag || keyEnd + 2 + (value >>> 8) !== next) {
        at = this.#readLongEntry(rows, at, end);
        if (at < 0) return false;
        continue;
      }
      if (names.mayHave(keyLength)) {
        const slot = names.slotOf(words, at + 4, keyLength);
        if (slot >= 0 && !values.read(slot, keyEnd + 2, value >>> 8)) return false;
      }
      at = next;
    }
    return true;
  }

  /** An entry in another form, or the rest of the record, which may hold anything; its end, or -1 when it is malformed. */
  #readLongEntry(rows: RowSink, at: number, end: number): number {
    const entry = this.#entry;
    const next = entry.read(rows.bytes, at, end);
    if (next < 0) return this.#readFieldsSlowly(rows, at, end) ? end : -1;
    const slot = this.#names.slotOf(rows.words, entry.keyStart, entry.keyLength);
    return slot < 0 || rows.values.read(slot, entry.valueStart, entry.valueLength) ? next : -1;
  }

  #readFieldsSlowly(rows: RowSink, start: number, end: number): boolean {
    const bytes = rows.bytes;
    const cursor = new WireCursor(bytes, start, end);
    for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
      if (tag !== entryTag) {
        cursor.skip(tag);
        continue;
      }
      const outer = cursor.enter();
      let keyStart = 0;
      let keyEnd = 0;
      let valueStart = 0;
      let valueEnd = 0;
      for (let part = cursor.tag(); part !== 0; part = cursor.tag()) {
        if (part === keyTag) {
          keyStart = cursor.span();
          keyEnd = cursor.position;
        } else if (part === valueFieldTag) {
          valueStart = cursor.span();
          valueEnd = cursor.position;
        } else cursor.skip(part);
      }
      cursor.leave(outer);
      if (cursor.failure !== null) break;
      const slot = this.#names.slotOf(rows.words, keyStart, keyEnd - keyStart);
      if (slot >= 0 && !rows.values.read(slot, valueStart, valueEnd - valueStart)) return false;
    }
    return cursor.failure === null;
  }
}
