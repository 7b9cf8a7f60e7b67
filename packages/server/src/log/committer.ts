import { assert } from "@hstream/proto";
import type { Clock, Disk, Env, Timers } from "../env/env.js";
import { BatchIds } from "./batch-id.js";
import type { BulkLane } from "./bulk-lane.js";
import { CommitGroup, controlFrameBytes, type PendingControl } from "./commit-group.js";
import type { Control } from "./control-frame.js";
import type { FrameMemory } from "./frame-memory.js";
import { type BatchId, LogError } from "./log-store.js";
import type { EmbeddedLogOptions } from "./options.js";
import { type Segment, segmentHeaderBytes } from "./segment.js";
import type { SegmentFiles } from "./segment-files.js";
import { isNoSpace, SegmentWriter } from "./segment-writer.js";
import type { Shard, Shards } from "./shard.js";

/** What the committer tells the log. Called after the fact, synchronously. */
export interface CommitListener {
  /** The group survives a crash from now on. */
  committed(group: CommitGroup, segment: Segment): void;
  /** Nothing of these groups has happened. Newest last. */
  refused(groups: readonly CommitGroup[]): void;
  /** Whether these groups have happened is not known; no other will be committed. */
  failed(groups: readonly CommitGroup[], error: LogError): void;
  opened(segment: Segment): void;
  sealed(segment: Segment): void;
}

/**
 * Group commit. Frames are encoded into the newest group as they come; while one group is written and
 * synced, the next ones fill up. A group's place in the file is known as soon as it begins.
 */
export class Committer {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #directory: string;
  readonly #options: EmbeddedLogOptions;
  readonly #shards: Shards;
  readonly #files: SegmentFiles;
  readonly #listener: CommitListener;
  readonly #lane: BulkLane;
  readonly #memory: FrameMemory;
  #writer: SegmentWriter | undefined;
  #ids: BatchIds;
  /** Not yet taken by the commit loop, oldest first. */
  #groups: CommitGroup[] = [];
  #running = false;
  #failure: LogError | undefined;
  /** Where the next group will be. */
  #nextSegment: number;
  #nextPosition = Number.POSITIVE_INFINITY;
  #whenIdle: (() => void)[] = [];
  /** With a sync to come. */
  #unsynced: SegmentWriter | undefined;
  #syncing: Promise<void> = Promise.resolve();

  constructor(
    { disk, clock, timers }: Pick<Env, "disk" | "clock" | "timers">,
    directory: string,
    options: EmbeddedLogOptions,
    shards: Shards,
    files: SegmentFiles,
    listener: CommitListener,
    lane: BulkLane,
    memory: FrameMemory,
    epoch: number,
    firstSegment: number,
  ) {
    this.#disk = disk;
    this.#clock = clock;
    this.#timers = timers;
    this.#directory = directory;
    this.#options = options;
    this.#shards = shards;
    this.#files = files;
    this.#listener = listener;
    this.#lane = lane;
    this.#memory = memory;
    this.#ids = new BatchIds(epoch);
    this.#nextSegment = firstSegment;
  }

  /** Groups that were made durable, and their bytes, since the start. */
  readonly statistics = { groups: 0, bytesCommitted: 0 };

  get failure(): LogError | undefined {
    return this.#failure;
  }

  /** Makes the first segment, and with it the epoch, durable. Later otherwise: with the first group. */
  async begin(): Promise<void> {
    this.#writer = await this.#create(this.#nextSegment, this.#ids.epoch);
    this.#nextPosition = segmentHeaderBytes;
  }

