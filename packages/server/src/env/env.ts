/**
 * Everything of the outside world that the server touches. The real one is `node-env.ts`; tests own
 * a simulated one. Outside this room nobody reads a clock, sets a timer, draws a random number or
 * opens a file or socket: a lint rule enforces it.
 */
export interface Env {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly disk: Disk;
}

export interface Clock {
  /** Milliseconds since 1970-01-01T00:00Z. May jump in either direction. */
  now(): number;
  /** Milliseconds since some fixed moment, with fractions. Never goes back. */
  monotonic(): number;
}

/** A timer that has been set. */
export interface Timer {
  cancel(): void;
}

export interface Timers {
  /** Calls `callback` once after `delayMs`. A pending timer does not keep the process alive. */
  after(delayMs: number, callback: () => void): Timer;
  /** Resolves after `delayMs`; rejects with the signal's reason when it is aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>;
}

export interface Random {
  /** A whole number, 0 ≤ n < 2^32. */
  uint32(): number;
  bytes(length: number): Uint8Array;
}

export type OpenMode = "read" | "write" | "create";

/**
 * What a file is for, if somebody waits for each of its writes: those never wait for other files. Those of
 * `durable-commits` are durable once they have resolved, as by a datasync, in one step.
 */
export type FileUse = "commits" | "durable-commits";

/**
 * The file system as a database needs it: what is written is lost in a crash until `datasync` has
 * returned, and a new, renamed or removed name until `syncDirectory` has. Failures reject with
 * DiskError.
 */
export interface Disk {
  /** Opens for reading and writing; `create` makes a new empty file and fails when it is there. */
  open(path: string, mode: OpenMode, use?: FileUse): Promise<DiskFile>;
  /** Makes the directory and its missing parents. */
  makeDirectory(path: string): Promise<void>;
  /** Names of the files in a directory, sorted. */
  list(directory: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  readText(path: string): Promise<string>;
  /** Takes the directory for this process, or says who has it. Gone with the process, however it ends. */
  lock(directory: string, holder: string): Promise<DirectoryLock>;
}

export type DirectoryLock =
  | { readonly kind: "locked"; release(): Promise<void> }
  | { readonly kind: "held"; readonly by: string };

export interface DiskFile {
  readonly path: string;
  /** Writes all of the buffers, one after the other, from `position` on. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills as much of `into` as the file has from `position` on; the number of bytes read. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** All data written so far, and the file's length, survive a crash once this has resolved. */
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export type DiskErrorKind = "not-found" | "exists" | "no-space" | "io" | "denied" | "too-many-files";

/** A failed disk operation: what kind of failure, which operation and on which path. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly kind: DiskErrorKind;
  readonly operation: string;
  readonly path: string;

  constructor(kind: DiskErrorKind, operation: string, path: string, cause?: unknown) {
    super(`${operation} ${path}: ${kind}`, { cause });
    this.kind = kind;
    this.operation = operation;
    this.path = path;
  }
}
