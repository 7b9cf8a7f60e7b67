import { must } from "@hstream/proto";
import { DiskError } from "../env/env.js";
import type { BulkLane } from "./bulk-lane.js";
import { decodeFrame, frameHeaderBytes } from "./frame.js";
import type { BatchId, ReadLimits, ReadResult, StoredBatch } from "./log-store.js";
import type { Segment } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import { type Found, SegmentGone, type SegmentList } from "./segment-list.js";
import type { Shard } from "./shard.js";
import type { IndexEntry } from "./shard-index.js";
import type { TailCache } from "./tail-cache.js";

/** Frames this close to each other are fetched by one read, with what is between them. */
const bridgedBytesMax = 16 * 1024;
/** Reads of less need no turn. */
const turnBytesMin = 32 * 1024;
/** One read of the disk, and what a reader's turn between commits costs those who append. */
const readBytesMax = 128 * 1024;

interface Wanted {
  readonly segment: Segment;
  readonly entry: IndexEntry;
}

/** A batch that cannot be read, and why. */
interface Unreadable {
  readonly batchId: BatchId;
  readonly detail: string;
}

type Gap = NonNullable<ReadResult["gap"]>;

/** Finds and fetches durable batches. */
export class Reader {
  readonly #files: SegmentFiles;
  readonly #lane: BulkLane;
  readonly #segments: SegmentList;
  readonly #cache: TailCache;

  constructor(files: SegmentFiles, segments: SegmentList, cache: TailCache, lane: BulkLane) {
    this.#files = files;
    this.#lane = lane;
    this.#segments = segments;
    this.#cache = cache;
  }

  read(shard: Shard, from: BatchId, limits: ReadLimits): Promise<ReadResult> {
    return again(() => this.#read(shard, from, limits));
  }

  async #read(shard: Shard, from: BatchId, limits: ReadLimits): Promise<ReadResult> {
    if (from > shard.tail) return { batches: [], next: from };
    const first = Math.max(from, shard.trimmedUpTo + 1);
    const trimmed: Gap | undefined =
      from > 0 && from < first
        ? { kind: "trimmed", upTo: shard.trimmedUpTo, detail: `shard ${shard.id} is trimmed up to there` }
        : undefined;
    const begin = await this.#segments.find(shard, first);
    if (shard.trimmedUpTo >= first) return this.#read(shard, from, limits);
    const missing = missingBefore(shard, first, begin);
    if (missing !== undefined) {
      // One gap at a time: the next read tells of the second.
      if (trimmed !== undefined) return { batches: [], next: trimmed.upTo + 1, gap: trimmed };
      const following = await this.#read(shard, missing.upTo + 1, limits);
      if (following.gap?.kind === "trimmed") return { batches: [], next: missing.upTo + 1, gap: missing };
      return { ...following, gap: following.gap ?? missing };
    }
    const wanted = await this.#select(shard, first, begin, limits);
    const found = await this.#fetch(shard, wanted);
    // A trim or a rewrite has overtaken this read.
    if (shard.trimmedUpTo >= first || wanted.some(({ segment }) => segment.gone)) {
      return this.#read(shard, from, limits);
    }
    return assemble(from, found, trimmed);
  }

  /** The first batch with append time ≥ `timeMs` that is not trimmed. */
  findTime(shard: Shard, timeMs: number): Promise<BatchId | undefined> {
    return again(() => this.#findTime(shard, timeMs));
  }

  async #findTime(shard: Shard, timeMs: number): Promise<BatchId | undefined> {
    for (let from = shard.trimmedUpTo + 1; from <= shard.tail; ) {
      const found = await this.#segments.find(shard, from);
      if (found === undefined) return undefined;
      from = found.extent.lastId + 1;
      if (found.extent.lastTimeMs < timeMs) continue;
      const index = await this.#segments.index(found);
      for (let position = index.seekTime(timeMs); position < index.count; position++) {
        const { batchId } = index.entry(position);
        if (batchId > shard.tail) return undefined;
        if (batchId > shard.trimmedUpTo) return batchId;
      }
    }
    return undefined;
  }

  /** The newest kept batch with an id ≤ `upTo`, or `upTo` itself where that is lost; 0 when there is none. */
  floor(shard: Shard, upTo: BatchId): Promise<BatchId> {
    return again(() => this.#floor(shard, upTo));
  }

  async #floor(shard: Shard, upTo: BatchId): Promise<BatchId> {
    if (upTo >= shard.tail) return shard.tail;
    const found = await this.#segments.find(shard, upTo);
    if (found === undefined) return upTo;
    const { firstId, previousId } = found.extent;
    if (firstId > upTo) return previousId <= upTo ? previousId : 0;
    const index = await this.#segments.index(found);
    const position = index.seekId(upTo + 1);
    return position === 0 ? 0 : index.entry(position - 1).batchId;
  }

