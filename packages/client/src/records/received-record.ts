import {
  type BatchedRecord,
  decodeHRecord,
  HStreamRecordHeader_Flag as Flag,
  type HValue,
  type Inflate,
  isMalformed,
  isUnreadable,
  loadInflate,
  RecordBatchReader,
  type RecordId,
} from "@hstream/proto";
import { HStreamClientError } from "../errors.js";
import { limits } from "../limits.js";
import { toDate } from "../time.js";
import type { JsonObject, JsonValue, RecordInput } from "./record.js";
import { formatRecordId } from "./record-id.js";
import type { RecordType } from "./record-type.js";

/** What a record holds, whatever brought it. */
export interface RecordContent {
  /** The partition key; mostly empty. */
  readonly key: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** Whether it is JSON, and not mere bytes. */
  readonly isJson: boolean;
  /** The bytes of a raw record; of a JSON record those that stand for it. */
  readonly payload: Uint8Array;
}

/**
 * A record as a server delivers it. What cannot be read throws where it is asked for (HStreamClientError,
 * reason "record"), so that one bad record does not end the reading of the others.
 */
export class ReceivedRecord<T = RecordInput> {
  readonly recordId: RecordId;
  /** When the server stored it, to the millisecond. */
  readonly publishedAt: Date | undefined;
  readonly #type: RecordType<T>;
  readonly #content: RecordContent | HStreamClientError;

  constructor(
    recordId: RecordId,
    publishedAt: Date | undefined,
    type: RecordType<T>,
    content: RecordContent | HStreamClientError,
  ) {
    this.recordId = recordId;
    this.publishedAt = publishedAt;
    this.#type = type;
    this.#content = content;
  }

  /** `shardId-batchId-batchIndex`. */
  get id(): string {
    return formatRecordId(this.recordId);
  }

  /** The partition key; mostly empty. */
  get key(): string {
    return this.#read().key;
  }

  get attributes(): ReadonlyMap<string, string> {
    return this.#read().attributes;
  }

  /** The fields of a JSON record; undefined for a raw one. */
  get json(): JsonObject | undefined {
    const content = this.#read();
    return content.isJson ? decodeJson(content.payload) : undefined;
  }

  /** The bytes of a raw record; of a JSON record those that stand for it. */
  get payload(): Uint8Array {
    return this.#read().payload;
  }

  /** What the record's type makes of it. */
  get value(): T {
    const { json, payload, key, attributes } = this;
    try {
      return this.#type.fromRecord({ json, payload, key, attributes });
    } catch (cause) {
      if (cause instanceof HStreamClientError) throw cause;
      const why = cause instanceof Error ? cause.message : String(cause);
      throw unreadable(`Record ${this.id} is not of its type: ${why}`, cause);
    }
  }

  #read(): RecordContent {
    if (this.#content instanceof HStreamClientError) throw this.#content;
    return this.#content;
  }
}

/** Makes records of stored batches. */
export class BatchDecoder {
  readonly #inflate: Inflate;

  private constructor(inflate: Inflate) {
    this.#inflate = inflate;
  }

  /** Readies the decompressors. */
  static async load(): Promise<BatchDecoder> {
    return new BatchDecoder(await loadInflate(limits.inflatedBytesMax));
  }

  /** One record for each id. If the batch cannot be read, each of them says so. */
  decode<R>(
    batch: BatchedRecord,
    ids: readonly RecordId[],
    make: (id: RecordId, at: Date | undefined, content: RecordContent | HStreamClientError) => R,
  ): readonly R[] {
    const at = toDate(batch.publishTime);
    const contents = this.contents(batch);
    if (contents instanceof HStreamClientError) return ids.map((id) => make(id, at, contents));
    const wrong = unreadable(`A batch of ${contents.length} records came with ${ids.length} ids.`);
    const isWrong = contents.length !== ids.length;
    return ids.map((id, index) => make(id, at, isWrong ? wrong : (contents[index] ?? wrong)));
  }

  /** The records of a batch, or why it cannot be read. */
  contents(batch: BatchedRecord): readonly RecordContent[] | HStreamClientError {
    const bytes = this.#inflate(batch.payload, batch.compressionType);
    if (isUnreadable(bytes)) return unreadable(`A batch cannot be read: ${bytes.reason}.`);
    const reader = new RecordBatchReader(bytes);
    const contents: RecordContent[] = [];
    while (reader.next()) {
      contents.push({
        key: reader.key(),
        attributes: reader.attributeCount === 0 ? none : reader.attributes(),
        isJson: reader.flag !== Flag.RAW,
        payload: reader.payload(),
      });
    }
    return reader.failure === null
      ? contents
      : unreadable(`A batch cannot be read: ${reader.failure.reason}.`);
  }
}

const none: ReadonlyMap<string, string> = new Map();

function decodeJson(payload: Uint8Array): JsonObject {
  const record = decodeHRecord(payload);
  if (isMalformed(record)) throw unreadable(`A record cannot be read: ${record.reason}.`);
  return plainObject(record);
}

function plainObject(fields: ReadonlyMap<string, HValue>): JsonObject {
  const object: Record<string, JsonValue> = {};
  for (const [name, value] of fields) {
    // Assigning would call a setter here.
    if (name === "__proto__") Object.defineProperty(object, name, { value: plain(value), enumerable: true });
    else object[name] = plain(value);
  }
  return object;
}

function plain(value: HValue): JsonValue {
  if (value instanceof Map) return plainObject(value);
  return Array.isArray(value) ? value.map(plain) : (value as JsonValue);
}

function unreadable(message: string, cause?: unknown): HStreamClientError {
  return new HStreamClientError({ reason: "record", message, cause });
}
