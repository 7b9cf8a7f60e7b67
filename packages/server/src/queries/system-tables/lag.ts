import type { BatchId, LogStore, ShardId } from "../../log/log-store.js";

/**
 * How long the first batch from `from` on has waited, ms; 0 when there is none. Reads one batch, since
 * ids say nothing of time.
 */
export async function lagMs(log: LogStore, shardId: ShardId, from: BatchId, nowMs: number): Promise<number> {
  if (from > log.tail(shardId)) return 0;
  const { batches } = await log.read(shardId, from, { batchesMax: 1, bytesMax: 1 });
  const [first] = batches;
  return first === undefined ? 0 : Math.max(0, nowMs - first.timeMs);
}
