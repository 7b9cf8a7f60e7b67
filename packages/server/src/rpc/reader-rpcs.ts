import type { ServerUnaryCall, ServerWritableStream } from "@grpc/grpc-js";
import {
  type CreateShardReaderRequest,
  type CreateShardReaderResponse,
  type DeleteShardReaderRequest,
  HStreamApiService,
  type Inflate,
  type ListShardReadersRequest,
  type ListShardReadersResponse,
  type ReadShardRequest,
  type ReadShardStreamRequest,
  type ReadSingleShardStreamRequest,
  type ReadStreamRequest,
} from "@hstream/proto";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { LogStore, ShardId } from "../log/log-store.js";
import { deliveriesOf } from "../streams/delivery.js";
import { nameProblem } from "../streams/names.js";
import { type ReadOffset, readingFrom, readingUpTo } from "../streams/read-offset.js";
import type { ShardReaders } from "../streams/shard-readers.js";
import { type ShardRange, ShardScan } from "../streams/shard-scan.js";
import type { StreamDocument } from "../streams/stream.js";
import type { StreamCatalogue } from "../streams/stream-catalogue.js";
import { encodeDelivery } from "./fetch-codec.js";
import type { Handlers } from "./handlers.js";
import { readOffsetOf, requiredOffset } from "./offset-codec.js";
import { type AnsweringCall, answerStream, type StreamAnswer } from "./stream-call.js";
import { refuseMalformed } from "./tolerant.js";
import { idOf } from "./wire-numbers.js";

/** What is read is encoded where its size is known: all answers are rows of ReceivedRecord as field 1. */
const encodedAnswers = { responseSerialize: (encoded: Buffer) => encoded };
export const readerMethods = {
  readShard: { ...HStreamApiService.readShard, ...encodedAnswers },
  readShardStream: { ...HStreamApiService.readShardStream, ...encodedAnswers },
  readStream: { ...HStreamApiService.readStream, ...encodedAnswers },
  readSingleShardStream: { ...HStreamApiService.readSingleShardStream, ...encodedAnswers },
};

export interface ReaderRooms {
  readonly streams: StreamCatalogue;
  readonly log: LogStore;
  readonly readers: ShardReaders;
  readonly inflate: Inflate;
}

/** What a call reads. */
interface ReadPlace {
  readonly stream: StreamDocument;
  readonly ranges: readonly ShardRange[];
}

/** Reading without a subscription: named readers, and streams from one place to another. */
export function readerRpcs(handlers: Handlers, { streams, log, readers, inflate }: ReaderRooms) {
  const readRanges = (
    call: AnsweringCall,
    request: { readonly readerId: string; readonly maxReadBatches: bigint },
    place: () => Promise<ReadPlace>,
  ) =>
    answerStream(handlers, call, async ({ signal, send }) => {
      refuseMalformed(request);
      checkReaderId(request.readerId);
      const { stream, ranges } = await place();
      const gone = new AbortController();
      // Nothing will come any more that an endless reading could wait for.
      const forget = streams.onEnd(stream.id, () =>
        gone.abort(new HStreamError("StreamNotFound", { stream: stream.name })),
      );
      const scan = new ShardScan(log, ranges);
      try {
        const either = AbortSignal.any([signal, gone.signal]);
        await forward(scan, request.maxReadBatches, inflate, { signal: either, send });
      } finally {
        forget();
        scan.close();
      }
    });

  return {
    createShardReader: handlers.unary(
      async (request: CreateShardReaderRequest): Promise<CreateShardReaderResponse> => {
        await readers.create({
          id: request.readerId,
          streamName: request.streamName,
          shardId: idOf(request.shardId),
          offset: requiredOffset(request.shardOffset, "shardOffset"),
          timeoutMs: request.timeout,
        });
        return request;
      },
    ),

    readShard: handlers.unary(
      async ({ readerId, maxRecords }: ReadShardRequest, call: ServerUnaryCall<ReadShardRequest, Buffer>) => {
        const gone = new AbortController();
        call.on("cancelled", () => gone.abort(new HStreamError("ShuttingDown", {})));
        const signal = AbortSignal.any([gone.signal, handlers.closing]);
        const deliveries = await readers.read(readerId, maxRecords, signal);
        return Buffer.concat(deliveries.map(encodeDelivery));
      },
    ),

    listShardReaders: handlers.unary(
      (_: ListShardReadersRequest): ListShardReadersResponse => ({ readerId: readers.list() }),
    ),

    deleteShardReader: handlers.unary(async ({ readerId }: DeleteShardReaderRequest) => {
      await readers.delete(readerId);
      return {};
    }),

    readShardStream: (call: ServerWritableStream<ReadShardStreamRequest, Buffer>) => {
      const { request } = call;
      readRanges(call, request, async () => {
        const shardId = idOf(request.shardId);
        const stream = shardId === undefined ? undefined : streams.ofShard(shardId);
        if (shardId === undefined || stream === undefined || stream.kind === "internal") {
          throw new HStreamError("ShardNotFound", { shardId: String(request.shardId) });
        }
        if (request.streamName !== "" && request.streamName !== stream.name) {
          throw new HStreamError("ShardNotInStream", {
            shardId: String(shardId),
            stream: request.streamName,
          });
        }
        const range = singleRange(log, shardId, readOffsetOf(request.from), readOffsetOf(request.until));
        return { stream, ranges: [await range] };
      });
    },

    readSingleShardStream: (call: ServerWritableStream<ReadSingleShardStreamRequest, Buffer>) => {
      const { request } = call;
      readRanges(call, request, async () => {
        const stream = userStream(streams, request.streamName);
        const [shardId, ...others] = stream.shardIds;
        if (shardId === undefined || others.length > 0) {
          throw new HStreamError("TooManyShards", { stream: stream.name, count: stream.shardIds.length });
        }
        const range = singleRange(log, shardId, readOffsetOf(request.from), readOffsetOf(request.until));
        return { stream, ranges: [await range] };
      });
    },

    readStream: (call: ServerWritableStream<ReadStreamRequest, Buffer>) => {
      const { request } = call;
      readRanges(call, request, async () => {
        const stream = userStream(streams, request.streamName);
        const from = readOffsetOf(request.from);
        const until = readOffsetOf(request.until);
        const ranges = stream.shardIds.map((shardId) => rangeOf(log, shardId, from, until));
        return { stream, ranges: await Promise.all(ranges) };
      });
    },
  };
}

