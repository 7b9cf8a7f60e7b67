import {
  asBuffer,
  type BatchedRecordParts,
  decodeBatchedRecord,
  isMalformed,
  type Malformed,
  readUtf8,
  utf8Length,
  varintLength,
  WireCursor,
  writeUtf8,
  writeVarint,
} from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";
import { recordIdsBytesMax, writeRecordIds } from "./record-ids-codec.js";

/**
 * The messages of Append, which is called so often that no object is made for a record:
 *
 *   AppendRequest  := [0a length streamName] [10 shardId] [1a length BatchedRecord]
 *   AppendResponse := [0a length streamName] [10 shardId] { 1a length RecordId }*
 */
const field = { streamName: 0x0a, shardId: 0x10, records: 0x1a, recordIds: 0x1a } as const;

export interface AppendRequestParts {
  readonly streamName: string;
  readonly shardId: number | bigint;
  /** Its payload is a view of the message. */
  readonly records: BatchedRecordParts | undefined;
}

export interface AppendResponseParts {
  readonly streamName: string;
  readonly shardId: ShardId;
  readonly batchId: BatchId;
  readonly recordCount: number;
}

export function decodeAppendRequest(message: Buffer): AppendRequestParts | Malformed {
  const cursor = new WireCursor(message);
  const buffer = asBuffer(message);
  let streamName = "";
  let shardId: number | bigint = 0;
  let records: BatchedRecordParts | undefined;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    switch (tag) {
      case field.streamName:
        streamName = readUtf8(buffer, cursor.span(), cursor.position);
        break;
      case field.shardId:
        shardId = cursor.uint64();
        break;
      case field.records: {
        const start = cursor.span();
        const decoded = decodeBatchedRecord(message, start, cursor.position);
        if (isMalformed(decoded)) return decoded;
        records = decoded;
        break;
      }
      default:
        cursor.skip(tag);
    }
  }
  return cursor.failure ?? { streamName, shardId, records };
}

export function encodeAppendResponse(response: AppendResponseParts): Buffer {
  const { streamName, shardId, batchId, recordCount } = response;
  const nameLength = utf8Length(streamName);
  const headBytesMax = 2 + varintLength(nameLength) + nameLength + 10;
  const target = Buffer.allocUnsafe(headBytesMax + recordIdsBytesMax(recordCount));
  target[0] = field.streamName;
  let at = writeUtf8(target, writeVarint(target, 1, nameLength), streamName, nameLength);
  target[at++] = field.shardId;
  at = writeVarint(target, at, shardId);
  at = writeRecordIds(target, at, field.recordIds, shardId, batchId, upTo(recordCount));
  return target.subarray(0, at);
}

function* upTo(count: number): Iterable<number> {
  for (let index = 0; index < count; index++) yield index;
}
