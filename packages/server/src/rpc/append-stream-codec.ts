import {
  AppendFailure,
  asBuffer,
  type BatchedRecordParts,
  bigVarintLength,
  decodeBatchedRecord,
  isMalformed,
  type Malformed,
  readUtf8,
  varintLength,
  WireCursor,
  writeBigVarint,
  writeVarint,
} from "@hstream/proto";
import type { BatchId, ShardId } from "../log/log-store.js";

/**
 * The messages of AppendStream, of which one has many requests or answers where the caller sends them so:
 *
 *   AppendStreamRequest  := [08 requestId] [12 length streamName] [18 shardId] [22 length BatchedRecord]
 *                           [2a length producerId] [30 sequence] { 3a length AppendStreamRequest }*
 *   AppendStreamResponse := [08 requestId] (12 length AppendedBatch | 1a length AppendFailure)
 *                           { 22 length AppendStreamResponse }*
 *   AppendedBatch        := [08 shardId] [10 batchId] [18 recordCount]
 */
const requestField = {
  requestId: 0x08,
  streamName: 0x12,
  shardId: 0x18,
  records: 0x22,
  producerId: 0x2a,
  sequence: 0x30,
  more: 0x3a,
} as const;
const answerField = { requestId: 0x08, appended: 0x12, failure: 0x1a, more: 0x22 } as const;
const appendedField = { shardId: 0x08, batchId: 0x10, recordCount: 0x18 } as const;

/** An answer that is no failure, at its longest, with its tag and length; all lengths in it take one byte. */
const appendedBytesMax = 64;

export interface AppendStreamRequestParts {
  readonly requestId: number | bigint;
  readonly streamName: string;
  readonly shardId: number | bigint;
  /** Its payload is a view of the message. */
  readonly records: BatchedRecordParts | undefined;
  readonly producerId: string;
  readonly sequence: number | bigint;
}

export type AppendStreamAnswer =
  | {
      readonly kind: "appended";
      readonly requestId: number | bigint;
      readonly shardId: ShardId;
      readonly batchId: BatchId;
      readonly recordCount: number;
    }
  | {
      readonly kind: "failure";
      readonly requestId: number | bigint;
      readonly status: number;
      readonly details: string;
    };

/** The requests of a message, in order. */
export function decodeAppendStreamRequests(message: Buffer): AppendStreamRequestParts[] | Malformed {
  const cursor = new WireCursor(message);
  const requests: AppendStreamRequestParts[] = [];
  const failure = readRequest(cursor, asBuffer(message), requests, "outer");
  return failure ?? requests;
}

function readRequest(
  cursor: WireCursor,
  buffer: Buffer,
  requests: AppendStreamRequestParts[],
  level: "outer" | "inner",
): Malformed | undefined {
  const at = requests.length;
  let requestId: number | bigint = 0;
  let streamName = "";
  let shardId: number | bigint = 0;
  let records: BatchedRecordParts | undefined;
  let producerId = "";
  let sequence: number | bigint = 0;
  for (let tag = cursor.tag(); tag !== 0; tag = cursor.tag()) {
    switch (tag) {
      case requestField.requestId:
        requestId = cursor.uint64();
        break;
      case requestField.streamName:
        streamName = readUtf8(buffer, cursor.span(), cursor.position);
        break;
      case requestField.shardId:
        shardId = cursor.uint64();
        break;
      case requestField.records: {
        const start = cursor.span();
        const decoded = decodeBatchedRecord(buffer, start, cursor.position);
        if (isMalformed(decoded)) return decoded;
        records = decoded;
        break;
      }
      case requestField.producerId:
        producerId = readUtf8(buffer, cursor.span(), cursor.position);
        break;
      case requestField.sequence:
        sequence = cursor.uint64();
        break;
      case requestField.more: {
        if (level === "inner") {
          cursor.fail("a request within another has requests itself");
          break;
        }
        // Its own place is kept for the first, whose fields may still come.
        if (requests.length === at)
          requests.push({ requestId, streamName, shardId, records, producerId, sequence });
        const outer = cursor.enter();
        const failure = readRequest(cursor, buffer, requests, "inner");
        if (failure !== undefined) return failure;
        cursor.leave(outer);
        break;
      }
      default:
        cursor.skip(tag);
    }
  }
  requests[at] = { requestId, streamName, shardId, records, producerId, sequence };
  return cursor.failure ?? undefined;
}

/** One message with all of the answers; there is at least one. */
export function encodeAppendStreamAnswers(answers: readonly AppendStreamAnswer[]): Buffer {
  const failures = answers.map((answer) => (answer.kind === "failure" ? encodeFailure(answer) : undefined));
  const bytesMax = failures.reduce((sum, failure) => sum + appendedBytesMax + (failure?.length ?? 0), 0);
  const target = Buffer.allocUnsafe(bytesMax);
  let at = 0;
  for (const [i, answer] of answers.entries()) {
    const failure = failures[i];
    if (i > 0) {
      target[at++] = answerField.more;
      if (failure !== undefined) at = writeVarint(target, at, failure.length);
    }
    if (failure !== undefined) {
      target.set(failure, at);
      at += failure.length;
    } else if (answer.kind === "appended") {
      at = i > 0 ? writeWithLength(target, at, answer, writeAppended) : writeAppended(target, at, answer);
    }
  }
  return target.subarray(0, at);
}

type Appended = Extract<AppendStreamAnswer, { kind: "appended" }>;

function writeAppended(target: Buffer, offset: number, answer: Appended): number {
  let at = writeId(target, offset, answer.requestId);
  target[at++] = answerField.appended;
  at = writeWithLength(target, at, answer, writeBatch);
  return at;
}

function writeBatch(target: Buffer, offset: number, { shardId, batchId, recordCount }: Appended): number {
  let at = offset;
  target[at++] = appendedField.shardId;
  at = writeVarint(target, at, shardId);
  target[at++] = appendedField.batchId;
  at = writeVarint(target, at, batchId);
  target[at++] = appendedField.recordCount;
  return writeVarint(target, at, recordCount);
}

/** What is written takes less than 128 bytes. */
function writeWithLength(
  target: Buffer,
  offset: number,
  answer: Appended,
  write: (target: Buffer, offset: number, answer: Appended) => number,
): number {
  const end = write(target, offset + 1, answer);
  target[offset] = end - offset - 1;
  return end;
}

function writeId(target: Buffer, offset: number, id: number | bigint): number {
  if (id === 0) return offset;
  target[offset] = answerField.requestId;
  return typeof id === "number"
    ? writeVarint(target, offset + 1, id)
    : writeBigVarint(target, offset + 1, id);
}

function encodeFailure(answer: Extract<AppendStreamAnswer, { kind: "failure" }>): Buffer {
  const { requestId, status, details } = answer;
  const body = AppendFailure.encode({ status, details }).finish();
  const idBytes = typeof requestId === "number" ? varintLength(requestId) : bigVarintLength(requestId);
  const target = Buffer.allocUnsafe(2 + idBytes + varintLength(body.length) + body.length);
  let at = writeId(target, 0, requestId);
  target[at++] = answerField.failure;
  at = writeVarint(target, at, body.length);
  target.set(body, at);
  return target.subarray(0, at + body.length);
}
