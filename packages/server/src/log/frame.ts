import { crc32 } from "node:zlib";
import { assert } from "@hstream/proto";
import type { Batch, BatchId, Producer, ShardId, StoredBatch } from "./log-store.js";

/*
 * A frame, version 1. Little endian; whole numbers beyond 32 bits are f64.
 *
 *    0  u32  length of the whole frame in bytes
 *    4  u32  CRC-32 of the bytes from 8 to the end, begun with the length
 *    8  u16  magic 0x4648
 *   10  u8   version
 *   11  u8   kind
 *   12  u32  offset of this frame in its segment: a frame in a wrong place is no frame
 *   16  u32  offset of the group of frames that was written and made durable together with it
 *   20  u32  number of records                                  (batch)
 *   24  f64  shard id
 *   32  f64  batch id                                           (batch)
 *   40  f64  the shard's previous batch id, 0 if it is the first (batch)
 *   48  f64  append time, ms since 1970
 *   56  u8   compression                                        (batch)
 *   57  u8   producer's mode: 0 no producer, 1 contiguous, 2 monotone, 3 transient
 *   58  u16  length of the producer's id in bytes
 *   60  u32  producer's chunk
 *   64  f64  producer's step
 *   72  producer's id, UTF-8
 *    …  payload: the batch, or the arguments of a control frame (control-frame.ts)
 *
 * Since a group is written only once the one before it is durable, a broken frame is a torn write
 * only if nothing of a later group follows it. The link to the previous batch tells which batches of
 * which shard a damage has cost.
 */
export const frameHeaderBytes = 72;
export const frameVersion = 1;
const magic = 0x4648;
/** Magic, version and kind of a batch, as one number. */
const batchHead = magic | (frameVersion << 16);

export const frameKinds = [
  "batch",
  "create",
  "delete",
  "open",
  "trim",
  "hold",
  "release",
  "seal",
  "forget",
] as const;
export type FrameKind = (typeof frameKinds)[number];
const modes = [undefined, "contiguous", "monotone", "transient"] as const;

/** What a producer's id may take in a frame. */
export const producerIdBytesMax = 1024;

export interface Frame {
  readonly kind: FrameKind;
  readonly length: number;
  readonly offset: number;
  readonly groupOffset: number;
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  readonly previousId: BatchId;
  readonly timeMs: number;
  readonly recordCount: number;
  readonly compression: number;
  readonly producer: Producer | undefined;
  readonly payload: Uint8Array;
}

/** A buffer that frames are encoded into, from the beginning of its memory on. */
export interface FrameBuffer {
  readonly bytes: Buffer;
  readonly view: DataView;
}

export function frameBuffer(size: number): FrameBuffer {
  const bytes = Buffer.allocUnsafeSlow(size);
  return { bytes, view: new DataView(bytes.buffer) };
}

/** Encodes a batch's frame at `at`; returns its length. */
export function encodeBatch(
  target: FrameBuffer,
  at: number,
  offset: number,
  groupOffset: number,
  shardId: ShardId,
  batchId: BatchId,
  previousId: BatchId,
  timeMs: number,
  { recordCount, compression, payload }: Batch,
  producer: Producer | undefined,
): number {
  const { bytes, view } = target;
  const idBytes = producer === undefined ? 0 : bytes.write(producer.id, at + frameHeaderBytes);
  const headBytes = frameHeaderBytes + idBytes;
  const length = headBytes + payload.byteLength;
  view.setUint32(at, length, true);
  view.setUint32(at + 8, batchHead, true);
  view.setUint32(at + 12, offset, true);
  view.setUint32(at + 16, groupOffset, true);
  view.setUint32(at + 20, recordCount, true);
  view.setFloat64(at + 24, shardId, true);
  view.setFloat64(at + 32, batchId, true);
  view.setFloat64(at + 40, previousId, true);
  view.setFloat64(at + 48, timeMs, true);
  const mode = producer === undefined ? 0 : modes.indexOf(producer.mode);
  view.setUint32(at + 56, compression | (mode << 8) | (idBytes << 16), true);
  view.setUint32(at + 60, producer === undefined ? 0 : producer.sequence.chunk, true);
  view.setFloat64(at + 64, producer === undefined ? 0 : producer.sequence.step, true);
  bytes.set(payload, at + headBytes);
  // A plain array: a Buffer takes twice as long to make.
  view.setUint32(at + 4, crc32(new Uint8Array(bytes.buffer, at + 8, length - 8), length), true);
  return length;
}

/** The batch whose frame was encoded at `at`; its payload is a copy. Nothing is checked: not for what a disk gives. */
export function recentBatch({ bytes, view }: FrameBuffer, at: number): StoredBatch {
  const payloadAt = at + frameHeaderBytes + view.getUint16(at + 58, true);
  const payloadBytes = at + view.getUint32(at, true) - payloadAt;
  const payload = Buffer.allocUnsafe(payloadBytes);
  bytes.copy(payload, 0, payloadAt, payloadAt + payloadBytes);
  return {
    shardId: view.getFloat64(at + 24, true),
    batchId: view.getFloat64(at + 32, true),
    timeMs: view.getFloat64(at + 48, true),
    recordCount: view.getUint32(at + 20, true),
    compression: view.getUint8(at + 56),
    payload,
  };
}

