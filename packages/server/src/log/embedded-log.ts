import { assert } from "@hstream/proto";
import type { DirectoryLock, Env } from "../env/env.js";
import { limits } from "../limits.js";
import { Appender } from "./appender.js";
import { BulkLane } from "./bulk-lane.js";
import type { CommitGroup } from "./commit-group.js";
import { type CommitListener, Committer } from "./committer.js";
import { FrameMemory } from "./frame-memory.js";
import {
  type AppendOptions,
  type AppendResult,
  type Batch,
  type BatchId,
  type Fence,
  LogError,
  type LogStore,
  type ReadLimits,
  type ReadMemory,
  type ReadResult,
  type ShardDescription,
  type ShardId,
  type TrimResult,
} from "./log-store.js";
import { defaultOptions, type EmbeddedLogOptions, type LogNotice } from "./options.js";
import { Reader } from "./reader.js";
import { recover } from "./recovery.js";
import { Reserve } from "./reserve.js";
import type { Segment } from "./segment.js";
import { SegmentFiles } from "./segment-files.js";
import { SegmentList } from "./segment-list.js";
import { isNoSpace, SegmentWriter } from "./segment-writer.js";
import { Shard, type Shards } from "./shard.js";
import { Tidier } from "./tidier.js";

/** A batch as large as a group fits a chunk, with its header. */
const chunkSlackBytes = 8192;

export interface LogStatistics {
  /** Groups that were made durable, and their bytes, since the start. */
  readonly groups: number;
  readonly bytesCommitted: number;
  /** Of appends that wait for the disk, and of those that wait for room among these. */
  readonly bytesInFlight: number;
  readonly bytesWaiting: number;
}

/** The log in a directory of this machine: one sequence of segments for all shards. */
export class EmbeddedLog implements LogStore {
  /** What the start found damaged or unfinished. */
  readonly notices: readonly LogNotice[];
  readonly #lock: DirectoryLock & { kind: "locked" };
  readonly #shards: Shards;
  readonly #segments: SegmentList;
  readonly #files: SegmentFiles;
  readonly #reader: Reader;
  readonly #committer: Committer;
  readonly #appender: Appender;
  readonly #tidier: Tidier;
  readonly #reserve: Reserve;
  #closed = false;

