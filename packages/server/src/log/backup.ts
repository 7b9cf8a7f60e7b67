import { join } from "node:path";
import { type Disk, DiskError, type Env } from "../env/env.js";
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
 * newest one only grows, and what replaces a segment stands for all that the segment held.
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
    for (const { name } of missing) {
      const size = await copy(disk, join(directory, name), join(target, name));
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

/** The bytes copied; undefined when there is no such file. */
async function copy(disk: Disk, from: string, to: string): Promise<number | undefined> {
  const source = await disk.open(from, "read").catch((error: unknown) => {
    if (error instanceof DiskError && error.kind === "not-found") return undefined;
    throw error;
  });
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
