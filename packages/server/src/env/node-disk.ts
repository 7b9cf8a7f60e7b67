import { constants } from "node:fs";
import * as fs from "node:fs/promises";
import { dirname } from "node:path";
import { type Disk, DiskError, type DiskErrorKind, type DiskFile, type FileUse } from "./env.js";
import { lockDirectory } from "./node-lock.js";

/** POSIX allows this many buffers in one writev. */
const buffersPerWriteMax = 1024;

/**
 * Operations at a time on files that are not for commits; more wait. All files share few threads, of which
 * one must always be free for a commit.
 */
const threads = Number(process.env["UV_THREADPOOL_SIZE"] ?? 4);
const bulkAtOnceMax = Math.max(1, threads - 1);
let bulkOperations = 0;
const waiting: (() => void)[] = [];

async function oneOfFew<T>(work: () => Promise<T>): Promise<T> {
  if (bulkOperations >= bulkAtOnceMax) await new Promise<void>((resolve) => waiting.push(resolve));
  else bulkOperations++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) bulkOperations--;
    else next();
  }
}

const { O_CREAT, O_DSYNC, O_EXCL, O_RDONLY, O_RDWR } = constants;
const openFlags = { read: O_RDONLY, write: O_RDWR, create: O_RDWR | O_CREAT | O_EXCL };
/** One job of a thread instead of two for each commit. Elsewhere, such writes may stop in the disk's cache. */
const syncedWrites = process.platform === "linux" ? O_DSYNC : 0;

/** The file system of this machine. */
export const nodeDisk: Disk = {
  async open(path, mode, use) {
    const flags = openFlags[mode] | (use === "durable-commits" ? syncedWrites : 0);
    return new NodeFile(path, await attempt("open", path, fs.open(path, flags, 0o600)), use);
  },
  async makeDirectory(path) {
    const first = await attempt("make directory", path, fs.mkdir(path, { recursive: true, mode: 0o700 }));
    // The new names must survive a crash as well as what will be in them.
    if (first !== undefined) {
      for (let made = path; ; made = dirname(made)) {
        await nodeDisk.syncDirectory(dirname(made));
        if (made === first || made === dirname(made)) break;
      }
    }
  },
  async list(directory) {
    const entries = await attempt("list", directory, fs.readdir(directory, { withFileTypes: true }));
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => entry.name)
      .sort();
  },
  async exists(path) {
    try {
      await fs.access(path);
      return true;
    } catch (error) {
      if (diskErrorKind(error) === "not-found") return false;
      throw asDiskError("look for", path, error);
    }
  },
  rename: (from, to) => attempt("rename", from, fs.rename(from, to)),
  remove: (path) => attempt("remove", path, fs.unlink(path)),
  async syncDirectory(path) {
    const handle = await attempt("open", path, fs.open(path, "r"));
    try {
      await attempt("sync directory", path, handle.sync());
    } finally {
      await attempt("close", path, handle.close());
    }
  },
  readText: (path) => attempt("read", path, fs.readFile(path, "utf8")),
  lock: (directory, holder) => attempt("lock", directory, lockDirectory(directory, holder)),
};

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #handle: fs.FileHandle;
  readonly #use: FileUse | undefined;

  constructor(path: string, handle: fs.FileHandle, use: FileUse | undefined) {
    this.path = path;
    this.#handle = handle;
    this.#use = use;
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return this.#inTurn(() => this.#writeInChunks(buffers, position));
  }

  async #writeInChunks(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let at = position;
    for (let first = 0; first < buffers.length; first += buffersPerWriteMax) {
      const chunk = buffers.slice(first, first + buffersPerWriteMax);
      at += await attempt("write", this.path, this.#writeAll(chunk, at));
    }
    if (this.#use === "durable-commits" && syncedWrites === 0) await this.datasync();
  }

  /** A write may stop early (a signal, a disk about to be full): goes on from there. */
  async #writeAll(buffers: Uint8Array[], position: number): Promise<number> {
    let written = 0;
    for (let rest = buffers; rest.length > 0; ) {
      let { bytesWritten } = await this.#handle.writev(rest, position + written);
      written += bytesWritten;
      let whole = 0;
      for (const buffer of rest) {
        if (bytesWritten < buffer.byteLength) break;
        bytesWritten -= buffer.byteLength;
        whole++;
      }
      rest = rest.slice(whole);
      const [cut, ...others] = rest;
      if (cut !== undefined && bytesWritten > 0) rest = [cut.subarray(bytesWritten), ...others];
    }
    return written;
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#inTurn(() => this.#readAll(into, position));
  }

  async #readAll(into: Uint8Array, position: number): Promise<number> {
    let total = 0;
    while (total < into.byteLength) {
      const reading = this.#handle.read(into, total, into.byteLength - total, position + total);
      const { bytesRead } = await attempt("read", this.path, reading);
      if (bytesRead === 0) break;
      total += bytesRead;
    }
    return total;
  }

  datasync(): Promise<void> {
    return this.#inTurn(() => attempt("datasync", this.path, this.#handle.datasync()));
  }

  truncate(length: number): Promise<void> {
    return attempt("truncate", this.path, this.#handle.truncate(length));
  }

  async size(): Promise<number> {
    return (await attempt("size", this.path, this.#handle.stat())).size;
  }

  close(): Promise<void> {
    return attempt("close", this.path, this.#handle.close());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#use === undefined ? oneOfFew(work) : work();
  }
}

async function attempt<T>(operation: string, path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw asDiskError(operation, path, error);
  }
}

function asDiskError(operation: string, path: string, error: unknown): DiskError {
  return error instanceof DiskError ? error : new DiskError(diskErrorKind(error), operation, path, error);
}

const kindsByCode: ReadonlyMap<string, DiskErrorKind> = new Map([
  ["ENOENT", "not-found"],
  ["EEXIST", "exists"],
  ["ENOSPC", "no-space"],
  ["EDQUOT", "no-space"],
  ["EFBIG", "no-space"],
  ["EACCES", "denied"],
  ["EPERM", "denied"],
  ["EROFS", "denied"],
  ["EMFILE", "too-many-files"],
  ["ENFILE", "too-many-files"],
]);

/** The kind of a failure reported by the operating system. */
export function diskErrorKind(error: unknown): DiskErrorKind {
  return kindsByCode.get((error as NodeJS.ErrnoException).code ?? "") ?? "io";
}
