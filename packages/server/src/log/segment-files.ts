import type { Disk, DiskFile } from "../env/env.js";
import { Directory, type Extent } from "./directory.js";
import type { ReadMemory } from "./log-store.js";
import { checksumOf, type FooterPlace, type Segment } from "./segment.js";
import { ShardIndex } from "./shard-index.js";

interface OpenFile {
  readonly file: Promise<DiskFile>;
  users: number;
  leaving: boolean;
}

/** What a cached directory takes besides its bytes, roughly. */
const directoryOverheadBytes = 256;

/**
 * Read access to segments. Keeps a bounded number of files open and a bounded amount of directories and
 * indexes in memory; the least recently used leave.
 */
export class SegmentFiles {
  readonly #disk: Disk;
  readonly #openMax: number;
  readonly #cacheBytesMax: number;
  readonly #open = new Map<number, OpenFile>();
  readonly #cache = new Map<number, ShardIndex | Directory>();
  #cacheBytes = 0;
  readonly #loading = new Map<number, Promise<ShardIndex | Directory | undefined>>();

  constructor(disk: Disk, openMax: number, cacheBytesMax: number) {
    this.#disk = disk;
    this.#openMax = openMax;
    this.#cacheBytesMax = cacheBytesMax;
  }

  /** A part of the segment, in `memory` if that has room; shorter than `length` only at the end of the file. */
  async read(segment: Segment, offset: number, length: number, memory?: ReadMemory): Promise<Buffer> {
    const open = this.#take(segment);
    try {
      const file = await open.file;
      const bytes = memory?.take(length) ?? Buffer.allocUnsafeSlow(length);
      const got = await file.read(bytes, offset);
      return got === length ? bytes : bytes.subarray(0, got);
    } catch (error) {
      this.forget(segment);
      throw error;
    } finally {
      open.users--;
      this.#closeIfUnused(open);
    }
  }

  cachedDirectory(segment: Segment): Directory | undefined {
    if (segment.pinned !== undefined) return segment.pinned.directory;
    const cached = this.#cached(directoryKey(segment));
    return cached instanceof Directory ? cached : undefined;
  }

  /** The directory of a sealed segment; undefined when the footer has it no longer intact. */
  async directory(segment: Segment): Promise<Directory | undefined> {
    const cached = this.cachedDirectory(segment);
    if (cached !== undefined) return cached;
    const loaded = await this.#once(directoryKey(segment), () => this.#loadDirectory(segment));
    return loaded instanceof Directory ? loaded : undefined;
  }

  /** Lets those who want the same at the same time share one load. */
  async #once(
    key: number,
    load: () => Promise<ShardIndex | Directory | undefined>,
  ): Promise<ShardIndex | Directory | undefined> {
    const loading = this.#loading.get(key) ?? load();
    this.#loading.set(key, loading);
    try {
      return await loading;
    } finally {
      this.#loading.delete(key);
    }
  }

  async #loadDirectory(segment: Segment): Promise<Directory | undefined> {
    const bytes = await this.#part(segment, segment.directory);
    if (bytes === undefined) return undefined;
    const directory = new Directory(bytes);
    this.keepDirectory(segment, directory);
    return directory;
  }

  /** The state of the log in a footer; undefined when there is none that is intact. */
  state(segment: Segment): Promise<Buffer | undefined> {
    return this.#part(segment, segment.state);
  }

  async #part(segment: Segment, place: FooterPlace | undefined): Promise<Buffer | undefined> {
    if (place === undefined) return undefined;
    const bytes = await this.read(segment, place.offset, place.bytes);
    return bytes.byteLength === place.bytes && checksumOf(bytes) === place.checksum ? bytes : undefined;
  }

  /** The index of an extent; undefined when the footer has it no longer intact. */
  async index(segment: Segment, extent: Extent): Promise<ShardIndex | undefined> {
    const length = ShardIndex.storedBytes(extent.count);
    const { pinned } = segment;
    if (pinned !== undefined) {
      return ShardIndex.decode(pinned.indexes.subarray(extent.indexOffset, extent.indexOffset + length));
    }
    const cached = this.#cached(indexKey(segment, extent));
    if (cached instanceof ShardIndex) return cached;
    const loaded = await this.#once(indexKey(segment, extent), () =>
      this.#loadIndex(segment, extent, length),
    );
    return loaded instanceof ShardIndex ? loaded : undefined;
  }

  async #loadIndex(segment: Segment, extent: Extent, length: number): Promise<ShardIndex | undefined> {
    const bytes = await this.read(segment, extent.indexOffset, length);
    if (bytes.byteLength !== length || checksumOf(bytes) !== extent.indexChecksum) return undefined;
    const index = ShardIndex.decode(bytes);
    this.keepIndex(segment, extent, index);
    return index;
  }

  keepDirectory(segment: Segment, directory: Directory): void {
    this.#keep(directoryKey(segment), directory);
  }

  keepIndex(segment: Segment, extent: Extent, index: ShardIndex): void {
    this.#keep(indexKey(segment, extent), index);
  }

  /** Closes the segment's file as soon as nobody reads it. */
  forget(segment: Segment): void {
    const open = this.#open.get(segment.serial);
    if (open === undefined) return;
    this.#open.delete(segment.serial);
    open.leaving = true;
    this.#closeIfUnused(open);
  }

  async close(): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    for (const { file } of files) await file.then((opened) => opened.close()).catch(() => undefined);
  }

  #cached(key: number): ShardIndex | Directory | undefined {
    const cached = this.#cache.get(key);
    if (cached === undefined) return undefined;
    this.#cache.delete(key);
    this.#cache.set(key, cached);
    return cached;
  }

  #keep(key: number, value: ShardIndex | Directory): void {
    if (this.#cache.has(key)) return;
    this.#cache.set(key, value);
    this.#cacheBytes += memoryBytes(value);
    for (const [oldest, leaving] of this.#cache) {
      if (this.#cacheBytes <= this.#cacheBytesMax) break;
      this.#cache.delete(oldest);
      this.#cacheBytes -= memoryBytes(leaving);
    }
  }

  #take(segment: Segment): OpenFile {
    const { serial } = segment;
    let open = this.#open.get(serial);
    if (open === undefined) {
      open = { file: this.#disk.open(segment.path, "read"), users: 0, leaving: false };
    }
    this.#open.delete(serial);
    this.#open.set(serial, open);
    open.users++;
    if (this.#open.size > this.#openMax) this.#closeOldest();
    return open;
  }

  #closeOldest(): void {
    for (const [serial, candidate] of this.#open) {
      if (this.#open.size <= this.#openMax) break;
      if (candidate.users > 0) continue;
      this.#open.delete(serial);
      candidate.leaving = true;
      this.#closeIfUnused(candidate);
    }
  }

  #closeIfUnused(open: OpenFile): void {
    if (!open.leaving || open.users > 0) return;
    // What was read is good even when the close is not; a failed open has nothing to close.
    open.file.then((file) => file.close()).catch(() => undefined);
  }
}

/** Offsets are below 2^32; there is nothing at 0 but the header. */
function directoryKey(segment: Segment): number {
  return segment.serial * 2 ** 32;
}

function indexKey(segment: Segment, extent: Extent): number {
  return segment.serial * 2 ** 32 + extent.indexOffset;
}

function memoryBytes(value: ShardIndex | Directory): number {
  return value instanceof Directory ? value.bytes.byteLength + directoryOverheadBytes : value.memoryBytes;
}
