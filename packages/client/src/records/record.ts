import {
  type BatchedRecord,
  CompressionType,
  deflate,
  encodeHRecord,
  encodeRecordBatch,
  HStreamRecordHeader_Flag as Flag,
} from "@hstream/proto";
import { HStreamClientError } from "../errors.js";
import { limits } from "../limits.js";

/** What a JSON record may hold. Numbers are doubles. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [field: string]: JsonValue };
export type JsonObject = { readonly [field: string]: JsonValue };

/** A JSON record (an object) or a raw one (bytes). */
export type RecordInput = JsonObject | Uint8Array;

/** How batches are compressed. HStreamDB's Python client reads no zstd, unless the server undoes it. */
export type Compression = "none" | "gzip" | "zstd";

export interface RecordOptions {
  /** The partition key: records of a key keep their order. Default: the type's key, else the empty one. */
  readonly key?: string;
  /** Small texts that go along with the record. */
  readonly attributes?: Readonly<Record<string, string>>;
}

/** A record ready to be sent. */
export interface PreparedRecord {
  readonly flag: Flag;
  readonly key: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly payload: Uint8Array;
  /** About what it takes within a batch. */
  readonly bytes: number;
}

/** Encodes one record. Throws HStreamClientError (reason "usage") for what JSON cannot carry. */
export function prepareRecord(record: RecordInput, options: RecordOptions = {}): PreparedRecord {
  const raw = record instanceof Uint8Array;
  const payload = raw ? record : encodeJson(record);
  const key = options.key ?? "";
  const attributes = options.attributes === undefined ? none : new Map(Object.entries(options.attributes));
  let bytes = payload.byteLength + key.length * 3 + 24;
  for (const [name, value] of attributes) bytes += (name.length + value.length) * 3 + 8;
  if (bytes > limits.batchBytesMax) {
    throw new HStreamClientError({
      reason: "usage",
      message: `A record of ${payload.byteLength} bytes is too large: at most ${limits.batchBytesMax} bytes fit a batch (batchBytesMax).`,
    });
  }
  return { flag: raw ? Flag.RAW : Flag.JSON, key, attributes, payload, bytes };
}

const none: ReadonlyMap<string, string> = new Map();

const compressionTypes = {
  none: CompressionType.None,
  gzip: CompressionType.Gzip,
  zstd: CompressionType.Zstd,
} as const;

/** The batch to append, its payload compressed as asked. */
export async function encodeBatch(
  records: readonly PreparedRecord[],
  compression: Compression,
): Promise<BatchedRecord> {
  const compressionType = compressionTypes[compression];
  const payload = await deflate(encodeRecordBatch(records), compressionType);
  return { compressionType, publishTime: undefined, batchSize: records.length, payload };
}

function encodeJson(record: JsonObject): Uint8Array {
  const plain = typeof record === "object" && record !== null && !Array.isArray(record);
  const encoded = plain ? encodeHRecord(record) : { reason: "a record is an object, or bytes" };
  if (encoded instanceof Uint8Array) return encoded;
  throw new HStreamClientError({ reason: "usage", message: `The record cannot be sent: ${encoded.reason}.` });
}