  private constructor(
    env: Env,
    directory: string,
    options: EmbeddedLogOptions,
    lock: DirectoryLock & { kind: "locked" },
    files: SegmentFiles,
    shards: Shards,
    sealed: readonly Segment[],
    notices: readonly LogNotice[],
    epoch: number,
    firstSegment: number,
  ) {
    this.#lock = lock;
    this.#files = files;
    this.#shards = shards;
    this.#segments = new SegmentList(files, sealed);
    this.notices = notices;
    const lane = new BulkLane(env.clock);
    const chunkBytes = options.groupCommitBytesMax + chunkSlackBytes;
    const memory = new FrameMemory(chunkBytes, options.tailCacheBytesMax);
    this.#reader = new Reader(files, this.#segments, memory, lane);
    const listener: CommitListener = {
      committed: (group, segment) => this.#committed(group, segment),
      refused: (groups) => this.#refused(groups),
      failed: (groups, error) => this.#failed(groups, error),
      opened: (segment) => {
        this.#segments.open = segment;
      },
      sealed: (segment) => {
        this.#segments.add(segment);
        this.#tidier.wake();
      },
    };
    this.#committer = new Committer(
      env,
      directory,
      options,
      shards,
      files,
      listener,
      lane,
      memory,
      epoch,
      firstSegment,
    );
    const { disk, clock } = env;
    this.#reserve = new Reserve(disk, directory, options.reserveBytes);
    const room = { disk, directory, shards, files, now: () => clock.now() };
    const turn = async (bytes: number) => {
      const taken = await lane.turn(bytes);
      if (this.#committer.failure === undefined) return taken;
      taken.end();
      return undefined;
    };
    this.#tidier = new Tidier(room, turn, this.#segments, options.segmentBytes, (error) => {
      const detail = `No more space is given back until a restart, because of an unexpected ${String(error)}`;
      options.onNotice({ path: directory, offset: 0, detail });
    });
    this.#appender = new Appender(env.clock, options, shards, memory, this.#committer, this.#reserve);
  }

  /**
   * Opens the log in `directory`, or begins one. Rejects with LogError locked when another process has
   * it, and with DiskError when the disk does not let itself be read or synced.
   */
  static async start(
    env: Env,
    directory: string,
    options: Partial<EmbeddedLogOptions> = {},
  ): Promise<EmbeddedLog> {
    const all = { ...defaultOptions, ...options };
    const { disk, clock } = env;
    await disk.makeDirectory(directory);
    const lock = await disk.lock(directory, all.holder);
    if (lock.kind === "held") {
      throw new LogError("locked", `The directory ${directory} is in use by ${lock.by}.`);
    }
    const files = new SegmentFiles(disk, all.openSegmentsMax, all.indexCacheBytesMax);
    try {
      const recovered = await recover(disk, directory, files);
      const { shards, segments, epoch, notices, lastGroup } = recovered;
      const newest = segments.at(-1);
      if (newest?.open !== undefined) {
        const writer = await SegmentWriter.reopen(disk, clock, newest, epoch, lastGroup);
        try {
          await writer.seal(shards, files, () => undefined);
        } catch (error) {
          if (!isNoSpace(error)) throw error;
          await writer.cutBack();
          await writer.close();
          newest.pinned = newest.open.pack(0);
          newest.open = undefined;
        }
        files.forget(newest);
      }
      for (const path of recovered.leftovers) await disk.remove(path);
      const number = recovered.highestNumber + 1;
      const log = new EmbeddedLog(
        env,
        directory,
        all,
        lock,
        files,
        shards,
        segments,
        notices,
        epoch + 1,
        number,
      );
      try {
        await log.#committer.begin();
      } catch (error) {
        // A full disk must not keep anybody from reading; the first append tries again.
        if (!isNoSpace(error)) throw error;
      }
      await log.#reserve.begin();
      log.#tidier.wake();
      return log;
    } catch (error) {
      await files.close();
      await lock.release();
      throw error;
    }
  }

  async createShard(shardId: ShardId): Promise<void> {
    this.#mustWork();
    assert(Number.isSafeInteger(shardId) && shardId > 0, "a shard id is 1 … 2^53 − 1");
    if (this.#shards.present.has(shardId) || this.#shards.deleted.has(shardId)) {
      throw new LogError("shard-exists", `Shard ${shardId} exists or has existed.`);
    }
    const shard = new Shard(shardId);
    shard.state = "creating";
    this.#shards.present.set(shardId, shard);
    await this.#committer.control(shard, { kind: "create" }, () => this.#shards.present.delete(shardId));
  }

  async deleteShard(shardId: ShardId): Promise<void> {
    this.#mustWork();
    const shard = this.#shard(shardId);
    await this.#makingRoom(() => {
      this.#shard(shardId);
      shard.state = "deleting";
      return this.#committer.control(shard, { kind: "delete" }, () => {
        shard.state = "present";
      });
    });
    this.#tidier.touch(shard.firstId, shard.tail);
  }

  shards(): ShardId[] {
    this.#mustBeOpen();
    const ids: ShardId[] = [];
    for (const shard of this.#shards.present.values()) {
      if (shard.state === "present") ids.push(shard.id);
    }
    return ids.sort((a, b) => a - b);
  }

  describe(shardId: ShardId): ShardDescription {
    this.#mustBeOpen();
    const { tail, tailTimeMs, trimmedUpTo, holds } = this.#shard(shardId);
    return { shardId, tail, trimmedUpTo, tailTimeMs, holds: new Map(holds ?? []) };
  }

  async open(shardId: ShardId): Promise<Fence> {
    this.#mustWork();
    const shard = this.#shard(shardId);
    const before = shard.fence;
    const fence = before + 1;
    shard.fence = fence;
    await this.#committer.control(shard, { kind: "open", fence }, () => {
      shard.fence = before;
    });
    return fence;
  }

  append(shardId: ShardId, batch: Batch, options: AppendOptions): Promise<AppendResult> {
    return this.#closed ? Promise.reject(closedError()) : this.#appender.append(shardId, batch, options);
  }

  read(shardId: ShardId, from: BatchId, limits: ReadLimits, memory?: ReadMemory): Promise<ReadResult> {
    return this.#reading(shardId, (shard) => this.#reader.read(shard, from, limits, memory));
  }

  tail(shardId: ShardId): BatchId {
    this.#mustBeOpen();
    return this.#shard(shardId).tail;
  }

  watch(shardId: ShardId, listener: (tail: BatchId) => void): () => void {
    this.#mustBeOpen();
    // A listener of its own for every call, so that one function may watch twice.
    const own = (tail: BatchId) => listener(tail);
    const shard = this.#shard(shardId);
    (shard.listeners ??= new Set()).add(own);
    return () => {
      shard.listeners?.delete(own);
      if (shard.listeners?.size === 0) shard.listeners = undefined;
    };
  }

  findTime(shardId: ShardId, timeMs: number): Promise<BatchId | undefined> {
    return this.#reading(shardId, (shard) => this.#reader.findTime(shard, timeMs));
  }

  async trim(shardId: ShardId, upTo: BatchId): Promise<TrimResult> {
    this.#mustWork();
    const shard = this.#shard(shardId);
    const last = await this.#reader.floor(shard, upTo);
    this.#mustWork();
    this.#shard(shardId);
    for (const [by, from] of shard.holds ?? []) {
      if (from <= last) return { kind: "held", by, from };
    }
    const before = shard.trimmedUpTo;
    if (last > before) {
      await this.#makingRoom(() =>
        this.#committer.control(shard, { kind: "trim", upTo: last }, () => undefined),
      );
      this.#tidier.touch(Math.max(before, shard.firstId), last);
    }
    return { kind: "trimmed", upTo: shard.trimmedUpTo };
  }

  async hold(shardId: ShardId, name: string, from: BatchId): Promise<void> {
    this.#mustWork();
    assert(
      Buffer.byteLength(name) <= limits.holdNameBytesMax,
      "the name of a hold is at most 1024 bytes long",
    );
    const holds = (this.#shard(shardId).holds ??= new Map());
    const before = holds.get(name);
    // Counts from now on, so that no trim overtakes it.
    holds.set(name, from);
    await this.#committer.control(this.#shard(shardId), { kind: "hold", name, from }, () => {
      if (before === undefined) holds.delete(name);
      else holds.set(name, before);
    });
  }

  async releaseHold(shardId: ShardId, name: string): Promise<void> {
    this.#mustWork();
    const shard = this.#shard(shardId);
    if (shard.holds?.has(name) !== true) return;
    await this.#committer.control(shard, { kind: "release", name }, () => undefined);
  }

  async forgetProducer(shardId: ShardId, producerId: string): Promise<void> {
    this.#mustWork();
    const shard = this.#shard(shardId);
    if (shard.producers?.knows(producerId) !== true) return;
    await this.#committer.control(shard, { kind: "forget", name: producerId }, () => undefined);
  }

  /** Resolves when no segment has space to give back and none is left to be sorted. */
  tidied(): Promise<void> {
    return this.#tidier.idle();
  }

  statistics(): LogStatistics {
    const { bytesInFlight, bytesWaiting } = this.#appender;
    return { ...this.#committer.statistics, bytesInFlight, bytesWaiting };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#appender.dismissWaiting((waiting) => waiting.reject(closedError()));
    await this.#committer.idle();
    await this.#tidier.stop();
    await this.#reserve.settled();
    try {
      await this.#committer.close();
    } finally {
      await this.#files.close();
      await this.#lock.release();
    }
  }

  /** A change that makes room may use the reserve when the disk is full. */
  async #makingRoom(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (error) {
      const isFull = error instanceof LogError && error.kind === "full";
      if (!isFull || !(await this.#reserve.giveUp())) throw error;
      await change();
    }
    // Appends try as well, but the first of them would be refused although there is room again.
    if (this.#reserve.isOut) await this.#reserve.restore();
  }

  async #reading<T>(shardId: ShardId, work: (shard: Shard) => Promise<T>): Promise<T> {
    this.#mustBeOpen();
    try {
      return await work(this.#shard(shardId));
    } finally {
      // Files that go away under a read look like a damage: the reason counts, not the symptom.
      this.#mustBeOpen();
      this.#shard(shardId);
    }
  }

  #committed(group: CommitGroup, segment: Segment): void {
    const advanced = this.#appender.committed(group.appends, segment);
    for (const { shard, control, resolve } of group.controls) {
      this.#shards.apply(shard.id, control);
      resolve();
    }
    this.#appender.admitWaiting();
    for (const shard of advanced) {
      for (const listener of [...(shard.listeners ?? [])]) notify(listener, shard.tail);
    }
  }

  /** The disk is full: nothing that is not durable has happened. */
  #refused(groups: readonly CommitGroup[]): void {
    this.#undo(groups);
    const full: AppendResult = { kind: "full", reason: "disk", limitBytes: 0 };
    for (const group of groups) {
      for (const append of group.appends) append.resolve(full);
      for (const { control, reject } of group.controls) {
        reject(new LogError("full", `No room on the disk to ${control.kind}.`));
      }
    }
    this.#appender.dismissWaiting((waiting) => waiting.resolve(full));
  }

  #failed(groups: readonly CommitGroup[], error: LogError): void {
    this.#undo(groups);
    for (const group of groups) {
      for (const append of group.appends) append.reject(error);
      for (const control of group.controls) control.reject(error);
    }
    this.#appender.dismissWaiting((waiting) => waiting.reject(error));
  }

  /** Newest first, every shard gets back what it had before. */
  #undo(groups: readonly CommitGroup[]): void {
    for (const group of [...groups].reverse()) {
      for (const control of group.controls.reverse()) control.undo();
      this.#appender.undo(group.appends);
    }
  }

  #shard(shardId: ShardId): Shard {
    const shard = this.#shards.present.get(shardId);
    if (shard?.state !== "present") throw new LogError("shard-not-found", `Shard ${shardId} does not exist.`);
    return shard;
  }

  #mustBeOpen(): void {
    if (this.#closed) throw closedError();
  }

  /** Open, and able to make changes. */
  #mustWork(): void {
    this.#mustBeOpen();
    if (this.#committer.failure !== undefined) throw this.#committer.failure;
  }
}

/** A listener's mistake is its own: it must not stop the commits. */
function notify(listener: (tail: BatchId) => void, tail: BatchId): void {
  try {
    listener(tail);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

const closedError = () => new LogError("closed", "The log is closed.");