/** Sends what a scan reads, until it is finished or so many batches (0: any number) were sent. */
async function forward(
  scan: ShardScan,
  batchesMax: bigint,
  inflate: Inflate,
  { signal, send }: StreamAnswer,
): Promise<void> {
  let remaining = batchesMax === 0n ? Number.POSITIVE_INFINITY : Number(batchesMax);
  while (remaining > 0 && !scan.finished) {
    const batches = await scan.read({
      batchesMax: Math.min(limits.readAnswerBatchesMax, remaining),
      bytesMax: limits.readBytesMax,
    });
    remaining -= batches.length;
    if (batches.length === 0 && !scan.finished) await scan.wait(signal);
    let waiting: Buffer[] = [];
    let bytes = 0;
    for (const delivery of batches.flatMap((batch) => deliveriesOf(batch, undefined, inflate))) {
      const encoded = encodeDelivery(delivery);
      if (bytes + encoded.length > limits.responseBytesMax && bytes > 0) {
        await send(Buffer.concat(waiting, bytes));
        waiting = [];
        bytes = 0;
      }
      waiting.push(encoded);
      bytes += encoded.length;
    }
    if (bytes > 0) await send(Buffer.concat(waiting, bytes));
  }
}

/** `from` is the earliest if absent; without `until` the range has no end. */
export async function rangeOf(
  log: LogStore,
  shardId: ShardId,
  from: ReadOffset | undefined,
  until: ReadOffset | undefined,
): Promise<ShardRange> {
  const start = await readingFrom(log, shardId, from ?? { kind: "earliest" });
  if (until === undefined) return { shardId, from: start };
  return { shardId, from: start, upTo: await readingUpTo(log, shardId, until) };
}

/** The same for one shard, where an end before the start is refused, unless nothing is there at all. */
export async function singleRange(
  log: LogStore,
  shardId: ShardId,
  from: ReadOffset | undefined,
  until: ReadOffset | undefined,
): Promise<ShardRange> {
  const range = await rangeOf(log, shardId, from, until);
  if (range.upTo !== undefined && range.from > range.upTo && range.from <= log.tail(shardId)) {
    const reason = `The reading begins at batch ${range.from}, behind its end at batch ${range.upTo}.`;
    throw new HStreamError("ConflictingOffsets", { reason });
  }
  return range;
}

/** Internal streams do not exist for the API's callers. */
export function userStream(streams: StreamCatalogue, name: string): StreamDocument {
  const stream = streams.get(name);
  if (stream.kind === "internal") throw new HStreamError("StreamNotFound", { stream: name });
  return stream;
}

/** Readers of these calls are not remembered, so that any text will do as their ids, or none. */
function checkReaderId(id: string): void {
  if (id.length <= 2 * limits.nameCharactersMax) return;
  throw new HStreamError("InvalidReaderName", { reason: nameProblem(id) ?? "The reader's id is too long." });
}
