import { crc32 } from "node:zlib";
import type { Disk, DiskFile } from "../env/env.js";
import type { Extent, Segment } from "./segment.js";
import { ShardIndex } from "./shard-index.js";

interface OpenFile {
  readonly file: Promise<DiskFile>;
  users: number;
  leaving: boolean;
}

/**
 * Read access to segments. Keeps a bounded number of files open and a bounded amount of indexes in
 * memory; the least recently used leave.
 */
export class SegmentFiles {
  readonly #disk: Disk;
  readonly #openMax: number;
  readonly #indexBytesMax: number;
  readonly #open = new Map<number, OpenFile>();
  readonly #indexes = new Map<Extent, ShardIndex>();
  #indexBytes = 0;

  constructor(disk: Disk, openMax: number, indexBytesMax: number) {
    this.#disk = disk;
    this.#openMax = openMax;
    this.#indexBytesMax = indexBytesMax;
  }

  /** Fills a new buffer from the segment; shorter than `length` only at the end of the file. */
  async read(segment: Segment, offset: number, length: number): Promise<Buffer> {
    const open = this.#take(segment);
    try {
      const file = await open.file;
      const bytes = Buffer.allocUnsafeSlow(length);
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

  /** The index of an extent; undefined when the footer has it no longer intact. */
  async index(extent: Extent): Promise<ShardIndex | undefined> {
    if (extent.index !== undefined) return extent.index;
    const cached = this.#indexes.get(extent);
    if (cached !== undefined) {
      this.#indexes.delete(extent);
      this.#indexes.set(extent, cached);
      return cached;
    }
    const length = ShardIndex.storedBytes(extent.count);
    const bytes = await this.read(extent.segment, extent.indexOffset, length);
    if (bytes.byteLength !== length || crc32(bytes) !== extent.indexChecksum) return undefined;
    const index = ShardIndex.decode(bytes);
    this.keep(extent, index);
    return index;
  }

  /** Takes an index into the bounded cache. */
  keep(extent: Extent, index: ShardIndex): void {
    if (this.#indexes.has(extent)) return;
    this.#indexes.set(extent, index);
    this.#indexBytes += index.memoryBytes;
    for (const [oldest, { memoryBytes }] of this.#indexes) {
      if (this.#indexBytes <= this.#indexBytesMax) break;
      this.#indexes.delete(oldest);
      this.#indexBytes -= memoryBytes;
    }
  }

  /** Closes the segment's file as soon as nobody reads it. */
  forget(segment: Segment): void {
    const open = this.#open.get(segment.number);
    if (open === undefined) return;
    this.#open.delete(segment.number);
    open.leaving = true;
    this.#closeIfUnused(open);
  }

  async close(): Promise<void> {
    const files = [...this.#open.values()];
    this.#open.clear();
    for (const { file } of files) await file.then((opened) => opened.close()).catch(() => undefined);
  }

  #take(segment: Segment): OpenFile {
    let open = this.#open.get(segment.number);
    if (open === undefined) open = { file: this.#disk.open(segment.path, "read"), users: 0, leaving: false };
    this.#open.delete(segment.number);
    this.#open.set(segment.number, open);
    open.users++;
    for (const [number, candidate] of this.#open) {
      if (this.#open.size <= this.#openMax) break;
      if (candidate.users > 0) continue;
      this.#open.delete(number);
      candidate.leaving = true;
      this.#closeIfUnused(candidate);
    }
    return open;
  }

  #closeIfUnused(open: OpenFile): void {
    if (!open.leaving || open.users > 0) return;
    // What was read is good even when the close is not; a failed open has nothing to close.
    open.file.then((file) => file.close()).catch(() => undefined);
  }
}
