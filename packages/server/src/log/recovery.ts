import { join } from "node:path";
import type { Disk } from "../env/env.js";
import { epochOf } from "./batch-id.js";
import { decodeControl } from "./control-frame.js";
import type { Frame } from "./frame.js";
import { decodeState } from "./log-state.js";
import { LogError } from "./log-store.js";
import { OpenIndex } from "./open-index.js";
import type { LogNotice } from "./options.js";
import { scanFrames, scanPieces } from "./scan.js";
import {
  decodeHeader,
  decodeTrailer,
  newSegment,
  type Segment,
  type SegmentHeader,
  segmentHeaderBytes,
  segmentNumber,
  segmentPath,
  type Trailer,
  trailerBytes,
  UnknownVersion,
} from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import { Shards } from "./shard.js";
import { rewriteSuffix } from "./segment.js";
import { takeStock } from "./stock.js";

export interface Recovered {
  readonly shards: Shards;
  /** Ascending. The last one has an open index if it was not sealed. */
  readonly segments: readonly Segment[];
  /** The highest number of a segment that there is a trace of. */
  readonly highestNumber: number;
  /** The highest epoch of which there is a trace. */
  readonly epoch: number;
  readonly notices: readonly LogNotice[];
  /** Where the last group of the newest segment begins, if that was not sealed. */
  readonly lastGroup: number;
  /** Files that are of no use: begun and never filled, or replaced by a rewritten segment. */
  readonly leftovers: readonly string[];
}

interface Found {
  readonly segment: Segment;
  /** What the header says, if that is intact. */
  readonly header: SegmentHeader | undefined;
  readonly trailer: Trailer | undefined;
}

/**
 * What the segments of a directory add up to: the state in the newest intact footer, and all frames
 * after it. Earlier segments are known by the directories of their footers. Whatever of this cannot
 * be read is replaced by scanning the frames themselves. Changes nothing on the disk.
 */
export async function recover(disk: Disk, directory: string, files: SegmentFiles): Promise<Recovered> {
  const notices: LogNotice[] = [];
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
  // A file that was renamed is not the one that was being written, whatever its number.
  const newestAt = found.segments.findLastIndex(
    ({ segment, header }) => header === undefined || header.number === segment.number,
  );
  for (const [i, { segment, header, trailer }] of found.segments.entries()) {
    const newest = i === newestAt;
    if (i <= described && trailer !== undefined) {
      if (await attachDirectory(shards, segment, trailer, files, notices)) continue;
    }
    const { bytes } = segment.space;
    const read = (offset: number, length: number) => files.read(segment, offset, length);
    // The newest is no larger than what is written before the next begins.
    const scans = newest ? [scanFrames(await read(0, bytes), true)] : scanPieces(read, bytes);
    const index = new OpenIndex();
    segment.end = Math.min(segmentHeaderBytes, bytes);
    lastGroup = segmentHeaderBytes;
    let hasFrames = false;
    for await (const { frames, damages, end } of scans) {
      for (const damage of damages) notices.push({ path: segment.path, ...damage });
      segment.end = end;
      lastGroup = frames.at(-1)?.groupOffset ?? lastGroup;
      for (const frame of frames) {
        epoch = Math.max(epoch, epochOf(frame.batchId));
        if (frame.kind === "batch") {
          if (!shards.recover(frame)) continue;
          const { batchId, previousId, timeMs, offset, length } = frame;
          index.push(index.slot(frame.shardId), batchId, previousId, timeMs, offset, length);
        } else if (i > described) {
          applyControl(shards, frame);
        }
      }
      hasFrames ||= frames.length > 0;
    }
    segment.space.damaged = true;
    if (segment.end < bytes && newest) {
      const detail = `${bytes - segment.end} bytes of an unfinished write are cut off`;
      notices.push({ path: segment.path, offset: segment.end, detail });
    }
    if (index.count > 0) {
      segment.firstId = index.firstId;
      segment.lastId = index.lastId;
    }
    // Without a header and without a frame there is no saying what the rest is: it is left as it is.
    if (newest && (header !== undefined || hasFrames)) segment.open = index;
    else segment.pinned = index.pack(0);
  }
  const segments = found.segments.map(({ segment }) => segment);
  orderByIds(segments);
  const { highestNumber, leftovers } = found;
  return { shards, segments, highestNumber, epoch, notices, lastGroup, leftovers };
}

/** Segments without batches stand where they are; renamed files come to where their batches belong. */
function orderByIds(segments: Segment[]): void {
  let last = 0;
  for (const segment of segments) {
    if (segment.lastId === 0) {
      segment.firstId = last;
      segment.lastId = last;
    }
    last = Math.max(last, segment.lastId);
  }
  const isOpen = ({ open }: Segment) => (open === undefined ? 0 : 1);
  segments.sort((a, b) => isOpen(a) - isOpen(b) || a.lastId - b.lastId || a.number - b.number);
}

