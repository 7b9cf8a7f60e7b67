import { gunzip, gzip } from "node:zlib";
import { constants } from "node:zlib";
import { promisify } from "node:util";
import {
  BatchedRecord,
  BatchHStreamRecords,
  CompressionType,
  HStreamRecordHeader_Flag as Flag,
  type RecordId,
  Struct,
} from "@hstream/proto";
import { HStreamClientError } from "./errors.js";
import { limits } from "./limits.js";

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify<Uint8Array, { finishFlush: number; maxOutputLength: number }, Buffer>(gunzip);
const inflatedBytesMax = 64 * 1_048_576;

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
  readonly header: { readonly flag: Flag; readonly attributes: Map<string, string>; readonly key: string };
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
  return { header: { flag: raw ? Flag.RAW : Flag.JSON, attributes, key }, payload, bytes };
}

/** The batch to append, its payload compressed as asked. */
export async function encodeBatch(
  records: readonly PreparedRecord[],
  compression: Compression,
): Promise<BatchedRecord> {
  const plain = BatchHStreamRecords.encode({
    records: records.map(({ header, payload }) => ({ header, payload })),
  }).finish();
  const payload = compression === "gzip" ? await gzipAsync(plain) : plain;
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
  const { records } = BatchHStreamRecords.decode(await inflate(batch));
  return records.map(({ header, payload }) => ({
    key: header?.key ?? "",
    attributes: header?.attributes ?? new Map<string, string>(),
    json: header?.flag === Flag.RAW ? undefined : decodeJson(payload),
    payload,
  }));
}

async function inflate(batch: BatchedRecord): Promise<Uint8Array> {
  switch (batch.compressionType) {
    case CompressionType.None:
      return batch.payload;
    case CompressionType.Gzip:
      // Some writers do not end their gzip streams.
      return gunzipAsync(batch.payload, {
        finishFlush: constants.Z_SYNC_FLUSH,
        maxOutputLength: inflatedBytesMax,
      });
    default:
      throw new HStreamClientError({
        reason: "protocol",
        message: `A batch arrived with compression ${batch.compressionType}, which this client cannot read.`,
      });
  }
}

function encodeJson(record: JsonObject): Uint8Array {
  checkObject(record);
  return Struct.encode(Struct.wrap(record)).finish();
}

function decodeJson(payload: Uint8Array): JsonObject {
  return Struct.unwrap(Struct.decode(payload)) as JsonObject;
}

function checkObject(record: unknown): void {
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    throw new HStreamClientError({
      reason: "usage",
      message: "A record is an object, or bytes (Uint8Array).",
    });
  }
}

/** `shardId-batchId-batchIndex`. */
export function formatRecordId(id: RecordId): string {
  return `${id.shardId}-${id.batchId}-${id.batchIndex}`;
}
