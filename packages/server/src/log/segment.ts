import { join } from "node:path";
import { crc32 } from "node:zlib";
import { ByteReader, ByteWriter } from "./byte-cursor.js";
import { encodeControl, frameBuffer, frameHeaderBytes } from "./frame.js";
import type { BatchId, ShardId } from "./log-store.js";
import { ShardIndex } from "./shard-index.js";

/** One file of the log. */
export interface Segment {
  readonly number: number;
  readonly path: string;
  /** Where its frames end. */
  end: number;
  sealed: boolean;
  /** The parts of shards in it that are neither trimmed nor deleted. */
  readonly extents: Set<Extent>;
}

/** Consecutive batches of one shard in one segment. */
export interface Extent {
  readonly shardId: ShardId;
  readonly segment: Segment;
  readonly firstId: BatchId;
  /** The shard's batch before `firstId`. Where it is not the end of the extent before: a damage. */
  readonly previousId: BatchId;
  lastId: BatchId;
  lastTimeMs: number;
  count: number;
  /** In memory while the segment has no footer that it could be loaded from. */
  index: ShardIndex | undefined;
  /** Where it is in the footer. */
  indexOffset: number;
  indexChecksum: number;
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, `${String(number).padStart(12, "0")}.segment`);
}

/** The number of a segment's file; undefined for other files. */
export function segmentNumber(name: string): number | undefined {
  const match = /^(\d{12})\.segment$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

export const segmentHeaderBytes = 64;
export const segmentVersion = 1;
const headerMagic = "HSTRLOG1";
const trailerMagic = "HSTREND1";

/** A segment is whole, but of another version of the format: nothing in it may be touched. */
export class UnknownVersion extends Error {
  override readonly name = "UnknownVersion";

  constructor(version: number) {
    super(`version ${version} of the format is not known to this server`);
  }
}

export interface SegmentHeader {
  readonly number: number;
  readonly epoch: number;
  readonly createdAtMs: number;
}

/*
 * A segment, version 1 (little endian):
 *
 *   header    0  "HSTRLOG1"
 *             8  u32 version
 *            12  u32 CRC-32 of the bytes 16 … 64, begun with the version
 *            16  f64 segment number
 *            24  f64 epoch of the batch ids
 *            32  f64 time of creation, ms since 1970
 *            40  zeros
 *   frames   64  frame.ts
 *   footer       once the segment is full:
 *                a frame of kind "seal"
 *                indexes     shard-index.ts, one for each extent
 *                directory   u32 extents, for each: f64 shard id, f64 count, f64 first id, f64 last id,
 *                            f64 previous id, f64 last time, f64 offset of its index, u32 CRC-32 of it
 *                state       log-state.ts: of the whole log, after the last frame of this segment
 *   trailer   0  "HSTREND1"   the last 64 bytes
 *             8  u32 version
 *            12  u32 CRC-32 of the bytes 16 … 64
 *            16  f64 segment number
 *            24  f64 offset of the footer
 *            32  f64 offset of the directory
 *            40  f64 offset of the state
 *            48  f64 epoch
 *            56  u32 CRC-32 of the directory
 *            60  u32 CRC-32 of the state
 */
export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = Buffer.alloc(segmentHeaderBytes);
  bytes.write(headerMagic);
  bytes.writeUInt32LE(segmentVersion, 8);
  bytes.writeDoubleLE(header.number, 16);
  bytes.writeDoubleLE(header.epoch, 24);
  bytes.writeDoubleLE(header.createdAtMs, 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(16), segmentVersion), 12);
  return bytes;
}

/** The header, or what is wrong with it. Throws when a later version of the server wrote it. */
export function decodeHeader(bytes: Buffer): SegmentHeader | string {
  if (bytes.byteLength < segmentHeaderBytes) return "the header is cut short";
  if (bytes.toString("latin1", 0, 8) !== headerMagic) return "this is no segment";
  const version = bytes.readUInt32LE(8);
  if (crc32(bytes.subarray(16, segmentHeaderBytes), version) !== bytes.readUInt32LE(12)) {
    return "the header's checksum does not match";
  }
  if (version !== segmentVersion) throw new UnknownVersion(version);
  return {
    number: bytes.readDoubleLE(16),
    epoch: bytes.readDoubleLE(24),
    createdAtMs: bytes.readDoubleLE(32),
  };
}

export const trailerBytes = 64;