async function findSegments(
  disk: Disk,
  directory: string,
  files: SegmentFiles,
  notices: LogNotice[],
): Promise<{ segments: Found[]; epoch: number; highestNumber: number; leftovers: string[] }> {
  const segments: Found[] = [];
  const leftovers: string[] = [];
  const names = await disk.list(directory);
  const numbers = names.map(segmentNumber).filter((number) => number !== undefined);
  numbers.sort((a, b) => a.number - b.number || a.generation - b.generation);
  const highestNumber = numbers.at(-1)?.number ?? 0;
  let epoch = 0;
  for (const name of names) {
    if (name.endsWith(rewriteSuffix)) leftovers.push(join(directory, name));
  }
  for (const { number, generation } of numbers) {
    const path = segmentPath(directory, number, generation);
    const segment = newSegment(number, path, generation);
    const bytes = await sizeOf(disk, path);
    segment.space.bytes = bytes;
    const header = headerOf(path, await files.read(segment, 0, segmentHeaderBytes));
    if (typeof header === "string") {
      notices.push({ path, offset: 0, detail: header });
      // The header is durable before the first frame is written.
      if (bytes <= segmentHeaderBytes && number === highestNumber) {
        files.forget(segment);
        leftovers.push(path);
        continue;
      }
    } else {
      epoch = Math.max(epoch, header.epoch);
      segment.space.sorted = header.sorted;
      if (header.number !== number) {
        notices.push({ path, offset: 0, detail: `the file was segment ${header.number} and was renamed` });
      } else {
        segment.firstNumber = header.firstNumber;
        dropReplaced(segments, header.firstNumber, files, leftovers);
      }
    }
    let trailer: Trailer | undefined;
    if (bytes >= segmentHeaderBytes + trailerBytes) {
      const last = await files.read(segment, bytes - trailerBytes, trailerBytes);
      const decoded = decodeTrailer(last, segment, bytes);
      if (typeof decoded !== "string") {
        trailer = decoded;
        segment.end = decoded.footerOffset;
        const { stateOffset: offset, stateChecksum: checksum } = decoded;
        const stateBytes = bytes - trailerBytes - offset;
        if (stateBytes > 0) segment.state = { offset, bytes: stateBytes, checksum };
        epoch = Math.max(epoch, decoded.epoch);
      }
    }
    segments.push({ segment, header: typeof header === "string" ? undefined : header, trailer });
  }
  return { segments, epoch, highestNumber, leftovers };
}

/** A crash came between the last step of a rewrite and the removal of what it replaced. */
function dropReplaced(
  segments: Found[],
  firstNumber: number,
  files: SegmentFiles,
  leftovers: string[],
): void {
  for (let last = segments.at(-1); last !== undefined; last = segments.at(-1)) {
    if (last.segment.number < firstNumber) return;
    segments.pop();
    files.forget(last.segment);
    leftovers.push(last.segment.path);
  }
}

async function sizeOf(disk: Disk, path: string): Promise<number> {
  const file = await disk.open(path, "read");
  try {
    return await file.size();
  } finally {
    await file.close();
  }
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
  notices: LogNotice[],
): Promise<Shards | undefined> {
  const segment = found?.segment;
  if (segment?.state === undefined) return undefined;
  const bytes = await files.state(segment);
  if (bytes !== undefined) return decodeState(bytes);
  const { offset } = segment.state;
  segment.state = undefined;
  const detail = "the state in the footer is damaged; an older one and the frames since replace it";
  notices.push({ path: segment.path, offset, detail });
  return undefined;
}

/** False when the directory is damaged. */
async function attachDirectory(
  shards: Shards,
  segment: Segment,
  trailer: Trailer,
  files: SegmentFiles,
  notices: LogNotice[],
): Promise<boolean> {
  const offset = trailer.directoryOffset;
  segment.directory = { offset, bytes: trailer.stateOffset - offset, checksum: trailer.directoryChecksum };
  const directory = await files.directory(segment);
  if (directory === undefined) {
    segment.directory = undefined;
    const detail = "the directory in the footer is damaged; the frames were scanned instead";
    notices.push({ path: segment.path, offset, detail });
    return false;
  }
  takeStock(segment, directory, shards);
  return true;
}

function applyControl(shards: Shards, frame: Frame): void {
  const control = decodeControl(frame);
  if (control !== undefined) shards.apply(frame.shardId, control);
}
