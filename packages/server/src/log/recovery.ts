import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Disk } from "../env/env.js";
import { epochOf } from "./batch-id.js";
import { decodeControl } from "./control-frame.js";
import { decodeFrame, type Frame, frameHeaderBytes } from "./frame.js";
import { decodeState } from "./log-state.js";
import { LogError } from "./log-store.js";
import {
  decodeDirectory,
  decodeHeader,
  decodeTrailer,
  type Segment,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentNumber,
  type Trailer,
  trailerBytes,
  UnknownVersion,
} from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import { Shards } from "./shard.js";

/** Something that a start found and had to work around. */
export interface RecoveryNotice {
  readonly path: string;
  readonly offset: number;
  readonly detail: string;
}

export interface Recovered {
  readonly shards: Shards;
  /** Ascending. */
  readonly segments: readonly Segment[];
  /** The highest epoch of which there is a trace. */
  readonly epoch: number;
  readonly notices: readonly RecoveryNotice[];
  /** Where the last group of the newest segment begins, if that was not sealed. */
  readonly lastGroup: number;
  /** A segment that was begun and whose header did not get to the disk. Holds nothing. */
  readonly unbegun: Segment | undefined;
}

interface Found {
  readonly segment: Segment;
  readonly bytes: number;
  /** Whether the header is intact. */
  readonly headed: boolean;
  readonly trailer: Trailer | undefined;
}

/**
 * What the segments of a directory add up to: the state in the newest intact footer, and all frames
 * after it. Earlier segments are known by the directories of their footers. Whatever of this cannot
 * be read is replaced by scanning the frames themselves. Changes nothing on the disk.
 */
export async function recover(disk: Disk, directory: string, files: SegmentFiles): Promise<Recovered> {
  const notices: RecoveryNotice[] = [];
  const found = await findSegments(disk, directory, files, notices);
  let epoch = found.epoch;
  let lastGroup = segmentHeaderBytes;
  let shards = new Shards();
  let described = -1;
  for (let i = found.segments.length - 1; i >= 0 && described < 0; i--) {
    const state = await loadState(found.segments[i], files, notices);
    if (state === undefined) continue;
    shards = state;
    described = i;
  }
  for (const [i, { segment, bytes, headed, trailer }] of found.segments.entries()) {
    const newest = i === found.segments.length - 1;
    if (i <= described && trailer !== undefined) {
      if (await attachDirectory(shards, segment, trailer, files, notices)) continue;
    }
    const content = await files.read(segment, 0, bytes);
    const scan = scanFrames(content, newest);
    for (const damage of scan.damages) notices.push({ path: segment.path, ...damage });
    if (scan.end < bytes && newest) {
      const detail = `${bytes - scan.end} bytes of an unfinished write are cut off`;
      notices.push({ path: segment.path, offset: scan.end, detail });
    }
    segment.end = scan.end;
    // Without a header and without a frame there is no saying what the rest is: it is left as it is.
    segment.sealed = !newest || (!headed && scan.frames.length === 0);
    lastGroup = scan.frames.at(-1)?.groupOffset ?? segmentHeaderBytes;
    for (const frame of scan.frames) {
      epoch = Math.max(epoch, epochOf(frame.batchId));
      if (frame.kind === "batch") shards.recover(segment, frame);
      else if (i > described) applyControl(shards, frame);
    }
  }
  const segments = found.segments.map(({ segment }) => segment);
  return { shards, segments, epoch, notices, lastGroup, unbegun: found.unbegun };
}

async function findSegments(
  disk: Disk,
  directory: string,
  files: SegmentFiles,
  notices: RecoveryNotice[],
): Promise<{ segments: Found[]; epoch: number; unbegun: Segment | undefined }> {
  const segments: Found[] = [];
  let epoch = 0;
  let unbegun: Segment | undefined;
  const names = (await disk.list(directory)).filter((name) => segmentNumber(name) !== undefined);
  for (const name of names) {
    const path = join(directory, name);
    const segment: Segment = {
      number: segmentNumber(name) ?? 0,
      path,
      end: 0,
      sealed: true,
      extents: new Set(),
    };
    const file = await disk.open(path, "read");
    const bytes = await file.size();
    await file.close();
    const header = headerOf(path, await files.read(segment, 0, segmentHeaderBytes));
    if (typeof header === "string") {
      notices.push({ path, offset: 0, detail: header });
      // The header is durable before the first frame is written.
      if (bytes <= segmentHeaderBytes && name === names.at(-1)) {
        unbegun = segment;
        continue;
      }
    } else {
      epoch = Math.max(epoch, header.epoch);
      if (header.number !== segment.number) {
        notices.push({ path, offset: 0, detail: `the file was segment ${header.number} and was renamed` });
      }
    }
    let trailer: Trailer | undefined;
    if (bytes >= segmentHeaderBytes + trailerBytes) {
      const last = await files.read(segment, bytes - trailerBytes, trailerBytes);
      const decoded = decodeTrailer(last, segment, bytes);
      if (typeof decoded !== "string") {
        trailer = decoded;
        segment.end = decoded.footerOffset;
        epoch = Math.max(epoch, decoded.epoch);
      }
    }
    segments.push({ segment, bytes, headed: typeof header !== "string", trailer });
  }
  return { segments, epoch, unbegun };
}

