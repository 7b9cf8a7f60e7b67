import { type Disk, DiskError } from "../env/env.js";
import type { BatchId } from "./log-store.js";
import type { Segment } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import type { SegmentList } from "./segment-list.js";
import type { Shards } from "./shard.js";
import { takeStock } from "./stock.js";

/** Footers that are never removed: with one of them damaged, the other still has the log's state. */
const footersKept = 2;

/**
 * Gives space back, in the background: removes sealed segments of which nothing can be read any more.
 */
export class Tidier {
  readonly #disk: Disk;
  readonly #shards: Shards;
  readonly #segments: SegmentList;
  readonly #files: SegmentFiles;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(disk: Disk, shards: Shards, segments: SegmentList, files: SegmentFiles) {
    this.#disk = disk;
    this.#shards = shards;
    this.#segments = segments;
    this.#files = files;
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
        if (!(error instanceof DiskError)) throw error;
      }
    }
    this.#running = undefined;
  }

  async #pass(): Promise<void> {
    const { sealed } = this.#segments;
    for (const segment of sealed.slice(0, Math.max(0, sealed.length - footersKept))) {
      if (this.#stopped) return;
      if (segment.space.stale) takeStock(segment, await this.#segments.directory(segment), this.#shards);
      if (segment.space.liveBytes === 0) await this.#remove(segment);
    }
  }

  async #remove(segment: Segment): Promise<void> {
    const at = this.#segments.sealed.indexOf(segment);
    this.#segments.sealed.splice(at, 1);
    segment.gone = true;
    this.#files.forget(segment);
    await this.#disk.remove(segment.path);
  }
}
