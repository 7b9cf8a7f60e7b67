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
import { RecordIdReader } from "./record-id-reader.js";
import { recordIdsBytes, recordIdsBytesMax, writeRecordIds } from "./record-ids-codec.js";
import { WholeBatchIds } from "./whole-batch-ids.js";

/**
 * The messages of StreamingFetch:
 *
 *   StreamingFetchRequest  := [0a length subscriptionId] [12 length consumerName] { 1a length RecordId }*
 *   StreamingFetchResponse := 0a length received
 *   received               := { 0a length RecordId }* 12 length BatchedRecord
 */
const requestField = { subscriptionId: 0x0a, consumerName: 0x12, ackIds: 0x1a } as const;
const responseField = { received: 0x0a, recordIds: 0x0a, record: 0x12 } as const;

const wholeAcks = new WholeBatchIds(requestField.ackIds);

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
  const acks = new RecordIdReader(wholeAcks);
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

/** About what a delivery takes as an answer, and not less. */
export function deliveryBytes({ indexes, payload }: Delivery): number {
  return payload.length + recordIdsBytesMax(indexes.length) + headBytesMax;
}

/** A delivery as the whole answer; its payload is copied once, into place. */
export function encodeDelivery(delivery: Delivery): Buffer {
  return write(delivery, (length) => Buffer.allocUnsafe(length));
}

/**
 * The same in memory that the next call uses again. For the transport, which copies an answer behind its
 * prefix as soon as it was serialized: without it, every answer would leave two buffers to collect.
 */
export function encodePassingDelivery(delivery: Delivery): Buffer {
  return write(delivery, (length) => {
    if (length > passingBytesMax) return Buffer.allocUnsafe(length);
    if (length > passing.length) passing = Buffer.allocUnsafeSlow(Math.min(passingBytesMax, 2 * length));
    return passing.subarray(0, length);
  });
}

let passing = Buffer.alloc(0);
const passingBytesMax = 1_048_576;
/** Tags and lengths of the answer and of the batch, and all of the batch before its payload. */
const headBytesMax = 128;

const wholeIds = new WholeBatchIds(responseField.recordIds);

function write(delivery: Delivery, allocate: (length: number) => Buffer): Buffer {
  const { shardId, batchId, indexes, payload } = delivery;
  const head = encodeBatchedRecordHead({
    compressionType: delivery.compression,
    publishTimeMs: delivery.timeMs,
    batchSize: indexes.length,
    payload,
  });
  // They ascend, so the last one tells whether any is missing.
  const isWhole = indexes.at(-1) === indexes.length - 1;
  const whole = isWhole ? wholeIds.of(shardId, batchId, indexes.length) : undefined;
  const idsLength = whole?.length ?? recordIdsBytes(shardId, batchId, indexes);
  const recordLength = head.length + payload.length;
  const receivedLength = idsLength + 1 + varintLength(recordLength) + recordLength;
  const target = allocate(1 + varintLength(receivedLength) + receivedLength);
  target[0] = responseField.received;
  let at = writeVarint(target, 1, receivedLength);
  if (whole === undefined) {
    at = writeRecordIds(target, at, responseField.recordIds, shardId, batchId, indexes);
  } else {
    target.set(whole, at);
    at += idsLength;
  }
  target[at++] = responseField.record;
  at = writeVarint(target, at, recordLength);
  target.set(head, at);
  target.set(payload, at + head.length);
  return target;
}
