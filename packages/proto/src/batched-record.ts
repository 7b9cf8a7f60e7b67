import { assert } from "./assert.js";
import type { Malformed } from "./malformed.js";
import { varintLength, writeVarint } from "./varint.js";
import { WireCursor } from "./wire-cursor.js";

/**
 * BatchedRecord, what an append carries and a fetch gives back:
 *
 *   08 compressionType  12 length {08 seconds  10 nanos}  18 batchSize  22 length payload
 *   └ absent if 0       └ absent if not known            └ absent if 0  └ absent if empty
 *
 * The payload is never copied here: decoding gives a view of the input, and `encodeBatchedRecordHead`
 * gives what stands before the payload, for writers that take pieces.
 */
export interface BatchedRecordParts {
  /** A CompressionType; any other number is kept. */
  readonly compressionType: number;
  /** Milliseconds since 1970, rounded down; undefined if not set. */
  readonly publishTimeMs: number | undefined;
  readonly batchSize: number;
  readonly payload: Uint8Array;
}

const tag = { compressionType: 0x08, publishTime: 0x12, batchSize: 0x18, payload: 0x22 } as const;
const timestampTag = { seconds: 0x08, nanos: 0x10 } as const;
/** Three varints, the timestamp, and the tag and length of the payload, at their longest. */
const headBytesMax = 64;

/** Reads a BatchedRecord from `bytes`, or from a part of it. The payload is a view. */
export function decodeBatchedRecord(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
): BatchedRecordParts | Malformed {
  const cursor = new WireCursor(bytes, start, end);
  let compressionType = 0;
  let hasTime = false;
  let seconds = 0;
  let nanos = 0;
  let batchSize = 0;
  let payloadStart = start;
  let payloadEnd = start;
  for (let field = cursor.tag(); field !== 0; field = cursor.tag()) {
    switch (field) {
      case tag.compressionType:
        compressionType = cursor.uint32() | 0;
        break;
      case tag.publishTime: {
        hasTime = true;
        const outer = cursor.enter();
        for (let part = cursor.tag(); part !== 0; part = cursor.tag()) {
          if (part === timestampTag.seconds) seconds = Number(cursor.int64());
          else if (part === timestampTag.nanos) nanos = cursor.uint32() | 0;
          else cursor.skip(part);
        }
        cursor.leave(outer);
        break;
      }
      case tag.batchSize:
        batchSize = cursor.uint32();
        break;
      case tag.payload:
        payloadStart = cursor.span();
        payloadEnd = cursor.position;
        break;
      default:
        cursor.skip(field);
    }
  }
  if (cursor.failure !== null) return cursor.failure;
  return {
    compressionType,
    publishTimeMs: hasTime ? seconds * 1_000 + Math.floor(nanos / 1_000_000) : undefined,
    batchSize,
    payload: bytes.subarray(payloadStart, payloadEnd),
  };
}

/** The encoded record up to, not with, its payload: followed by the payload, it is a BatchedRecord. */
export function encodeBatchedRecordHead(record: BatchedRecordParts): Uint8Array {
  const head = new Uint8Array(headBytesMax);
  return head.subarray(0, writeHead(head, record));
}

/** The whole record, in one piece; this copies the payload. */
export function encodeBatchedRecord(record: BatchedRecordParts): Uint8Array {
  const head = encodeBatchedRecordHead(record);
  const bytes = new Uint8Array(head.length + record.payload.length);
  bytes.set(head);
  bytes.set(record.payload, head.length);
  return bytes;
}

function writeHead(target: Uint8Array, record: BatchedRecordParts): number {
  const { compressionType, publishTimeMs, batchSize, payload } = record;
  assert(isUint31(compressionType), "a compression type is a small number");
  assert(batchSize >>> 0 === batchSize, "a batch size is a number of 32 bits");
  let at = 0;
  if (compressionType !== 0) at = writeField(target, at, tag.compressionType, compressionType);
  if (publishTimeMs !== undefined) at = writeTimestamp(target, at, publishTimeMs);
  if (batchSize !== 0) at = writeField(target, at, tag.batchSize, batchSize);
  if (payload.length !== 0) at = writeField(target, at, tag.payload, payload.length);
  return at;
}

function writeTimestamp(target: Uint8Array, offset: number, ms: number): number {
  assert(Number.isSafeInteger(ms) && ms >= 0, "a publish time is a whole number of milliseconds since 1970");
  const seconds = Math.floor(ms / 1_000);
  const nanos = (ms % 1_000) * 1_000_000;
  const length =
    (seconds === 0 ? 0 : 1 + varintLength(seconds)) + (nanos === 0 ? 0 : 1 + varintLength(nanos));
  let at = writeField(target, offset, tag.publishTime, length);
  if (seconds !== 0) at = writeField(target, at, timestampTag.seconds, seconds);
  if (nanos !== 0) at = writeField(target, at, timestampTag.nanos, nanos);
  return at;
}

function writeField(target: Uint8Array, offset: number, fieldTag: number, value: number): number {
  target[offset] = fieldTag;
  return writeVarint(target, offset + 1, value);
}

function isUint31(value: number): boolean {
  return (value & 0x7fff_ffff) === value;
}
