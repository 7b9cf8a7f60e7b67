import { DiskError } from "../env/env.js";
import type { BulkLane, Turn } from "./bulk-lane.js";
import { decodeBatch, frameHeaderBytes } from "./frame.js";
import type { FrameMemory } from "./frame-memory.js";
import type { BatchId, ReadLimits, ReadMemory, ReadResult, StoredBatch } from "./log-store.js";
import { ReadAhead } from "./read-ahead.js";
import type { Segment } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import { type Found, SegmentGone, type SegmentList } from "./segment-list.js";
import type { Shard } from "./shard.js";
import type { ShardIndex } from "./shard-index.js";

/** Frames this close to each other are fetched by one read, with what is between them. */
const bridgedBytesMax = 16 * 1024;
/** Reads of less need no turn. */
const turnBytesMin = 16 * 1024;
/** One read of the disk, and how many of them may be under way for one reader. */
const readBytesMax = 1024 * 1024;
const readsAheadMax = 4;

/** A batch that cannot be read, and why. */
interface Unreadable {
  readonly batchId: BatchId;
  readonly detail: string;
}

type Item = StoredBatch | Unreadable;

interface Collected {
  readonly items: readonly Item[];
  /** Where they are from. */
  readonly segments: readonly Segment[];
}

type Gap = NonNullable<ReadResult["gap"]>;

/** Finds and fetches durable batches. */
export class Reader {
  readonly #files: SegmentFiles;
  readonly #lane: BulkLane;
  readonly #segments: SegmentList;
  readonly #memory: FrameMemory;

  constructor(files: SegmentFiles, segments: SegmentList, memory: FrameMemory, lane: BulkLane) {
    this.#files = files;
    this.#lane = lane;
    this.#segments = segments;
    this.#memory = memory;
  }

  read(shard: Shard, from: BatchId, limits: ReadLimits, memory?: ReadMemory): Promise<ReadResult> {
    return again(() => this.#read(shard, from, limits, memory));
  }

  async #read(
    shard: Shard,
    from: BatchId,
    limits: ReadLimits,
    memory: ReadMemory | undefined,
  ): Promise<ReadResult> {
    if (from > shard.tail) return { batches: [], next: from };
    const first = Math.max(from, shard.trimmedUpTo + 1);
    const trimmed: Gap | undefined =
      from > 0 && from < first
        ? { kind: "trimmed", upTo: shard.trimmedUpTo, detail: `shard ${shard.id} is trimmed up to there` }
        : undefined;
    const begin = await this.#segments.find(shard, first);
    if (shard.trimmedUpTo >= first) return this.#read(shard, from, limits, memory);
    const missing = missingBefore(shard, first, begin);
    if (missing !== undefined) {
      // One gap at a time: the next read tells of the second.
      if (trimmed !== undefined) return { batches: [], next: trimmed.upTo + 1, gap: trimmed };
      const following = await this.#read(shard, missing.upTo + 1, limits, memory);
      if (following.gap?.kind === "trimmed") return { batches: [], next: missing.upTo + 1, gap: missing };
      return { ...following, gap: following.gap ?? missing };
    }
    const { items, segments } = await this.#collect(shard, first, begin, limits, memory);
    // A trim or a rewrite has overtaken this read.
    if (shard.trimmedUpTo >= first || segments.some(({ gone }) => gone)) {
      return this.#read(shard, from, limits, memory);
    }
    return assemble(from, items, trimmed);
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
        const batchId = index.id(position);
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
    return position === 0 ? 0 : index.id(position - 1);
  }