export interface Trailer {
  readonly number: number;
  readonly epoch: number;
  readonly footerOffset: number;
  readonly directoryOffset: number;
  readonly stateOffset: number;
  readonly directoryChecksum: number;
  readonly stateChecksum: number;
}

/** A place of an extent's index in a footer. */
export interface IndexPlace {
  readonly extent: Extent;
  readonly offset: number;
  readonly checksum: number;
}

/** Encodes a footer that begins at `offset`, with its trailer. All extents have their index in memory. */
export function encodeFooter(
  number: number,
  epoch: number,
  offset: number,
  nowMs: number,
  extents: readonly Extent[],
  state: Uint8Array,
): { readonly parts: readonly Uint8Array[]; readonly places: readonly IndexPlace[]; readonly bytes: number } {
  const seal = frameBuffer(frameHeaderBytes);
  encodeControl(seal, 0, offset, offset, "seal", 0, nowMs, new Uint8Array(0));
  const parts: Uint8Array[] = [seal.bytes];
  const places: IndexPlace[] = [];
  let at = offset + frameHeaderBytes;
  const directory = new ByteWriter();
  directory.uint32(extents.length);
  for (const extent of extents) {
    const index = (extent.index ?? new ShardIndex()).encode();
    const checksum = crc32(index);
    parts.push(index);
    places.push({ extent, offset: at, checksum });
    directory.float64(extent.shardId);
    directory.float64(extent.count);
    directory.float64(extent.firstId);
    directory.float64(extent.lastId);
    directory.float64(extent.previousId);
    directory.float64(extent.lastTimeMs);
    directory.float64(at);
    directory.uint32(checksum);
    at += index.byteLength;
  }
  const directoryBytes = directory.finish();
  const trailer = Buffer.alloc(trailerBytes);
  trailer.write(trailerMagic);
  trailer.writeUInt32LE(segmentVersion, 8);
  trailer.writeDoubleLE(number, 16);
  trailer.writeDoubleLE(offset, 24);
  trailer.writeDoubleLE(at, 32);
  trailer.writeDoubleLE(at + directoryBytes.byteLength, 40);
  trailer.writeDoubleLE(epoch, 48);
  trailer.writeUInt32LE(crc32(directoryBytes), 56);
  trailer.writeUInt32LE(crc32(state), 60);
  trailer.writeUInt32LE(crc32(trailer.subarray(16)), 12);
  parts.push(directoryBytes, state, trailer);
  const bytes = at - offset + directoryBytes.byteLength + state.byteLength + trailerBytes;
  return { parts, places, bytes };
}

/** The trailer in a segment's last bytes, or what is wrong with it. */
export function decodeTrailer(bytes: Buffer, segment: Segment, fileBytes: number): Trailer | string {
  if (bytes.byteLength < trailerBytes || bytes.toString("latin1", 0, 8) !== trailerMagic) return "no trailer";
  if (bytes.readUInt32LE(8) !== segmentVersion) return `version ${bytes.readUInt32LE(8)} is not known`;
  if (crc32(bytes.subarray(16)) !== bytes.readUInt32LE(12)) return "the trailer's checksum does not match";
  const trailer: Trailer = {
    number: bytes.readDoubleLE(16),
    footerOffset: bytes.readDoubleLE(24),
    directoryOffset: bytes.readDoubleLE(32),
    stateOffset: bytes.readDoubleLE(40),
    epoch: bytes.readDoubleLE(48),
    directoryChecksum: bytes.readUInt32LE(56),
    stateChecksum: bytes.readUInt32LE(60),
  };
  if (trailer.number !== segment.number) return `the trailer is that of segment ${trailer.number}`;
  const { footerOffset, directoryOffset, stateOffset } = trailer;
  const inOrder =
    segmentHeaderBytes <= footerOffset &&
    footerOffset < directoryOffset &&
    directoryOffset < stateOffset &&
    stateOffset <= fileBytes - trailerBytes;
  return inOrder ? trailer : "the trailer's offsets are not in order";
}

/** The extents that a directory lists, without their indexes. Throws RangeError when it is none. */
export function decodeDirectory(bytes: Uint8Array, segment: Segment): Extent[] {
  const reader = new ByteReader(bytes);
  return reader.list(() => ({
    shardId: reader.float64(),
    segment,
    count: reader.float64(),
    firstId: reader.float64(),
    lastId: reader.float64(),
    previousId: reader.float64(),
    lastTimeMs: reader.float64(),
    index: undefined,
    indexOffset: reader.float64(),
    indexChecksum: reader.uint32(),
  }));
}
