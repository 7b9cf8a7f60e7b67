import { decodeFrame, type Frame } from "./frame.js";
import { OpenIndex } from "./open-index.js";
import { GivenUp, Pace } from "./pace.js";
import { scanFrames } from "./scan.js";
import { type Segment, segmentHeaderBytes } from "./segment.js";
import { Controls, type RewriteRoom, SortedWriter } from "./sorted-writer.js";

/** One read. */
const chunkBytes = 1_048_576;

/** All that is still of use in some segments. Offsets of batches go over the contents of all of them. */
interface Harvest {
  readonly contents: readonly Buffer[];
  readonly batches: OpenIndex;
  readonly controls: Controls;
}

/**
 * Writes what is alive in adjacent sealed segments to one new segment, in the order of the shards, so that
 * catching up with one shard reads the disk in order. All of it is in memory meanwhile: this is for segments
 * that are not in that order yet; `merger.ts` is for the others. Undefined when it was given up; a source
 * that turns out to be damaged is marked, and stays as it is. `state`: for the footer, may be empty.
 */
export async function rewrite(
  sources: readonly Segment[],
  state: Uint8Array,
  room: RewriteRoom,
): Promise<Segment | undefined> {
  const pace = new Pace(room.turn);
  let writer: SortedWriter | undefined;
  try {
    const harvest = await reap(sources, room, pace);
    if (harvest === undefined) return undefined;
    writer = await SortedWriter.create(sources, room, pace);
    await writer.addControls(harvest.controls);
    await writeBatches(harvest, writer);
    pace.end();
    return await writer.finish(state);
  } catch (error) {
    await writer?.abandon();
    if (error instanceof GivenUp) return undefined;
    throw error;
  } finally {
    pace.end();
  }
}

async function reap(
  sources: readonly Segment[],
  room: RewriteRoom,
  pace: Pace,
): Promise<Harvest | undefined> {
  const contents: Buffer[] = [];
  const batches = new OpenIndex();
  const controls = new Controls();
  let base = 0;
  for (const source of sources) {
    const content = Buffer.allocUnsafeSlow(source.end);
    contents.push(content);
    let at = segmentHeaderBytes;
    const begin = base;
    const take = (frame: Frame) => {
      const { shardId, batchId, previousId, timeMs, offset, length } = frame;
      if (frame.kind !== "batch") controls.add(frame, content.subarray(offset, offset + length));
      else if (room.shards.isAlive(shardId, batchId)) {
        batches.push(batches.slot(shardId), batchId, previousId, timeMs, begin + offset, length);
      }
    };
    for (let loaded = 0; loaded < source.end; ) {
      const chunk = await room.files.read(source, loaded, Math.min(chunkBytes, source.end - loaded));
      if (chunk.byteLength === 0) break;
      content.set(chunk, loaded);
      loaded += chunk.byteLength;
      while (at + 4 <= loaded && at + content.readUInt32LE(at) <= loaded) {
        const frame = decodeFrame(content, at, at);
        if (typeof frame === "string") break;
        at += frame.length;
        take(frame);
        if (!pace.spend(frame.length)) await pace.next();
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
  return { contents, batches, controls };
}

async function writeBatches({ contents, batches }: Harvest, writer: SortedWriter): Promise<void> {
  for (const { shardId, first } of batches.slots()) {
    for (let at: number | undefined = first; at !== undefined; at = batches.next(at)) {
      const frame = frameAt(contents, batches.offset(at), batches.length(at));
      const written = writer.add(shardId, batches.id(at), batches.previousId(at), batches.timeMs(at), frame);
      if (written !== undefined) await written;
    }
  }
}

function frameAt(contents: readonly Buffer[], offset: number, length: number): Buffer {
  let at = offset;
  for (const content of contents) {
    if (at < content.byteLength) return content.subarray(at, at + length);
    at -= content.byteLength;
  }
  throw new RangeError("an offset is within the contents");
}
