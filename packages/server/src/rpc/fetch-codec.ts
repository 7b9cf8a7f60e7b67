import {
  asBuffer,
  encodeBatchedRecordHead,
  type Malformed,
  readUtf8,
  varintLength,
  WireCursor,
  writeVarint,
} from "@hstream/proto";
import type { Delivery } from "../streams/delivery.js";
import type { RecordRun } from "../subscription/subscription-driver.js";
import { RecordIdReader, recordIdsBytes, writeRecordIds } from "./record-ids-codec.js";

/**
 * The messages of StreamingFetch:
 *
 *   StreamingFetchRequest  := [0a length subscriptionId] [12 length consumerName] { 1a length RecordId }*
 *   StreamingFetchResponse := 0a length received
 *   received               := { 0a length RecordId }* 12 length BatchedRecord
 */
const requestField = { subscriptionId: 0x0a, consumerName: 0x12, ackIds: 0x1a } as const;
const responseField = { received: 0x0a, recordIds: 0x0a, record: 0x12 } as const;

export interface FetchRequestParts {
  readonly subscriptionId: string;
  readonly consumerName: string;
  readonly acks: readonly RecordRun[];
  /** Records in all of them. */
  readonly ackCount: number;
}

export function decodeFetchRequest(message: Buffer): FetchRequestParts | Malformed {
  const cursor = new WireCursor(message);
  const buffer = asBuffer(message);
  let subscriptionId = "";
  let consumerName = "";
  const acks = new RecordIdReader();
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    if (tag === requestField.ackIds) acks.read(cursor);
    else if (tag === requestField.subscriptionId) {
      subscriptionId = readUtf8(buffer, cursor.span(), cursor.position);
    } else if (tag === requestField.consumerName) {
      consumerName = readUtf8(buffer, cursor.span(), cursor.position);
    } else cursor.skip(tag);
  }
  return cursor.failure ?? { subscriptionId, consumerName, acks: acks.runs, ackCount: acks.count };
}

/** A delivery as the whole answer; its payload is copied once, into place. */
export function encodeDelivery(delivery: Delivery): Buffer {
  const { shardId, batchId, indexes, payload } = delivery;
  const head = encodeBatchedRecordHead({
    compressionType: delivery.compression,
    publishTimeMs: delivery.timeMs,
    batchSize: indexes.length,
    payload,
  });
  const idsLength = recordIdsBytes(shardId, batchId, indexes);
  const recordLength = head.length + payload.length;
  const receivedLength = idsLength + 1 + varintLength(recordLength) + recordLength;
  const target = Buffer.allocUnsafe(1 + varintLength(receivedLength) + receivedLength);
  target[0] = responseField.received;
  let at = writeVarint(target, 1, receivedLength);
  at = writeRecordIds(target, at, responseField.recordIds, shardId, batchId, indexes);
  target[at++] = responseField.record;
  at = writeVarint(target, at, recordLength);
  target.set(head, at);
  target.set(payload, at + head.length);
  return target;
}