  /** The batches from `first` on that the limits allow, as far as they are consecutive. */
  async #collect(
    shard: Shard,
    first: BatchId,
    begin: Found | undefined,
    limits: ReadLimits,
    memory: ReadMemory | undefined,
  ): Promise<Collected> {
    const items = new ReadAhead<Item>(readsAheadMax);
    try {
      const segments = await this.#collectInto(items, shard, first, begin, limits, memory);
      return { items: await items.all(), segments };
    } finally {
      // Of a failed one the others may still be writing to the caller's memory.
      await items.settled();
    }
  }

  /** Returns the segments that the batches are from, before all of them are read. */
  async #collectInto(
    items: ReadAhead<Item>,
    shard: Shard,
    first: BatchId,
    begin: Found | undefined,
    limits: ReadLimits,
    memory: ReadMemory | undefined,
  ): Promise<Segment[]> {
    const segments: Segment[] = [];
    const { tail } = shard;
    let count = 0;
    let bytes = 0;
    let last: BatchId | undefined;
    let isFull = false;
    for (
      let found = begin;
      found !== undefined;
      found = await this.#segments.find(shard, last + 1, "ahead")
    ) {
      const { segment, extent } = found;
      if (last !== undefined && extent.previousId !== last) break;
      const index = await this.#segments.index(found, first, limits.batchesMax - count);
      const from = index.seekId(first);
      let to = from;
      for (; to < index.count && count < limits.batchesMax; to++) {
        const payloadBytes = index.length(to) - frameHeaderBytes;
        isFull = index.id(to) > tail || (count > 0 && bytes + payloadBytes > limits.bytesMax);
        if (isFull) break;
        bytes += payloadBytes;
        count++;
      }
      segments.push(segment);
      await this.#fetch(shard, segment, index, from, to, items, memory);
      last = to > from ? Math.max(extent.lastId, index.id(to - 1)) : extent.lastId;
      if (isFull || last >= tail || count >= limits.batchesMax) break;
    }
    return segments;
  }

  /** Adds the batches at the positions `from` … `to` of an index; returns before all of them are read. */
  async #fetch(
    shard: Shard,
    segment: Segment,
    index: ShardIndex,
    from: number,
    to: number,
    items: ReadAhead<Item>,
    memory: ReadMemory | undefined,
  ): Promise<void> {
    for (let at = from; at < to; ) {
      const recent = this.#memory.get(index.id(at));
      if (recent !== undefined) {
        items.add(recent);
        at++;
        continue;
      }
      let next = this.#endOfRun(index, at, to, readBytesMax);
      let turn: Turn | undefined;
      const bytes = runBytes(index, at, next);
      if (bytes > turnBytesMin) {
        turn = await this.#lane.turn(bytes);
        if (turn.bytes < bytes) next = this.#endOfRun(index, at, next, turn.bytes);
      }
      const reading = this.#fetchRun(shard, segment, index, at, next, memory);
      await items.addRead(turn === undefined ? reading : reading.finally(turn.end));
      at = next;
    }
  }

  /** Behind the batches from `at` on that are fetched by one read of at most so many bytes; one at least. */
  #endOfRun(index: ShardIndex, at: number, to: number, bytesMax: number): number {
    const begin = index.offset(at);
    let end = begin + index.length(at);
    let next = at + 1;
    for (; next < to; next++) {
      const offset = index.offset(next);
      if (offset < end || offset - end > bridgedBytesMax) break;
      if (offset + index.length(next) - begin > bytesMax) break;
      if (this.#memory.has(index.id(next))) break;
      end = offset + index.length(next);
    }
    return next;
  }

  async #fetchRun(
    shard: Shard,
    segment: Segment,
    index: ShardIndex,
    from: number,
    to: number,
    memory: ReadMemory | undefined,
  ): Promise<Item[]> {
    const start = index.offset(from);
    let bytes: Buffer;
    try {
      bytes = await this.#files.read(segment, start, runBytes(index, from, to), memory);
    } catch (error) {
      if (!(error instanceof DiskError) || (error.kind !== "io" && error.kind !== "not-found")) throw error;
      if (to - from === 1) {
        return [unreadable(shard, segment, index, from, `${error.operation} failed: ${error.kind}`)];
      }
      // One bad sector must not cost its neighbours.
      const items: Item[] = [];
      for (let at = from; at < to; at++) {
        items.push(...(await this.#fetchRun(shard, segment, index, at, at + 1, memory)));
      }
      return items;
    }
    let used = 0;
    for (let at = from; at < to; at++) used += index.length(at);
    // A reader that keeps a batch keeps the buffer under it: not one that is mostly others' data.
    const copy = used * 2 < bytes.byteLength;
    const items: Item[] = [];
    for (let at = from; at < to; at++) {
      const offset = index.offset(at);
      const batch = decodeBatch(bytes, offset - start, offset, shard.id, index.id(at), copy);
      items.push(typeof batch === "string" ? unreadable(shard, segment, index, at, batch) : batch);
    }
    return items;
  }
}

/** From the first byte of the batch at `from` to the last of the one before `to`. */
function runBytes(index: ShardIndex, from: number, to: number): number {
  return index.offset(to - 1) + index.length(to - 1) - index.offset(from);
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

function unreadable(
  shard: Shard,
  segment: Segment,
  index: ShardIndex,
  at: number,
  reason: string,
): Unreadable {
  return {
    batchId: index.id(at),
    detail: `${segment.path} at offset ${index.offset(at)}, shard ${shard.id}: ${reason}`,
  };
}

/** Readable batches up to the next unreadable one; unreadable ones at the beginning are the gap. */
function assemble(from: BatchId, found: readonly Item[], trimmed: Gap | undefined): ReadResult {
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
