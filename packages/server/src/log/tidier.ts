import { DiskError } from "../env/env.js";
import type { BatchId } from "./log-store.js";
import { type RewriteRoom, rewrite } from "./rewriter.js";
import type { Segment } from "./segment.js";
import type { SegmentList } from "./segment-list.js";
import { takeStock } from "./stock.js";

/** States of the log that are never removed: with one of them damaged, there is another. */
const statesKept = 2;

/** Smaller than this part of a full segment: to be joined with a neighbour. */
const smallPart = 8;

/**
 * Puts sealed segments in order, in the background: removes those of which nothing can be read any more,
 * and rewrites, sorted by shard, those that are unsorted or more than half dead. So the files take at most
 * twice what is alive, and two segments.
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
    room: Omit<RewriteRoom, "mayGoOn">,
    mayGoOn: () => Promise<boolean>,
    segments: SegmentList,
    segmentBytes: number,
    trouble: (error: unknown) => void,
  ) {
    this.#room = { ...room, mayGoOn: async () => !this.#stopped && (await mayGoOn()) && !this.#stopped };
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
    for (let sources = this.#chosen(); sources.length > 0; sources = this.#chosen()) {
      const last = sources.at(-1);
      const isKept = last !== undefined && this.#segments.sealed.indexOf(last) >= this.#firstKept();
      const state = isKept ? await this.#room.files.state(last) : undefined;
      const segment = await rewrite(sources, state ?? new Uint8Array(0), this.#room);
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

/** What is damaged stays as it is, for the operator. */
function isFixed({ space, directory }: Segment): boolean {
  return space.damaged || directory === undefined;
}
