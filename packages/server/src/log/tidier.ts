import { DiskError } from "../env/env.js";
import type { BatchId } from "./log-store.js";
import { merge } from "./merger.js";
import { rewrite } from "./rewriter.js";
import type { Segment } from "./segment.js";
import type { SegmentList } from "./segment-list.js";
import type { RewriteRoom } from "./sorted-writer.js";
import { takeStock } from "./stock.js";

/** States of the log that are never removed: with one of them damaged, there is another. */
const statesKept = 2;

/** Smaller than this part of a full segment: to be joined with a neighbour. */
const smallPart = 8;

/**
 * So many full segments are merged to one, so that catching up with one shard of many reads long stretches.
 * Places in a file are 32 bits wide; the index of a merged segment is in memory while it is written.
 */
const segmentsMerged = 8;
const mergedBytesMax = 2 ** 31;
const mergedBatchesMax = 2 ** 20;
/** Longer stretches of one shard are not worth another rewrite. */
const extentBytesEnough = 262_144;

/**
 * Puts sealed segments in order, in the background: removes those of which nothing can be read any more,
 * rewrites, sorted by shard, those that are unsorted or more than half dead, and merges those that are
 * sorted. So the files take at most twice what is alive, and two segments.
 */
export class Tidier {
  readonly #room: RewriteRoom;
  readonly #segments: SegmentList;
  readonly #segmentBytes: number;
  readonly #trouble: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(
    room: Omit<RewriteRoom, "turn">,
    turn: RewriteRoom["turn"],
    segments: SegmentList,
    segmentBytes: number,
    trouble: (error: unknown) => void,
  ) {
    this.#room = {
      ...room,
      turn: async (bytes) => {
        const taken = this.#stopped ? undefined : await turn(bytes);
        if (!this.#stopped) return taken;
        taken?.end();
        return undefined;
      },
    };
    this.#segments = segments;
    this.#segmentBytes = segmentBytes;
    this.#trouble = trouble;
  }

  /** Batches of some shard between these ids are gone. */
  touch(from: BatchId, upTo: BatchId): void {
    for (const segment of this.#segments.sealed) {
      if (segment.lastId >= from && segment.firstId <= upTo) segment.space.stale = true;
    }
    this.wake();
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#stopped) return;
    this.#again = true;
    this.#running ??= this.#run();
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  /** Resolves once nothing is touched any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#stopped) {
      this.#again = false;
      try {
        await this.#pass();
      } catch (error) {
        // What stays by mistake is only space; the next occasion, or the next start, finds it again.
        if (error instanceof DiskError) continue;
        // A mistake of ours: it must cost neither the server nor, in another try, the data.
        this.#stopped = true;
        this.#trouble(error);
      }
    }
    this.#running = undefined;
  }

  async #pass(): Promise<void> {
    for (const segment of [...this.#segments.sealed]) {
      if (this.#stopped) return;
      if (segment.space.stale) {
        takeStock(segment, await this.#segments.directory(segment), this.#room.shards);
      }
      if (segment.space.liveBytes > 0 || this.#segments.sealed.indexOf(segment) >= this.#firstKept())
        continue;
      await this.#replace([segment], undefined);
    }
    for (let sources = this.#next(); sources.length > 0; sources = this.#next()) {
      const last = sources.at(-1);
      const isKept = last !== undefined && this.#segments.sealed.indexOf(last) >= this.#firstKept();
      const state = isKept ? await this.#room.files.state(last) : undefined;
      const work = sources.every(isRewritten) ? merge : rewrite;
      const segment = await work(sources, state ?? new Uint8Array(0), this.#room);
      if (segment !== undefined) await this.#replace(sources, segment);
      else if (!sources.some(({ space }) => space.damaged)) return;
    }
  }

  /** Position of the oldest segment of which the state may be needed. */
  #firstKept(): number {
    const { sealed } = this.#segments;
    let kept = 0;
    let at = sealed.length;
    while (at > 0 && kept < statesKept) {
      if (sealed[--at]?.state !== undefined) kept++;
    }
    return at;
  }

  /** The first segment that is to be rewritten, and neighbours that fit into one with it. */
  #chosen(): Segment[] {
    const { sealed } = this.#segments;
    const firstKept = this.#firstKept();
    const at = sealed.findIndex((segment, i) =>
      this.#isDue(segment, i + 1 < firstKept ? sealed[i + 1] : undefined),
    );
    const chosen = sealed.slice(Math.max(0, at), at + 1);
    let bytes = chosen[0]?.space.bytes ?? 0;
    // Every state that may be needed stays in a file of its own.
    for (let i = at + 1; i < firstKept && chosen.length > 0; i++) {
      const next = sealed[i];
      if (next === undefined || isFixed(next)) break;
      bytes += next.space.bytes;
      if (bytes > this.#segmentBytes) break;
      chosen.push(next);
    }
    return chosen;
  }

  #next(): Segment[] {
    const chosen = this.#chosen();
    return chosen.length > 0 ? chosen : this.#mergeable();
  }

  /** Neighbours that are in order, and many enough for a merged segment, where that pays and has room. */
  #mergeable(): Segment[] {
    const bytesMax = Math.min(this.#segmentBytes * segmentsMerged, mergedBytesMax);
    const firstKept = this.#firstKept();
    let run: Segment[] = [];
    let bytes = 0;
    let batches = 0;
    for (const segment of this.#segments.sealed.slice(0, firstKept)) {
      const { space } = segment;
      const isWhole = bytes + space.bytes > bytesMax || batches + space.batches > mergedBatchesMax;
      if (isWhole && run.length > 1 && this.#hasRoomFor(run)) return run;
      const pays = space.bytes * 2 <= bytesMax && space.batchBytes < space.extents * extentBytesEnough;
      const fits = pays && isRewritten(segment) && !isFixed(segment);
      if (isWhole || !fits) run = [];
      if (run.length === 0) {
        bytes = 0;
        batches = 0;
      }
      if (!fits) continue;
      run.push(segment);
      bytes += space.bytes;
      batches += space.batches;
    }
    return [];
  }

  /** Whether twice of what is alive, and two segments, leave room for the sources and what replaces them. */
  #hasRoomFor(sources: readonly Segment[]): boolean {
    let used = this.#segmentBytes;
    let live = 0;
    for (const { space } of this.#segments.sealed) {
      used += space.bytes;
      live += space.liveBytes;
    }
    for (const { space } of sources) used += space.liveBytes;
    return used <= 2 * live + 2 * this.#segmentBytes;
  }

  #isDue(segment: Segment, next: Segment | undefined): boolean {
    if (isFixed(segment)) return false;
    const { sorted, liveBytes, batchBytes } = segment.space;
    if (!sorted || liveBytes * 2 < batchBytes) return true;
    return next !== undefined && !isFixed(next) && this.#isSmall(segment) && this.#isSmall(next);
  }

  #isSmall({ space }: Segment): boolean {
    return space.bytes * smallPart < this.#segmentBytes;
  }

  async #replace(sources: readonly Segment[], by: Segment | undefined): Promise<void> {
    const { sealed } = this.#segments;
    const first = sources[0];
    if (first === undefined) return;
    sealed.splice(sealed.indexOf(first), sources.length, ...(by === undefined ? [] : [by]));
    for (const source of sources) source.gone = true;
    for (const source of sources) {
      this.#room.files.forget(source);
      await this.#room.disk.remove(source.path);
    }
  }
}

/** By us, so that it begins with its controls and goes on in the order of the shards. */
function isRewritten({ generation, space }: Segment): boolean {
  return generation > 0 && space.sorted;
}

/** What is damaged stays as it is, for the operator. */
function isFixed({ space, directory }: Segment): boolean {
  return space.damaged || directory === undefined;
}
