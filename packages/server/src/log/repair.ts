import type { Env } from "../env/env.js";
import { type LogFinding, mustHaveLog, withLockedLog } from "./inspect.js";
import { recover } from "./recovery.js";
import { rewrite } from "./rewriter.js";
import { scanFrames } from "./scan.js";
import type { Segment } from "./segment.js";
import { SegmentFiles } from "./segment-files.js";

const damagedSuffix = ".damaged";

export interface RepairedSegment {
  readonly path: string;
  /** Where the damaged file is now. */
  readonly keptAs: string;
  /** What was wrong. */
  readonly findings: readonly LogFinding[];
}

/**
 * Writes what can be read of every damaged segment to a new file, and puts the damaged one aside. What is
 * lost stays a gap that reads tell of.
 */
export async function repairLog(env: Env, directory: string): Promise<RepairedSegment[]> {
  await mustHaveLog(env.disk, directory);
  return withLockedLog(env, directory, async () => {
    const { disk, clock } = env;
    const files = new SegmentFiles(disk, 4, 0);
    try {
      const { segments, shards, notices } = await recover(disk, directory, files);
      const room = {
        disk,
        directory,
        shards,
        files,
        now: () => clock.now(),
        turn: async (bytes: number) => ({ bytes, end: () => undefined }),
      };
      const repaired: RepairedSegment[] = [];
      for (const segment of segments) {
        const findings = await findingsIn(segment, files);
        for (const notice of notices) {
          const isNew = findings.every(({ offset }) => offset !== notice.offset);
          if (notice.path === segment.path && isNew && segment.open === undefined) findings.push(notice);
        }
        if (findings.length === 0) continue;
        const state = (await files.state(segment)) ?? new Uint8Array(0);
        await rewrite([segment], state, { ...room, salvage: true });
        const keptAs = segment.path + damagedSuffix;
        await disk.rename(segment.path, keptAs);
        await disk.syncDirectory(directory);
        repaired.push({ path: segment.path, keptAs, findings });
      }
      return repaired;
    } finally {
      await files.close();
    }
  });
}

async function findingsIn(segment: Segment, files: SegmentFiles): Promise<LogFinding[]> {
  const content = await files.read(segment, 0, segment.space.bytes);
  const { damages } = scanFrames(content, segment.open !== undefined);
  const findings: LogFinding[] = damages.map((damage) => ({ path: segment.path, ...damage }));
  const directory = await files.directory(segment);
  for (let i = 0; directory !== undefined && i < directory.count; i++) {
    const extent = directory.extent(i);
    if ((await files.index(segment, extent)) !== undefined) continue;
    const detail = `shard ${extent.shardId}: the index in the footer is damaged`;
    findings.push({ path: segment.path, offset: extent.indexOffset, detail });
  }
  return findings;
}
