import {
  HStreamApiService,
  type HStreamRecord,
  type ReadStreamByKeyRequest,
  type ReadStreamByKeyResponse,
  type RecordId,
} from "@hstream/proto";
import type { ClientDuplexStream } from "@grpc/grpc-js";
import { clientClosed, type Connection } from "../connection.js";
import { fromGrpc, HStreamClientError, isUnavailable } from "../errors.js";
import { limits } from "../limits.js";
import { type ShardPlace, toShardOffset } from "./offset.js";
import { skippedOf } from "./shard-reading.js";

/** What is to be read of one key. */
export interface KeyRange {
  readonly stream: string;
  readonly key: string;
  readonly from: ShardPlace;
  readonly until: ShardPlace;
}

export interface KeyRecords {
  readonly ids: readonly RecordId[];
  readonly records: readonly HStreamRecord[];
}

/**
 * Reads the records of one key. The server sends as many as were asked for, and is asked for more when
 * half of them have been taken. When it goes away, reading goes on behind what has come.
 */
export async function* readKey(
  connection: Connection,
  range: KeyRange,
  signal: AbortSignal,
): AsyncGenerator<KeyRecords, void, undefined> {
  let last: RecordId | undefined;
  for (let tries = 0; ; tries += 1) {
    try {
      const { key, stream: streamName, from, until } = range;
      const node = await connection.call(HStreamApiService.lookupKey, { partitionKey: key }, { signal });
      const call: ClientDuplexStream<ReadStreamByKeyRequest, ReadStreamByKeyResponse> = connection.bidiStream(
        connection.nodeAddress(node),
        HStreamApiService.readStreamByKey,
      );
      const cancel = () => call.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        const ask = (count: number) => {
          call.write({
            readerId: `reader-${connection.system.randomName()}`,
            streamName,
            key,
            from: toShardOffset(last === undefined ? from : { id: last }),
            until: toShardOffset(until),
            readRecordCount: BigInt(count),
          });
        };
        ask(limits.keyRecordsAheadMax);
        let taken = 0;
        for await (const answer of call as AsyncIterable<ReadStreamByKeyResponse>) {
          tries = 0;
          const { recordIds, receivedRecords } = answer;
          if (recordIds.length !== receivedRecords.length) {
            const message = `${receivedRecords.length} records came with ${recordIds.length} ids.`;
            throw new HStreamClientError({ reason: "protocol", message });
          }
          const wanted = last && { batchId: last.batchId, batchIndex: last.batchIndex + 1 };
          const skipped = skippedOf(recordIds, wanted);
          if (skipped < recordIds.length) {
            last = recordIds.at(-1);
            yield { ids: recordIds.slice(skipped), records: receivedRecords.slice(skipped) };
          }
          taken += recordIds.length;
          if (taken < limits.keyRecordsAheadMax / 2) continue;
          ask(taken);
          taken = 0;
        }
        return;
      } finally {
        signal.removeEventListener("abort", cancel);
        call.cancel();
      }
    } catch (error) {
      const failure = connection.closed ? clientClosed() : fromGrpc(error);
      if (!isUnavailable(failure)) throw failure;
    }
    await connection.backOff(tries, signal);
  }
}
