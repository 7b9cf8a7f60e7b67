import { dirname } from "node:path";
import {
  type DirectoryLock,
  type Disk,
  DiskError,
  type DiskErrorKind,
  type DiskFile,
  type FileUse,
  type OpenMode,
} from "./env.js";
import type { SeededRandom } from "./seeded-random.js";

/** Disks write sectors whole or not at all. */
const sectorBytes = 512;

/** An operation about to happen: `count` is how many came before it. */
export interface DiskOperation {
  readonly name: string;
  readonly path: string;
  readonly count: number;
}

/**
 * Asked before every operation: undefined lets it happen, a kind makes it fail, "crash" stops the
 * machine in the middle of it (a write may have reached the disk or not).
 */
export type FaultHook = (operation: DiskOperation) => DiskErrorKind | "crash" | undefined;

/** A change of a file's data that no datasync has covered yet. */
type DataChange =
  | { readonly kind: "write"; readonly position: number; readonly data: Uint8Array }
  | { readonly kind: "truncate"; readonly length: number };

type NameChange =
  | { readonly kind: "add"; readonly path: string; readonly content: Content }
  | { readonly kind: "remove"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string };

/** A file's data: as programs see it, as a crash would leave it at worst, and what is in between. */
class Content {
  seen = new Uint8Array(0);
  durable = new Uint8Array(0);
  unsynced: DataChange[] = [];
  /** Changes whose datasync failed: no later datasync covers them, and a crash may keep them or not. */
  forsaken: DataChange[] = [];

  change(change: DataChange): void {
    const from = change.kind === "write" ? change.position : change.length;
    const to = change.kind === "write" ? from + change.data.byteLength : Number.POSITIVE_INFINITY;
    // What is written anew is no longer lost to the syncs to come.
    this.forsaken = this.forsaken.flatMap((old) => without(old, from, to));
    this.unsynced.push(change);
    this.seen = applied(this.seen, change);
  }

  sync(): void {
    for (const change of this.unsynced) this.durable = applied(this.durable, change);
    this.unsynced = [];
  }

  forsake(): void {
    this.forsaken.push(...this.unsynced);
    this.unsynced = [];
  }

  /** Keeps a random part of what was not synced: whole changes, single sectors, or nothing. */
  crash(random: SeededRandom): void {
    const mode = random.below(4);
    for (const change of [...this.forsaken, ...this.unsynced]) {
      if (mode === 0 || (mode === 1 && random.below(2) === 0)) continue;
      if (change.kind === "truncate" || mode === 1) {
        this.durable = applied(this.durable, change);
        continue;
      }
      let position = change.position;
      const end = position + change.data.byteLength;
      const prefixEnd = mode === 2 ? position + random.below(change.data.byteLength + 1) : end;
      while (position < prefixEnd) {
        const sectorEnd = Math.min((Math.floor(position / sectorBytes) + 1) * sectorBytes, prefixEnd);
        if (mode === 2 || random.below(2) === 0) {
          const data = change.data.subarray(position - change.position, sectorEnd - change.position);
          this.durable = applied(this.durable, { kind: "write", position, data });
        }
        position = sectorEnd;
      }
    }
    this.unsynced = [];
    this.forsaken = [];
    this.seen = this.durable.slice();
  }
}

/** The parts of a change that are outside of a range of the file. */
function without(change: DataChange, from: number, to: number): DataChange[] {
  if (change.kind === "truncate") return [];
  const { position, data } = change;
  const parts: DataChange[] = [];
  const before = data.subarray(0, Math.max(0, from - position));
  const after = data.subarray(Math.min(data.byteLength, Math.max(0, to - position)));
  if (before.byteLength > 0) parts.push({ kind: "write", position, data: before });
  const afterPosition = position + data.byteLength - after.byteLength;
  if (after.byteLength > 0) parts.push({ kind: "write", position: afterPosition, data: after });
  return parts;
}

function applied(bytes: Uint8Array<ArrayBuffer>, change: DataChange): Uint8Array<ArrayBuffer> {
  const length =
    change.kind === "truncate"
      ? change.length
      : Math.max(bytes.byteLength, change.position + change.data.byteLength);
  let result = bytes;
  if (length !== bytes.byteLength) {
    if (length < bytes.byteLength) {
      result = bytes.slice(0, length);
    } else if (length <= bytes.buffer.byteLength && bytes.byteOffset === 0) {
      result = new Uint8Array(bytes.buffer, 0, length);
      result.fill(0, bytes.byteLength);
    } else {
      result = new Uint8Array(new ArrayBuffer(length * 2), 0, length);
      result.set(bytes);
    }
  }
  if (change.kind === "write") result.set(change.data, change.position);
  return result;
}

