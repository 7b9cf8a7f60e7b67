import { isUtf8 } from "node:buffer";
import { HStreamError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { BatchId, Producer, ShardId } from "../../log/log-store.js";
import type { StreamDocument } from "../../streams/stream.js";
import { shardOfKey, type StreamAppender } from "../../streams/stream-appender.js";
import { JsonRecordWriter, skipBlanks } from "./json-record-writer.js";
import { headerOf } from "./record-header.js";

export interface IngestOptions {
  readonly stream: StreamDocument;
  readonly appender: StreamAppender;
  readonly recordBytesMax: number;
  /** Of all records, unless `keyField` gives each its own. */
  readonly key: string;
  readonly keyField: string | undefined;
  /** Of all records; those that a record has in `attributesField` come to them, or take their place. */
  readonly attributes: ReadonlyMap<string, string>;
  readonly attributesField: string | undefined;
  /** The same key and the same body again: appended once. */
  readonly idempotencyKey: string | undefined;
}

export interface RecordPlace {
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  readonly index: number;
}

export interface IngestResult {
  readonly records: number;
  readonly batches: number;
  /** Of the first records, at most idsMax of them; none for those that were appended before. */
  readonly ids: readonly RecordPlace[];
}

const idsMax = 1_000;
/** What a batch and a record add to their payload, with room to spare. */
const framingBytes = 64;
const newline = 0x0a;
const firstBytes = 8_192;

/**
 * Takes JSON objects as bytes, makes batches of them for their shards, and appends these while more
 * comes in: at most ingestBatchesInFlightMax at a time, so a fast sender waits for the disk.
 *
 * With an idempotency key the batches are cut by their content alone, so that a repeat of the request
 * makes the same batches with the same sequence numbers, and the log recognises them.
 */
export class RecordIngest {
  readonly #options: IngestOptions;
  readonly #fixedHeader: Uint8Array;
  readonly #fixedShard: ShardId;
  readonly #open = new Map<ShardId, JsonRecordWriter>();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #ids: RecordPlace[] = [];
  readonly #batchBytes: number;
  /** For where records end whose own fields are wanted; what it writes is thrown away. */
  #measure: JsonRecordWriter | undefined;
  #openBytes = 0;
  #appended = 0;
  #batches = 0;
  #chunk = 0;
  #failure: unknown;

  constructor(options: IngestOptions) {
    this.#options = options;
    this.#fixedHeader = headerOf(options.key, options.attributes);
    this.#fixedShard = shardOfKey(options.stream, options.key);
    this.#batchBytes = Math.min(limits.ingestBatchBytes, options.recordBytesMax);
  }

  /** Records that are durable. */
  get appended(): number {
    return this.#appended;
  }

  /** One object, or an array of objects. Rejects with InvalidBatch, and as the append does. */
  async addJson(body: Uint8Array): Promise<void> {
    refuseOtherThanUtf8(body);
    let at = skipBlanks(body, 0, body.length);
    const isArray = body[at] === 0x5b;
    if (!isArray) at = this.#add(body, at, body.length, 1);
    else {
      at = skipBlanks(body, at + 1, body.length);
      for (let count = 1; body[at] !== 0x5d; count++) {
        at = skipBlanks(body, this.#add(body, at, body.length, count), body.length);
        await this.#makeRoom();
        if (body[at] === 0x2c) at = skipBlanks(body, at + 1, body.length);
        else if (body[at] !== 0x5d || at >= body.length)
          refuse(count, '"," or "]" is missing behind a record');
        if (body[at] === 0x5d && body[at - 1] === 0x2c) refuse(count, "a record is missing behind a comma");
      }
      at += 1;
    }
    if (skipBlanks(body, at, body.length) < body.length)
      refuse(1, "there is more behind the end of the JSON");
  }

  /** Objects on lines of their own, as they come in. */
  async addLines(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let rest: Uint8Array = new Uint8Array(0);
    let line = 0;
    for await (const arrived of chunks) {
      const chunk = rest.length === 0 ? arrived : Buffer.concat([rest, arrived]);
      const end = chunk.lastIndexOf(newline) + 1;
      rest = chunk.subarray(end);
      if (rest.length > this.#options.recordBytesMax) this.#refuseLong(rest.length);
      if (end === 0) continue;
      refuseOtherThanUtf8(chunk.subarray(0, end));
      for (let at = 0; at < end; ) {
        const lineEnd = chunk.indexOf(newline, at);
        line += 1;
        this.#addLine(chunk, at, lineEnd, line);
        at = lineEnd + 1;
        if (this.#openBytes >= this.#batchBytes) await this.#makeRoom();
      }
      // What came is appended at once while the disk has nothing to do, else together with what follows.
      if (this.#inFlight.size === 0 && this.#options.idempotencyKey === undefined) this.#closeAll();
      this.#throwFailure();
    }
    if (rest.length > 0) {
      refuseOtherThanUtf8(rest);
      this.#addLine(rest, 0, rest.length, line + 1);
    }
  }

  /** Appends what is left; all is durable when it resolves. */
  async finish(): Promise<IngestResult> {
    this.#closeAll();
    await this.settle();
    this.#throwFailure();
    return { records: this.#appended, batches: this.#batches, ids: this.#ids };
  }

  /** Resolves when nothing is on its way any more, however it ended. */
  async settle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  #addLine(chunk: Uint8Array, start: number, end: number, line: number): void {
    const at = skipBlanks(chunk, start, end);
    if (at === end) return;
    const behind = this.#add(chunk, at, end, line, true);
    if (skipBlanks(chunk, behind, end) < end) refuse(line, "there is more than one JSON object on the line");
  }

  /** The position behind the record. `isAlone`: nothing but the record should be there. */
  #add(source: Uint8Array, start: number, end: number, place: number, isAlone = false): number {
    const { recordBytesMax, key, keyField, stream, attributes, attributesField } = this.#options;
    let shardId = this.#fixedShard;
    let header = this.#fixedHeader;
    if (keyField !== undefined || attributesField !== undefined) {
      const record =
        (isAlone ? objectIn(source, start, end) : undefined) ?? this.#first(source, start, end, place);
      const ownKey = keyField === undefined ? key : keyIn(record, keyField, place);
      const own = attributesField === undefined ? none : attributesIn(record, attributesField, place);
      shardId = shardOfKey(stream, ownKey);
      header = headerOf(ownKey, own.size === 0 ? attributes : new Map([...attributes, ...own]));
    }
    const writer = this.#writerOf(shardId);
    const before = writer.bytes;
    const behind = writer.write(source, start, end, header);
    if (behind < 0) refuse(place, writer.failure);
    const bytes = writer.bytes - before;
    if (bytes > recordBytesMax - framingBytes) {
      writer.undo(before);
      this.#refuseLong(bytes);
    }
    if (writer.bytes > recordBytesMax) {
      // The batch ends before this record.
      writer.undo(before);
      this.#close(shardId, writer);
      this.#writerOf(shardId).write(source, start, end, header);
    }
    this.#openBytes += bytes;
    if (writer.bytes >= this.#batchBytes || writer.records >= limits.batchRecordsMax)
      this.#close(shardId, writer);
    else if (this.#openBytes >= limits.ingestOpenBytesMax) this.#closeAll();
    return behind;
  }

  /** The value of the record that begins there, whatever is behind it. */
  #first(source: Uint8Array, start: number, end: number, place: number): object {
    const measure = (this.#measure ??= new JsonRecordWriter(firstBytes));
    const behind = measure.write(source, start, end, this.#fixedHeader);
    if (behind < 0) refuse(place, measure.failure);
    measure.undo(0);
    return objectIn(source, start, behind) ?? refuse(place, "it is no JSON object");
  }

  #writerOf(shardId: ShardId): JsonRecordWriter {
    const present = this.#open.get(shardId);
    if (present !== undefined) return present;
    const writer = new JsonRecordWriter(firstBytes);
    this.#open.set(shardId, writer);
    return writer;
  }

  #closeAll(): void {
    for (const [shardId, writer] of this.#open) this.#close(shardId, writer);
  }

  #close(shardId: ShardId, writer: JsonRecordWriter): void {
    const recordCount = writer.records;
    if (recordCount === 0) return;
    this.#openBytes = Math.max(0, this.#openBytes - writer.bytes);
    const payload = writer.take();
    const append = this.#append(shardId, payload, recordCount, this.#chunk++)
      .catch((error: unknown) => {
        this.#failure ??= error;
      })
      .finally(() => this.#inFlight.delete(append));
    this.#inFlight.add(append);
  }

  async #append(shardId: ShardId, payload: Uint8Array, recordCount: number, chunk: number): Promise<void> {
    const { appender, stream, idempotencyKey } = this.#options;
    const batch = { recordCount, compression: 0, payload };
    const producer: Producer | undefined =
      idempotencyKey === undefined
        ? undefined
        : { id: `http:${idempotencyKey}`, mode: "transient", sequence: { step: 1, chunk } };
    try {
      const how = producer === undefined ? {} : { producer };
      const { batchId } = await appender.append(stream.name, shardId, batch, how);
      for (let index = 0; index < recordCount && this.#ids.length < idsMax; index++) {
        this.#ids.push({ shardId, batchId, index });
      }
    } catch (error) {
      // It was appended by an earlier request, so long ago that its ids are not known any more.
      if (!(error instanceof HStreamError && error.kind === "DuplicateAppend")) throw error;
    }
    this.#appended += recordCount;
    this.#batches += 1;
  }

  async #makeRoom(): Promise<void> {
    while (this.#inFlight.size >= limits.ingestBatchesInFlightMax) await Promise.race(this.#inFlight);
    this.#throwFailure();
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure as Error;
  }

  #refuseLong(bytes: number): never {
    throw new HStreamError("RecordTooLarge", { bytes, max: this.#options.recordBytesMax }, bytes);
  }
}

function refuseOtherThanUtf8(bytes: Uint8Array): void {
  if (!isUtf8(bytes)) throw new HStreamError("InvalidBatch", { reason: "The body is not UTF-8." });
}

function refuse(place: number, reason: string): never {
  throw new HStreamError("InvalidBatch", { reason: `Record ${place}: ${reason}.` }, { record: place });
}

function objectIn(source: Uint8Array, start: number, end: number): object | undefined {
  try {
    const text = Buffer.from(source.buffer, source.byteOffset + start, end - start).toString();
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const none: ReadonlyMap<string, string> = new Map();

/** The key that stands in a record itself: a text or a number. */
function keyIn(record: object, field: string, place: number): string {
  const key = fieldOf(record, field);
  if (typeof key === "string" || typeof key === "number") return String(key);
  return refuse(place, `its field "${field}", the key, is no text or number`);
}

/** The attributes that stand in a record itself: an object of texts, numbers and truth values, or none. */
function attributesIn(record: object, field: string, place: number): ReadonlyMap<string, string> {
  const value = fieldOf(record, field);
  if (value === undefined || value === null) return none;
  if (typeof value !== "object" || Array.isArray(value)) {
    return refuse(place, `its field "${field}", the attributes, is no object`);
  }
  const attributes = Object.entries(value).map(([name, attribute]: [string, unknown]): [string, string] => {
    if (typeof attribute === "string") return [name, attribute];
    if (typeof attribute === "number" || typeof attribute === "boolean") return [name, String(attribute)];
    return refuse(place, `the attribute "${name.slice(0, 100)}" is no text, number or truth value`);
  });
  return new Map(attributes);
}

function fieldOf(record: object, field: string): unknown {
  return Object.hasOwn(record, field) ? (record as Record<string, unknown>)[field] : undefined;
}
