import {
  ErrorCode,
  HStreamApiService,
  type ReceivedRecord as ReceivedBatch,
  type RecordId,
  type ShardOffset,
} from "@hstream/proto";
import { clientClosed, type Connection } from "../connection.js";
import { fromGrpc, HStreamClientError, isUnavailable } from "../errors.js";
import { isRecordPlace, recordIdOf, type ShardPlace, toShardOffset } from "./offset.js";

/** What is to be read of one shard. */
export interface ShardRange {
  readonly stream: string;
  readonly shardId: bigint;
  /** Behind this record, if one is given; else from `from`. */
  readonly after: RecordId | undefined;
  readonly from: ShardPlace;
  /** Absent: without end. */
  readonly until: ShardPlace | undefined;
  /** Whether an end before the beginning means that there is nothing to read; else it is refused. */
  readonly mayBeEmpty: boolean;
}

/** A batch, of which the first `skipped` records were not asked for. */
export interface ReadBatch {
  readonly batch: ReceivedBatch;
  readonly skipped: number;
}

/** The next record that is wanted: of this batch from this index on, or of a later one. */
interface Wanted {
  readonly batchId: bigint;
  readonly batchIndex: number;
}

/** Reads one shard. When its server goes away it is looked up and reading goes on behind what has come. */
export async function* readShard(
  connection: Connection,
  range: ShardRange,
  signal: AbortSignal,
): AsyncGenerator<ReadBatch, void, undefined> {
  const bounds = await resolve(connection, range, signal);
  if (bounds === "nothing") return;
  let { wanted } = bounds;
  let resumed = false;
  for (let tries = 0; ; tries += 1) {
    if (isBehind(wanted, bounds.until)) return;
    try {
      const request = {
        readerId: `reader-${connection.system.randomName()}`,
        shardId: range.shardId,
        streamName: range.stream,
        from: wanted === undefined ? toShardOffset(range.from) : offsetOf(range.shardId, wanted),
        until: bounds.until === undefined ? undefined : toShardOffset(bounds.until),
        maxReadBatches: 0n,
      };
      const { serverNode } = await connection.call(
        HStreamApiService.lookupShardReader,
        { readerId: request.readerId },
        { signal },
      );
      const node = connection.nodeAddress(serverNode);
      const call = connection.serverStream(node, HStreamApiService.readShardStream, request);
      const cancel = () => call.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        for await (const { receivedRecords } of call as AsyncIterable<{ receivedRecords: ReceivedBatch[] }>) {
          tries = 0;
          for (const batch of receivedRecords) {
            const skipped = skippedOf(batch.recordIds, wanted);
            const last = batch.recordIds.at(-1);
            if (last === undefined || skipped === batch.recordIds.length) continue;
            wanted = { batchId: last.batchId, batchIndex: last.batchIndex + 1 };
            yield { batch, skipped };
          }
        }
        return;
      } finally {
        signal.removeEventListener("abort", cancel);
        call.cancel();
      }
    } catch (error) {
      const failure = connection.closed ? clientClosed() : fromGrpc(error);
      const isConflict = failure.code === ErrorCode.ShardReaderConflictOffset;
      if (isConflict && (range.mayBeEmpty || resumed)) return;
      if (!isUnavailable(failure)) throw failure;
    }
    resumed = true;
    await connection.backOff(tries, signal);
  }
}

interface Bounds {
  readonly wanted: Wanted | undefined;
  readonly until: ShardPlace | undefined;
}

/** Turns "latest" into the place that it is now, which it still is after an interruption. */
async function resolve(
  connection: Connection,
  { stream: streamName, shardId, after, from, until }: ShardRange,
  signal: AbortSignal,
): Promise<Bounds | "nothing"> {
  const isLatest = after === undefined && from === "latest";
  let wanted: Wanted | undefined =
    after === undefined ? undefined : { batchId: after.batchId, batchIndex: after.batchIndex + 1 };
  if (!isLatest && until !== "latest") return { wanted, until };
  const request = { streamName, shardId };
  const { tailRecordId } = await connection.call(HStreamApiService.getTailRecordId, request, { signal });
  if (tailRecordId === undefined) {
    throw new HStreamClientError({ reason: "protocol", message: "GetTailRecordId answered none." });
  }
  if (until === "latest" && (isLatest || tailRecordId.batchId === 0n)) return "nothing";
  if (isLatest) wanted = { batchId: tailRecordId.batchId + 1n, batchIndex: 0 };
  return { wanted, until: until === "latest" ? { id: tailRecordId } : until };
}

/** Whether nothing up to `until` is wanted any more. */
function isBehind(wanted: Wanted | undefined, until: ShardPlace | undefined): boolean {
  if (wanted === undefined || until === undefined || !isRecordPlace(until)) return false;
  return wanted.batchId > recordIdOf(until.id).batchId;
}

function offsetOf(shardId: bigint, { batchId }: Wanted): ShardOffset {
  return toShardOffset({ id: { shardId, batchId, batchIndex: 0 } });
}

/** How many of a batch's records come before the wanted one. */
export function skippedOf(ids: readonly RecordId[], wanted: Wanted | undefined): number {
  if (wanted === undefined) return 0;
  const first = ids.findIndex(
    ({ batchId, batchIndex }) =>
      batchId > wanted.batchId || (batchId === wanted.batchId && batchIndex >= wanted.batchIndex),
  );
  return first < 0 ? ids.length : first;
}
