import { promisify } from "node:util";
import * as zlib from "node:zlib";
import {
  type BatchedRecord,
  CompressionType,
  decodeHRecord,
  encodeHRecord,
  encodeRecordBatch,
  type HValue,
  HStreamRecordHeader_Flag as Flag,
  isMalformed,
  RecordBatchReader,
  type RecordId,
} from "@hstream/proto";
import { HStreamClientError } from "./errors.js";
import { limits } from "./limits.js";

type Inflate = (
  bytes: Uint8Array,
  options: { readonly finishFlush?: number; readonly maxOutputLength: number },
) => Promise<Buffer>;

const gzip = promisify(zlib.gzip);
const gunzip: Inflate = promisify(zlib.gunzip);
/** Part of Node from 22.15 on. */
const { zstdDecompress } = zlib as unknown as { readonly zstdDecompress?: typeof zlib.gunzip };
const unzstd: Inflate | undefined = zstdDecompress === undefined ? undefined : promisify(zstdDecompress);

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

export type Compression = "none" | "gzip";

export interface RecordOptions {
  /** The partition key: records of a key keep their order. Default: the empty key. */
  readonly key?: string;
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
  const attributes = new Map(Object.entries(options.attributes ?? {}));
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

/** The batch to append, its payload compressed as asked. */
export async function encodeBatch(
  records: readonly PreparedRecord[],
  compression: Compression,
): Promise<BatchedRecord> {
  const plain = encodeRecordBatch(records);
  const payload = compression === "gzip" ? await gzip(plain) : plain;
  return {
    compressionType: compression === "gzip" ? CompressionType.Gzip : CompressionType.None,
    batchSize: records.length,
    payload,
    publishTime: undefined,
  };
}

/** One record out of a stored batch. */
export interface DecodedRecord {
  readonly key: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly json: JsonObject | undefined;
  readonly payload: Uint8Array;
}

/** The records of a stored batch. */
export async function decodeBatch(batch: BatchedRecord): Promise<readonly DecodedRecord[]> {
  const reader = new RecordBatchReader(await inflate(batch));
  const records: DecodedRecord[] = [];
  while (reader.next()) {
    const payload = reader.bytes.subarray(reader.payloadStart, reader.payloadEnd);
    records.push({
      key: reader.key(),
      attributes: reader.attributes(),
      json: reader.flag === Flag.RAW ? undefined : decodeJson(payload),
      payload,
    });
  }
  if (reader.failure !== null) throw unreadable(reader.failure.reason);
  return records;
}

async function inflate(batch: BatchedRecord): Promise<Uint8Array> {
  const maxOutputLength = limits.inflatedBytesMax;
  try {
    switch (batch.compressionType) {
      case CompressionType.None:
        return batch.payload;
      case CompressionType.Gzip:
        // Some writers do not end their gzip streams.
        return await gunzip(batch.payload, { finishFlush: zlib.constants.Z_SYNC_FLUSH, maxOutputLength });
      case CompressionType.Zstd:
        if (unzstd === undefined) throw unreadable("zstd needs Node 22.15 or later");
        return await unzstd(batch.payload, { maxOutputLength });
    }
  } catch (error) {
    if (error instanceof HStreamClientError) throw error;
    throw unreadable(error instanceof Error ? error.message : String(error));
  }
  throw unreadable(`compression ${String(batch.compressionType)} is not known to this client`);
}

function encodeJson(record: JsonObject): Uint8Array {
  const plain = typeof record === "object" && record !== null && !Array.isArray(record);
  const encoded = plain ? encodeHRecord(record) : { reason: "a record is an object, or bytes" };
  if (encoded instanceof Uint8Array) return encoded;
  throw new HStreamClientError({ reason: "usage", message: `The record cannot be sent: ${encoded.reason}.` });
}

function decodeJson(payload: Uint8Array): JsonObject {
  const record = decodeHRecord(payload);
  if (isMalformed(record)) throw unreadable(record.reason);
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

function unreadable(reason: string): HStreamClientError {
  return new HStreamClientError({
    reason: "protocol",
    message: `A batch arrived that cannot be read: ${reason}.`,
  });
}

/** `shardId-batchId-batchIndex`. */
export function formatRecordId(id: RecordId): string {
  return `${id.shardId}-${id.batchId}-${id.batchIndex}`;
}