  /** The batches from `first` on that the limits allow, as far as they are consecutive. */
  async #select(
    shard: Shard,
    first: BatchId,
    begin: Found | undefined,
    limits: ReadLimits,
  ): Promise<Wanted[]> {
    const wanted: Wanted[] = [];
    const { tail } = shard;
    let bytes = 0;
    let last: BatchId | undefined;
    for (let found = begin; found !== undefined; found = await this.#segments.find(shard, last + 1)) {
      const { segment, extent } = found;
      if (last !== undefined && extent.previousId !== last) break;
      const index = await this.#segments.index(found, first, limits.batchesMax - wanted.length);
      for (let position = index.seekId(first); position < index.count; position++) {
        if (wanted.length >= limits.batchesMax) return wanted;
        const entry = index.entry(position);
        if (entry.batchId > tail) return wanted;
        bytes += entry.length - frameHeaderBytes;
        if (bytes > limits.bytesMax && wanted.length > 0) return wanted;
        wanted.push({ segment, entry });
      }
      last = Math.max(extent.lastId, wanted.at(-1)?.entry.batchId ?? 0);
      if (last >= tail || wanted.length >= limits.batchesMax) break;
    }
    return wanted;
  }

  async #fetch(shard: Shard, wanted: readonly Wanted[]): Promise<(StoredBatch | Unreadable)[]> {
    const found: (StoredBatch | Unreadable)[] = [];
    // The disk reads the next run while this one is decoded.
    let ahead: Promise<(StoredBatch | Unreadable)[]> | undefined;
    const settle = async () => {
      for (const item of (await ahead) ?? []) found.push(item);
      ahead = undefined;
    };
    for (let i = 0; i < wanted.length; ) {
      const { segment, entry } = must(wanted[i], "within the list");
      const cached = this.#cache.get(entry.batchId);
      if (cached !== undefined) {
        await settle();
        found.push(cached);
        i++;
        continue;
      }
      const run: IndexEntry[] = [];
      let end = entry.offset;
      for (; i < wanted.length; i++) {
        const next = must(wanted[i], "within the list");
        const nextEnd = next.entry.offset + next.entry.length;
        const near = next.entry.offset - end <= bridgedBytesMax && nextEnd - entry.offset <= readBytesMax;
        if (run.length > 0 && (next.segment !== segment || !near)) break;
        if (run.length > 0 && this.#cache.get(next.entry.batchId) !== undefined) break;
        run.push(next.entry);
        end = nextEnd;
      }
      const endTurn = end - entry.offset > turnBytesMin ? await this.#lane.turn() : () => undefined;
      const next = this.#fetchRun(shard, segment, run, entry.offset, end).finally(endTurn);
      // Should the one before fail, this one's failure is told by it.
      next.catch(() => undefined);
      await settle();
      ahead = next;
    }
    await settle();
    return found;
  }

  async #fetchRun(
    shard: Shard,
    segment: Segment,
    run: readonly IndexEntry[],
    start: number,
    end: number,
  ): Promise<(StoredBatch | Unreadable)[]> {
    let bytes: Buffer;
    try {
      bytes = await this.#files.read(segment, start, end - start);
    } catch (error) {
      if (!(error instanceof DiskError) || (error.kind !== "io" && error.kind !== "not-found")) throw error;
      const single = run[0];
      if (run.length === 1 && single !== undefined) {
        return [unreadable(shard, segment, single, `${error.operation} failed: ${error.kind}`)];
      }
      // One bad sector must not cost its neighbours.
      const items: (StoredBatch | Unreadable)[] = [];
      for (const entry of run) {
        items.push(
          ...(await this.#fetchRun(shard, segment, [entry], entry.offset, entry.offset + entry.length)),
        );
      }
      return items;
    }
    const used = run.reduce((sum, entry) => sum + entry.length, 0);
    // A reader that keeps a batch keeps the buffer under it: not one that is mostly others' data.
    const copy = used * 2 < bytes.byteLength;
    return run.map((entry) => {
      const frame = decodeFrame(bytes, entry.offset - start, entry.offset);
      if (typeof frame === "string") return unreadable(shard, segment, entry, frame);
      if (frame.kind !== "batch" || frame.batchId !== entry.batchId || frame.shardId !== shard.id) {
        return unreadable(shard, segment, entry, "the index and the frame do not agree");
      }
      return {
        shardId: frame.shardId,
        batchId: frame.batchId,
        timeMs: frame.timeMs,
        recordCount: frame.recordCount,
        compression: frame.compression,
        payload: copy ? Uint8Array.from(frame.payload) : frame.payload,
      };
    });
  }
}

/** Does the work once more whenever a segment has gone under it. */
async function again<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof SegmentGone)) throw error;
    }
  }
}

/** The gap that a read from `first` would begin with because of a damage. */
function missingBefore(shard: Shard, first: BatchId, found: Found | undefined): Gap | undefined {
  if (found === undefined) {
    if (shard.tail < first) return undefined;
    return { kind: "corrupt", upTo: shard.tail, detail: `shard ${shard.id}: the newest batches are missing` };
  }
  const { segment, extent } = found;
  if (extent.firstId <= first || extent.previousId < first) return undefined;
  const detail = `${segment.path}, shard ${shard.id}: batches before ${extent.firstId} are missing`;
  return { kind: "corrupt", upTo: extent.previousId, detail };
}

function unreadable(shard: Shard, segment: Segment, entry: IndexEntry, reason: string): Unreadable {
  return {
    batchId: entry.batchId,
    detail: `${segment.path} at offset ${entry.offset}, shard ${shard.id}: ${reason}`,
  };
}

/** Readable batches up to the next unreadable one; unreadable ones at the beginning are the gap. */
function assemble(
  from: BatchId,
  found: readonly (StoredBatch | Unreadable)[],
  trimmed: Gap | undefined,
): ReadResult {
  let gap: Gap | undefined;
  const batches: StoredBatch[] = [];
  for (const item of found) {
    if ("payload" in item) {
      batches.push(item);
    } else if (batches.length > 0 || trimmed !== undefined) {
      break;
    } else {
      gap = { kind: "corrupt", upTo: item.batchId, detail: gap?.detail ?? item.detail };
    }
  }
  gap ??= trimmed;
  const lastRead = batches.at(-1)?.batchId;
  const next = lastRead !== undefined ? lastRead + 1 : gap !== undefined ? gap.upTo + 1 : from;
  return gap === undefined ? { batches, next } : { batches, next, gap };
}
