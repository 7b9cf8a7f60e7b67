import { join } from "node:path";
import { type Disk, DiskError, type DiskFile, type Env } from "../env/env.js";
import { type LogCheck, LogToolError, mustHaveLog, verifyLog, withLockedLog } from "./inspect.js";
import { segmentNumber } from "./segment.js";

const chunkBytes = 1_048_576;

export interface Backup {
  readonly segments: number;
  readonly bytes: number;
}

/**
 * Copies the log of a directory, also while a server works on it, to a new or empty one. The copy is the
 * log as it was at some moment of the copying, the metadata with it: sealed segments do not change, the
 * newest one only grows, and what replaces a segment stands for all that the segment held. Unless the disk
 * is full: then the log cuts off what it could write of a group only in part, before it refuses the appends
 * in it. So the newest segment is compared after it was copied, and copied again if it is another: what was
 * refused by then is not in the copy.
 */
export async function backupLog(env: Env, directory: string, target: string): Promise<Backup> {
  const { disk } = env;
  await mustHaveLog(disk, directory);
  await mustBeEmpty(disk, target);
  const copied = new Set<string>();
  let bytes = 0;
  let highest: number | undefined;
  for (;;) {
    const found = (await disk.list(directory)).flatMap((name) => {
      const parsed = segmentNumber(name);
      return parsed === undefined ? [] : [{ name, number: parsed.number }];
    });
    highest ??= Math.max(0, ...found.map(({ number }) => number));
    const upTo = highest;
    const missing = found.filter(({ name, number }) => number <= upTo && !copied.has(name));
    if (missing.length === 0) break;
    for (const { name, number } of missing) {
      const [from, to] = [join(directory, name), join(target, name)];
      let size = await copy(disk, from, to);
      while (number === upTo && size !== undefined && !(await isPrefix(disk, to, from, size))) {
        await disk.remove(to);
        size = await copy(disk, from, to);
      }
      // Gone since: what stands for it is in the next list.
      if (size === undefined) continue;
      copied.add(name);
      bytes += size;
    }
  }
  await disk.syncDirectory(target);
  return { segments: copied.size, bytes };
}

/** Copies a backup to a directory without a log, and checks it there. */
export async function restoreLog(env: Env, backup: string, directory: string): Promise<LogCheck> {
  const { disk } = env;
  await mustHaveLog(disk, backup);
  const names = (await disk.list(backup)).filter((name) => segmentNumber(name) !== undefined);
  await mustBeEmpty(disk, directory);
  await withLockedLog(env, directory, async () => {
    for (const name of names) await copy(disk, join(backup, name), join(directory, name));
    await disk.syncDirectory(directory);
  });
  return verifyLog(env, directory);
}

async function mustBeEmpty(disk: Disk, directory: string): Promise<void> {
  await disk.makeDirectory(directory);
  const names = await disk.list(directory);
  if (names.some((name) => segmentNumber(name) !== undefined)) {
    throw new LogToolError("not-empty", `There is a log in ${directory} already; choose an empty directory.`);
  }
}

function openIfThere(disk: Disk, path: string): Promise<DiskFile | undefined> {
  return disk.open(path, "read").catch((error: unknown) => {
    if (error instanceof DiskError && error.kind === "not-found") return undefined;
    throw error;
  });
}

/** Whether a file begins with the bytes of another. One that is gone does: it ended as it was. */
async function isPrefix(disk: Disk, path: string, of: string, bytes: number): Promise<boolean> {
  const whole = await openIfThere(disk, of);
  if (whole === undefined) return true;
  const part = await disk.open(path, "read");
  try {
    const [ours, theirs] = [Buffer.allocUnsafeSlow(chunkBytes), Buffer.allocUnsafeSlow(chunkBytes)];
    for (let at = 0; at < bytes; at += chunkBytes) {
      const length = Math.min(chunkBytes, bytes - at);
      const got = await whole.read(theirs.subarray(0, length), at);
      await part.read(ours.subarray(0, length), at);
      if (got < length || ours.compare(theirs, 0, length, 0, length) !== 0) return false;
    }
    return true;
  } finally {
    await part.close();
    await whole.close();
  }
}

/** The bytes copied; undefined when there is no such file. */
async function copy(disk: Disk, from: string, to: string): Promise<number | undefined> {
  const source = await openIfThere(disk, from);
  if (source === undefined) return undefined;
  try {
    const target = await disk.open(to, "create");
    try {
      const bytes = await source.size();
      const chunk = Buffer.allocUnsafeSlow(chunkBytes);
      let at = 0;
      while (at < bytes) {
        const got = await source.read(chunk.subarray(0, Math.min(chunkBytes, bytes - at)), at);
        if (got === 0) break;
        await target.write([chunk.subarray(0, got)], at);
        at += got;
      }
      await target.datasync();
      return at;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
