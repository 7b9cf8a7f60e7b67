import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { must } from "@hstream/proto";
import type { Disk, DiskFile } from "../env/env.js";
import { epochOf } from "./batch-id.js";
import { decodeControl } from "./control-frame.js";
import { decodeFrame, type Frame } from "./frame.js";
import { OpenIndex } from "./open-index.js";
import { scanFrames } from "./scan.js";
import {
  encodeFooter,
  encodeHeader,
  newSegment,
  rewriteSuffix,
  type Segment,
  segmentHeaderBytes,
  segmentPath,
} from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import type { Shards } from "./shard.js";
import { takeStock } from "./stock.js";

/** One read or write; in between, others have their turn. */
const chunkBytes = 1_048_576;

/** What a rewrite is done with. */
export interface RewriteRoom {
  readonly disk: Disk;
  readonly directory: string;
  readonly shards: Shards;
  readonly files: SegmentFiles;
  readonly now: () => number;
  /** Asked between chunks: resolves when those who commit can spare the disk; false to give up. */
  readonly mayGoOn: () => Promise<boolean>;
  /** Leaves out what is damaged, instead of leaving the segment alone. */
  readonly salvage?: boolean;
}

/** All that is still of use in some segments. Offsets of batches go over the contents of all of them. */
interface Harvest {
  readonly contents: readonly Buffer[];
  readonly batches: OpenIndex;
  readonly controls: readonly Buffer[];
}

/**
 * Writes what is alive in adjacent sealed segments to one new segment, in the order of the shards, so that
 * catching up with one shard reads the disk in order. It has another name than they: when it is durable it
 * can take their place, and they can be removed. Undefined when it was given up; a source that turns out to
 * be damaged is marked, and stays as it is. `state`: for the footer, may be empty.
 */
export async function rewrite(
  sources: readonly Segment[],
  state: Uint8Array,
  room: RewriteRoom,
): Promise<Segment | undefined> {
  const { disk, directory, shards, files } = room;
  const harvest = await reap(sources, room);
  if (harvest === undefined) return undefined;
  const first = must(sources[0], "there is something to rewrite");
  const last = must(sources.at(-1), "there is something to rewrite");
  const generation = Math.max(...sources.map((source) => source.generation)) + 1;
  const path = segmentPath(directory, last.number, generation);
  const segment = newSegment(last.number, path, generation);
  segment.firstNumber = first.firstNumber;
  const file = await disk.open(path + rewriteSuffix, "create");
  try {
    const output = new Output(file);
    const { number, firstNumber } = segment;
    const createdAtMs = room.now();
    const epoch = epochOf(last.lastId);
    await output.add(encodeHeader({ number, epoch, createdAtMs, firstNumber, sorted: true }));
    for (const control of harvest.controls) await output.addFrame(control);
    const index = await writeBatches(harvest, output, room);
    if (index === undefined) throw givenUp;
    await output.flush();
    segment.end = output.position;
    const footer = encodeFooter(number, epoch, segment.end, createdAtMs, index, state);
    await file.write(footer.parts, segment.end);
    await file.datasync();
    await file.close();
    await disk.rename(path + rewriteSuffix, path);
    await disk.syncDirectory(dirname(path));
    segment.directory = footer.directoryPlace;
    segment.state = footer.statePlace;
    files.keepDirectory(segment, footer.packed.directory);
    segment.firstId = first.firstId;
    segment.lastId = last.lastId;
    Object.assign(segment.space, { bytes: segment.end + footer.bytes, sorted: true });
    takeStock(segment, footer.packed.directory, shards);
    return segment;
  } catch (error) {
    await file.close().catch(() => undefined);
    await disk.remove(path + rewriteSuffix).catch(() => undefined);
    if (error === givenUp) return undefined;
    throw error;
  }
}

const givenUp = new Error("given up");

