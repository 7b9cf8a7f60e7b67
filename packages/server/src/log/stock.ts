import type { Directory } from "./directory.js";
import type { Segment } from "./segment.js";
import type { Shards } from "./shard.js";

/** With so much of it in one shard, a segment is as good as in the order of the shards. */
const dominantPart = 31 / 32;

/** Sets what of a sealed segment is alive, and which ids it has. */
export function takeStock(segment: Segment, directory: Directory, shards: Shards): void {
  let live = 0;
  let total = 0;
  let batches = 0;
  let largest = 0;
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (let i = 0; i < directory.count; i++) {
    const firstId = directory.firstId(i);
    const lastId = directory.lastId(i);
    first = Math.min(first, firstId);
    last = Math.max(last, lastId);
    total += directory.extentBytes(i);
    batches += directory.batchCount(i);
    largest = Math.max(largest, directory.extentBytes(i));
    const shard = shards.present.get(directory.shardId(i));
    if (shard === undefined || lastId <= shard.trimmedUpTo) continue;
    // Of an extent that is trimmed in part, ids tell roughly how much is left.
    const gone = Math.max(0, shard.trimmedUpTo - firstId + 1);
    live += (directory.extentBytes(i) * (lastId - firstId + 1 - gone)) / (lastId - firstId + 1);
  }
  if (directory.count > 0) {
    segment.firstId = first;
    segment.lastId = last;
  }
  segment.space.liveBytes = live;
  segment.space.batchBytes = total;
  if (largest >= total * dominantPart) segment.space.sorted = true;
  segment.space.batches = batches;
  segment.space.extents = directory.count;
  segment.space.stale = false;
}
