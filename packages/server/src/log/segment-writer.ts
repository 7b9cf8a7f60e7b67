import { dirname } from "node:path";
import { assert } from "@hstream/proto";
import { type Clock, type Disk, DiskError, type DiskFile, type FileUse } from "../env/env.js";
import { limits } from "../limits.js";
import type { CommitGroup } from "./commit-group.js";
import { encodeState } from "./log-state.js";
import { OpenIndex } from "./open-index.js";
import { encodeFooter, encodeHeader, newSegment, type Segment, segmentPath } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import type { Shards } from "./shard.js";
import { takeStock } from "./stock.js";

/** The segment that is being written. */
export class SegmentWriter {
  readonly segment: Segment;
  readonly epoch: number;
  readonly #file: DiskFile;
  readonly #clock: Clock;
  readonly #use: FileUse;

  private constructor(segment: Segment, epoch: number, file: DiskFile, clock: Clock, use: FileUse) {
    this.segment = segment;
    this.epoch = epoch;
    this.#file = file;
    this.#clock = clock;
    this.#use = use;
  }

  /**
   * A new segment; it, and its epoch, survive a crash once this resolves. With `durable-commits` so
   * does each group once it is written, without a sync.
   */
  static async create(
    disk: Disk,
    clock: Clock,
    directory: string,
    number: number,
    epoch: number,
    use: FileUse,
  ): Promise<SegmentWriter> {
    const path = segmentPath(directory, number);
    const file = await disk.open(path, "create", use);
    try {
      const createdAtMs = clock.now();
      const header = encodeHeader({ number, epoch, createdAtMs, firstNumber: number, sorted: false });
      await file.write([header], 0);
      if (use === "commits") await file.datasync();
      await disk.syncDirectory(dirname(path));
      const segment = newSegment(number, path);
      segment.open = new OpenIndex();
      return new SegmentWriter(segment, epoch, file, clock, use);
    } catch (error) {
      await file.close();
      // A leftover would be in the way of the next try.
      await disk.remove(path);
      throw error;
    }
  }

  /**
   * The segment that was being written when the log ended, for its footer. Cuts what is unfinished. The
   * last group is written again: the sync it was given may have failed, and after that the system takes
   * it for written although only its memory has it (A. Rebello et al., "Can Applications Recover from
   * fsync Failures?", USENIX ATC 2020).
   */
  static async reopen(
    disk: Disk,
    clock: Clock,
    segment: Segment,
    epoch: number,
    lastGroup: number,
  ): Promise<SegmentWriter> {
    const file = await disk.open(segment.path, "write");
    try {
      if ((await file.size()) > segment.end) await file.truncate(segment.end);
      const group = new Uint8Array(segment.end - lastGroup);
      await file.read(group, lastGroup);
      await file.write([group], lastGroup);
      await file.datasync();
    } catch (error) {
      await file.close();
      throw error;
    }
    return new SegmentWriter(segment, epoch, file, clock, "commits");
  }

  write(group: CommitGroup): Promise<void> {
    return this.#file.write(group.parts(), group.position);
  }

  sync(): Promise<void> {
    return this.#file.datasync();
  }

  /** The group belongs to the segment from now on. */
  advance(group: CommitGroup): void {
    this.segment.end = group.end;
  }

  /** Removes what a refused write has left behind, for good: it must not come back after a crash. */
  async cutBack(): Promise<void> {
    await this.#file.truncate(this.segment.end);
    await this.#file.datasync();
  }

  /**
   * Writes the footer and closes the file; calls `sealed` in the moment from which on the footer counts.
   * After a failure the segment can be sealed again or left.
   */
  async seal(shards: Shards, files: SegmentFiles, sealed: (segment: Segment) => void): Promise<void> {
    const nowMs = this.#clock.now();
    for (const shard of shards.present.values()) shard.producers?.expire(nowMs - limits.producerExpiryMs);
    const { segment } = this;
    const { open } = segment;
    assert(open !== undefined, "a segment is sealed once");
    const state = encodeState(shards);
    const footer = encodeFooter(segment.number, this.epoch, segment.end, nowMs, open, state);
    await this.#file.write(footer.parts, segment.end);
    if (this.#use === "commits") await this.#file.datasync();
    segment.directory = footer.directoryPlace;
    segment.state = footer.statePlace;
    files.keepDirectory(segment, footer.packed.directory);
    segment.space.bytes = segment.end + footer.bytes;
    segment.open = undefined;
    takeStock(segment, footer.packed.directory, shards);
    sealed(segment);
    await this.close();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

export function isNoSpace(error: unknown): boolean {
  return error instanceof DiskError && error.kind === "no-space";
}