/** A disk in memory that forgets what it may forget when it crashes. */
export class SimulatedDisk implements Disk {
  faults: FaultHook | undefined;
  /** Writes that would make the files' total size exceed this fail with no-space. */
  capacityBytes = Number.POSITIVE_INFINITY;
  operations = 0;
  #names = new Map<string, Content>();
  #durableNames = new Map<string, Content>();
  #unsyncedNames: NameChange[] = [];
  readonly #locks = new Map<string, string>();
  #boot = 0;
  #down = false;

  /** Of all files, as programs see them. */
  get usedBytes(): number {
    let total = 0;
    for (const content of this.#names.values()) total += content.seen.byteLength;
    return total;
  }

  /** Whether a fault has stopped the machine. */
  get isDown(): boolean {
    return this.#down;
  }

  /**
   * From here on nothing happens any more, until `crash` or `endProcess`: for a test that lets everything
   * of the old process come to its end before a new one begins.
   */
  stop(): void {
    this.#down = true;
  }

  /** The power fails: what was not synced is kept, torn or lost as `random` has it; all files are closed. */
  crash(random: SeededRandom): void {
    const names = new Map(this.#durableNames);
    for (const change of this.#unsyncedNames) {
      if (random.below(2) === 0) rename(names, change);
    }
    this.#unsyncedNames = [];
    for (const content of new Set(names.values())) content.crash(random);
    this.#reboot(names);
  }

  #reboot(names: Map<string, Content>): void {
    this.#unsyncedNames = [];
    this.#names = names;
    this.#durableNames = new Map(names);
    this.#locks.clear();
    this.#boot++;
    this.#down = false;
  }

  /** The process ends, however it does; the machine and all that was written go on. */
  endProcess(): void {
    this.#locks.clear();
    this.#boot++;
    this.#down = false;
  }

  /** The bytes of a file as programs see it, for a test that damages them through `overwrite`. */
  contents(path: string): Uint8Array {
    return this.#content("read", path).seen.slice();
  }

  /** Loses everything that was not synced: the worst that a crash may do. */
  lose(): void {
    for (const content of this.#durableNames.values()) {
      content.unsynced = [];
      content.forsaken = [];
      content.seen = content.durable.slice();
    }
    this.#reboot(new Map(this.#durableNames));
  }

  /** Replaces a file's bytes behind everybody's back, durably. */
  overwrite(path: string, bytes: Uint8Array): void {
    const content = this.#names.get(path) ?? new Content();
    content.seen = Uint8Array.from(bytes);
    content.durable = content.seen.slice();
    content.unsynced = [];
    this.#names.set(path, content);
    this.#durableNames.set(path, content);
  }

  /** Removes a file behind everybody's back, durably. */
  erase(path: string): void {
    this.#names.delete(path);
    this.#durableNames.delete(path);
  }

  async open(path: string, mode: OpenMode, use?: FileUse): Promise<DiskFile> {
    await this.#operate("open", path);
    if (mode === "create") {
      if (this.#names.has(path)) throw new DiskError("exists", "open", path);
      const content = new Content();
      this.#changeName({ kind: "add", path, content });
    }
    const file = this.#file(path, this.#content("open", path));
    if (use !== "durable-commits") return file;
    // Two operations, since a crash can come between what they stand for.
    return {
      ...file,
      write: async (buffers, position) => {
        await file.write(buffers, position);
        await file.datasync();
      },
    };
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#operate("make directory", path);
  }

  async list(directory: string): Promise<string[]> {
    await this.#operate("list", directory);
    const names: string[] = [];
    for (const path of this.#names.keys()) {
      if (dirname(path) === directory) names.push(path.slice(directory.length + 1));
    }
    return names.sort();
  }

  async exists(path: string): Promise<boolean> {
    await this.#operate("look for", path);
    if (this.#names.has(path)) return true;
    return [...this.#names.keys()].some((name) => name.startsWith(`${path}/`));
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#operate("rename", from);
    this.#content("rename", from);
    this.#changeName({ kind: "rename", from, to });
  }

  async remove(path: string): Promise<void> {
    await this.#operate("remove", path);
    this.#content("remove", path);
    this.#changeName({ kind: "remove", path });
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#operate("sync directory", path);
    const later: NameChange[] = [];
    for (const change of this.#unsyncedNames) {
      if (dirname(change.kind === "rename" ? change.to : change.path) === path) {
        rename(this.#durableNames, change);
      } else {
        later.push(change);
      }
    }
    this.#unsyncedNames = later;
  }

  async readText(path: string): Promise<string> {
    await this.#operate("read", path);
    return new TextDecoder().decode(this.#content("read", path).seen);
  }

  async lock(directory: string, holder: string): Promise<DirectoryLock> {
    await this.#operate("lock", directory);
    const by = this.#locks.get(directory);
    if (by !== undefined) return { kind: "held", by };
    this.#locks.set(directory, holder);
    const boot = this.#boot;
    return {
      kind: "locked",
      release: async () => {
        if (boot === this.#boot) this.#locks.delete(directory);
      },
    };
  }

  #file(path: string, content: Content): DiskFile {
    const boot = this.#boot;
    let closed = false;
    const operate = (name: string, crashing?: () => void) => {
      if (closed || boot !== this.#boot)
        throw new DiskError("io", name, path, new Error("the file is closed"));
      return this.#operate(name, path, crashing);
    };
    return {
      path,
      write: async (buffers, position) => {
        const data = Uint8Array.from(Buffer.concat(buffers));
        const write = () => content.change({ kind: "write", position, data });
        try {
          await operate("write", write);
        } catch (error) {
          // A disk that runs full has taken a part of the data first.
          if (error instanceof DiskError && error.kind === "no-space") {
            content.change({ kind: "write", position, data: data.subarray(0, data.byteLength >> 1) });
          }
          throw error;
        }
        const growth = Math.max(0, position + data.byteLength - content.seen.byteLength);
        if (growth > 0 && this.usedBytes + growth > this.capacityBytes) {
          const room = Math.max(0, data.byteLength - (this.usedBytes + growth - this.capacityBytes));
          content.change({ kind: "write", position, data: data.subarray(0, room) });
          throw new DiskError("no-space", "write", path);
        }
        write();
      },
      read: async (into, position) => {
        await operate("read");
        const bytes = content.seen.subarray(position, position + into.byteLength);
        into.set(bytes);
        return bytes.byteLength;
      },
      datasync: async () => {
        try {
          await operate("datasync");
        } catch (error) {
          if (boot === this.#boot && !this.#down) content.forsake();
          throw error;
        }
        content.sync();
      },
      truncate: async (length) => {
        const truncate = () => content.change({ kind: "truncate", length });
        await operate("truncate", truncate);
        truncate();
      },
      size: async () => {
        await operate("size");
        return content.seen.byteLength;
      },
      close: async () => {
        closed = true;
      },
    };
  }

  /** Counts the operation, lets other work go first, and fails it when the fault hook says so. */
  async #operate(name: string, path: string, crashing?: () => void): Promise<void> {
    const boot = this.#boot;
    const fault = this.#down ? undefined : this.faults?.({ name, path, count: this.operations });
    this.operations++;
    if (fault === "crash" && !this.#down) {
      crashing?.();
      this.#down = true;
    }
    await Promise.resolve();
    if (this.#down || boot !== this.#boot)
      throw new DiskError("io", name, path, new Error("the machine is down"));
    if (fault !== undefined && fault !== "crash")
      throw new DiskError(fault, name, path, new Error("injected"));
  }

  #content(operation: string, path: string): Content {
    const content = this.#names.get(path);
    if (content === undefined) throw new DiskError("not-found", operation, path);
    return content;
  }

  #changeName(change: NameChange): void {
    rename(this.#names, change);
    this.#unsyncedNames.push(change);
  }
}

function rename(names: Map<string, Content>, change: NameChange): void {
  switch (change.kind) {
    case "add":
      names.set(change.path, change.content);
      return;
    case "remove":
      names.delete(change.path);
      return;
    case "rename": {
      const content = names.get(change.from);
      if (content === undefined) return;
      names.delete(change.from);
      names.set(change.to, content);
    }
  }
}
