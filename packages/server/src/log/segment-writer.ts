import { dirname } from "node:path";
import { type Clock, type Disk, DiskError, type DiskFile } from "../env/env.js";
import { limits } from "../limits.js";
import type { CommitGroup } from "./commit-group.js";
import { encodeState } from "./log-state.js";
import { encodeFooter, encodeHeader, type Segment, segmentPath } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import type { Shards } from "./shard.js";

/** The segment that is being written. */
export class SegmentWriter {
  readonly segment: Segment;
  readonly epoch: number;
  readonly #file: DiskFile;
  readonly #clock: Clock;

  private constructor(segment: Segment, epoch: number, file: DiskFile, clock: Clock) {
    this.segment = segment;
    this.epoch = epoch;
    this.#file = file;
    this.#clock = clock;
  }

  /** A new segment; it, and its epoch, survive a crash once this resolves. */
  static async create(
    disk: Disk,
    clock: Clock,
    directory: string,
    number: number,
    epoch: number,
  ): Promise<SegmentWriter> {
    const path = segmentPath(directory, number);
    const file = await disk.open(path, "create");
    try {
      const header = encodeHeader({ number, epoch, createdAtMs: clock.now() });
      await file.write([header], 0);
      await file.datasync();
      await disk.syncDirectory(dirname(path));
      const segment = { number, path, end: header.byteLength, sealed: false, extents: new Set<never>() };
      return new SegmentWriter(segment, epoch, file, clock);
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
    return new SegmentWriter(segment, epoch, file, clock);
  }

  write(group: CommitGroup): Promise<void> {
    return this.#file.write(group.parts(), group.position);
  }

  async sync(group: CommitGroup): Promise<void> {
    await this.#file.datasync();
    this.segment.end = group.end;
  }

  /** Removes what a refused write has left behind, for good: it must not come back after a crash. */
  async cutBack(): Promise<void> {
    await this.#file.truncate(this.segment.end);
    await this.#file.datasync();
  }

  /** Writes the footer and closes the file. After a failure the segment can be sealed again or left. */
  async seal(shards: Shards, files: SegmentFiles): Promise<void> {
    const nowMs = this.#clock.now();
    for (const shard of shards.present.values()) shard.producers.expire(nowMs - limits.producerExpiryMs);
    const { segment } = this;
    const extents = [...segment.extents];
    const footer = encodeFooter(segment.number, this.epoch, segment.end, nowMs, extents, encodeState(shards));
    await this.#file.write(footer.parts, segment.end);
    await this.#file.datasync();
    segment.sealed = true;
    for (const { extent, offset, checksum } of footer.places) {
      const { index } = extent;
      extent.indexOffset = offset;
      extent.indexChecksum = checksum;
      extent.index = undefined;
      if (index !== undefined) files.keep(extent, index);
    }
    await this.close();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

export function isNoSpace(error: unknown): boolean {
  return error instanceof DiskError && error.kind === "no-space";
}
