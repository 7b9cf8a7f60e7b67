import { join } from "node:path";
import { crc32 } from "node:zlib";
import { encodeControl, frameBuffer, frameHeaderBytes } from "./frame.js";
import type { BatchId } from "./log-store.js";
import type { OpenIndex } from "./open-index.js";
import type { PackedIndex } from "./packed-index.js";

/** Where a footer has a part of itself. */
export interface FooterPlace {
  readonly offset: number;
  readonly bytes: number;
  readonly checksum: number;
}

/** One file of the log. */
export interface Segment {
  /** Of this object and no other: what is cached of a file is void once the file is rewritten. */
  readonly serial: number;
  readonly number: number;
  /** How often it was rewritten. */
  readonly generation: number;
  /** The lowest number of the segments that it stands for. */
  firstNumber: number;
  readonly path: string;
  /** Where its frames end. */
  end: number;
  /** Of its batches; those of the segment before where it has none. */
  firstId: BatchId;
  lastId: BatchId;
  /** Of its batches while it is being written. */
  open: OpenIndex | undefined;
  /** Once it has a footer. */
  directory: FooterPlace | undefined;
  /** Stands for a footer that is missing or damaged. */
  pinned: PackedIndex | undefined;
  /** If its footer has the state of the log. */
  state: FooterPlace | undefined;
  space: SegmentSpace;
  /** Removed, or replaced by another object. */
  gone: boolean;
}

/** What a sealed segment takes, and of what use that is. */
export interface SegmentSpace {
  /** Of the file. */
  bytes: number;
  /** Of frames that can still be read, roughly; wrong when `stale`. */
  liveBytes: number;
  /** All its batches, and their bytes. */
  batches: number;
  batchBytes: number;
  /** Runs of consecutive batches of one shard. */
  extents: number;
  stale: boolean;
  /** Whether its batches are in the order of the shards, or nearly all of one shard. */
  sorted: boolean;
  /** Damaged: it stays as it is. */
  damaged: boolean;
}

let segmentsMade = 0;

export function newSegment(number: number, path: string, generation = 0): Segment {
  return {
    serial: ++segmentsMade,
    number,
    generation,
    firstNumber: number,
    path,
    end: segmentHeaderBytes,
    firstId: 0,
    lastId: 0,
    open: undefined,
    directory: undefined,
    pinned: undefined,
    state: undefined,
    space: {
      bytes: 0,
      liveBytes: 0,
      batches: 0,
      batchBytes: 0,
      extents: 0,
      stale: true,
      sorted: false,
      damaged: false,
    },
    gone: false,
  };
}

/** `generation`: how often it was rewritten. */
export function segmentPath(directory: string, number: number, generation = 0): string {
  const suffix = generation === 0 ? "" : `-${generation}`;
  return join(directory, `${String(number).padStart(12, "0")}${suffix}.segment`);
}

/** Of a segment that is being rewritten. */
export const rewriteSuffix = ".rewrite";

/** The number of a segment's file and how often it was rewritten; undefined for other files. */
export function segmentNumber(name: string): { number: number; generation: number } | undefined {
  const match = /^(\d{12})(?:-([1-9]\d{0,8}))?\.segment$/.exec(name);
  return match === null ? undefined : { number: Number(match[1]), generation: Number(match[2] ?? 0) };
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
  /** The lowest number of the segments that it stands for: less than its own where it replaced several. */
  readonly firstNumber: number;
  /** Rewritten: in the order of the shards. */
  readonly sorted: boolean;
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
 *            40  f64 lowest number of the segments that were rewritten to this one (else its own)
 *            48  u32 1 when it was rewritten in the order of the shards, else 0
 *            52  zeros
 *   frames   64  frame.ts
 *   footer       once the segment is full:
 *                a frame of kind "seal"
 *                indexes     shard-index.ts, one for each extent
 *                directory   directory.ts
 *                state       log-state.ts: of the whole log, after the last frame of this segment; nothing
 *                            when it was rewritten
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
  bytes.writeDoubleLE(header.firstNumber, 40);
  bytes.writeUInt32LE(header.sorted ? 1 : 0, 48);
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
    firstNumber: bytes.readDoubleLE(40),
    sorted: bytes.readUInt32LE(48) === 1,
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

export interface Footer {
  readonly parts: readonly Uint8Array[];
  readonly bytes: number;
  readonly packed: PackedIndex;
  readonly directoryPlace: FooterPlace;
  /** None when the state is empty. */
  readonly statePlace: FooterPlace | undefined;
}

/** Batches of which the index can be packed for a place in the file. */
interface Packable {
  pack(indexOffset: number): PackedIndex;
}

/** Encodes a footer that begins at `offset`, with its trailer. */
export function encodeFooter(
  number: number,
  epoch: number,
  offset: number,
  nowMs: number,
  index: Packable,
  state: Uint8Array,
): Footer {
  const seal = frameBuffer(frameHeaderBytes);
  encodeControl(seal, 0, offset, offset, "seal", 0, nowMs, new Uint8Array(0));
  const packed = index.pack(offset + frameHeaderBytes);
  const { indexes, directory } = packed;
  const directoryOffset = offset + frameHeaderBytes + indexes.byteLength;
  const directoryBytes = directory.bytes.byteLength;
  const checksum = checksumOf(directory.bytes);
  const statePlace = {
    offset: directoryOffset + directoryBytes,
    bytes: state.byteLength,
    checksum: checksumOf(state),
  };
  const trailer = Buffer.alloc(trailerBytes);
  trailer.write(trailerMagic);
  trailer.writeUInt32LE(segmentVersion, 8);
  trailer.writeDoubleLE(number, 16);
  trailer.writeDoubleLE(offset, 24);
  trailer.writeDoubleLE(directoryOffset, 32);
  trailer.writeDoubleLE(statePlace.offset, 40);
  trailer.writeDoubleLE(epoch, 48);
  trailer.writeUInt32LE(checksum, 56);
  trailer.writeUInt32LE(statePlace.checksum, 60);
  trailer.writeUInt32LE(crc32(trailer.subarray(16)), 12);
  const parts = [seal.bytes, indexes, directory.bytes, state, trailer];
  return {
    parts,
    bytes: parts.reduce((sum, part) => sum + part.byteLength, 0),
    packed,
    directoryPlace: { offset: directoryOffset, bytes: directoryBytes, checksum },
    statePlace: statePlace.bytes === 0 ? undefined : statePlace,
  };
}

/** CRC-32; 0 of nothing. */
export function checksumOf(bytes: Uint8Array): number {
  return bytes.byteLength === 0 ? 0 : crc32(bytes);
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
    directoryOffset <= stateOffset &&
    stateOffset <= fileBytes - trailerBytes;
  return inOrder ? trailer : "the trailer's offsets are not in order";
}
