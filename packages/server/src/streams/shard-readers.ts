import type { Inflate } from "@hstream/proto";
import { z } from "zod";
import type { Env } from "../env/env.js";
import { HStreamError } from "../errors.js";
import { limits } from "../limits.js";
import type { LogStore, ShardId } from "../log/log-store.js";
import type { MetaStore } from "../meta/meta-store.js";
import { type MetaCodec, MetaTable } from "../meta/table.js";
import { type Delivery, deliveriesOf } from "./delivery.js";
import { Documents } from "./documents.js";
import { nameProblem } from "./names.js";
import { type ReadOffset, readingFrom } from "./read-offset.js";
import { ShardScan } from "./shard-scan.js";
import type { StreamCatalogue } from "./stream-catalogue.js";

const document = z.object({
  version: z.literal(1),
  id: z.string(),
  streamName: z.string(),
  shardId: z.number(),
  /** The first batch wanted, fixed at creation. */
  from: z.number(),
  timeoutMs: z.number(),
});
type ReaderDocument = Readonly<z.infer<typeof document>>;
const codec: MetaCodec<ReaderDocument> = { parse: (json) => document.parse(json) };

export interface ReaderOptions {
  readonly id: string;
  readonly streamName: string;
  readonly shardId: ShardId | undefined;
  readonly offset: ReadOffset;
  /** How long a read waits for records. */
  readonly timeoutMs: number;
}

interface OpenReader {
  readonly document: ReaderDocument;
  readonly scan: ShardScan;
  /** Read, and not yet handed out. */
  waiting: Delivery[];
  /** Reads of one reader come one after the other. */
  turn: Promise<unknown>;
}

/**
 * Named readers of single shards. Which there are is durable; where each has got to is kept in memory,
 * so that after a restart a reader begins again at its offset.
 */
export class ShardReaders {
  readonly #env: Env;
  readonly #log: LogStore;
  readonly #inflate: Inflate;
  readonly #streams: StreamCatalogue;
  readonly #documents: Documents<ReaderDocument>;
  readonly #open = new Map<string, OpenReader>();

  private constructor(tools: ReaderTools, streams: StreamCatalogue, documents: Documents<ReaderDocument>) {
    this.#env = tools.env;
    this.#log = tools.log;
    this.#inflate = tools.inflate;
    this.#streams = streams;
    this.#documents = documents;
  }

  static async open(tools: ReaderTools, meta: MetaStore, streams: StreamCatalogue): Promise<ShardReaders> {
    return new ShardReaders(
      tools,
      streams,
      await Documents.load(new MetaTable(meta, "shard-readers/", codec)),
    );
  }