/** Encodes a control frame at `at`; returns its length. */
export function encodeControl(
  target: FrameBuffer,
  at: number,
  offset: number,
  groupOffset: number,
  kind: FrameKind,
  shardId: ShardId,
  timeMs: number,
  payload: Uint8Array,
): number {
  const batch = { recordCount: 0, compression: 0, payload };
  const length = encodeBatch(target, at, offset, groupOffset, shardId, 0, 0, timeMs, batch, undefined);
  target.bytes[at + 11] = frameKinds.indexOf(kind);
  target.view.setUint32(at + 4, crc32(target.bytes.subarray(at + 8, at + length), length), true);
  return length;
}

/**
 * The frame at `at` of `bytes`, which is at `offset` of its segment; or what is wrong with it. The
 * payload is a part of `bytes`, not a copy.
 */
export function decodeFrame(bytes: Buffer, at: number, offset: number): Frame | string {
  if (bytes.byteLength - at < frameHeaderBytes) return "the frame is cut short";
  if (bytes.readUInt16LE(at + 8) !== magic) return "no frame begins here";
  if (bytes.readUInt32LE(at + 12) !== offset) return "the frame belongs elsewhere";
  const length = bytes.readUInt32LE(at);
  if (length < frameHeaderBytes || length > bytes.byteLength - at) return "the frame is cut short";
  const body = bytes.subarray(at + 8, at + length);
  if (crc32(body, length) !== bytes.readUInt32LE(at + 4)) return "the checksum does not match";
  const version = bytes.readUInt8(at + 10);
  if (version !== frameVersion) return `version ${version} is not known`;
  const kind = frameKinds[bytes.readUInt8(at + 11)];
  if (kind === undefined) return "the kind is not known";
  const payloadAt = at + frameHeaderBytes + bytes.readUInt16LE(at + 58);
  const mode = modes[bytes.readUInt8(at + 57)];
  return {
    kind,
    length,
    offset,
    groupOffset: bytes.readUInt32LE(at + 16),
    recordCount: bytes.readUInt32LE(at + 20),
    shardId: bytes.readDoubleLE(at + 24),
    batchId: bytes.readDoubleLE(at + 32),
    previousId: bytes.readDoubleLE(at + 40),
    timeMs: bytes.readDoubleLE(at + 48),
    compression: bytes.readUInt8(at + 56),
    producer:
      mode === undefined
        ? undefined
        : {
            id: bytes.toString("utf8", at + frameHeaderBytes, payloadAt),
            mode,
            sequence: { step: bytes.readDoubleLE(at + 64), chunk: bytes.readUInt32LE(at + 60) },
          },
    payload: bytes.subarray(payloadAt, at + length),
  };
}

/**
 * The batch that an index says is at `at` of `bytes`, which is at `offset` of its segment; or what is wrong
 * with it. As decodeFrame and a comparison with the index, but made for many. The payload is a part of
 * `bytes` unless `copy`.
 */
export function decodeBatch(
  bytes: Buffer,
  at: number,
  offset: number,
  shardId: ShardId,
  batchId: BatchId,
  copy: boolean,
): StoredBatch | string {
  const { buffer, byteLength } = bytes;
  const base = bytes.byteOffset + at;
  if (byteLength - at < frameHeaderBytes) return "the frame is cut short";
  const length = bytes.readUInt32LE(at);
  if (length < frameHeaderBytes || length > byteLength - at) return "the frame is cut short";
  if (crc32(new Uint8Array(buffer, base + 8, length - 8), length) !== bytes.readUInt32LE(at + 4)) {
    return "the checksum does not match";
  }
  const head = bytes.readUInt32LE(at + 8);
  const isThere =
    head === batchHead &&
    bytes.readUInt32LE(at + 12) === offset &&
    bytes.readDoubleLE(at + 24) === shardId &&
    bytes.readDoubleLE(at + 32) === batchId;
  if (!isThere) return "the index and the frame do not agree";
  const headBytes = frameHeaderBytes + bytes.readUInt16LE(at + 58);
  const payload = new Uint8Array(buffer, base + headBytes, length - headBytes);
  return {
    shardId,
    batchId,
    timeMs: bytes.readDoubleLE(at + 48),
    recordCount: bytes.readUInt32LE(at + 20),
    compression: bytes.readUInt8(at + 56),
    payload: copy ? payload.slice() : payload,
  };
}

/** Length in bytes of a batch's frame. */
export function batchFrameBytes(payloadBytes: number, producer: Producer | undefined): number {
  if (producer === undefined) return frameHeaderBytes + payloadBytes;
  const idBytes = Buffer.byteLength(producer.id);
  assert(idBytes <= producerIdBytesMax, "a producer's id is at most 1024 bytes long");
  return frameHeaderBytes + idBytes + payloadBytes;
}
