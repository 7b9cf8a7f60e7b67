import { assert } from "@hstream/proto";
import { decodeFrame, type Frame, frameHeaderBytes } from "./frame.js";
import { GivenUp, Pace } from "./pace.js";
import { type Segment, segmentHeaderBytes } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import { Controls, type RewriteRoom, SortedWriter } from "./sorted-writer.js";

/** One read of each source. */
const chunkBytes = 262_144;

/**
 * As `rewrite`, for segments that are in the order of the shards already: what is alive in them goes to one
 * new segment in that order, with only a chunk of each in memory (a merge of sorted runs; Knuth, The Art of
 * Computer Programming, vol. 3, 5.4).
 */
export async function merge(
  sources: readonly Segment[],
  state: Uint8Array,
  room: RewriteRoom,
): Promise<Segment | undefined> {
  const pace = new Pace(room.turn);
  const cursors = sources.map((source) => new FrameCursor(source, room.files));
  let writer: SortedWriter | undefined;
  try {
    // Rewritten segments begin with their controls.
    const controls = new Controls();
    for (const cursor of cursors) await skipControls(cursor, controls, pace);
    writer = await SortedWriter.create(sources, room, pace);
    await writer.addControls(controls);
    for (let next = lowest(cursors); next !== undefined; next = lowest(cursors)) {
      await moveShard(next, writer, room, pace);
    }
    pace.end();
    return await writer.finish(state);
  } catch (error) {
    await writer?.abandon();
    if (error instanceof GivenUp || error instanceof Damaged) return undefined;
    throw error;
  } finally {
    pace.end();
  }
}

/** Of those with the lowest shard the first: its batches are the oldest. */
function lowest(cursors: readonly FrameCursor[]): FrameCursor | undefined {
  let found: FrameCursor | undefined;
  for (const cursor of cursors) {
    if (cursor.frame === undefined) continue;
    if (found?.frame === undefined || cursor.frame.shardId < found.frame.shardId) found = cursor;
  }
  return found;
}

async function skipControls(cursor: FrameCursor, controls: Controls, pace: Pace): Promise<void> {
  for (await cursor.advance(); cursor.frame !== undefined && cursor.frame.kind !== "batch"; ) {
    controls.add(cursor.frame, cursor.bytes);
    if (!pace.spend(cursor.frame.length)) await pace.next();
    await cursor.advance();
  }
}

/** Moves all batches of the shard that the cursor is at. */
async function moveShard(
  cursor: FrameCursor,
  writer: SortedWriter,
  { shards }: RewriteRoom,
  pace: Pace,
): Promise<void> {
  const shardId = cursor.frame?.shardId;
  for (let { frame } = cursor; frame !== undefined && frame.shardId === shardId; frame = cursor.frame) {
    assert(frame.kind === "batch", "a rewritten segment has no control behind its first batch");
    const { batchId, previousId, timeMs, length } = frame;
    const written = shards.isAlive(shardId, batchId)
      ? writer.add(shardId, batchId, previousId, timeMs, cursor.bytes)
      : pace.spend(length)
        ? undefined
        : pace.next();
    if (written !== undefined) await written;
    const loaded = cursor.advance();
    if (loaded !== undefined) await loaded;
  }
}

class Damaged extends Error {
  override readonly name = "Damaged";
}

/** Goes through the frames of a segment. A damaged one marks the segment and throws Damaged. */
class FrameCursor {
  /** Undefined before the first and behind the last. */
  frame: Frame | undefined;
  readonly #source: Segment;
  readonly #files: SegmentFiles;
  #chunk: Buffer = Buffer.alloc(0);
  /** Offset of the chunk in the segment. */
  #offset = segmentHeaderBytes;
  /** Of the next frame in the chunk. */
  #at = 0;

  constructor(source: Segment, files: SegmentFiles) {
    this.#source = source;
    this.#files = files;
  }

  /** The bytes of the frame, valid until the cursor advances. */
  get bytes(): Buffer {
    return this.#chunk.subarray(this.#at - (this.frame?.length ?? 0), this.#at);
  }

  /** Goes to the next frame. A promise only where that must be read. */
  advance(): Promise<void> | undefined {
    const rest = this.#chunk.byteLength - this.#at;
    const length = rest >= frameHeaderBytes ? this.#chunk.readUInt32LE(this.#at) : frameHeaderBytes;
    if (length > rest) return this.#load(length);
    this.#decode();
    return undefined;
  }

  async #load(frameBytes: number): Promise<void> {
    const offset = this.#offset + this.#at;
    const left = this.#source.end - offset;
    if (left <= 0) {
      this.frame = undefined;
      return;
    }
    if (frameBytes > left) this.#damaged();
    const length = Math.min(left, Math.max(chunkBytes, frameBytes));
    this.#chunk = await this.#files.read(this.#source, offset, length);
    this.#offset = offset;
    this.#at = 0;
    if (this.#chunk.byteLength < length) this.#damaged();
    const needed = this.#chunk.readUInt32LE(0);
    if (needed > length) return this.#load(needed);
    this.#decode();
  }

  #decode(): void {
    const frame = decodeFrame(this.#chunk, this.#at, this.#offset + this.#at);
    if (typeof frame === "string") this.#damaged();
    this.frame = frame;
    this.#at += frame.length;
  }

  #damaged(): never {
    this.#source.space.damaged = true;
    throw new Damaged();
  }
}
