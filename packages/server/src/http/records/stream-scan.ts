import type { Inflate } from "@hstream/proto";
import { HStreamError } from "../../errors.js";
import { limits } from "../../limits.js";
import type { LogStore, ShardId } from "../../log/log-store.js";
import type { StreamDocument } from "../../streams/stream.js";
import { recordTexts } from "./stored-records.js";

export interface ScanRange {
  /** Ms since 1970, inclusive; from the first that is kept if absent. */
  readonly fromMs: number | undefined;
  /** Exclusive; up to what is there at the moment of the call if absent. */
  readonly untilMs: number | undefined;
  readonly limit: number;
}

/** What is stored in a range of time, shard by shard, in order within each: texts of JSON objects. */
export async function* scanStream(
  log: LogStore,
  inflate: Inflate,
  stream: StreamDocument,
  range: ScanRange,
): AsyncGenerator<string> {
  let left = range.limit;
  const tails = new Map(stream.shardIds.map((shardId) => [shardId, log.tail(shardId)]));
  for (const [shardId, tail] of tails) {
    for await (const text of scanShard(log, inflate, shardId, tail, range)) {
      if (left-- <= 0) return;
      yield text;
    }
  }
}

async function* scanShard(
  log: LogStore,
  inflate: Inflate,
  shardId: ShardId,
  tail: number,
  { fromMs, untilMs, limit }: ScanRange,
): AsyncGenerator<string> {
  const from = fromMs === undefined ? 0 : await log.findTime(shardId, fromMs);
  if (from === undefined) return;
  const batchesMax = Math.min(limits.readBatchesMax, Math.max(1, limit));
  for (let next = from; next <= tail; ) {
    const read = await log.read(shardId, next, { batchesMax, bytesMax: limits.readBytesMax });
    if (read.gap?.kind === "corrupt") {
      const message = `Shard ${shardId} has records that cannot be read: ${read.gap.detail}`;
      throw new HStreamError("QueryFailed", { message });
    }
    if (read.batches.length === 0 && read.gap === undefined) return;
    for (const batch of read.batches) {
      if (batch.batchId > tail || (untilMs !== undefined && batch.timeMs >= untilMs)) return;
      yield* recordTexts(batch, inflate);
    }
    next = read.next;
  }
}