async function reap(sources: readonly Segment[], room: RewriteRoom): Promise<Harvest | undefined> {
  const contents: Buffer[] = [];
  const batches = new OpenIndex();
  const controls = new Map<string, Buffer>();
  let base = 0;
  for (const source of sources) {
    const content = Buffer.allocUnsafeSlow(source.end);
    contents.push(content);
    let at = segmentHeaderBytes;
    const begin = base;
    const take = (frame: Frame) => {
      if (frame.kind !== "batch") keepControl(controls, frame, content);
      else if (room.shards.isAlive(frame.shardId, frame.batchId)) {
        const { batchId, previousId, timeMs, offset, length } = frame;
        batches.push(batches.slot(frame.shardId), batchId, previousId, timeMs, begin + offset, length);
      }
    };
    for (let loaded = 0; loaded < source.end; ) {
      if (!(await room.mayGoOn())) return undefined;
      const chunk = await room.files.read(source, loaded, Math.min(chunkBytes, source.end - loaded));
      if (chunk.byteLength === 0) break;
      content.set(chunk, loaded);
      loaded += chunk.byteLength;
      while (at + 4 <= loaded && at + content.readUInt32LE(at) <= loaded) {
        const frame = decodeFrame(content, at, at);
        if (typeof frame === "string") break;
        at += frame.length;
        take(frame);
      }
    }
    if (at !== source.end && room.salvage === true) {
      for (const frame of scanFrames(content, false, at).frames) take(frame);
    } else if (at !== source.end) {
      source.space.damaged = true;
      return undefined;
    }
    base += source.end;
  }
  return { contents, batches, controls: [...controls.values()] };
}

/** Of the controls that replace each other, the last is enough. */
function keepControl(controls: Map<string, Buffer>, frame: Frame, content: Buffer): void {
  const control = decodeControl(frame);
  if (control === undefined) return;
  const isHold = control.kind === "hold" || control.kind === "release";
  const key = isHold ? `${frame.shardId} hold ${control.name}` : `${frame.shardId} ${control.kind}`;
  controls.delete(key);
  controls.set(key, content.subarray(frame.offset, frame.offset + frame.length));
}

async function writeBatches(
  { contents, batches }: Harvest,
  output: Output,
  room: RewriteRoom,
): Promise<OpenIndex | undefined> {
  const index = new OpenIndex();
  let written = 0;
  for (const { shardId, first } of batches.slots()) {
    const slot = index.slot(shardId);
    for (let at: number | undefined = first; at !== undefined; at = batches.next(at)) {
      const length = batches.length(at);
      const offset = await output.addFrame(frameAt(contents, batches.offset(at), length));
      index.push(slot, batches.id(at), batches.previousId(at), batches.timeMs(at), offset, length);
      written += length;
      if (written < chunkBytes) continue;
      written = 0;
      if (!(await room.mayGoOn())) return undefined;
    }
  }
  return index;
}

function frameAt(contents: readonly Buffer[], offset: number, length: number): Buffer {
  let at = offset;
  for (const content of contents) {
    if (at < content.byteLength) return content.subarray(at, at + length);
    at -= content.byteLength;
  }
  throw new RangeError("an offset is within the contents");
}

/** Collects small writes. */
class Output {
  readonly #file: DiskFile;
  #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  #used = 0;
  #written = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  get position(): number {
    return this.#written + this.#used;
  }

  /** Adds a frame, as one of its new place. The offset of that. */
  async addFrame(frame: Buffer): Promise<number> {
    const offset = this.position;
    const moved = Buffer.from(frame);
    moved.writeUInt32LE(offset, 12);
    // Every frame is a group of its own: nothing here was ever torn, so what is broken is a damage.
    moved.writeUInt32LE(offset, 16);
    moved.writeUInt32LE(crc32(moved.subarray(8), moved.byteLength), 4);
    await this.add(moved);
    return offset;
  }

  async add(bytes: Uint8Array): Promise<void> {
    if (this.#used + bytes.byteLength > this.#chunk.byteLength) await this.flush();
    if (bytes.byteLength > this.#chunk.byteLength) {
      await this.#file.write([bytes], this.#written);
      this.#written += bytes.byteLength;
    } else {
      this.#chunk.set(bytes, this.#used);
      this.#used += bytes.byteLength;
    }
  }

  async flush(): Promise<void> {
    if (this.#used === 0) return;
    await this.#file.write([this.#chunk.subarray(0, this.#used)], this.#written);
    this.#written += this.#used;
    this.#used = 0;
  }
}