  /**
   * Makes a reader. Rejects with InvalidReaderName, InvalidStreamName, StreamNotFound, ShardNotFound,
   * ShardNotInStream, ConflictingOffsets, ReaderExists, TooManyReaders.
   */
  async create({ id, streamName, shardId, offset, timeoutMs }: ReaderOptions): Promise<void> {
    const idProblem = nameProblem(id);
    if (idProblem !== undefined) throw new HStreamError("InvalidReaderName", { reason: idProblem });
    const streamProblem = nameProblem(streamName);
    if (streamProblem !== undefined) throw new HStreamError("InvalidStreamName", { reason: streamProblem });
    if (this.#documents.get(id) !== undefined) throw new HStreamError("ReaderExists", { reader: id });
    const stream = shardId === undefined ? undefined : this.#streams.ofShard(shardId);
    if (shardId === undefined || stream === undefined || stream.kind === "internal") {
      throw new HStreamError("ShardNotFound", { shardId: String(shardId ?? "") });
    }
    if (stream.name !== streamName) {
      throw new HStreamError("ShardNotInStream", { shardId: String(shardId), stream: streamName });
    }
    const max = limits.shardReadersMax;
    if (this.#documents.size >= max) throw new HStreamError("TooManyReaders", { max });
    const from = await readingFrom(this.#log, shardId, offset);
    const made = { version: 1 as const, id, streamName, shardId, from, timeoutMs };
    const result = await this.#documents.set(id, made, 0);
    if (result.kind === "conflict") throw new HStreamError("ReaderExists", { reader: id });
  }

  /** Ids, sorted. */
  list(): string[] {
    return this.#documents.entries().map(([id]) => id);
  }

  /** Rejects with ReaderNotFound. */
  async delete(id: string): Promise<void> {
    const revision = this.#documents.revision(id);
    const result = revision === 0 ? undefined : await this.#documents.set(id, undefined, revision);
    if (result?.kind !== "set") throw new HStreamError("ReaderNotFound", { reader: id });
    this.#open.get(id)?.scan.close();
    this.#open.delete(id);
  }

  /**
   * What comes next, at most so many batches, fitting one answer. Waits for it as long as the reader's
   * timeout says, and at least a few ms. Rejects with ReaderNotFound, StreamNotFound, DataLoss, the
   * signal's reason.
   */
  async read(id: string, batchesMax: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    const reader = this.#reader(id);
    const turn = reader.turn.then(() => this.#next(reader, batchesMax, signal));
    reader.turn = turn.catch(() => {});
    return await turn;
  }

  close(): void {
    for (const { scan } of this.#open.values()) scan.close();
    this.#documents.close();
  }

  #reader(id: string): OpenReader {
    const made = this.#documents.get(id);
    if (made === undefined) throw new HStreamError("ReaderNotFound", { reader: id });
    if (this.#streams.ofShard(made.shardId) === undefined) {
      throw new HStreamError("StreamNotFound", { stream: made.streamName });
    }
    const present = this.#open.get(id);
    if (present !== undefined) return present;
    const scan = new ShardScan(this.#log, [made]);
    const reader: OpenReader = { document: made, scan, waiting: [], turn: Promise.resolve() };
    this.#open.set(id, reader);
    return reader;
  }

  async #next(reader: OpenReader, batchesMax: number, signal: AbortSignal): Promise<readonly Delivery[]> {
    signal.throwIfAborted();
    const waitMs = Math.min(
      Math.max(reader.document.timeoutMs, limits.readShardWaitMsMin),
      limits.readShardWaitMsMax,
    );
    const deadline = this.#env.clock.monotonic() + waitMs;
    for (;;) {
      if (reader.waiting.length === 0) await this.#fill(reader, batchesMax);
      if (reader.waiting.length > 0) return takeAnswer(reader, batchesMax);
      const remainingMs = deadline - this.#env.clock.monotonic();
      if (remainingMs <= 0) return [];
      await this.#await(reader.scan, remainingMs, signal);
    }
  }

  async #fill(reader: OpenReader, batchesMax: number): Promise<void> {
    if (batchesMax === 0) return;
    const batches = await reader.scan.read({
      batchesMax: Math.min(batchesMax, limits.readAnswerBatchesMax),
      bytesMax: limits.readBytesMax,
    });
    reader.waiting = batches.flatMap((batch) => deliveriesOf(batch, undefined, this.#inflate));
  }

  /** Until there may be something to read, or the time has passed. */
  async #await(scan: ShardScan, waitMs: number, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const either = AbortSignal.any([over.signal, signal]);
    const ended = () => {};
    const time = this.#env.timers.sleep(waitMs, either);
    const more = scan.wait(either);
    try {
      await Promise.race([time, more]);
    } finally {
      over.abort(new Error("the wait is over"));
      await Promise.allSettled([time.catch(ended), more.catch(ended)]);
    }
  }
}

interface ReaderTools {
  readonly env: Env;
  readonly log: LogStore;
  readonly inflate: Inflate;
}

/** As many deliveries as fit an answer; a batch that was divided counts once. */
function takeAnswer(reader: OpenReader, batchesMax: number): Delivery[] {
  const batches = new Set<number>();
  let bytes = 0;
  let count = 0;
  for (const { batchId, payload, indexes } of reader.waiting) {
    batches.add(batchId);
    bytes += payload.length + indexes.length * recordIdBytes;
    if (count > 0 && (bytes > limits.responseBytesMax || batches.size > batchesMax)) break;
    count += 1;
  }
  return reader.waiting.splice(0, count);
}

/** An upper bound of a record id on the wire. */
export const recordIdBytes = 24;