function headerOf(path: string, bytes: Buffer): SegmentHeader | string {
  try {
    return decodeHeader(bytes);
  } catch (error) {
    if (error instanceof UnknownVersion) throw new LogError("unknown-format", `${path}: ${error.message}`);
    throw error;
  }
}

async function loadState(
  found: Found | undefined,
  files: SegmentFiles,
  notices: RecoveryNotice[],
): Promise<Shards | undefined> {
  if (found?.trailer === undefined) return undefined;
  const { stateOffset, stateChecksum } = found.trailer;
  const length = found.bytes - trailerBytes - stateOffset;
  const bytes = await files.read(found.segment, stateOffset, length);
  if (bytes.byteLength === length && crc32(bytes) === stateChecksum) return decodeState(bytes);
  const detail = "the state in the footer is damaged; an older one and the frames since replace it";
  notices.push({ path: found.segment.path, offset: stateOffset, detail });
  return undefined;
}

/** False when the directory is damaged. */
async function attachDirectory(
  shards: Shards,
  segment: Segment,
  trailer: Trailer,
  files: SegmentFiles,
  notices: RecoveryNotice[],
): Promise<boolean> {
  const length = trailer.stateOffset - trailer.directoryOffset;
  const bytes = await files.read(segment, trailer.directoryOffset, length);
  if (bytes.byteLength !== length || crc32(bytes) !== trailer.directoryChecksum) {
    const detail = "the directory in the footer is damaged; the frames were scanned instead";
    notices.push({ path: segment.path, offset: trailer.directoryOffset, detail });
    return false;
  }
  for (const extent of decodeDirectory(bytes, segment)) {
    const shard = shards.present.get(extent.shardId);
    if (shard === undefined || extent.lastId <= shard.trimmedUpTo) continue;
    shard.extents.push(extent);
    segment.extents.add(extent);
  }
  return true;
}

function applyControl(shards: Shards, frame: Frame): void {
  const control = decodeControl(frame);
  if (control !== undefined) shards.apply(frame.shardId, control);
}

export interface Scan {
  readonly frames: readonly Frame[];
  /** Where the frames end: at the footer, at an unfinished write, or at the end of the file. */
  readonly end: number;
  readonly damages: readonly { readonly offset: number; readonly detail: string }[];
}

/**
 * All frames of a segment. What is broken is a torn write if the log was writing here last (`newest`)
 * and no frame of a later group follows: a later group is only written once the earlier is durable.
 * Everything else that is broken is a damage; the frames after it count.
 */
export function scanFrames(content: Buffer, newest: boolean): Scan {
  const frames: Frame[] = [];
  const damages: { offset: number; detail: string }[] = [];
  let at = segmentHeaderBytes;
  while (at < content.byteLength) {
    const frame = decodeFrame(content, at, at);
    if (typeof frame !== "string") {
      if (frame.kind === "seal") break;
      frames.push(frame);
      at += frame.length;
      continue;
    }
    const next = findFrame(content, at + 1, newest ? at : -1);
    if (next === undefined) break;
    damages.push({ offset: at, detail: `${next - at} bytes are damaged: ${frame}` });
    at = next;
  }
  return { frames, end: Math.min(at, content.byteLength), damages };
}

/** Offset of the first intact frame from `from` on if some intact frame's group begins after `group`. */
function findFrame(content: Buffer, from: number, group: number): number | undefined {
  let first: number | undefined;
  for (let at = from; at <= content.byteLength - frameHeaderBytes; at++) {
    // Cheap tests first: nearly every place fails the one of the offset.
    if (content.readUInt32LE(at + 12) !== at) continue;
    const frame = decodeFrame(content, at, at);
    if (typeof frame === "string") continue;
    first ??= at;
    if (frame.groupOffset > group) return first;
    at += frame.length - 1;
  }
  return undefined;
}
