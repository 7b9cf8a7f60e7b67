import { join } from "node:path";
import type { Disk, Env } from "../env/env.js";
import type { Frame } from "./frame.js";
import { LogError, type ShardId } from "./log-store.js";
import { recover } from "./recovery.js";
import { type Scan, scanFrames } from "./scan.js";
import { newSegment, type Segment, segmentNumber } from "./segment.js";
import { SegmentFiles } from "./segment-files.js";
import type { Shards } from "./shard.js";

/** What a tool was asked to do, it cannot: there is no log, or there is one already. */
export class LogToolError extends Error {
  override readonly name = "LogToolError";
  readonly kind: "not-found" | "not-empty";

  constructor(kind: "not-found" | "not-empty", message: string) {
    super(message);
    this.kind = kind;
  }
}

/** Something that is wrong with a log. */
export interface LogFinding {
  readonly path: string;
  readonly offset: number;
  readonly detail: string;
}

export interface LogCheck {
  readonly segments: number;
  readonly batches: number;
  readonly bytes: number;
  readonly findings: readonly LogFinding[];
}

/** Work on the log of a directory that no server has. Rejects with LogError locked when one has it. */
export async function withLockedLog<T>(env: Env, directory: string, work: () => Promise<T>): Promise<T> {
  const lock = await env.disk.lock(directory, "a tool for the log");
  if (lock.kind === "held") {
    throw new LogError("locked", `The directory ${directory} is in use by ${lock.by}.`);
  }
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** Rejects with LogToolError not-found. */
export async function mustHaveLog(disk: Disk, directory: string): Promise<void> {
  const names = (await disk.exists(directory)) ? await disk.list(directory) : [];
  if (names.some((name) => segmentNumber(name) !== undefined)) return;
  throw new LogToolError("not-found", `There is no log in ${directory}.`);
}

/** Reads every byte of a log and compares everything that says the same twice. Changes nothing. */
export async function verifyLog(env: Env, directory: string): Promise<LogCheck> {
  await mustHaveLog(env.disk, directory);
  return withLockedLog(env, directory, async () => {
    const files = new SegmentFiles(env.disk, 4, 0);
    try {
      const { segments, shards, notices } = await recover(env.disk, directory, files);
      const findings: LogFinding[] = [...notices];
      const lastIds = new Map<ShardId, number>();
      let batches = 0;
      let bytes = 0;
      for (const segment of segments) {
        bytes += segment.space.bytes;
        const scan = await scanSegment(segment, files);
        for (const { offset, detail } of scan.damages) {
          const isKnown = notices.some((notice) => notice.path === segment.path && notice.offset === offset);
          if (!isKnown) findings.push({ path: segment.path, offset, detail });
        }
        for (const frame of scan.frames) {
          if (frame.kind !== "batch") continue;
          batches++;
          checkLink(segment, frame, lastIds, shards, findings);
        }
        await checkIndexes(segment, scan, files, findings);
      }
      return { segments: segments.length, batches, bytes, findings };
    } finally {
      await files.close();
    }
  });
}

async function scanSegment(segment: Segment, files: SegmentFiles): Promise<Scan> {
  const content = await files.read(segment, 0, segment.space.bytes);
  return scanFrames(content, segment.open !== undefined);
}

function checkLink(
  { path }: Segment,
  { shardId, batchId, previousId, offset }: Frame,
  lastIds: Map<ShardId, number>,
  shards: Shards,
  findings: LogFinding[],
): void {
  const last = lastIds.get(shardId) ?? 0;
  lastIds.set(shardId, batchId);
  if (previousId === last || !shards.isAlive(shardId, previousId)) return;
  const detail = `shard ${shardId}: batches after ${last} up to ${previousId} are missing`;
  findings.push({ path, offset, detail });
}

/** Every entry of an index must point to the frame that it tells of. */
async function checkIndexes(
  segment: Segment,
  { frames }: Scan,
  files: SegmentFiles,
  findings: LogFinding[],
): Promise<void> {
  const directory = await files.directory(segment);
  if (directory === undefined) return;
  const idsByOffset = new Map(frames.map(({ offset, batchId }) => [offset, batchId]));
  for (let i = 0; i < directory.count; i++) {
    const extent = directory.extent(i);
    const index = await files.index(segment, extent);
    const at = { path: segment.path, offset: extent.indexOffset };
    if (index === undefined) {
      findings.push({ ...at, detail: `shard ${extent.shardId}: the index in the footer is damaged` });
      continue;
    }
    let wrong = 0;
    for (let position = 0; position < index.count; position++) {
      const { offset, batchId } = index.entry(position);
      if (idsByOffset.get(offset) !== batchId) wrong++;
    }
    if (wrong > 0) {
      const detail = `shard ${extent.shardId}: ${wrong} of ${index.count} batches are not where the index says`;
      findings.push({ ...at, detail });
    }
  }
}

export type DumpedFrame =
  | Omit<Frame, "payload">
  | { readonly kind: "damage"; readonly offset: number; readonly detail: string };

/** All frames in the order of the files, and damages where they are. Needs no lock: it only reads. */
export async function* dumpLog(
  env: Env,
  directory: string,
): AsyncGenerator<DumpedFrame & { readonly path: string }> {
  await mustHaveLog(env.disk, directory);
  const files = new SegmentFiles(env.disk, 4, 0);
  try {
    for (const name of await env.disk.list(directory)) {
      const parsed = segmentNumber(name);
      if (parsed === undefined) continue;
      const path = join(directory, name);
      const file = await env.disk.open(path, "read");
      const bytes = await file.size();
      await file.close();
      const segment = newSegment(parsed.number, path);
      segment.space.bytes = bytes;
      const { frames, damages } = await scanSegment(segment, files);
      const items: DumpedFrame[] = damages.map((damage) => ({ kind: "damage", ...damage }));
      for (const { payload: _, ...frame } of frames) items.push(frame);
      items.sort((a, b) => a.offset - b.offset);
      for (const item of items) yield { path, ...item };
      files.forget(segment);
    }
  } finally {
    await files.close();
  }
}