  /** The group that a frame of this length goes into. Its id and place are asked for right after. */
  groupFor(frameBytes: number): CommitGroup {
    let group = this.#groups.at(-1);
    if (group === undefined || group.bytes + frameBytes > this.#options.groupCommitBytesMax) {
      if (group !== undefined) this.#nextPosition = group.end;
      if (this.#nextPosition >= this.#options.segmentBytes) {
        if (this.#nextPosition !== Number.POSITIVE_INFINITY) this.#nextSegment++;
        this.#nextPosition = segmentHeaderBytes;
        if (this.#ids.nearlyUsedUp) this.#ids = new BatchIds(this.#ids.epoch + 1);
      }
      group = new CommitGroup(this.#nextSegment, this.#ids.epoch, this.#nextPosition, this.#memory);
      this.#groups.push(group);
    }
    if (!this.#running) {
      this.#running = true;
      this.#lane.commitsBegin();
      // The appends of this tick share a group.
      queueMicrotask(() => void this.#run());
    }
    return group;
  }

  nextId(): BatchId {
    return this.#ids.next();
  }

  /** Adds a control of a shard and resolves once it is durable and was carried out. */
  control(shard: Shard, control: Control, undo: () => void): Promise<void> {
    const group = this.groupFor(controlFrameBytes(control));
    group.addControl(shard, control, this.#clock.now());
    return new Promise((resolve, reject) => {
      group.controls.push({ shard, control, undo, resolve, reject } satisfies PendingControl);
    });
  }

  /** Resolves when nothing waits for the disk. */
  idle(): Promise<void> {
    return this.#running ? new Promise((resolve) => this.#whenIdle.push(resolve)) : Promise.resolve();
  }

  /** Seals the segment, so that the next start need not scan it. */
  async close(): Promise<void> {
    assert(!this.#running, "a log is closed when nothing waits");
    const writer = this.#writer;
    this.#writer = undefined;
    await this.#syncing;
    if (writer === undefined) return;
    if (this.#failure !== undefined) return writer.close();
    try {
      await writer.seal(this.#shards, this.#files, () => undefined);
    } catch (error) {
      await writer.close();
      // The frames are durable and the next start scans them: a full disk must not stop an orderly end.
      if (!isNoSpace(error)) throw error;
    }
  }

  async #run(): Promise<void> {
    let durable: CommitGroup | undefined;
    for (;;) {
      const group = this.#groups.shift();
      if (group === undefined) {
        if (durable === undefined) break;
        this.#complete(durable);
        durable = undefined;
        continue;
      }
      if (this.#groups.length === 0) this.#nextPosition = group.end;
      try {
        if (this.#writer?.segment.number !== group.segmentNumber) {
          if (durable !== undefined) this.#complete(durable);
          durable = undefined;
          await this.#rotate(group);
        }
        const writer = this.#writer;
        assert(writer !== undefined, "a segment is open once it was rotated to");
        const writing = writer.write(group);
        // The disk is busy from here on: time to tell about the group before.
        if (durable !== undefined) this.#complete(durable);
        durable = undefined;
        await writing;
        if (this.#options.fsync === "interval") this.#syncLater(writer);
        writer.advance(group);
        durable = group;
      } catch (error) {
        await this.#abandon(group, error);
      }
    }
    this.#running = false;
    for (const resolve of this.#whenIdle.splice(0)) resolve();
    this.#lane.commitsEnd();
  }

  #syncLater(writer: SegmentWriter): void {
    if (this.#unsynced === writer) return;
    // A segment that was left meanwhile has been synced as a whole.
    this.#unsynced = writer;
    this.#timers.after(this.#options.fsyncIntervalMs, () => {
      if (this.#unsynced !== writer) return;
      this.#unsynced = undefined;
      if (this.#writer !== writer) return;
      this.#syncing = writer.sync().catch((error: unknown) => {
        this.#failure ??= new LogError("failed", "The disk refused a sync of the log.", error);
      });
    });
  }

  #complete(group: CommitGroup): void {
    const segment = this.#writer?.segment;
    assert(segment?.number === group.segmentNumber, "a group is completed before its segment is left");
    this.statistics.groups++;
    this.statistics.bytesCommitted += group.bytes;
    this.#listener.committed(group, segment);
    group.release();
    this.#lane.groupCommitted(group.bytes);
  }

  async #rotate(group: CommitGroup): Promise<void> {
    const full = this.#writer;
    if (full !== undefined) {
      await this.#syncing;
      if (this.#failure !== undefined) throw this.#failure;
      await full.seal(this.#shards, this.#files, (segment) => this.#listener.sealed(segment));
      this.#writer = undefined;
    }
    this.#writer = await this.#create(group.segmentNumber, group.epoch);
  }

  async #create(number: number, epoch: number): Promise<SegmentWriter> {
    const use = this.#options.fsync === "always" ? "durable-commits" : "commits";
    const writer = await SegmentWriter.create(this.#disk, this.#clock, this.#directory, number, epoch, use);
    this.#listener.opened(writer.segment);
    return writer;
  }

  /** A group could not be committed: everything behind it builds on it, and goes with it. */
  async #abandon(group: CommitGroup, error: unknown): Promise<void> {
    if (isNoSpace(error) && this.#failure === undefined && (await this.#cutBack())) {
      const groups = [group, ...this.#groups.splice(0)];
      if (this.#writer === undefined) {
        // The group that was to open this segment is gone; the next one does.
        this.#nextSegment = group.segmentNumber;
        this.#nextPosition = Number.POSITIVE_INFINITY;
      } else {
        this.#nextSegment = this.#writer.segment.number;
        this.#nextPosition = this.#writer.segment.end;
      }
      this.#listener.refused(groups);
      for (const refused of groups) refused.release();
      return;
    }
    this.#failure ??= new LogError("failed", "The disk refused a write or a sync of the log.", error);
    this.#listener.failed([group, ...this.#groups.splice(0)], this.#failure);
  }

  async #cutBack(): Promise<boolean> {
    try {
      await this.#writer?.cutBack();
      return true;
    } catch (error) {
      this.#failure = new LogError("failed", "The disk refused a sync of the log.", error);
      return false;
    }
  }
}
