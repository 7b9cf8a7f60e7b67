import type { Directory, Extent } from "./directory.js";
import type { BatchId } from "./log-store.js";
import { OpenIndex } from "./open-index.js";
import type { Frame } from "./frame.js";
import { scanPieces } from "./scan.js";
import type { Segment } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import type { Shard } from "./shard.js";
import { ShardIndex } from "./shard-index.js";

/** Segments of which the indexes are loaded before they are asked for. */
const segmentsAhead = 3;

/** A segment was removed or replaced by another while it was used: look again. */
export class SegmentGone extends Error {
  override readonly name = "SegmentGone";
}

/** An extent and the segment that it is in. */
export interface Found {
  readonly segment: Segment;
  readonly extent: Extent;
}

/**
 * All segments, ascending. Ids rise over the whole log, so an id tells the segment, and the directory of
 * that tells what it has of a shard: nothing has to be kept for each shard and segment.
 */
export class SegmentList {
  readonly #files: SegmentFiles;
  /** Those that are not written any more. */
  readonly sealed: Segment[];
  /** The one that is being written. */
  open: Segment | undefined;

  constructor(files: SegmentFiles, sealed: readonly Segment[]) {
    this.#files = files;
    this.sealed = [...sealed];
  }

  /** Takes in the segment that was written until now. */
  add(segment: Segment): void {
    // One without batches stands where it is.
    const before = this.sealed.at(-1)?.lastId ?? 0;
    segment.firstId = Math.max(segment.firstId, before);
    segment.lastId = Math.max(segment.lastId, before);
    this.sealed.push(segment);
  }

  /**
   * The shard's first extent that has a batch ≥ `from`. `ahead`: loads what the segments behind it say of the
   * shard. Rejects with SegmentGone.
   */
  async find(shard: Shard, from: BatchId, ahead?: "ahead"): Promise<Found | undefined> {
    const least = Math.max(from, shard.firstId);
    for (let at = this.#seek(least); at < this.sealed.length; at++) {
      const segment = this.sealed[at];
      if (segment === undefined || segment.firstId > shard.tail) break;
      const directory = this.directory(segment);
      if (ahead !== undefined) this.#loadAhead(at + 1, shard);
      const extent = (await this.#whileThere(segment, directory)).find(shard.id, least);
      if (extent !== undefined) return { segment, extent };
      if (this.sealed[at] !== segment) at = this.#seek(segment.lastId + 1) - 1;
    }
    return this.#findOpen(shard, least);
  }

  /**
   * Of the shard's batches in an extent those from `from` on, at least `countMax` if there are so many.
   * Rejects with SegmentGone.
   */
  async index(
    { segment, extent }: Found,
    from = 0,
    countMax = Number.POSITIVE_INFINITY,
  ): Promise<ShardIndex> {
    if (segment.open !== undefined) return segment.open.slice(extent.shardId, from, countMax);
    const loaded = await this.#whileThere(segment, this.#files.index(segment, extent));
    return loaded ?? (await this.#whileThere(segment, this.#scanFor(segment, extent)));
  }

  /** The directory of a sealed segment; scans the frames when the footer has it no longer intact. */
  directory(segment: Segment): Directory | Promise<Directory> {
    return this.#files.cachedDirectory(segment) ?? this.#loadDirectory(segment);
  }

  #loadAhead(from: number, shard: Shard): void {
    for (let at = from; at < from + segmentsAhead; at++) {
      const segment = this.sealed[at];
      if (segment === undefined || segment.firstId > shard.tail) return;
      // Whoever wants it is told what went wrong.
      this.#loadIndexOf(segment, shard).catch(() => undefined);
    }
  }

  async #loadIndexOf(segment: Segment, shard: Shard): Promise<void> {
    const extent = (await this.#files.directory(segment))?.find(shard.id, shard.firstId);
    if (extent !== undefined) await this.#files.index(segment, extent);
  }

  async #loadDirectory(segment: Segment): Promise<Directory> {
    const loaded = await this.#files.directory(segment);
    if (loaded !== undefined) return loaded;
    const index = new OpenIndex();
    await this.#scan(segment, (frame) => {
      if (frame.kind !== "batch") return;
      const { batchId, previousId, timeMs, offset, length } = frame;
      index.push(index.slot(frame.shardId), batchId, previousId, timeMs, offset, length);
    });
    segment.pinned = index.pack(0);
    return segment.pinned.directory;
  }

  /** What files that were removed or replaced meanwhile say counts for nothing. */
  async #whileThere<T>(segment: Segment, work: T | Promise<T>): Promise<T> {
    try {
      return await work;
    } finally {
      if (segment.gone) throw new SegmentGone();
    }
  }

  #findOpen(shard: Shard, from: BatchId): Found | undefined {
    const segment = this.open;
    const index = segment?.open;
    const slot = shard.slot;
    if (segment === undefined || index === undefined || slot?.owner !== index.serial) return undefined;
    const { first, last } = slot;
    const lastId = index.id(last);
    if (lastId < from) return undefined;
    const extent = {
      shardId: shard.id,
      count: 0,
      firstId: index.id(first),
      lastId,
      previousId: index.previousId(first),
      lastTimeMs: index.timeMs(last),
      bytes: 0,
      indexOffset: 0,
      indexChecksum: 0,
    };
    return { segment, extent };
  }

  /** Position of the first sealed segment that may have a batch ≥ `from`. */
  #seek(from: BatchId): number {
    let low = 0;
    let high = this.sealed.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.sealed[middle]?.lastId ?? 0) < from) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** All intact frames. */
  async #scan(segment: Segment, visit: (frame: Frame) => void): Promise<void> {
    const read = (offset: number, length: number) => this.#files.read(segment, offset, length);
    for await (const { frames } of scanPieces(read, segment.end)) frames.forEach(visit);
  }

  async #scanFor(segment: Segment, extent: Extent): Promise<ShardIndex> {
    const index = new ShardIndex();
    let last = extent.previousId;
    await this.#scan(segment, (frame) => {
      if (frame.kind !== "batch" || frame.shardId !== extent.shardId) return;
      if (frame.batchId < extent.firstId || frame.batchId > extent.lastId) return;
      // An entry without a frame stands for what is damaged, so that a read reports it.
      if (frame.previousId > last) index.push(frame.previousId, frame.timeMs, frame.offset, 0);
      index.push(frame.batchId, frame.timeMs, frame.offset, frame.length);
      last = frame.batchId;
    });
    if (last < extent.lastId) index.push(extent.lastId, extent.lastTimeMs, 0, 0);
    this.#files.keepIndex(segment, extent, index);
    return index;
  }
}
