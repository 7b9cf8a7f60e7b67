import { dirname } from "node:path";
import { crc32 } from "node:zlib";
import { must } from "@hstream/proto";
import type { Disk, DiskFile } from "../env/env.js";
import { epochOf } from "./batch-id.js";
import type { Turn } from "./bulk-lane.js";
import { decodeControl } from "./control-frame.js";
import type { Frame } from "./frame.js";
import type { BatchId, ShardId } from "./log-store.js";
import type { Pace } from "./pace.js";
import { IndexPacker } from "./packed-index.js";
import {
  encodeFooter,
  encodeHeader,
  newSegment,
  rewriteSuffix,
  type Segment,
  segmentPath,
} from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import type { Shards } from "./shard.js";
import { takeStock } from "./stock.js";

/** One write. */
const chunkBytes = 1_048_576;

/** What a rewrite is done with. */
export interface RewriteRoom {
  readonly disk: Disk;
  readonly directory: string;
  readonly shards: Shards;
  readonly files: SegmentFiles;
  readonly now: () => number;
  /** Asked for a turn between those who commit; resolves with undefined to give up. */
  readonly turn: (bytes: number) => Promise<Turn | undefined>;
  /** Leaves out what is damaged, instead of leaving the segment alone. */
  readonly salvage?: boolean;
}

/**
 * Writes the segment that is to take the place of adjacent sealed ones. It has another name than they: when
 * it is durable it can take their place, and they can be removed.
 */
export class SortedWriter {
  readonly #segment: Segment;
  readonly #first: Segment;
  readonly #last: Segment;
  readonly #room: RewriteRoom;
  readonly #pace: Pace;
  readonly #file: DiskFile;
  readonly #createdAtMs: number;
  readonly #index = new IndexPacker();
  readonly #chunk = Buffer.allocUnsafeSlow(chunkBytes);
  #used = 0;
  #written = 0;

  private constructor(
    segment: Segment,
    sources: readonly Segment[],
    room: RewriteRoom,
    pace: Pace,
    file: DiskFile,
  ) {
    this.#segment = segment;
    this.#first = must(sources[0], "there is something to rewrite");
    this.#last = must(sources.at(-1), "there is something to rewrite");
    this.#room = room;
    this.#pace = pace;
    this.#file = file;
    this.#createdAtMs = room.now();
    const { number, firstNumber } = segment;
    const createdAtMs = this.#createdAtMs;
    const header = { number, epoch: this.#epoch, createdAtMs, firstNumber, sorted: true };
    this.#chunk.set(encodeHeader(header));
    this.#used = encodeHeader(header).byteLength;
  }

  static async create(sources: readonly Segment[], room: RewriteRoom, pace: Pace): Promise<SortedWriter> {
    const first = must(sources[0], "there is something to rewrite");
    const last = must(sources.at(-1), "there is something to rewrite");
    const generation = Math.max(...sources.map((source) => source.generation)) + 1;
    const segment = newSegment(last.number, segmentPath(room.directory, last.number, generation), generation);
    segment.firstNumber = first.firstNumber;
    const file = await room.disk.open(segment.path + rewriteSuffix, "create");
    return new SortedWriter(segment, sources, room, pace, file);
  }

  async addControls(controls: Controls): Promise<void> {
    for (const frame of controls.frames()) await this.#add(frame);
  }

  /** Adds a batch, in the order of the shards and, of each, of the ids. A promise only where it must wait. */
  add(
    shardId: ShardId,
    batchId: BatchId,
    previousId: BatchId,
    timeMs: number,
    frame: Uint8Array,
  ): Promise<void> | undefined {
    this.#index.add(shardId, batchId, previousId, timeMs, this.#written + this.#used, frame.byteLength);
    return this.#add(frame);
  }

  /** The segment, durable and under its name. `state`: for the footer, may be empty. */
  async finish(state: Uint8Array): Promise<Segment> {
    const { disk, files, shards } = this.#room;
    const segment = this.#segment;
    await this.#flush();
    segment.end = this.#written;
    const { number, path, end } = segment;
    const footer = encodeFooter(number, this.#epoch, end, this.#createdAtMs, this.#index, state);
    await this.#file.write(footer.parts, end);
    await this.#file.datasync();
    await this.#file.close();
    await disk.rename(path + rewriteSuffix, path);
    await disk.syncDirectory(dirname(path));
    segment.directory = footer.directoryPlace;
    segment.state = footer.statePlace;
    files.keepDirectory(segment, footer.packed.directory);
    segment.firstId = this.#first.firstId;
    segment.lastId = this.#last.lastId;
    Object.assign(segment.space, { bytes: end + footer.bytes, sorted: true });
    takeStock(segment, footer.packed.directory, shards);
    return segment;
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    await this.#file.close().catch(() => undefined);
    await this.#room.disk.remove(this.#segment.path + rewriteSuffix).catch(() => undefined);
  }

  get #epoch(): number {
    return epochOf(this.#last.lastId);
  }

  #add(frame: Uint8Array): Promise<void> | undefined {
    const { byteLength } = frame;
    if (byteLength > this.#chunk.byteLength - this.#used) return this.#addAfterFlush(frame);
    const at = this.#used;
    this.#chunk.set(frame, at);
    place(this.#chunk.subarray(at, at + byteLength), this.#written + at);
    this.#used += byteLength;
    return this.#pace.spend(byteLength) ? undefined : this.#pace.next();
  }

  async #addAfterFlush(frame: Uint8Array): Promise<void> {
    await this.#flush();
    if (frame.byteLength <= this.#chunk.byteLength) return this.#add(frame);
    const moved = Buffer.from(frame);
    place(moved, this.#written);
    await this.#file.write([moved], this.#written);
    this.#written += moved.byteLength;
    if (!this.#pace.spend(moved.byteLength)) await this.#pace.next();
  }

  async #flush(): Promise<void> {
    if (this.#used === 0) return;
    await this.#file.write([this.#chunk.subarray(0, this.#used)], this.#written);
    this.#written += this.#used;
    this.#used = 0;
  }
}

/** Makes a frame one of its new place. */
function place(frame: Buffer, offset: number): void {
  frame.writeUInt32LE(offset, 12);
  // Every frame is a group of its own: nothing here was ever torn, so what is broken is a damage.
  frame.writeUInt32LE(offset, 16);
  frame.writeUInt32LE(crc32(frame.subarray(8), frame.byteLength), 4);
}

/** Of the controls that replace each other, the last is enough. */
export class Controls {
  readonly #frames = new Map<string, Buffer>();

  /** `bytes`: all of the frame; copied. */
  add(frame: Frame, bytes: Uint8Array): void {
    const control = decodeControl(frame);
    if (control === undefined) return;
    const { kind } = control;
    const replaces = kind === "hold" || kind === "release" ? `hold ${control.name}` : kind;
    const key = `${frame.shardId} ${kind === "forget" ? `forget ${control.name}` : replaces}`;
    this.#frames.delete(key);
    this.#frames.set(key, Buffer.from(bytes));
  }

  frames(): Iterable<Buffer> {
    return this.#frames.values();
  }
}
