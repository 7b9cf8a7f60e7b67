import {
  type DirectoryLock,
  type Disk,
  DiskError,
  type DiskFile,
  type FileUse,
  type OpenMode,
} from "./env.js";

/**
 * A disk that keeps nothing but the lengths of its files, for tests and benchmarks of what is before the
 * disk: its memory does not grow with what is written. Reads give zeros.
 */
export class VoidDisk implements Disk {
  readonly #sync: () => Promise<void>;
  readonly #lengths = new Map<string, number>();

  /** `sync`: what every datasync waits for. */
  constructor(sync: () => Promise<void> = async () => undefined) {
    this.#sync = sync;
  }

  async open(path: string, mode: OpenMode, use?: FileUse): Promise<DiskFile> {
    if (mode === "create" && this.#lengths.has(path)) throw new DiskError("exists", "open", path);
    if (mode === "create") this.#lengths.set(path, 0);
    const length = () => this.#length("open", path);
    length();
    return {
      path,
      write: async (buffers, position) => {
        const end = buffers.reduce((at, { byteLength }) => at + byteLength, position);
        this.#lengths.set(path, Math.max(length(), end));
        if (use === "durable-commits") await this.#sync();
      },
      read: async (into, position) => {
        const bytes = Math.max(0, Math.min(into.byteLength, length() - position));
        into.fill(0, 0, bytes);
        return bytes;
      },
      datasync: () => this.#sync(),
      truncate: async (bytes) => {
        this.#lengths.set(path, bytes);
      },
      size: async () => length(),
      close: async () => undefined,
    };
  }

  async makeDirectory(): Promise<void> {}

  async list(directory: string): Promise<string[]> {
    const names = [...this.#lengths.keys()].filter((path) => path.startsWith(`${directory}/`));
    return names.map((path) => path.slice(directory.length + 1)).sort();
  }

  async exists(path: string): Promise<boolean> {
    return this.#lengths.has(path);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#lengths.set(to, this.#length("rename", from));
    this.#lengths.delete(from);
  }

  async remove(path: string): Promise<void> {
    this.#length("remove", path);
    this.#lengths.delete(path);
  }

  async syncDirectory(): Promise<void> {}

  async readText(path: string): Promise<string> {
    this.#length("read", path);
    return "";
  }

  async lock(): Promise<DirectoryLock> {
    return { kind: "locked", release: async () => undefined };
  }

  #length(operation: string, path: string): number {
    const length = this.#lengths.get(path);
    if (length === undefined) throw new DiskError("not-found", operation, path);
    return length;
  }
}
