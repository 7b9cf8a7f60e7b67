import type { ServerDuplexStream } from "@grpc/grpc-js";
import {
  HStreamApiService,
  type HStreamRecord,
  type HStreamRecordHeader_Flag,
  type Inflate,
  isUnreadable,
  type Malformed,
  must,
  RecordBatchReader,
  type ReadStreamByKeyRequest,
  ReadStreamByKeyResponse,
  type RecordId,
} from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { LogStore, StoredBatch } from "../log/log-store.js";
import { hashKey, shardIndexOf } from "../streams/key-space.js";
import { ShardScan } from "../streams/shard-scan.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import type { Handlers } from "./handlers.js";
import { readOffsetOf } from "./offset-codec.js";
import { singleRange, userStream } from "./reader-rpcs.js";
import { answerStream, type StreamAnswer } from "./stream-call.js";
import { refuseMalformed } from "./tolerant.js";

/** ReadStreamByKey, whose answers are encoded where their size is known. */
export const keyReaderMethod = {
  ...HStreamApiService.readStreamByKey,
  responseSerialize: (encoded: Buffer) => encoded,
};

export interface KeyReaderRooms {
  readonly streams: StreamCatalogue;
  readonly log: LogStore;
  readonly inflate: Inflate;
}

type KeyCall = ServerDuplexStream<ReadStreamByKeyRequest | Malformed, Buffer>;

/**
 * ReadStreamByKey: the records of one key. The first request says which; it and the later ones say how
 * many more records the caller takes. Ends well at `until`, or when the caller has said its last word
 * and got all that it asked for.
 */
export function keyReaderRpc(handlers: Handlers, rooms: KeyReaderRooms) {
  const readStreamByKey = (call: KeyCall) => {
    const requests = new Requests(call);
    answerStream(handlers, call, async (answer) => {
      answer.signal.addEventListener("abort", () => requests.wake());
      const first = await requests.first(answer.signal);
      if (first === undefined) return;
      const scan = await scanOf(rooms, first);
      try {
        await forward(scan, first.key, rooms.inflate, requests, answer);
      } finally {
        scan.close();
      }
    });
  };
  return { readStreamByKey };
}

async function scanOf({ streams, log }: KeyReaderRooms, request: ReadStreamByKeyRequest): Promise<ShardScan> {
  const { shardIds } = userStream(streams, request.streamName);
  const index = shardIndexOf(hashKey(request.key), shardIds.length);
  const shardId = must(shardIds[index], "every key has a shard");
  const until = readOffsetOf(request.until);
  // The key decides the shard; a record of another one cannot say more than "now".
  const isOther = until?.kind === "record" && until.shardId !== shardId;
  const end = until === undefined || isOther ? ({ kind: "latest" } as const) : until;
  return new ShardScan(log, [await singleRange(log, shardId, readOffsetOf(request.from), end)]);
}

async function forward(
  scan: ShardScan,
  key: string,
  inflate: Inflate,
  requests: Requests,
  { signal, send }: StreamAnswer,
): Promise<void> {
  while (!scan.finished) {
    const batches = await scan.read({
      batchesMax: limits.readAnswerBatchesMax,
      bytesMax: limits.readBytesMax,
    });
    if (batches.length === 0 && !scan.finished) await scan.wait(signal);
    let answer = newAnswer();
    for (const batch of batches) {
      for (const [recordId, record] of recordsOf(batch, key, inflate)) {
        const bytes = record.payload.length + recordOverheadBytes(record);
        const isFull = answer.bytes + bytes > limits.responseBytesMax;
        if (answer.message.recordIds.length > 0 && (isFull || requests.credit === 0)) {
          await send(encode(answer));
          answer = newAnswer();
        }
        if (!(await requests.take(signal))) return;
        answer.message.recordIds.push(recordId);
        answer.message.receivedRecords.push(record);
        answer.bytes += bytes;
      }
    }
    if (answer.message.recordIds.length > 0) await send(encode(answer));
  }
}

/** The requests of one call: the first one, and how many records all of them ask for. */
class Requests {
  #first: ReadStreamByKeyRequest | undefined;
  #failure: HStreamError | undefined;
  #ended = false;
  #wake: () => void = () => {};
  credit = 0;

  constructor(call: KeyCall) {
    call.on("data", (request: ReadStreamByKeyRequest | Malformed) => {
      try {
        refuseMalformed(request);
        this.#first ??= request;
        this.credit = Math.min(this.credit + Number(request.readRecordCount), Number.MAX_SAFE_INTEGER);
      } catch (error) {
        if (error instanceof HStreamError) this.#failure ??= error;
      }
      this.#wake();
    });
    call.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    call.on("error", () => this.#wake());
  }

  wake(): void {
    this.#wake();
  }

  /** The first request; undefined if there is none. */
  async first(signal: AbortSignal): Promise<ReadStreamByKeyRequest | undefined> {
    await this.#until(() => this.#first !== undefined, signal);
    return this.#first;
  }

  /** Waits until another record may be sent; false if the caller will take no more. */
  async take(signal: AbortSignal): Promise<boolean> {
    if (this.credit === 0) await this.#until(() => this.credit > 0, signal);
    if (this.credit === 0) return false;
    this.credit -= 1;
    return true;
  }

  async #until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      if (condition() || this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

interface Answer {
  readonly message: ReadStreamByKeyResponse;
  bytes: number;
}

function newAnswer(): Answer {
  return { message: { recordIds: [], receivedRecords: [] }, bytes: 0 };
}

function encode({ message }: Answer): Buffer {
  return Buffer.from(ReadStreamByKeyResponse.encode(message).finish());
}

/** What a batch has of a key. A batch that cannot be read has nothing. */
function recordsOf(batch: StoredBatch, key: string, inflate: Inflate): [RecordId, HStreamRecord][] {
  const payload = inflate(batch.payload, batch.compression);
  if (isUnreadable(payload)) return [];
  const found: [RecordId, HStreamRecord][] = [];
  const wanted = Buffer.from(key);
  const reader = new RecordBatchReader(payload);
  const [shardId, batchId] = [BigInt(batch.shardId), BigInt(batch.batchId)];
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  for (let batchIndex = 0; batchIndex < batch.recordCount && reader.next(); batchIndex++) {
    const { keyStart, keyEnd } = reader;
    if (keyEnd - keyStart !== wanted.length || !bytes.subarray(keyStart, keyEnd).equals(wanted)) continue;
    const header = { flag: reader.flag as HStreamRecordHeader_Flag, attributes: reader.attributes(), key };
    found.push([
      { shardId, batchId, batchIndex },
      { header, payload: Buffer.from(reader.payload()) },
    ]);
  }
  return found;
}

/** An upper bound of what a record takes besides its payload. */
function recordOverheadBytes({ header }: HStreamRecord): number {
  let characters = header?.key.length ?? 0;
  for (const [name, value] of header?.attributes ?? []) characters += name.length + value.length + 8;
  return 64 + 3 * characters;
}
